"""A client, the proxy's connections, and backends, without sockets: every byte arrives when and how it is told to.

The order of what happens on the different connections is drawn from a seed: none of it may matter.
"""

import asyncio
import random
from asyncio import Transport
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol, cast

from edgecore.clock import VirtualClock, settle
from edgecore.modules.edgemesh.names import Endpoint, ServiceKey
from edgecore.modules.edgemesh.proxy.accesslog.access import Served
from edgecore.modules.edgemesh.proxy.doors.door import Door
from edgecore.modules.edgemesh.proxy.gateway import Gateway
from edgecore.modules.edgemesh.proxy.http.client import ClientConnection
from edgecore.modules.edgemesh.proxy.limits import ProxyLimits
from edgecore.modules.edgemesh.upstream.upstream import Upstream
from edgecore.observe.metrics import Metrics
from tests.support.upstreams import fresh_upstreams, port_spec

WEB = ServiceKey("default", "web")
BACKEND = Endpoint("10.0.0.1", 80)
DOOR = Endpoint("10.1.0.1", 80)

Cut = Callable[[bytes], list[bytes]]


def whole(data: bytes) -> list[bytes]:
    """Deliver all at once."""
    return [data] if data else []


def each_byte(data: bytes) -> list[bytes]:
    """Deliver byte by byte."""
    return [data[at : at + 1] for at in range(len(data))]


def at_random(rng: random.Random) -> Cut:
    """Deliver in pieces of any size, small ones above all."""

    def cut(data: bytes) -> list[bytes]:
        pieces, at = [], 0
        while at < len(data):
            size = rng.choice((1, 2, 5, 40, 300, len(data)))
            pieces.append(data[at : at + size])
            at += size
        return pieces

    return cut


class Peer(Protocol):
    """The other end of a connection of the proxy."""

    def received(self, data: bytes) -> None:
        """Take what the proxy has written."""

    def finished(self) -> None:
        """Take note that the proxy will write nothing more."""


class Wire:
    """A transport of the proxy: keeps what is written, and has pieces that are to be read."""

    def __init__(self, protocol: asyncio.Protocol, peer: Peer, rng: random.Random | None) -> None:
        self.incoming: deque[bytes | None] = deque()
        """What the other end has sent; ``None``: its end."""
        self.reading = True
        self.closed = False
        self.ended = False
        """Nothing more is sent, whether more is read or not."""
        self.blocked = False
        self.written = bytearray()
        self._protocol = protocol
        self._peer = peer
        self._rng = rng  # blocks now and then

    @property
    def ready(self) -> bool:
        """Whether something can happen here."""
        return self.blocked or (bool(self.incoming) and self.reading and not self.closed)

    def step(self) -> None:
        """Let one thing happen."""
        if self.blocked:
            self.blocked = False
            if not self.closed:
                self._protocol.resume_writing()
            return
        piece = self.incoming.popleft()
        if piece is not None:
            self._protocol.data_received(piece)
        elif not self._protocol.eof_received():
            self.close()

    def lose(self) -> None:
        """Break the connection."""
        self.abort()

    def write(self, data: bytes) -> None:
        assert data, "an empty write"
        if self.closed:
            return
        self.written += data
        self._peer.received(data)
        if self._rng is not None and not self.blocked and self._rng.random() < 0.1:
            self.blocked = True
            self._protocol.pause_writing()

    def write_eof(self) -> None:
        self.ended = True
        self._peer.finished()

    def close(self) -> None:
        if not self.closed:
            self.closed = self.ended = True
            self._peer.finished()
            asyncio.get_running_loop().call_soon(self._protocol.connection_lost, None)

    abort = close

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def get_extra_info(self, name: str) -> Any:
        return {"peername": ("10.9.9.9", 1234), "socket": _NoSocket()}.get(name)

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int) -> None: ...


class _NoSocket:
    def setsockopt(self, *_: Any) -> None: ...


class Client:
    """The other end of the client's connection: it only receives."""

    def __init__(self) -> None:
        self.got = bytearray()
        self.finished_by_proxy = False

    def received(self, data: bytes) -> None:
        self.got += data

    def finished(self) -> None:
        self.finished_by_proxy = True


class OneService:
    """A directory of one service."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    def service_named(self, host: str, port: int) -> ServiceKey:
        return WEB

    def upstream(self, *_: Any) -> Upstream:
        return self._upstream


class Loop(asyncio.SelectorEventLoop):
    """An event loop whose connections lead to where ``dial`` says."""

    dial: Callable[[asyncio.Protocol], Wire]

    async def create_connection(self, protocol_factory: Any, *_: Any, **__: Any) -> Any:
        await asyncio.sleep(0)
        protocol = protocol_factory()
        return self.dial(protocol), protocol


class Simulation:
    """One client of a service with one backend. ``backend()`` makes the other end of each connection to it.

    A backend has a ``wire``, which is set, and puts what it sends into ``wire.incoming``. ``seed``: draws the order,
    and blocks writing now and then; without one things happen in the order in which they were brought about.
    """

    def __init__(self, backend: Callable[[], Any], seed: int | None = None, **limits: Any) -> None:
        self._rng = random.Random(seed) if seed is not None else None
        self._backend = backend
        self.clock = VirtualClock()
        upstreams = fresh_upstreams(self.clock)
        self.upstream = upstreams.put(port_spec(WEB, 80, [BACKEND]))
        self.host = self.upstream.hosts[BACKEND]
        self.log: list[Served] = []
        self.gateway = Gateway(
            OneService(self.upstream), upstreams, self.clock, Metrics(), ProxyLimits(**limits), access=self.log.append
        )
        self.wires: list[Wire] = []
        self.backends: list[Any] = []
        self.client = Client()
        loop = asyncio.get_running_loop()
        assert isinstance(loop, Loop)
        loop.dial = self._dialled
        self.line = ClientConnection(self.gateway, Door(WEB, DOOR))
        self.wire = self._connected(self.line, self.client)

    def _connected(self, protocol: asyncio.Protocol, peer: Peer) -> Wire:
        wire = Wire(protocol, peer, self._rng)
        self.wires.append(wire)
        protocol.connection_made(cast("Transport", wire))
        return wire

    def _dialled(self, protocol: asyncio.Protocol) -> Wire:
        backend = self._backend()
        self.backends.append(backend)
        wire = Wire(protocol, backend, self._rng)
        backend.wire = wire
        self.wires.append(wire)
        protocol.connection_made(cast("Transport", wire))
        return wire

    async def run(self) -> None:
        """Let happen what can happen, until nothing can."""
        while True:
            ready = [wire for wire in self.wires if wire.ready]
            if not ready:
                await settle(4)
                if not self.gateway._tasks and not any(wire.ready for wire in self.wires):
                    return
                continue
            wire = self._rng.choice(ready) if self._rng is not None else ready[-1]
            wire.step()
            if wire.closed or self.gateway._tasks or self.wire.closed:
                await settle(2 if self._rng is None else self._rng.randrange(4))

    async def end(self) -> None:
        """Have the client leave and the proxy stop; nothing may be left."""
        self.wire.lose()
        await settle(4)
        await asyncio.wait_for(self.gateway.close(), 5)
        assert self.gateway.counters.connections == 0
        assert self.gateway.backends.number == self.gateway.backends.idle == 0
        assert (self.host.active, self.host.connections, self.host.users) == (0, 0, set())
        assert not self.gateway.deadlines._slots

    @property
    def books(self) -> tuple[Any, ...]:
        """Return what was counted and told."""
        told = [
            (line.method, line.target, line.status, line.bytes_in, line.bytes_out, line.reason) for line in self.log
        ]
        host, upstream = self.host, self.upstream
        return (host.requests, host.active, sum(host.latency), host.errors, upstream.codes, upstream.refused, told)
