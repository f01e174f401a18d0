"""One connection of one node with its faults, between its link and the socket below, in both directions."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from cloudhub_stub.errors import NodeLost
from cloudhub_stub.faults.line import Line
from cloudhub_stub.faults.rules import Passage, Verdict
from cloudhub_stub.faults.spec import DOWN, UP
from cloudhub_stub.hub import REPLACED, STOPPING
from cloudhub_stub.link import Socket
from edgecore.clock import Clock, Timer

OPEN = "open"
SILENT = "silent"
"""Half open: TCP stands, and nothing goes either way."""
GONE = "gone"

Receive = Callable[[bytes], Awaitable[None]]


class Cable(Protocol):
    """What is done to the TCP connection itself (``wire.py``)."""

    def freeze(self) -> None:
        """Read and write nothing any more, and do not close."""

    def abort(self) -> None:
        """Drop the connection."""


class Judge(Protocol):
    """Who knows the rules (``injector.py``)."""

    busy: bool
    """Whether anything is wrong anywhere: while it is not, every message passes at once."""

    def judge(self, direction: str, node: str, data: bytes) -> Passage:
        """Say what becomes of one message."""

    def act(self, verdict: Verdict, socket: "FaultySocket") -> None:
        """Do what comes after a message."""

    def changed(self) -> None:
        """A socket is in another state than before."""


class FaultySocket:
    """The ``Socket`` that a link has; ``arrived`` is what its reader calls for each message."""

    def __init__(self, node: str, socket: Socket, cable: Cable, judge: Judge, clock: Clock) -> None:
        self.node = node
        self.state = OPEN
        self._socket = socket
        self._cable = cable
        self._judge = judge
        self._clock = clock
        self._lines: dict[str, Line] = {}
        """By direction, where a message ever had to pass while something was wrong: most connections need none."""
        self._timer: Timer | None = None

    @property
    def troubled(self) -> bool:
        """Whether messages cannot simply pass."""
        return self.state != OPEN or not all(line.idle for line in self._lines.values())

    async def send(self, data: bytes) -> None:
        """See ``Socket``; returns at once where the message is delayed, as TCP does."""
        if not self._judge.busy:
            await self._socket.send(data)
        elif self.state == GONE:
            raise NodeLost("cannot send: the connection was cut")
        else:
            await self._pass(DOWN, data, self._socket.send)

    async def arrived(self, data: bytes, receive: Receive) -> None:
        """Give ``data`` to ``receive``: now, later, twice or never. Call it only while the judge is busy."""
        await self._pass(UP, data, receive)

    def hang_up(self, reason: str) -> None:
        """See ``Socket``; a silent connection stays as it is until its node is there again or the stub ends."""
        if self.state == SILENT:
            if reason in {REPLACED, STOPPING}:
                self.cut()
        elif self.state == OPEN:
            self._socket.hang_up(reason)

    def cut(self) -> None:
        """Drop the TCP connection, without a close frame; does nothing the second time."""
        if self.state == GONE:
            return
        self._leave(GONE)
        self._cable.abort()

    def silence(self, for_s: float | None) -> None:
        """Be half open, for ``for_s`` seconds and then cut, or until the node connects anew.

        Does nothing to a connection that is not open.
        """
        if self.state != OPEN:
            return
        self._leave(SILENT)
        self._cable.freeze()
        if for_s is not None:
            self._timer = self._clock.call_at(self._clock.monotonic() + for_s, self.cut)

    def end(self) -> None:
        """The connection is over; what is under way is lost."""
        self._leave(GONE)

    def _leave(self, state: str) -> None:
        self.state = state
        for line in self._lines.values():
            line.close()
        if self._timer is not None:
            self._timer.cancel()
        self._judge.changed()

    async def _pass(self, direction: str, data: bytes, onward: Receive) -> None:
        if self.state != OPEN:
            return
        passage = self._judge.judge(direction, self.node, data)
        line = self._line(direction)
        was_idle = line.idle
        if passage.delay_s == 0 and was_idle:
            await self._hand_on(data, passage, onward)
            return

        async def hand_on() -> None:
            try:
                await self._hand_on(data, passage, onward)
            except NodeLost:
                line.close()

        await line.put(passage.delay_s, len(data), hand_on)
        if was_idle:
            self._judge.changed()

    def _line(self, direction: str) -> Line:
        line = self._lines.get(direction)
        if line is None:
            line = self._lines[direction] = Line(self._clock, self._judge.changed)
        return line

    async def _hand_on(self, data: bytes, passage: Passage, onward: Receive) -> None:
        for _ in range(passage.copies):
            if self.state == OPEN:
                await onward(data)
        for verdict in passage.then:
            self._judge.act(verdict, self)
