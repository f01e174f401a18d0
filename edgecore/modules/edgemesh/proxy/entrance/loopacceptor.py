"""Accepting connections the event loop's own way, as transports: the quickest for HTTP.

libuv accepts one connection of a listening socket at each turn of its loop, so clients that connect anew for each
request are served one at a turn, each by code that the processor's caches have lost since the turn before. Several
handles of the same socket accept so many at a turn, which takes a quarter less processor time for each. As a handle
is a file descriptor, and a node listens for many services, they are there only while the door is busy.
"""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress

from edgecore.modules.edgemesh.proxy.gateway import Gateway

HANDLES = 8
"""Of the socket of a busy door."""
LOOK_EVERY = 64
"""Connections."""
BUSY_S = 0.1
"""A door is busy once so many connections have come within this time,"""
CALM_S = 1.0
"""and not any more once they took longer than this."""
_BACKLOG = 1024


class LoopAcceptor:
    """See the module. ``make`` returns the protocol of a connection; the socket is ours from ``start`` on."""

    def __init__(self, sock: socket.socket, gateway: Gateway, make: Callable[[], asyncio.BaseProtocol]) -> None:
        self._sock = sock
        self._gateway = gateway
        self._make = make
        self._servers: list[asyncio.Server] = []
        self._until_look = LOOK_EVERY
        self._looked_at = gateway.clock.monotonic()
        self._busy = False
        self._closed = False

    @property
    def handles(self) -> int:
        """How many handles of the socket there are."""
        return len(self._servers)

    async def start(self) -> None:
        """Accept from now on."""
        await self._accept(self._sock)

    def close(self) -> None:
        """Accept no more. May be called again."""
        self._closed = True
        self._close_from(0)

    def _came(self) -> asyncio.BaseProtocol:
        self._until_look -= 1
        if not self._until_look:
            self._look()
        return self._make()

    def _look(self) -> None:
        self._until_look = LOOK_EVERY
        now = self._gateway.clock.monotonic()
        taken_s, self._looked_at = now - self._looked_at, now
        busy = taken_s < (CALM_S if self._busy else BUSY_S)
        if busy != self._busy:
            self._busy = busy
            self._gateway.spawn(self._adapt())  # not at once: we are called by one of those that may be closed

    async def _adapt(self) -> None:
        if not self._busy:
            self._close_from(1)
        with suppress(OSError):  # no file descriptor is left
            while self._busy and len(self._servers) < HANDLES and not self._closed:
                await self._accept(self._sock.dup())

    async def _accept(self, sock: socket.socket) -> None:
        server = await asyncio.get_running_loop().create_server(
            self._came, sock=sock, backlog=_BACKLOG, start_serving=False
        )
        self._servers.append(server)
        await server.start_serving()

    def _close_from(self, number: int) -> None:
        for server in self._servers[number:]:
            server.close()
        del self._servers[number:]
