from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from edgecore.control.routes import ControlRefused, ControlRequest
from edgecore.errors import ContentError
from edgecore.modules.edgemesh.dns.byhand.handquery import HandQuery
from edgecore.nodestate import NodeState
from edgecore.routes.node import SERVICES_AT_ONCE, View, node_routes


class FakeState:
    """A node whose status is short."""

    def status(self) -> dict[str, Any]:
        return {"node": "edge-1", "mesh": {"pool": "127.251.0.0/16"}}

    def origin(self, key: str) -> dict[str, Any] | None:
        return {"row": key} if key == "default/service/web" else None


class FakeHandQuery:
    """Knows the service ``web``."""

    async def ask(self, name: str, type_text: str) -> dict[str, Any]:
        if type_text == "NOSUCH":
            raise ContentError("cannot ask for records of type 'NOSUCH'")
        return {"name": name, "type": type_text, "service": {"namespace": "default", "name": name} if name else None}


class FakeView:
    """Has many services in one namespace and one in another."""

    def every(self, namespace: str = "") -> Iterator[dict[str, Any]]:
        if namespace:
            yield {"namespace": namespace, "name": "cart"}
        else:
            yield from ({"namespace": "default", "name": f"web-{number}"} for number in range(SERVICES_AT_ONCE + 1))

    def states(self) -> Iterator[dict[str, Any]]:
        yield {"namespace": "default", "name": "web"}

    def one(self, name: str, namespace: str = "") -> dict[str, Any]:
        if name == "none":
            raise ContentError("cannot show none: there is no such service; there is default/web")
        return {"name": f"{namespace}/{name}"}


async def ask(method: str, path: str) -> Any:
    routes = node_routes(cast("NodeState", FakeState()))
    return await routes[method, path](ControlRequest({}, None))


async def ask_dns(hand_query: object = None, **query: str) -> Any:
    routes = node_routes(cast("NodeState", FakeState()), cast("HandQuery", hand_query))
    return await routes["GET", "/v1/dns/query"](ControlRequest(query, None))


async def test_there_are_no_other_routes() -> None:
    assert node_routes(cast("NodeState", FakeState())).keys() == {
        ("GET", "/v1/status"),
        ("GET", "/v1/ledger"),
        ("GET", "/v1/dns/query"),
        ("GET", "/v1/services"),
        ("GET", "/v1/service"),
    }


async def test_status_is_that_of_the_node() -> None:
    assert await ask("GET", "/v1/status") == {"node": "edge-1", "mesh": {"pool": "127.251.0.0/16"}}


@pytest.mark.parametrize(
    ("query", "services"), [({}, {"services": [{"namespace": "default", "name": "web"}]}), ({"brief": "1"}, {})]
)
async def test_the_status_has_the_services_unless_it_is_to_be_brief(
    query: dict[str, str], services: dict[str, Any]
) -> None:
    status = await ask_services("/v1/status", FakeView, **query)
    assert status["mesh"] == {"pool": "127.251.0.0/16", **services}


async def test_a_name_is_asked_for_and_the_rows_of_its_service_are_added() -> None:
    told = await ask_dns(FakeHandQuery(), name="web", type="A")
    assert told == {
        "name": "web",
        "type": "A",
        "service": {"namespace": "default", "name": "web"},
        "rows": [{"row": "default/service/web"}],
    }


@pytest.mark.parametrize(
    ("hand_query", "query", "status", "words"),
    [
        (FakeHandQuery(), {}, 400, "none is given"),
        (FakeHandQuery(), {"name": "web", "type": "NOSUCH"}, 400, "NOSUCH"),
        (None, {"name": "web"}, 409, "modules.edgeMesh.enable"),
    ],
)
async def test_a_question_for_a_name_that_cannot_be_asked_is_refused(
    hand_query: object, query: dict[str, str], status: int, words: str
) -> None:
    with pytest.raises(ControlRefused, match=words) as caught:
        await ask_dns(hand_query, **query)
    assert caught.value.status == status


async def ask_services(path: str, look: object, **query: str) -> Any:
    routes = node_routes(cast("NodeState", FakeState()), None, cast("Callable[[], View] | None", look))
    return await routes["GET", path](ControlRequest(query, None))


async def test_services_are_those_of_all_namespaces_or_of_one() -> None:
    every = await ask_services("/v1/services", FakeView)
    assert [one["name"] for one in every] == [f"web-{number}" for number in range(SERVICES_AT_ONCE + 1)]
    assert await ask_services("/v1/services", FakeView, namespace="shop") == [{"namespace": "shop", "name": "cart"}]


async def test_one_service_is_shown_whole() -> None:
    assert await ask_services("/v1/service", FakeView, name="cart", namespace="shop") == {"name": "shop/cart"}


@pytest.mark.parametrize(
    ("path", "look", "query", "status", "words"),
    [
        ("/v1/service", FakeView, {"name": "none"}, 404, "there is default/web"),
        ("/v1/service", None, {"name": "web"}, 409, "modules.edgeMesh.enable"),
        ("/v1/services", None, {}, 409, "modules.edgeMesh.enable"),
    ],
)
async def test_services_that_cannot_be_shown_are_refused(
    path: str, look: object, query: dict[str, str], status: int, words: str
) -> None:
    with pytest.raises(ControlRefused, match=words) as caught:
        await ask_services(path, look, **query)
    assert caught.value.status == status
