"""What commands can ask a running node over its control socket."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Protocol

from edgecore.beehive import wire
from edgecore.beehive.bus import Bus
from edgecore.beehive.resource import PODLIST, SERVICE
from edgecore.beehive.switchboard import Passage
from edgecore.control.routes import ControlRefused, ControlRequest, Routes
from edgecore.errors import ContentError, FrameError
from edgecore.modules.edgemesh.dns.byhand.handquery import HandQuery
from edgecore.nodestate import NodeState

TAP_BACKLOG = 10_000
"""Messages that wait for a slow reader of a tap; further ones are left out and counted."""
SERVICES_AT_ONCE = 100
"""After so many services others have their turn."""


class View(Protocol):
    """The part of ``ServiceView`` that tells of services."""

    def every(self, namespace: str = "") -> Iterator[dict[str, Any]]:
        """Yield every service in short."""

    def one(self, name: str, namespace: str = "") -> dict[str, Any]:
        """Return everything of one. Raises ``ContentError`` if there is none."""


def node_routes(
    bus: Bus, state: NodeState, hand_query: HandQuery | None = None, look: Callable[[], View] | None = None
) -> Routes:
    """Return the routes of the control socket; ``hand_query`` and ``look`` of ``None``: there is no EdgeMesh.

    | route | answer |
    | --- | --- |
    | ``GET /v1/status`` | ``NodeState.status`` |
    | ``GET /v1/ledger`` | ``Ledger.view`` |
    | ``GET /v1/dns/query?name=&type=`` | ``HandQuery.ask``, and ``rows``: where what is known of the service is from |
    | ``GET /v1/services`` | ``ServiceView.every``; ``?namespace=``: of that alone |
    | ``GET /v1/service?name=&namespace=`` | ``ServiceView.one`` |
    | ``GET /v1/tap`` | a stream of every message between modules, from now on until the reader hangs up |
    """

    async def show_status(_request: ControlRequest) -> dict[str, Any]:
        return state.status()

    async def show_ledger(_request: ControlRequest) -> dict[str, Any]:
        return state.ledger.view()

    async def ask_dns(request: ControlRequest) -> dict[str, Any]:
        if hand_query is None:
            raise ControlRefused(409, "cannot ask for names: modules.edgeMesh.enable is false in this node")
        name = request.query.get("name", "")
        if not name:
            raise ControlRefused(400, "cannot ask for a name: none is given (?name=)")
        try:
            told = await hand_query.ask(name, request.query.get("type", ""))
        except ContentError as error:
            raise ControlRefused(400, str(error)) from None
        key = told["service"]
        keys = () if key is None else (f"{key['namespace']}/{kind}/{key['name']}" for kind in (SERVICE, PODLIST))
        return {**told, "rows": [origin for origin in map(state.origin, keys) if origin is not None]}

    async def show_services(request: ControlRequest) -> list[dict[str, Any]]:
        shown = []
        for one in _seen(look).every(request.query.get("namespace", "")):
            shown.append(one)
            if not len(shown) % SERVICES_AT_ONCE:
                await asyncio.sleep(0)
        return shown

    async def show_service(request: ControlRequest) -> dict[str, Any]:
        try:
            return _seen(look).one(request.query.get("name", ""), request.query.get("namespace", ""))
        except ContentError as error:
            raise ControlRefused(404, str(error)) from None

    async def tap(_request: ControlRequest) -> AsyncIterator[dict[str, Any]]:
        return _passages(bus)

    return {
        ("GET", "/v1/status"): show_status,
        ("GET", "/v1/ledger"): show_ledger,
        ("GET", "/v1/dns/query"): ask_dns,
        ("GET", "/v1/services"): show_services,
        ("GET", "/v1/service"): show_service,
        ("GET", "/v1/tap"): tap,
    }


def _seen(look: Callable[[], View] | None) -> View:
    if look is None:
        raise ControlRefused(409, "cannot show services: modules.edgeMesh.enable is false in this node")
    return look()


async def _passages(bus: Bus) -> AsyncIterator[dict[str, Any]]:
    """Yield each passage as ``{"at", "from", "to", "missed", "message"}``; ``message`` is the wire JSON as text.

    ``missed`` counts the messages left out before this one because the reader was too slow.
    """
    waiting: asyncio.Queue[tuple[Passage, int]] = asyncio.Queue(TAP_BACKLOG)
    missed = 0

    def see(passage: Passage) -> None:
        nonlocal missed
        try:
            waiting.put_nowait((passage, missed))
            missed = 0
        except asyncio.QueueFull:
            missed += 1

    bus.add_tap(see)
    try:
        yield {"tapping": True}
        while True:
            passage, left_out = await waiting.get()
            try:
                document = wire.encode(passage.message).decode()
            except FrameError as error:
                document = str(error)
            yield {
                "at": passage.at,
                "from": passage.sender,
                "to": passage.receiver,
                "missed": left_out,
                "message": document,
            }
    finally:
        bus.remove_tap(see)
