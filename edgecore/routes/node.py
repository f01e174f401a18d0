"""What commands can ask a running node over its control socket."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from edgecore.beehive.resource import PODLIST, SERVICE
from edgecore.control.routes import ControlRefused, ControlRequest, Routes
from edgecore.errors import ContentError
from edgecore.modules.edgemesh.dns.byhand.handquery import HandQuery
from edgecore.nodestate import NodeState

SERVICES_AT_ONCE = 100
"""After so many services others have their turn."""


class View(Protocol):
    """The part of ``ServiceView`` that tells of services."""

    def every(self, namespace: str = "") -> Iterator[dict[str, Any]]:
        """Yield every service in short."""

    def states(self) -> Iterator[dict[str, Any]]:
        """Yield every service as the status has it."""

    def one(self, name: str, namespace: str = "") -> dict[str, Any]:
        """Return everything of one. Raises ``ContentError`` if there is none."""


def node_routes(
    state: NodeState, hand_query: HandQuery | None = None, look: Callable[[], View] | None = None
) -> Routes:
    """Return the routes of the control socket; ``hand_query`` and ``look`` of ``None``: there is no EdgeMesh.

    | route | answer |
    | --- | --- |
    | ``GET /v1/status`` | ``NodeState.status``, and in ``mesh`` the ``services``; ``?brief=1``: without these |
    | ``GET /v1/ledger`` | ``Ledger.view`` |
    | ``GET /v1/dns/query?name=&type=`` | ``HandQuery.ask``, and ``rows``: where what is known of the service is from |
    | ``GET /v1/services`` | ``ServiceView.every``; ``?namespace=``: of that alone |
    | ``GET /v1/service?name=&namespace=`` | ``ServiceView.one`` |
    """

    async def show_status(request: ControlRequest) -> dict[str, Any]:
        status = state.status()
        if look is not None and status["mesh"] and not request.query.get("brief"):
            status["mesh"]["services"] = await _in_turns(look().states())
        return status

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
        return await _in_turns(_seen(look).every(request.query.get("namespace", "")))

    async def show_service(request: ControlRequest) -> dict[str, Any]:
        try:
            return _seen(look).one(request.query.get("name", ""), request.query.get("namespace", ""))
        except ContentError as error:
            raise ControlRefused(404, str(error)) from None

    return {
        ("GET", "/v1/status"): show_status,
        ("GET", "/v1/ledger"): show_ledger,
        ("GET", "/v1/dns/query"): ask_dns,
        ("GET", "/v1/services"): show_services,
        ("GET", "/v1/service"): show_service,
    }


async def _in_turns(services: Iterator[dict[str, Any]]) -> list[dict[str, Any]]:
    shown = []
    for one in services:
        shown.append(one)
        if not len(shown) % SERVICES_AT_ONCE:
            await asyncio.sleep(0)
    return shown


def _seen(look: Callable[[], View] | None) -> View:
    if look is None:
        raise ControlRefused(409, "cannot show services: modules.edgeMesh.enable is false in this node")
    return look()
