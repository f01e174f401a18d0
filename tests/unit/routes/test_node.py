import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from typing import Any, cast

import pytest

from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Header, Message, Route
from edgecore.clock import VirtualClock
from edgecore.control.routes import ControlRefused, ControlRequest
from edgecore.errors import ContentError
from edgecore.ids import NewId
from edgecore.modules.edgemesh.dns.byhand.handquery import HandQuery
from edgecore.nodestate import NodeState
from edgecore.routes.node import SERVICES_AT_ONCE, TAP_BACKLOG, View, node_routes

ROUTE = Route("edgecontroller", "resource", "insert", "default/service/web")
Stream = AsyncGenerator[dict[str, Any], None]


class FakeState:
    """A node whose status is short."""

    def status(self) -> dict[str, Any]:
        return {"node": "edge-1"}

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

    def one(self, name: str, namespace: str = "") -> dict[str, Any]:
        if name == "none":
            raise ContentError("cannot show none: there is no such service; there is default/web")
        return {"name": f"{namespace}/{name}"}


@pytest.fixture
async def bus(vclock: VirtualClock, ids: NewId) -> AsyncIterator[Bus]:
    bus = Bus(vclock, ids)
    yield bus
    bus.close()


async def ask(bus: Bus, method: str, path: str) -> Any:
    routes = node_routes(bus, cast("NodeState", FakeState()))
    return await routes[method, path](ControlRequest({}, None))


async def ask_dns(bus: Bus, hand_query: object = None, **query: str) -> Any:
    routes = node_routes(bus, cast("NodeState", FakeState()), cast("HandQuery", hand_query))
    return await routes["GET", "/v1/dns/query"](ControlRequest(query, None))


@pytest.fixture
async def tap(bus: Bus) -> AsyncIterator[Stream]:
    """A tap of which the first item is taken."""
    stream: Stream = await ask(bus, "GET", "/v1/tap")
    assert await anext(stream) == {"tapping": True}
    yield stream
    await stream.aclose()


async def test_there_are_no_other_routes(bus: Bus) -> None:
    assert node_routes(bus, cast("NodeState", FakeState())).keys() == {
        ("GET", "/v1/status"),
        ("GET", "/v1/ledger"),
        ("GET", "/v1/dns/query"),
        ("GET", "/v1/services"),
        ("GET", "/v1/service"),
        ("GET", "/v1/tap"),
    }


async def test_status_is_that_of_the_node(bus: Bus) -> None:
    assert await ask(bus, "GET", "/v1/status") == {"node": "edge-1"}


async def test_a_name_is_asked_for_and_the_rows_of_its_service_are_added(bus: Bus) -> None:
    told = await ask_dns(bus, FakeHandQuery(), name="web", type="A")
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
    bus: Bus, hand_query: object, query: dict[str, str], status: int, words: str
) -> None:
    with pytest.raises(ControlRefused, match=words) as caught:
        await ask_dns(bus, hand_query, **query)
    assert caught.value.status == status


async def ask_services(bus: Bus, path: str, look: object, **query: str) -> Any:
    routes = node_routes(bus, cast("NodeState", FakeState()), None, cast("Callable[[], View] | None", look))
    return await routes["GET", path](ControlRequest(query, None))


async def test_services_are_those_of_all_namespaces_or_of_one(bus: Bus) -> None:
    every = await ask_services(bus, "/v1/services", FakeView)
    assert [one["name"] for one in every] == [f"web-{number}" for number in range(SERVICES_AT_ONCE + 1)]
    assert await ask_services(bus, "/v1/services", FakeView, namespace="shop") == [
        {"namespace": "shop", "name": "cart"}
    ]


async def test_one_service_is_shown_whole(bus: Bus) -> None:
    assert await ask_services(bus, "/v1/service", FakeView, name="cart", namespace="shop") == {"name": "shop/cart"}


@pytest.mark.parametrize(
    ("path", "look", "query", "status", "words"),
    [
        ("/v1/service", FakeView, {"name": "none"}, 404, "there is default/web"),
        ("/v1/service", None, {"name": "web"}, 409, "modules.edgeMesh.enable"),
        ("/v1/services", None, {}, 409, "modules.edgeMesh.enable"),
    ],
)
async def test_services_that_cannot_be_shown_are_refused(
    bus: Bus, path: str, look: object, query: dict[str, str], status: int, words: str
) -> None:
    with pytest.raises(ControlRefused, match=words) as caught:
        await ask_services(bus, path, look, **query)
    assert caught.value.status == status


async def test_a_message_is_shown_with_sender_receiver_time_and_its_document(
    bus: Bus, vclock: VirtualClock, tap: Stream
) -> None:
    sender = bus.register("a", "g")
    bus.register("b", "g")
    await vclock.advance(1.5)
    await sender.post("b", ROUTE, {"metadata": {"name": "web"}})

    passage = await anext(tap)

    document = json.loads(passage.pop("message"))
    assert passage == {"at": 1.5, "from": "a", "to": "b", "missed": 0}
    assert document["route"]["resource"] == "default/service/web"
    assert document["content"] == {"metadata": {"name": "web"}}


async def test_a_message_that_no_document_can_show_is_shown_as_the_reason(bus: Bus, tap: Stream) -> None:
    bus.show("a", "b", Message(Header("1"), ROUTE, {1: object()}))

    assert "content of default/service/web" in (await anext(tap))["message"]


async def test_a_slow_reader_is_told_how_many_were_left_out(bus: Bus, tap: Stream) -> None:
    message = Message(Header("1"), ROUTE)
    for _ in range(TAP_BACKLOG + 3):
        bus.show("a", "b", message)

    kept = [(await anext(tap))["missed"] for _ in range(TAP_BACKLOG)]
    bus.show("a", "b", message)
    bus.show("a", "b", message)

    assert set(kept) == {0}
    assert [(await anext(tap))["missed"] for _ in range(2)] == [3, 0]


async def test_each_reader_has_a_tap_of_its_own(bus: Bus, tap: Stream) -> None:
    other: Stream = await ask(bus, "GET", "/v1/tap")
    await anext(other)

    bus.show("a", "b", Message(Header("1"), ROUTE))

    assert [(await anext(stream))["to"] for stream in (tap, other)] == ["b", "b"]
    await other.aclose()


async def test_nothing_is_tapped_before_the_first_item_is_asked_for(bus: Bus) -> None:
    await ask(bus, "GET", "/v1/tap")

    assert bus.taps == ()


async def test_a_stream_that_is_closed_leaves_no_tap(bus: Bus, tap: Stream) -> None:
    await tap.aclose()

    assert bus.taps == ()


async def test_a_stream_that_is_cancelled_while_it_waits_leaves_no_tap(bus: Bus, tap: Stream) -> None:
    waiting = asyncio.ensure_future(anext(tap))
    await asyncio.sleep(0)

    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)

    assert bus.taps == ()
