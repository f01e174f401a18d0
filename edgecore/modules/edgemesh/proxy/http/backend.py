"""Connections to backends: dialling, keeping idle ones for the next request, closing."""

import asyncio
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol, cast

from edgecore.clock import Clock, before
from edgecore.modules.edgemesh.names import Endpoint, Refusal
from edgecore.modules.edgemesh.proxy.deadline import Deadline
from edgecore.modules.edgemesh.proxy.http.pool import IdlePool
from edgecore.modules.edgemesh.proxy.http.refusals import bad_answer
from edgecore.modules.edgemesh.proxy.limits import ProxyLimits


class BackendOwner(Protocol):
    """Who is using a connection to a backend just now: a request, or the bytes of an upgraded connection."""

    def backend_data(self, data: bytes) -> None:
        """Take what the backend sent."""

    def backend_eof(self) -> bool:
        """Take note that the backend will send nothing more; return whether it still wants to be sent to."""

    def backend_lost(self) -> None:
        """Take note that the connection is gone."""

    def backend_blocked(self, blocked: bool) -> None:
        """Take note that too much is unsent towards the backend, or not any more."""


class BackendConnection(asyncio.Protocol):
    """One connection to ``endpoint``.

    Its ``owner`` hears of what happens to it. Without one it is idle, and nothing may happen but its end.
    """

    def __init__(self, endpoint: Endpoint, backends: "Backends", owner: BackendOwner) -> None:
        self.endpoint = endpoint
        self.owner: BackendOwner | None = owner
        self.reused = False
        """It has carried a request before this one."""
        self._backends = backends
        self._transport: asyncio.Transport | None = None
        self._closed = False
        self._reading = True

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._closed or self._transport is None or self._transport.is_closing()

    @property
    def unsent(self) -> int:
        """Bytes that were written and have not left yet."""
        return self._transport.get_write_buffer_size() if self._transport is not None else 0

    def write(self, data: bytes) -> None:
        """Send ``data``, or drop it when the connection is closed."""
        if self._transport is not None and not self._closed:
            self._transport.write(data)

    def write_eof(self) -> None:
        """Send nothing more; go on receiving."""
        if not self.closed and self._transport is not None:
            with suppress(OSError):  # asyncio: the backend has reset the connection, and it is not noticed yet
                self._transport.write_eof()

    def set_reading(self, reading: bool) -> None:
        """Receive, or leave what comes where it is."""
        if reading != self._reading and not self.closed and self._transport is not None:
            self._reading = reading
            if reading:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def keep_alive(self) -> None:
        """Let the system find out when the other side is gone without a word."""
        if self._transport is not None:
            keep_alive(self._transport)

    def abort(self) -> None:
        """Close at once; the owner hears nothing more."""
        self.owner = None
        self._closed = True
        if self._transport is not None:
            self._transport.abort()

    def finish(self) -> None:
        """Close when everything written has been sent; the owner hears nothing more."""
        self.owner = None
        self._closed = True
        if self._transport is not None:
            self._transport.close()
            if self.unsent:
                self._backends.abort_later(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See ``asyncio.BaseProtocol``."""
        self._transport = cast("asyncio.Transport", transport)
        if self._closed:
            self._transport.abort()
            return
        self._transport.set_write_buffer_limits(high=self._backends.limits.max_buffer_bytes)

    def data_received(self, data: bytes) -> None:
        """See ``asyncio.Protocol``."""
        if self.owner is not None:
            self.owner.backend_data(data)
        else:
            self.abort()  # idle: nobody asked, so this belongs to no request

    def eof_received(self) -> bool:
        """See ``asyncio.Protocol``."""
        return self.owner.backend_eof() if self.owner is not None else False

    def connection_lost(self, exc: Exception | None) -> None:
        """See ``asyncio.BaseProtocol``."""
        self._closed = True
        self._backends.lost(self)
        if self.owner is not None:
            owner, self.owner = self.owner, None
            owner.backend_lost()

    def pause_writing(self) -> None:
        """See ``asyncio.BaseProtocol``."""
        if self.owner is not None:
            self.owner.backend_blocked(True)

    def resume_writing(self) -> None:
        """See ``asyncio.BaseProtocol``."""
        if self.owner is not None:
            self.owner.backend_blocked(False)


class Backends:
    """All connections of one proxy to backends. ``gone`` is called whenever one is closed."""

    def __init__(self, clock: Clock, limits: ProxyLimits, gone: Callable[[], object]) -> None:
        self.limits = limits
        self._clock = clock
        self._gone = gone
        self._open: set[BackendConnection] = set()
        self._idle = IdlePool[BackendConnection](
            limits.max_idle_per_backend, limits.max_idle_backends, limits.backend_idle_timeout_s
        )
        self._expiry = Deadline(clock, self._expire)

    @property
    def idle(self) -> int:
        """How many connections are kept for reuse."""
        return len(self._idle)

    @property
    def open(self) -> int:
        """How many connections there are, idle ones included."""
        return len(self._open)

    def take(self, endpoint: Endpoint) -> BackendConnection | None:
        """Return an idle connection to ``endpoint``; the caller becomes its owner."""
        connection = self._idle.take(endpoint)
        while connection is not None and connection.closed:
            connection = self._idle.take(endpoint)
        if connection is not None:
            connection.reused = True
        return connection

    async def connect(self, endpoint: Endpoint, owner: BackendOwner) -> BackendConnection | Refusal:
        """Return a fresh connection; why there is none, as 502 or 504. The owner may hear of it before this returns."""
        connection = BackendConnection(endpoint, self, owner)
        deadline = self._clock.monotonic() + self.limits.connect_timeout_s
        loop = asyncio.get_running_loop()
        try:
            await before(
                self._clock, deadline, loop.create_connection(lambda: connection, endpoint.host, endpoint.port)
            )
        except TimeoutError:
            connection.abort()
            return Refusal(504, "connect_timeout", f"the backend {endpoint} does not accept a connection")
        except (OSError, ValueError, OverflowError) as error:
            connection.abort()
            return bad_answer("connect_failed", f"cannot connect to the backend {endpoint}: {_why(error)}")
        except asyncio.CancelledError:
            connection.abort()
            raise
        if not connection.closed:
            self._open.add(connection)  # not sooner: uvloop says nothing of the end of one whose dialling was cancelled
        return connection

    def give_back(self, connection: BackendConnection) -> None:
        """Keep ``connection`` for another request, or close it when it cannot be used or there are enough."""
        connection.owner = None
        connection.set_reading(True)
        if connection.closed or not self._idle.put(connection.endpoint, connection, self._clock.monotonic()):
            connection.abort()
        elif len(self._idle) == 1:
            self._expiry.set(self.limits.backend_idle_timeout_s)

    def abort_later(self, connection: BackendConnection) -> None:
        """Close ``connection`` at once if it has not managed to send its last bytes within the idle timeout."""
        self._clock.call_at(self._clock.monotonic() + self.limits.idle_timeout_s, connection.abort)

    def lost(self, connection: BackendConnection) -> None:
        """Take note that ``connection`` is gone."""
        self._open.discard(connection)
        self._gone()
        self._idle.remove(connection.endpoint, connection)

    def close(self) -> None:
        """Close all connections at once."""
        self._expiry.cancel()
        self._idle.clear()
        for connection in list(self._open):
            connection.abort()

    def _expire(self) -> None:
        for connection in self._idle.expire(self._clock.monotonic()):
            connection.abort()
        due = self._idle.next_expiry()
        if due is not None:
            self._expiry.set(due - self._clock.monotonic())


def keep_alive(transport: asyncio.BaseTransport) -> None:
    """Turn on TCP keep-alive for a connection that may be silent for as long as it likes."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)


def _why(error: Exception) -> str:
    number = getattr(error, "errno", None)
    return os.strerror(number) if isinstance(number, int) and number > 0 else str(error)
