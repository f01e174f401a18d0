"""The proxy of a node that has workers: it listens first, and has them listen beside it."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from edgecore.errors import ListenError
from edgecore.modules.edgemesh.names import Endpoint, ServiceKey
from edgecore.modules.edgemesh.proxy.doors.destination import DoorDestination, Meant
from edgecore.modules.edgemesh.proxy.figures.figures import PortFigures
from edgecore.modules.edgemesh.proxy.figures.proxyfigures import Elsewhere
from edgecore.modules.edgemesh.proxy.server import MeshProxy
from edgecore.modules.edgemesh.proxy.workers.crew import ForwardingCrew
from edgecore.modules.edgemesh.upstream.spec import PortKey, Transport
from edgecore.modules.edgemesh.workers.sharing import Sharing

REMEMBERED = 10_000
"""So many addresses that were given up are remembered as ours."""


class BoundListener(Protocol):
    """What ``CrewedProxy.listen`` returns."""

    @property
    def address(self) -> Endpoint:
        """What is listened on, with the port that the system chose if 0 was asked for."""

    def close(self) -> object:
        """Accept no more; what is being served is served."""


class CrewedProxy:
    """``proxy``, and ``crew`` beside it, as one: as ``MeshProxy`` is used by the module.

    The plain listener is the node's alone. ``proxy`` adds the figures of the crew to its own.
    """

    def __init__(self, proxy: MeshProxy, crew: ForwardingCrew) -> None:
        self._proxy = proxy
        self._crew = crew
        self._given_up: dict[tuple[str, int, Transport], None] = {}
        proxy.add_figures_of(crew.each)

    async def listen(
        self,
        address: str,
        port: int,
        service: ServiceKey | None,
        transport: Transport = "tcp",
        *,
        meant: Endpoint | None = None,
    ) -> BoundListener:
        """See ``MeshProxy.listen``. The workers listen soon after this returns, or run without it.

        ``meant``: the fake IP and port that clients mean who are led here from there.
        """
        self._crew.start()
        if service is None:
            return await self._proxy.listen(address, port, service, transport)
        destination = DoorDestination(service, meant) if meant is not None else None
        listener = await self._bound(
            address,
            port,
            transport,
            lambda sharing: self._proxy.listen(
                address, port, service, transport, sharing=sharing, destination=destination
            ),
        )
        self._crew.listen(listener.address, Meant(service, meant or listener.address), transport)
        return _Shared(self, listener, transport)

    async def listen_led(self, address: str, port: int) -> BoundListener:
        """See ``MeshProxy.listen_led``; the workers have to be told by ``own`` which services there are."""
        self._crew.start()
        listener = await self._bound(
            address, port, "tcp", lambda sharing: self._proxy.listen_led(address, port, sharing)
        )
        self._crew.listen(listener.address, Meant(None, listener.address), "tcp")
        return _Shared(self, listener, "tcp")

    def own(self, address: str, service: ServiceKey | None) -> None:
        """Tell the workers whose fake IP ``address`` is, for ``listen_led``; ``None``: nobody's any more."""
        self._crew.own(address, service)

    async def stop(self) -> None:
        """Close all listeners and connections, of the workers too; return when they are gone. May be called again."""
        try:
            await self._crew.stop()
        finally:
            await self._proxy.stop()

    def status(self) -> dict[str, Any]:
        """See ``MeshProxy.status``: with what the workers counted, and the workers."""
        return {**self._proxy.status(), "workers": self._crew.status()}

    def figures(self) -> Mapping[PortKey, PortFigures]:
        """See ``MeshProxy.figures``: of all processes together."""
        return self._proxy.figures()

    def add_figures_of(self, elsewhere: Elsewhere) -> None:
        """See ``MeshProxy.add_figures_of``."""
        self._proxy.add_figures_of(elsewhere)

    def give_up(self, listener: BoundListener, transport: Transport) -> None:
        """Listen there no more, in no process."""
        listener.close()
        self._crew.unlisten(listener.address, transport)
        self._given_up[*listener.address, transport] = None
        if len(self._given_up) > REMEMBERED:
            del self._given_up[next(iter(self._given_up))]

    async def _bound(
        self, address: str, port: int, transport: Transport, listen: Callable[[Sharing], Awaitable[BoundListener]]
    ) -> BoundListener:
        """Listen first; where this was given up, a worker that is slow may not have closed its socket yet."""
        try:
            return await listen(self._crew.sharing)
        except ListenError as error:
            if error.reason != "in_use" or (address, port, transport) not in self._given_up:
                raise
        return await listen(Sharing.MORE)


class _Shared:
    """A listener of the node, and those of the workers beside it."""

    def __init__(self, proxy: CrewedProxy, listener: BoundListener, transport: Transport) -> None:
        self._proxy = proxy
        self._listener = listener
        self._transport = transport
        self._is_closed = False

    @property
    def address(self) -> Endpoint:
        """See ``BoundListener``."""
        return self._listener.address

    def close(self) -> None:
        """See ``BoundListener``."""
        if not self._is_closed:
            self._is_closed = True
            self._proxy.give_up(self._listener, self._transport)
