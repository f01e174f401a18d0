"""The link of a whole node to a stub without sockets: a session over a ``Wire``, which is cut like one."""

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Callable
from types import TracebackType

from cloudhub_stub.errors import NoSuchNode, QueueFull
from cloudhub_stub.upgrade import Upgrade
from edgecore.clock import Clock
from edgecore.errors import LinkError
from edgecore.modules.edgehub.cloud import STUB_SERVER
from edgecore.modules.edgehub.transport import CloudAddress
from world.stub import StubProcess
from world.wire import Wire

LATENCY_S = 0.002


class WireSession:
    """One session; what each method does is said at ``Connection`` of the transport."""

    violation = ""
    server = STUB_SERVER
    tls = ""

    def __init__(self) -> None:
        self.wire: Wire | None = None
        self._unread: deque[bytes] = deque()
        self._moved = asyncio.Event()
        self._over = ""

    @property
    def unread(self) -> int:
        """How many frames the node has not read yet."""
        return 0 if self._over else len(self._unread)

    @property
    def is_open(self) -> bool:
        """Whether neither end has heard that it is over, and nothing is lost."""
        return not self._over and self.wire is not None and self.wire.passing_down is None

    def take(self, data: bytes) -> None:
        self._unread.append(data)
        self._moved.set()

    def end(self, why: str) -> None:
        self._over = self._over or why
        self._moved.set()

    async def write(self, payload: bytes) -> None:
        self._look()
        assert self.wire is not None
        self.wire.write(payload)

    async def ping(self) -> None:
        """Answered at once; behind a cut, never: the end of the session is what ends the wait."""
        self._look()
        while self.wire is None or self.wire.passing_down is not None:
            self._moved.clear()
            await self._moved.wait()
            self._look()

    async def frames(self) -> AsyncIterator[bytes]:
        while True:
            self._look()
            if self._unread:
                yield self._unread.popleft()
                continue
            self._moved.clear()
            await self._moved.wait()

    def _look(self) -> None:
        if self._over:
            raise LinkError(f"lost the cloud: {self._over}")

    async def __aenter__(self) -> "WireSession":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        wire = self.wire
        if wire is not None and wire.is_open_for_edge:
            wire.forget_edge()
            wire.close_stub()
        self.end("the node ended it")


class Line:
    """Lets one node dial the stub that runs, unless the line is cut."""

    def __init__(self, clock: Clock, stub: Callable[[], StubProcess | None]) -> None:
        self._clock = clock
        self._stub = stub
        self._away_until = 0.0
        self.session: WireSession | None = None

    @property
    def is_up(self) -> bool:
        """Whether what is said now arrives."""
        return self.session is not None and self.session.is_open

    @property
    def unread(self) -> int:
        return self.session.unread if self.session is not None else 0

    async def dial(
        self, address: CloudAddress, *, timeout_s: float, max_message_bytes: int, tls: ssl.SSLContext | None
    ) -> WireSession:
        """Open a session, as ``dial`` of the transport. Raises ``LinkError`` while the line is cut or no stub runs."""
        stub = self._stub()
        if stub is None or self._clock.monotonic() < self._away_until:
            raise LinkError(f"cannot connect to {address.url}: nobody answers")
        session = WireSession()
        wire = Wire(self._clock, session.take, lambda _: session.end("the connection broke"), LATENCY_S)
        try:
            wire.link = stub.hub.connect(Upgrade(address.node, address.project_id, "edgecore/0"), wire)
        except (NoSuchNode, QueueFull) as error:
            raise LinkError(f"cannot connect to {address.url}: {error}") from error
        session.wire = wire
        self.session = session
        return session

    def cut(self, away_s: float, *, passing: int = 0, noticed: bool = True) -> None:
        """Lose all but the next frames; the node hears of it a second later at most, and can dial after ``away_s``.

        ``noticed``: the stub hears of it too; else it waits for a keepalive or the next session.
        """
        wire = self.session.wire if self.session is not None else None
        self._away_until = self._clock.monotonic() + away_s
        if wire is None:
            return
        wire.cut(passing, passing)
        heard_at = self._clock.monotonic() + min(away_s, 1.0)
        self._clock.call_at(heard_at, wire.close_edge)
        if noticed:
            self._clock.call_at(heard_at, wire.close_stub)

    def stub_gone(self) -> None:
        """The stub's process has ended."""
        wire = self.session.wire if self.session is not None else None
        if wire is not None:
            wire.close_stub()
            self._clock.call_at(self._clock.monotonic() + 0.1, wire.close_edge)
