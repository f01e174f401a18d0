"""What is done to the kernel, step by step: at the start, for each change, at the end whatever ends the node (pure).

``edgecore intercept plan`` prints these same steps.
"""

import math
from abc import ABC, abstractmethod

from edgecore.modules.edgemesh.intercept.capability import Tool
from edgecore.modules.edgemesh.intercept.keeper.protocol import Command, Nft, Step, Will
from edgecore.modules.edgemesh.intercept.rules import iptables, nftables, routes
from edgecore.modules.edgemesh.intercept.rules.interception import Interception, Spots

ALIAS = "made by edgecore"
"""Of an interface that we made, so that it is known as ours after a crash (ip-link(8), ``alias``)."""

Steps = tuple[Step, ...]


class Script(ABC):
    """The steps of one interception. ``made``: the interface is ours, and goes at the end."""

    tool: Tool
    owner = False
    """The table is the keeper's own."""

    def __init__(self, i: Interception, *, made: bool) -> None:
        self.i = i
        self.made = made

    @abstractmethod
    def stand_in(self) -> Steps:
        """Have connections go on that another keeper's rules have led, from before it leaves; see ``succession.py``."""

    @abstractmethod
    def rules(self, before: Spots | None, after: Spots) -> Steps:
        """Make the rules for ``after``, where those for ``before`` are; ``None``: whatever is there."""

    @abstractmethod
    def silence(self) -> Steps:
        """Have no rule lead anything any more. Connections of the kernel plane may go on."""

    @abstractmethod
    def delete(self) -> Steps:
        """Take away what ``silence`` leaves."""

    def ground(self) -> Steps:
        """Make what the rules stand on: our address, and the route by which fake IPs are refused."""
        return (routes.hold_address(self.i), routes.fall_back(self.i.subnet))

    def live(self) -> Steps:
        """Have fake IPs go to the interface, where the rules see them."""
        return (routes.go_live(self.i),)

    def first_will(self) -> Will:
        """Return what is done when the node is gone before it keeps the subnet: it has ``stand_in``, no more."""
        return Will(at_last=self.delete())

    def will(self, linger_s: float) -> Will:
        """Return what is done when the node is gone. The fallback route stays.

        While the keeper lingers, the live route and our address stay too: without them the connections of processes of
        the host would wait for the next node.
        """
        drop_live = (routes.drop_live(self.i),)
        if linger_s > 0:
            at_once = (routes.hold_address(self.i, math.ceil(linger_s) + routes.ADDRESS_LIFE_S), *self.silence())
            at_last = (*drop_live, *self._leave(), *self.delete())
        else:
            at_once = (*drop_live, *self.silence())
            at_last = (*self._leave(), *self.delete())
        return Will(at_once, at_last, linger_s, at_succession=self.delete())

    def remove(self) -> Steps:
        """Leave nothing but the route that refuses fake IPs, by command.

        While the node runs DNS gives them, and without that route they would leave by the default one: 9.251.0.0/16
        belongs to somebody.
        """
        return (
            routes.drop_live(self.i),
            *self.silence(),
            *self._leave(),
            *self.delete(),
        )

    def forget(self) -> Steps:
        """Leave nothing at all, after ``remove``."""
        return (routes.drop_fall_back(self.i.subnet),)

    def _leave(self) -> Steps:
        return (routes.drop_address(self.i), *((routes.delete_interface(self.i.interface),) if self.made else ()))


class IptablesScript(Script):
    """With iptables: the proxy plane alone, and in tables that are everybody's."""

    tool: Tool = "iptables"

    def stand_in(self) -> Steps:
        """See ``Script``. There are none: what the proxy serves ends with the node."""
        return ()

    def rules(self, before: Spots | None, after: Spots) -> Steps:
        """See ``Script``. To be made, there may be none; see ``iptables.remove``."""
        command = iptables.create(self.i, after) if before is None else iptables.change(self.i, before, after)
        return (command,) if command is not None else ()

    def silence(self) -> Steps:
        """See ``Script``."""
        return iptables.remove_unseen(self.i)

    def delete(self) -> Steps:
        """See ``Script``."""
        return ()


class NftScript(Script):
    """With nftables. ``owner``: the table is the keeper's own, and goes with it however it ends."""

    tool: Tool = "nft"

    def __init__(self, i: Interception, *, made: bool, owner: bool) -> None:
        super().__init__(i, made=made)
        self.owner = owner

    def stand_in(self) -> Steps:
        """See ``Script``."""
        return (Nft(nftables.stand_in(self.i, self.owner)),)

    def rules(self, before: Spots | None, after: Spots) -> Steps:
        """See ``Script``."""
        if before is None:
            flags = " { flags owner; }" if self.owner else ""
            anew = f"add table ip {self.i.table}{flags}\n{nftables.delete(self.i.table)}"
            return (Nft(anew + nftables.create(self.i, self.owner, after)),)
        text = nftables.change(self.i, before, after)
        return (Nft(text),) if text else ()

    def silence(self) -> Steps:
        """See ``Script``."""
        return (Nft(nftables.silence(self.i)),)

    def delete(self) -> Steps:
        """See ``Script``."""
        return (Nft(nftables.delete(self.i.table)),)


def disown_interface(name: str) -> Command:
    """Have an interface that we made not be known as ours any more."""
    return Command(("ip", "link", "set", "dev", name, "alias", ""))


def make_interface(name: str, kind: str) -> Steps:
    """Make an interface of ours."""
    return (*routes.make_interface(name, kind), Command(("ip", "link", "set", "dev", name, "alias", ALIAS)))
