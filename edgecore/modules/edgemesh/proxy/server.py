"""Accepting clients: listeners on addresses and ports, and the proxy as a whole."""

import asyncio
import socket
from typing import Any

from edgecore.addresses import join_address
from edgecore.clock import Clock
from edgecore.errors import ListenError, listen_error
from edgecore.modules.edgemesh.names import Endpoint, ServiceKey
from edgecore.modules.edgemesh.proxy.directory import Directory
from edgecore.modules.edgemesh.proxy.gateway import Gateway
from edgecore.modules.edgemesh.proxy.http.client import ClientConnection, Door
from edgecore.modules.edgemesh.proxy.limits import ProxyLimits
from edgecore.observe.metrics import Metrics

_BACKLOG = 1024
_TIDY_FROM = 64


class Listener:
    """One address and port that clients come in by. Made by ``HttpProxy.listen``."""

    def __init__(self, door: Door, server: asyncio.Server) -> None:
        self._door = door
        self._server = server

    @property
    def address(self) -> Endpoint:
        """What is listened on, with the port that the system chose if 0 was asked for."""
        return self._door.address

    @property
    def service(self) -> ServiceKey | None:
        """Whose requests come in here; None for the plain listener."""
        return self._door.service

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._door.closed

    @property
    def over(self) -> bool:
        """Whether it is closed and its last client has left."""
        return self._door.closed and not self._door.clients

    def abort(self) -> None:
        """Accept no more, and close what is open in the middle of whatever is served."""
        self.close()
        for client in list(self._door.clients):
            client.abort()

    def close(self) -> None:
        """Accept no more; idle clients are closed now, others after the request that is being served."""
        self._door.closed = True
        self._server.close()
        for client in list(self._door.clients):
            client.leave()


class HttpProxy:
    """Forwards HTTP/1.0 and 1.1 requests to the endpoints that ``directory`` chooses.

    A listener of a service serves that service at its own port, whatever the Host header says; the plain listener goes
    by an absolute request target (as a forward proxy) or else by the Host header.
    """

    def __init__(self, directory: Directory, clock: Clock, metrics: Metrics, limits: ProxyLimits | None = None) -> None:
        self._gateway = Gateway(directory, clock, metrics, limits or ProxyLimits())
        self._listeners: list[Listener] = []
        self._tidy_at = _TIDY_FROM
        metrics.pull(
            lambda: self._gateway.counters.families(self._gateway.errors, self._gateway.backends.idle),
        )

    async def listen(self, address: str, port: int, service: ServiceKey | None) -> Listener:
        """Accept clients at ``address`` and ``port`` (0: any that is free), for ``service`` or, if None, for any.

        Raises ``ListenError`` with the reason ``in_use``, ``no_permission``, ``no_such_address`` or ``failed``.
        """
        sock = _bound(address, port)
        door = Door(service, Endpoint(*sock.getsockname()[:2]))
        try:
            server = await asyncio.get_running_loop().create_server(
                lambda: ClientConnection(self._gateway, door), sock=sock, backlog=_BACKLOG
            )
        except BaseException:
            sock.close()
            raise
        listener = Listener(door, server)
        self._listeners.append(listener)
        self._tidy()
        return listener

    def _tidy(self) -> None:
        """Forget listeners that are over, when there are twice as many as were left the last time."""
        if len(self._listeners) >= self._tidy_at:
            self._listeners = [known for known in self._listeners if not known.over]
            self._tidy_at = max(_TIDY_FROM, 2 * len(self._listeners))

    async def stop(self) -> None:
        """Close all listeners and connections; return when they are closed. May be called again."""
        for listener in self._listeners:
            listener.abort()
        await self._gateway.close()

    def status(self) -> dict[str, Any]:
        """Return what is listened on and what was served, as JSON values."""
        gateway = self._gateway
        return {
            "listeners": [
                {"address": str(listener.address), "service": str(listener.service) if listener.service else None}
                for listener in self._listeners
                if not listener.closed
            ],
            "connections": gateway.counters.connections,
            "idle_backend_connections": gateway.backends.idle,
            "requests": gateway.counters.status(),
            "errors": gateway.errors,
        }


def _bound(address: str, port: int) -> socket.socket:
    """Return a listening socket. ``listen`` is called here because Linux may see only then that a port is in use."""
    sock = None
    try:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((address, port))
        sock.listen(_BACKLOG)
        sock.setblocking(False)
    except (OSError, OverflowError) as error:
        if sock is not None:
            sock.close()
        where = join_address(address, port)
        if isinstance(error, OSError):
            raise listen_error(where, error) from error
        raise ListenError(where, "failed", str(error)) from error
    return sock
