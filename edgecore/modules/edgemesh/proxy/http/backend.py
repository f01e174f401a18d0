"""A connection to a backend: what is written, what comes, and who is told of it."""

import asyncio
import socket
from contextlib import suppress
from typing import Protocol, cast

from edgecore.modules.edgemesh.upstream.host import Host


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


class Keeper(Protocol):
    """Who keeps all connections to backends."""

    max_buffer_bytes: int

    def lost(self, connection: "BackendConnection") -> None:
        """Take note that ``connection`` is gone."""

    def abort_later(self, connection: "BackendConnection") -> None:
        """Close ``connection`` if it does not manage to send its last bytes in time."""


class BackendConnection(asyncio.Protocol):
    """One connection to ``host``.

    Its ``owner`` hears of what happens to it. Without one it is idle, and nothing may happen but its end. The host
    knows of it (``Host.users``), from when it is open to its end.
    """

    __slots__ = ("_closed", "_keeper", "host", "idle_since", "owner", "reading", "transport")

    def __init__(self, host: Host, keeper: Keeper, owner: BackendOwner) -> None:
        self.host = host
        self.owner: BackendOwner | None = owner
        self.reading = True
        self.idle_since = -1.0
        """See ``Pooled``."""
        self.transport = cast("asyncio.Transport", None)  # until connection_made
        self._keeper = keeper
        self._closed = True

    @property
    def reused(self) -> bool:
        """Whether it has carried a request before this one."""
        return self.idle_since >= 0

    @property
    def closed(self) -> bool:
        """Whether nothing can be sent any more."""
        return self._closed or self.transport.is_closing()

    @property
    def unsent(self) -> int:
        """Bytes that were written and have not left yet."""
        return self.transport.get_write_buffer_size() if self.transport is not None else 0

    def write(self, data: bytes) -> None:
        """Send ``data``, or drop it when the connection is closed."""
        if not self._closed:
            self.transport.write(data)

    def write_eof(self) -> None:
        """Send nothing more; go on receiving."""
        if not self.closed:
            with suppress(OSError):  # asyncio: the backend has reset the connection, and it is not noticed yet
                self.transport.write_eof()

    def set_reading(self, reading: bool) -> None:
        """Receive, or leave what comes where it is."""
        if reading != self.reading and not self.closed:
            self.reading = reading
            if reading:
                self.transport.resume_reading()
            else:
                self.transport.pause_reading()

    def drain(self) -> None:
        """See ``Draining``. One in use is not kept afterwards, as its host is gone."""
        if self.owner is None:
            self.drop()

    def abort(self) -> None:
        """See ``Draining``: close at once; the owner hears of it."""
        if self.transport is not None:
            self.transport.abort()

    def drop(self) -> None:
        """Close at once; the owner hears nothing more."""
        self.owner = None
        self._closed = True
        if self.transport is not None:
            self.transport.abort()

    def finish(self) -> None:
        """Close when everything written has been sent; the owner hears nothing more."""
        self.owner = None
        self._closed = True
        if self.transport is not None:
            self.transport.close()
            if self.unsent:
                self._keeper.abort_later(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See ``asyncio.BaseProtocol``."""
        self.transport = cast("asyncio.Transport", transport)
        if self.owner is None:  # dropped meanwhile
            self.transport.abort()
            return
        self._closed = False
        self.transport.set_write_buffer_limits(high=self._keeper.max_buffer_bytes)

    def data_received(self, data: bytes) -> None:
        """See ``asyncio.Protocol``."""
        owner = self.owner
        if owner is not None:
            owner.backend_data(data)
        else:
            self.drop()  # idle: nobody asked, so this belongs to no request

    def eof_received(self) -> bool:
        """See ``asyncio.Protocol``."""
        return self.owner.backend_eof() if self.owner is not None else False

    def connection_lost(self, exc: Exception | None) -> None:
        """See ``asyncio.BaseProtocol``."""
        self._closed = True
        self._keeper.lost(self)
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


def keep_alive(transport: asyncio.BaseTransport) -> None:
    """Turn on TCP keep-alive for a connection that may be silent for as long as it likes."""
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
