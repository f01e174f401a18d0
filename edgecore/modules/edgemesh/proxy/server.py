"""Accepting clients: listeners on addresses and ports, and the proxy as a whole."""

import socket
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Protocol

from edgecore.addresses import join_address
from edgecore.clock import Clock
from edgecore.errors import ListenError, listen_error
from edgecore.modules.edgemesh.names import Endpoint, ServiceKey
from edgecore.modules.edgemesh.proxy.accesslog.access import Served, Tell
from edgecore.modules.edgemesh.proxy.accesslog.shownrequest import shown_request
from edgecore.modules.edgemesh.proxy.datagrams.listener import open_datagrams
from edgecore.modules.edgemesh.proxy.directory import Directory
from edgecore.modules.edgemesh.proxy.doors.destination import Destination, DoorDestination, OriginalDestination
from edgecore.modules.edgemesh.proxy.doors.door import Door, Doors
from edgecore.modules.edgemesh.proxy.entrance.acceptor import Acceptor
from edgecore.modules.edgemesh.proxy.entrance.entrance import Entrance
from edgecore.modules.edgemesh.proxy.entrance.loopacceptor import LoopAcceptor
from edgecore.modules.edgemesh.proxy.figures.figures import PortFigures
from edgecore.modules.edgemesh.proxy.figures.proxyfigures import Elsewhere, ProxyFigures
from edgecore.modules.edgemesh.proxy.gateway import Gateway
from edgecore.modules.edgemesh.proxy.limits import ProxyLimits
from edgecore.modules.edgemesh.proxy.options import ProxyOptions
from edgecore.modules.edgemesh.upstream.spec import PortKey, Transport
from edgecore.modules.edgemesh.upstream.upstream import Upstream
from edgecore.modules.edgemesh.workers.sharing import Sharing, bind_shared
from edgecore.observe.metrics import Metrics
from edgecore.recording.entries import ProxiedRequest

_BACKLOG = 1024
_TIDY_FROM = 64


class Listening(Protocol):
    """One address and port that clients come in by."""

    @property
    def address(self) -> Endpoint:
        """What is listened on, with the port that the system chose if 0 was asked for."""

    @property
    def service(self) -> ServiceKey | None:
        """Whose clients come in here; None for the plain listener."""

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""

    @property
    def over(self) -> bool:
        """Whether it is closed and its last client has left."""

    def close(self) -> None:
        """Let nobody in any more; idle clients are closed now, others when what is being served is done."""

    def abort(self) -> None:
        """Let nobody in any more, and close what is open in the middle of whatever is served."""


class Accepting(Protocol):
    """What accepts connections."""

    def close(self) -> object:
        """Accept no more. May be called again."""


class Listener:
    """Listens for connections; see ``Listening``. Made by ``MeshProxy.listen``."""

    def __init__(self, doors: Doors, accepting: Accepting) -> None:
        self._doors = doors
        self._accepting = accepting

    @property
    def address(self) -> Endpoint:
        """See ``Listening``."""
        return self._doors.front.address

    @property
    def service(self) -> ServiceKey | None:
        """See ``Listening``."""
        return self._doors.front.service

    @property
    def closed(self) -> bool:
        """See ``Listening``."""
        return self._doors.front.closed

    @property
    def over(self) -> bool:
        """See ``Listening``."""
        return self._doors.over

    def abort(self) -> None:
        """See ``Listening``."""
        self._accepting.close()
        self._doors.abort()

    def close(self) -> None:
        """See ``Listening``."""
        self._accepting.close()
        self._doors.close()


class MeshProxy:
    """Forwards requests of HTTP/1.0 and 1.1, bytes and datagrams to the hosts of the ports that ``directory`` knows.

    A listener of a service serves that service at its own port, whatever a Host header says; the plain listener goes
    by an absolute request target (as a forward proxy) or else by the Host header.
    """

    def __init__(
        self,
        directory: Directory,
        upstreams: Iterable[Upstream],
        clock: Clock,
        metrics: Metrics,
        limits: ProxyLimits | None = None,
        *,
        options: ProxyOptions | None = None,
        access: Tell | None = None,
    ) -> None:
        self._gateway = Gateway(
            directory, upstreams, clock, metrics, limits or ProxyLimits(), options=options, access=access
        )
        self._access = access
        self._entrance = Entrance(self._gateway)
        self._listeners: list[Listening] = []
        self._tidy_at = _TIDY_FROM
        metrics.pull(lambda: self._gateway.counters.families(self.own_numbers()))

    def show(self, show: Callable[[ProxiedRequest], object] | None) -> None:
        """Show what is over from now on, beside what the log is told; ``None``: no more."""
        log, clock = self._access, self._gateway.clock

        def tell(served: Served) -> None:
            if show is not None:
                show(shown_request(served, clock.now_ms() * 1_000_000))
            if log is not None:
                log(served)

        self._gateway.tells_heads = show is not None
        self._gateway.access = log if show is None else tell

    async def listen(
        self,
        address: str,
        port: int,
        service: ServiceKey | None,
        transport: Transport = "tcp",
        *,
        sharing: Sharing = Sharing.ALONE,
        destination: Destination | None = None,
    ) -> Listening:
        """Accept clients at ``address`` and ``port`` (0: any that is free), for ``service`` or, if None, for any.

        ``destination`` says of each connection which service it means, if they do not all mean ``service``; datagrams
        do, but may have been led here from another port.
        Raises ``ListenError`` with the reason ``in_use``, ``no_permission``, ``no_such_address`` or ``failed``.
        """
        sock = _bound(address, port, transport, sharing)
        door = Door(service, Endpoint(*sock.getsockname()[:2]))
        try:
            if transport == "udp":
                listener: Listening = self._datagrams(door, sock, destination)
            else:
                listener = await self._tcp(door, sock, destination)
        except OSError as error:  # no file is left, or no memory
            sock.close()
            raise listen_error(str(door.address), error) from error
        except BaseException:
            sock.close()
            raise
        self._listeners.append(listener)
        self._tidy()
        return listener

    def _datagrams(self, door: Door, sock: socket.socket, destination: Destination | None) -> Listening:
        meant = destination.fixed if destination is not None else None
        try:
            return open_datagrams(
                self._gateway, door, sock, (meant.address if meant is not None else door.address).port
            )
        except ValueError as error:
            raise ListenError(str(door.address), "failed", str(error)) from error

    async def _tcp(self, door: Door, sock: socket.socket, destination: Destination | None) -> Listener:
        entrance, doors = self._entrance, Doors(door)
        accepting: Accepting
        if destination is None and entrance.is_http(door):
            accepting = LoopAcceptor(sock, self._gateway, partial(entrance.http, door))
            await accepting.start()
        else:
            meant = destination or DoorDestination(door.service, door.address)
            accepting = Acceptor(sock, self._gateway, entrance, meant, doors)
        return Listener(doors, accepting)

    async def listen_led(self, address: str, port: int, sharing: Sharing = Sharing.ALONE) -> Listening:
        """Accept there connections that the system has led here from fake IPs; each means the service that has its.

        Raises ``ListenError``; see ``listen``.
        """
        destination = OriginalDestination(self._gateway.directory.service_at)
        return await self.listen(address, port, None, sharing=sharing, destination=destination)

    def _tidy(self) -> None:
        """Forget listeners that are over, when there are twice as many as were left the last time."""
        if len(self._listeners) >= self._tidy_at:
            self._listeners = [known for known in self._listeners if not known.over]
            self._tidy_at = max(_TIDY_FROM, 2 * len(self._listeners))

    async def stop(self) -> None:
        """Close all listeners and connections; return when they are closed. May be called again."""
        for listener in self._listeners:
            listener.abort()
        await self._entrance.stop()
        await self._gateway.close()

    def figures(self) -> Mapping[PortKey, PortFigures]:
        """Return what was counted at each port, in all processes together."""
        return self._gateway.counters.ports()

    def add_figures_of(self, elsewhere: Elsewhere) -> None:
        """Add what others have counted wherever figures are told: other processes, the kernel."""
        self._gateway.counters.add_figures_of(elsewhere)

    def status(self) -> dict[str, Any]:
        """Return what was served, as JSON values."""
        gateway = self._gateway
        numbers = gateway.counters.numbers(self.own_numbers())
        return {
            "connections": numbers.connections,
            "idle_backend_connections": numbers.idle_backends,
            "requests": gateway.counters.status(),
            "errors": dict(numbers.errors),
        }

    def own_numbers(self) -> ProxyFigures:
        """Return all that this process has counted, but for the ports."""
        gateway, counters = self._gateway, self._gateway.counters
        return ProxyFigures(
            errors=gateway.errors,
            accepted=counters.accepted,
            connections=counters.connections,
            idle_backends=gateway.backends.idle,
            datagrams=gateway.datagrams.tally,
        )


def _bound(address: str, port: int, transport: Transport, sharing: Sharing) -> socket.socket:
    """Return a socket that is bound, and listens if it is for connections.

    ``listen`` is called here because Linux may see only then that a port is in use.
    """
    sock = None
    try:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        sock = socket.socket(family, socket.SOCK_DGRAM if transport == "udp" else socket.SOCK_STREAM)
        sock.setblocking(False)
        if transport == "tcp":
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bind_shared(sock, (address, port), sharing)
        if transport == "tcp":
            sock.listen(_BACKLOG)
    except (OSError, OverflowError) as error:
        if sock is not None:
            sock.close()
        where = join_address(address, port)
        if isinstance(error, OSError):
            raise listen_error(where, error) from error
        raise ListenError(where, "failed", str(error)) from error
    return sock
