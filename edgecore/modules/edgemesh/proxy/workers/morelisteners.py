"""The listeners of a worker, at addresses at which the node listens already.

One that cannot be bound all the same (too many open files) is tried again every ``RETRY_S``; its clients come in by the
other processes meanwhile. The log has one line when it begins to fail and one when it listens after all.
"""

import asyncio
from typing import Protocol

import structlog

from edgecore.clock import Clock
from edgecore.errors import ListenError
from edgecore.modules.edgemesh.names import Endpoint
from edgecore.modules.edgemesh.proxy.doors.destination import DoorDestination, Meant
from edgecore.modules.edgemesh.proxy.server import MeshProxy
from edgecore.modules.edgemesh.upstream.spec import Transport
from edgecore.modules.edgemesh.workers.sharing import Sharing

log = structlog.get_logger("edgemesh.proxy")

RETRY_S = 5.0

Place = tuple[Endpoint, Transport]


class Listener(Protocol):
    """What ``MeshProxy.listen`` returns."""

    def close(self) -> object:
        """Accept no more; what is being served is served."""


class MoreListeners:
    """See the module."""

    def __init__(self, proxy: MeshProxy, clock: Clock) -> None:
        self._proxy = proxy
        self._clock = clock
        self._wanted: dict[Place, Meant] = {}
        self._open: dict[Place, Listener] = {}
        self._failed: set[Place] = set()
        self._retrying: asyncio.Task[None] | None = None

    async def open(self, address: Endpoint, meant: Meant, transport: Transport) -> None:
        """Accept clients at ``address``, as ``Listen`` says: now, or as soon as it can be done."""
        place = (address, transport)
        self._wanted[place] = meant
        await self._try(place, meant)
        if self._failed and self._retrying is None:
            self._retrying = asyncio.create_task(self._retry())

    def close(self, address: Endpoint, transport: Transport) -> None:
        """Accept no more clients there; what is being served is served."""
        place = (address, transport)
        self._wanted.pop(place, None)
        self._failed.discard(place)
        listener = self._open.pop(place, None)
        if listener is not None:
            listener.close()

    async def stop(self) -> None:
        """Try no more. What is open is the proxy's to close."""
        if self._retrying is not None:
            self._retrying.cancel()
            await asyncio.gather(self._retrying, return_exceptions=True)

    async def _try(self, place: Place, meant: Meant) -> None:
        address, transport = place
        where = {"service": str(meant.service or ""), "address": str(address), "transport": transport}
        try:
            listener = await self._listen(place, meant)
        except ListenError as error:
            if place not in self._failed:
                log.warning("port_not_bound", **where, reason=error.reason, error=str(error), again_every_s=RETRY_S)
            self._failed.add(place)
            return
        if place in self._open or self._wanted.get(place) != meant:  # it was given up while it was being opened
            listener.close()
            return
        self._open[place] = listener
        if place in self._failed:
            self._failed.remove(place)
            log.info("port_bound", **where)

    async def _listen(self, place: Place, meant: Meant) -> Listener:
        address, transport = place
        if meant.service is None:
            return await self._proxy.listen_led(*address, sharing=Sharing.MORE)
        destination = DoorDestination(*meant) if meant.address != address else None
        return await self._proxy.listen(
            *address, meant.service, transport, sharing=Sharing.MORE, destination=destination
        )

    async def _retry(self) -> None:
        while self._failed:
            await self._clock.sleep(RETRY_S)
            for place in tuple(self._failed):
                if place in self._failed:
                    await self._try(place, self._wanted[place])
        self._retrying = None
