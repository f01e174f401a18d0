"""Accepting connections as plain sockets, for those who need them: bytes pass from socket to socket in the kernel."""

import asyncio
import errno
import os
import socket

from edgecore.clock import Timer
from edgecore.modules.edgemesh.names import Endpoint, Refusal
from edgecore.modules.edgemesh.proxy.bytes.dialling import keep_alive
from edgecore.modules.edgemesh.proxy.doors.destination import Destination
from edgecore.modules.edgemesh.proxy.doors.door import Doors
from edgecore.modules.edgemesh.proxy.entrance.entrance import Entrance
from edgecore.modules.edgemesh.proxy.gateway import Gateway

BATCH = 64
"""So many connections are accepted at one wake-up."""
PAUSE_S = 0.1
"""So long none are accepted after the system had no means for one."""

_PASSING = frozenset((errno.ECONNABORTED, errno.EPROTO, errno.EPERM, errno.ETIMEDOUT, errno.EHOSTUNREACH))
"""Failures of one connection, not of the listening socket (accept(2))."""


class Acceptor:
    """Reads one listening socket, which is its own from now on."""

    def __init__(
        self, sock: socket.socket, gateway: Gateway, entrance: Entrance, destination: Destination, doors: Doors
    ) -> None:
        self._sock = sock
        self._gateway = gateway
        self._entrance = entrance
        self._destination = destination
        self._doors = doors
        self._pause: Timer | None = None
        keep_alive(sock)
        self._read()

    def close(self) -> None:
        """Accept no more. May be called again."""
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        if self._sock.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self._sock.fileno())
            self._sock.close()

    def _read(self) -> None:
        self._pause = None
        asyncio.get_running_loop().add_reader(self._sock.fileno(), self._accept)

    def _accept(self) -> None:
        for _ in range(BATCH):
            try:
                client, address = self._sock.accept()
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                if error.errno not in _PASSING:
                    self._wait(error)
                    return
                continue
            client.setblocking(False)
            self._admit(client, Endpoint(*address[:2]))

    def _admit(self, client: socket.socket, peer: Endpoint) -> None:
        meant = self._destination.fixed or self._destination.of(client)
        if meant is None:
            self._entrance.lost(client, peer, self._doors.front)
        else:
            self._entrance.admit(client, peer, self._doors.of(meant))

    def _wait(self, error: OSError) -> None:
        """Accept nothing for a while: no file descriptor is left, or no memory, and the others need some to end."""
        text = os.strerror(error.errno or 0)
        refusal = Refusal(503, "cannot_accept", f"cannot accept connections at {self._doors.front.address}: {text}")
        self._gateway.failed(refusal, "")
        asyncio.get_running_loop().remove_reader(self._sock.fileno())
        clock = self._gateway.clock
        self._pause = clock.call_at(clock.monotonic() + PAUSE_S, self._read)
