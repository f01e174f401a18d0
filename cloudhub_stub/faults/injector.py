"""Makes faults happen: asks the rules about each message, drops connections, restarts the stub, plays scenarios."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import structlog

from cloudhub_stub.errors import FaultRefused
from cloudhub_stub.faults.play import Play
from cloudhub_stub.faults.restart import Listener, Restarter
from cloudhub_stub.faults.rules import CLEAR, Faults, Passage, Rule, Verdict, passage
from cloudhub_stub.faults.socket import OPEN, SILENT, Cable, FaultySocket
from cloudhub_stub.faults.spec import (
    CUT,
    EXPIRE_TOKEN,
    HALF_OPEN,
    REFUSE_CERTIFICATE,
    FaultSpec,
    arguments,
    waits_for_messages,
)
from cloudhub_stub.faults.steps import Step
from cloudhub_stub.link import Socket
from edgecore.beehive.message import Message
from edgecore.beehive.wire import decode
from edgecore.clock import Clock
from edgecore.errors import FrameError

log = structlog.get_logger("cloudhub")


class Certifier(Protocol):
    """Who gives certificates out, and lets their owners in."""

    def refuse(self, times: int) -> object:
        """Refuse the next ``times`` that ask for one or come with one. Raises ``EdgecoreError``."""


class Tokens(Protocol):
    """Who judges the tokens by which nodes join."""

    def expire(self) -> object:
        """From now on refuse the tokens that were given out so far. Raises ``EdgecoreError``."""


class Injector:
    """The faults of one stub. It knows every connection from ``attach`` to ``detach``."""

    def __init__(self, clock: Clock, *, certifier: Certifier | None = None, tokens: Tokens | None = None) -> None:
        self.busy = False
        self.faults = Faults()
        self.certifier = certifier
        self.tokens = tokens
        self.show: Callable[[str, str], object] | None = None
        """Is shown each fault that fired, or was cleared, as a command would say it, and what it hit."""
        self._clock = clock
        self._sockets: dict[FaultySocket, None] = {}
        self._restarter = Restarter(clock)
        self._play = Play(clock, self.faults, self._begin)

    def restarts(self, *listeners: Listener) -> None:
        """Name what a restart closes and opens again."""
        self._restarter.manage(*listeners)

    def start(self, scenario: Sequence[Step]) -> None:
        """Begin to play ``scenario``. Raises ``FaultRefused`` where it has too many rules."""
        self._play.start(scenario)
        self.changed()

    async def stop(self) -> None:
        """Let nothing more happen: half-open connections are cut, and a restart under way does not come back."""
        self.clear(None)
        for socket in list(self._sockets):
            if socket.state == SILENT:
                socket.cut()
        self.changed()
        await self._restarter.stop()

    def attach(self, node: str, socket: Socket, cable: Cable) -> FaultySocket:
        """Return the socket for the link of a node that connects; what is half open of that node is cut."""
        for old in self._of(node):
            if old.state == SILENT:
                old.cut()
        faulty = FaultySocket(node, socket, cable, self, self._clock)
        self._sockets[faulty] = None
        self._play.connected(node)
        return faulty

    def detach(self, socket: FaultySocket) -> None:
        """The connection is over."""
        self._sockets.pop(socket, None)
        socket.end()

    def inject(self, spec: FaultSpec) -> dict[str, Any]:
        """Do what ``spec`` says, which ``check`` found right, or wait for its messages; return its rule as JSON.

        Raises ``FaultRefused`` where there is nothing that it could hit, and what ``Certifier`` and ``Tokens`` raise.
        """
        if waits_for_messages(spec):
            rule = self.faults.add(spec)
            self.changed()
            log.info("fault_added", rule=rule.id, fault=spec.fault)
        else:
            rule = self._at_once(spec)
        return rule.view()

    def clear(self, rule_id: str | None) -> int:
        """Forget a rule, or all rules and what is left of the scenario; return how many.

        What has begun goes on: a connection that is half open, a restart. Raises ``FaultRefused``.
        """
        self._play.clear(rule_id)
        cleared = self.faults.clear(rule_id)
        if cleared and self.show is not None:
            self.show(f"clear {rule_id or '--all'}", f"{cleared} faults forgotten")
        self.changed()
        return cleared

    def view(self) -> dict[str, Any]:
        """Return rules, counts, the faults that fired last, the steps of the scenario, and what is wrong now."""
        return {
            **self.faults.view(),
            "steps": self._play.view(),
            "half_open": [socket.node for socket in self._sockets if socket.state == SILENT],
            "restarting": self._restarter.away,
        }

    def judge(self, direction: str, node: str, data: bytes) -> Passage:
        """See ``Judge``."""
        if not self.faults.wants(direction, node):
            return CLEAR
        message = _message(data)
        verdicts = self.faults.decide(direction, node, message, self._clock.now_ms())
        for verdict in verdicts:
            if not verdict.is_step:
                self._fired(verdict.rule, verdict.fault, node, direction, message)
        if not verdicts:
            return CLEAR
        self.changed()
        return passage(verdicts)

    def act(self, verdict: Verdict, socket: FaultySocket) -> None:
        """See ``Judge``."""
        if verdict.is_step:
            self._play.reached(verdict.rule)
        else:
            _hit(socket, verdict.fault)

    def changed(self) -> None:
        """See ``Judge``."""
        self.busy = self.faults.active or any(socket.troubled for socket in self._sockets)

    def _of(self, node: str | None) -> list[FaultySocket]:
        return [socket for socket in self._sockets if node in (None, socket.node)]

    def _begin(self, spec: FaultSpec) -> None:
        """Do what a step of the scenario says. Raises ``FaultRefused``."""
        self.inject(spec)

    def _at_once(self, spec: FaultSpec) -> Rule:
        if spec.fault in {CUT, HALF_OPEN}:
            return self._hit_connections(spec)
        if spec.fault == REFUSE_CERTIFICATE:
            if self.certifier is None:
                raise FaultRefused("cannot refuse certificates: this stub neither gives nor asks for any")
            self.certifier.refuse(spec.times or 1)
        elif spec.fault == EXPIRE_TOKEN:
            if self.tokens is None:
                raise FaultRefused("cannot expire the token: this stub gives out none")
            self.tokens.expire()
        else:
            self._restart(spec)
        rule = self.faults.add(spec)
        self._note(rule, spec, "")
        return rule

    def _hit_connections(self, spec: FaultSpec) -> Rule:
        wanted = {OPEN, SILENT} if spec.fault == CUT else {OPEN}
        hit = [socket for socket in self._of(spec.node) if socket.state in wanted]
        if not hit:
            who = "no node is connected" if spec.node is None else f"node {spec.node} is not connected"
            raise FaultRefused(f"cannot do {spec.fault}: {who}; `cloudhub-stub nodes` shows who is")
        rule = self.faults.add(spec)
        for socket in hit:
            self._note(rule, spec, socket.node)
            _hit(socket, spec)
        return rule

    def _restart(self, spec: FaultSpec) -> None:
        if self._restarter.away:
            raise FaultRefused("cannot restart: a restart is under way")
        for socket in list(self._sockets):
            socket.cut()
        self._restarter.begin(spec.down_s or 0.0)

    def _note(self, rule: Rule, spec: FaultSpec, node: str) -> None:
        self.faults.note(rule, node, self._clock.now_ms())
        self._fired(rule.id, spec, node, "", None)

    def _fired(self, rule: str, spec: FaultSpec, node: str, direction: str, message: Message | None) -> None:
        found = _found(node, direction, message)
        if self.show is not None:
            self.show(arguments(spec), ", ".join(f"{name} {value}" for name, value in found.items()))
        log.info("fault_fired", rule=rule, fault=spec.fault, **found)


def _hit(socket: FaultySocket, spec: FaultSpec) -> None:
    if spec.fault == CUT:
        socket.cut()
    else:
        socket.silence(spec.for_s)


def _message(data: bytes) -> Message | None:
    """Return the message in a frame; ``None`` where there is none, which the link will find out and count."""
    try:
        return decode(data)
    except FrameError:
        return None


def _found(node: str, direction: str, message: Message | None) -> dict[str, str]:
    """Return what a fault has hit, as far as there is something to say."""
    found: dict[str, str] = {}
    if node:
        found["node"] = node
    if direction:
        found["direction"] = direction
    if message is not None:
        route = message.route
        found |= {"id": message.header.id[:80], "operation": route.operation[:80], "resource": route.resource[:200]}
    return found
