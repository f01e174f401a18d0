"""One keeper and what it holds in the kernel: from nothing to an interface, routes and rules, and back.

The steps are those of ``script.py``. The keeper is told its will before anything changes, so whatever happens in
between is undone. It changes nothing that another keeper may hold before that one has left: a table of its own comes
first, by which connections go on, then the succession, then interface, routes and address.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import msgspec
import structlog

from edgecore.clock import Clock
from edgecore.errors import InterceptError
from edgecore.modules.edgemesh.intercept.capability import chosen_tool, forwards, has_program
from edgecore.modules.edgemesh.intercept.interface import (
    LIST_INTERFACES,
    Interface,
    chosen_interface,
    kinds,
    read_interfaces,
)
from edgecore.modules.edgemesh.intercept.keeper.protocol import Nft, Step, Tool, Will
from edgecore.modules.edgemesh.intercept.leftovers import (
    foreign_holder,
    foreign_routes,
    is_used,
    leftover_tables,
    our_tables,
    table_name,
)
from edgecore.modules.edgemesh.intercept.rules import iptables, nftables, routes
from edgecore.modules.edgemesh.intercept.rules.findings import (
    Finding,
    in_iptables,
    in_routes,
    in_table,
    on_interface,
)
from edgecore.modules.edgemesh.intercept.rules.interception import Interception, Spots
from edgecore.modules.edgemesh.intercept.script import (
    IptablesScript,
    NftScript,
    Script,
    disown_interface,
    make_interface,
)
from edgecore.modules.edgemesh.intercept.settings import InterceptSettings

log = structlog.get_logger("edgemesh")

FINDINGS_LIMIT = 100
"""So many are told of one look."""
TRIES, BETWEEN_TRIES_S = 5, 0.2
"""So often a subnet that another node keeps is asked for: that one may be about to end."""


class Link(Protocol):
    """The part of ``KeeperLink`` that is used."""

    pid: int
    nft: Tool

    @property
    def is_alive(self) -> bool:
        """Whether the keeper can be asked."""

    @property
    def holds_tables(self) -> bool:
        """Whether tables can be the keeper's own."""

    async def start(self) -> None:
        """Start the keeper."""

    async def ask(self, *steps: Step) -> str:
        """Do ``steps``; return what the last printed. Raises ``InterceptError``."""

    async def take_over(self, subnet: str) -> bool:
        """Be the one that keeps ``subnet``. Raises ``InterceptError``."""

    def will(self, will: Will) -> None:
        """Have this done when the node is gone."""

    async def bye(self, *, linger: bool) -> None:
        """Have the will done."""


Claim = Callable[[Script], None]
"""Has what the script needs for this node alone. Raises ``InterceptError``."""


class Hold:
    """See the module. ``link`` is not started yet. All that is done may raise ``InterceptError``."""

    def __init__(self, settings: InterceptSettings, link: Link, clock: Clock, claim: Claim) -> None:
        self._settings = settings
        self._clock = clock
        self._claim = claim
        self.link = link
        self.script: Script | None = None
        """Known from ``prepare`` on."""
        self.lingers = False
        self._keeps = False  # the subnet is this keeper's
        self._succeeded = False

    async def prepare(self, listen: Callable[[str], Awaitable[None]]) -> None:
        """Start the keeper, have an interface with our address, ``listen`` there; refuse fake IPs for now."""
        await self.link.start()
        self._claim(await self._found())
        await self._succeed()
        script = self._script()
        await self.link.ask(*script.ground())
        await listen(script.i.address)

    async def _found(self) -> Script:
        """Find tool and interface."""
        settings, link = self._settings, self.link
        tool = chosen_tool(settings.tool, link.nft, has_iptables=has_program("iptables-restore"))
        interface = chosen_interface(settings, await self._interfaces())
        i = interception(settings, table_name(link.pid, settings.subnet), interface)
        await self._look_for_others(i)
        owner = tool == "nft" and await self._may_own(i.table)
        self.script = script_of(tool, i, made=interface.made, owner=owner)
        return self.script

    async def _succeed(self) -> None:
        """Be the one that keeps the subnet, with an interface; connections of the keeper before this one go on."""
        script, link = self._script(), self.link
        link.will(script.first_will())
        steps = script.stand_in()
        if steps:
            await link.ask(*steps)
        self._succeeded = await self._take_over(script.i.subnet)
        self._keeps = True
        link.will(script.will(0.0))
        if script.made:
            await self._have_interface(script.i.interface)

    async def _have_interface(self, name: str) -> None:
        """Have an interface of ours, and up."""
        if name not in await self._interfaces():
            await self._make(name)
        else:
            await self.link.ask(routes.raise_interface(name))

    async def _take_over(self, subnet: str) -> bool:
        for _ in range(TRIES - 1):
            try:
                return await self.link.take_over(subnet)
            except InterceptError as error:
                if error.reason != "in_use":
                    raise
            await self._clock.sleep(BETWEEN_TRIES_S)
        return await self.link.take_over(subnet)

    async def _look_for_others(self, i: Interception) -> None:
        """Raise ``InterceptError`` if what is to be ours is there, and somebody else's."""
        listed = await self.link.ask(routes.list_routes(i.subnet))
        addresses = await self.link.ask(routes.list_all_addresses())
        try:
            foreign, holder = foreign_routes(listed), foreign_holder(addresses, i.address)
        except msgspec.DecodeError as error:
            raise _unreadable(error) from error
        if foreign:
            raise InterceptError("in_use", taken_subnet(i.subnet, foreign[0]))
        if holder:
            text = f"{i.address} is an address of {holder}, and not ours to renew and to take away"
            raise InterceptError("in_use", f"{text}; set modules.edgeMesh.intercept.interfaceAddress to a free one")

    async def _may_own(self, table: str) -> bool:
        """Say whether kernel and nft know tables with an owner (Linux 5.12, nftables 1.0): it makes none."""
        if not self.link.holds_tables:
            return False
        try:
            tried = f"{table}_tried"
            await self.link.ask(Nft(f"create table ip {tried} {{ flags owner; }}\n{nftables.delete(tried)}"))
        except InterceptError as error:
            if error.reason != "refused":
                raise
            log.info("intercept_no_owner", table=table, error=str(error), then="the table is everybody's")
            return False
        return True

    async def put(self, before: Spots | None, after: Spots) -> None:
        """See ``Put``."""
        script = self._script()
        if not self.lingers and any(balanced.targets for balanced in after.balanced.values()):
            self.lingers = True
            self.link.will(script.will(self._settings.linger_s))
        if before is None and isinstance(script, IptablesScript):
            await self._clear_iptables()
        steps = script.rules(before, after)
        if steps:
            await self.link.ask(*steps)

    async def go_live(self) -> None:
        """Lead fake IPs to the rules, which are made."""
        script = self._script()
        await self.link.ask(*script.live())
        left = await self._remove_leftovers(script)
        if self._succeeded or left:
            log.info("intercept_taken_over", from_keeper=self._succeeded, tables=left)

    async def restore(self) -> bool:
        """Make anew, besides the rules, what somebody may have taken away; say whether these are to be others now."""
        script = self._script()
        before, script.i = script.i, msgspec.structs.replace(script.i, forwards=forwards())
        await self._stand()
        return script.i != before

    async def _stand(self) -> None:
        script = self._script()
        if script.made:
            await self._have_interface(script.i.interface)
        await self.link.ask(*script.ground(), *script.live())

    async def renew(self) -> None:
        """Keep the address from running out."""
        await self.link.ask(routes.hold_address(self._script().i))

    async def look(self, applied: Spots | None) -> list[Finding]:
        """Return what is not as it was made; ``applied``: for which spots, if that is known."""
        i = self._script().i
        try:
            addresses = await self.link.ask(routes.list_addresses(i.interface))
        except InterceptError as error:
            if error.reason != "refused":
                raise
            addresses = ""
        await self._give_up_interface(addresses)
        found = [*on_interface(i, addresses), *in_routes(i, await self.link.ask(routes.list_routes(i.subnet)))]
        if forwards() != i.forwards:
            found.append(Finding("foreign", "table", "net.ipv4.ip_forward has changed: the rules are for what it was"))
        found += await self._look_at_rules(applied)
        if len(found) > FINDINGS_LIMIT:
            others = f"and {len(found) - FINDINGS_LIMIT} more"
            found = [*found[:FINDINGS_LIMIT], found[FINDINGS_LIMIT]._replace(text=others)]
        return found

    async def _give_up_interface(self, addresses: str) -> None:
        """Leave an interface that we made to somebody else who has given it an address: it is not ours to take away."""
        script = self._script()
        if script.made and is_used(addresses, script.i.address):
            script.made = False
            self.link.will(script.will(self._settings.linger_s if self.lingers else 0.0))
            await self.link.ask(disown_interface(script.i.interface))
            log.info("intercept_interface_left_to_others", interface=script.i.interface)

    async def _look_at_rules(self, applied: Spots | None) -> Sequence[Finding]:
        script = self._script()
        if not isinstance(script, NftScript):
            saved = await self.link.ask(iptables.save())
            return in_iptables(script.i, applied, saved) if applied is not None else ()
        i, listed = script.i, ""
        if i.table in our_tables(await self.link.ask(Nft(nftables.list_tables()))):
            if script.owner or applied is None:  # nobody else can have changed it
                return ()
            listed = await self.link.ask(Nft(nftables.list_table(i.table), json=True))
        return in_table(i, applied or Spots(), listed)

    async def remove(self, *, keeps_refusing: bool) -> None:
        """Leave nothing in the kernel that is not another's, but the route that refuses if that is to stay."""
        if self.script is not None and self._keeps and self.link.is_alive:
            for step in (*self.script.remove(), *(() if keeps_refusing else self.script.forget())):
                try:
                    await self.link.ask(step)
                except InterceptError as error:
                    log.debug("intercept_step_failed", error=str(error))  # it may be gone already
            self.link.will(Will())
        await self.link.bye(linger=False)

    async def end(self) -> None:
        """End on purpose: rules and routes go, connections of the kernel plane may go on for a while."""
        await self.link.bye(linger=self.lingers)

    async def _interfaces(self) -> dict[str, bool]:
        listed = await self.link.ask(LIST_INTERFACES)
        try:
            return read_interfaces(listed)
        except msgspec.DecodeError as error:
            raise _unreadable(error) from error

    async def _make(self, name: str) -> None:
        """Make an interface."""
        first, second = kinds(self._settings)
        try:
            await self.link.ask(*make_interface(name, first))
        except InterceptError as error:
            log.debug("intercept_interface_not_made", kind=first, error=str(error))
            await self.link.ask(*make_interface(name, second))
        log.info("intercept_interface_made", interface=name)

    async def _clear_iptables(self) -> None:
        """Take away our chains and the jumps to them, of this node or one before it."""
        command = iptables.remove(await self.link.ask(iptables.save()))
        if command is not None:
            await self.link.ask(command)

    async def _remove_leftovers(self, script: Script) -> list[str]:
        """Take away tables of keepers that were killed; only those without the flag ``owner`` are left then."""
        if self.link.nft == "missing":
            return []
        left = leftover_tables(await self.link.ask(Nft(nftables.list_tables())), script.i.table)
        for table in left:
            try:
                await self.link.ask(Nft(nftables.delete(table)))
            except InterceptError as error:  # its owner is another node's keeper
                log.warning("intercept_leftover", table=table, error=str(error))
        return left

    def _script(self) -> Script:
        if self.script is None:
            raise InterceptError("keeper_gone", "there is no keeper; edgecore intercept apply starts one")
        return self.script


def _unreadable(error: msgspec.DecodeError) -> InterceptError:
    return InterceptError("refused", f"a tool printed what cannot be read: {error}")


def interception(settings: InterceptSettings, table: str, interface: Interface) -> Interception:
    """Return what holds as long as the node runs."""
    return Interception(
        table=table,
        interface=interface.name,
        subnet=settings.subnet,
        address=settings.address,
        mark=settings.mark,
        forwards=forwards(),
    )


def script_of(tool: str, i: Interception, *, made: bool, owner: bool) -> Script:
    """Return the steps for a tool."""
    return NftScript(i, made=made, owner=owner) if tool == "nft" else IptablesScript(i, made=made)


def taken_subnet(subnet: str, route: str) -> str:
    """Return why ``subnet`` cannot be used."""
    return (
        f"{subnet} has a route of somebody else ({route}); where nothing needs it: ip route del {route}, or set"
        " modules.edgeMesh.subNet to another network"
    )
