"""What MetaClient asks (spec 5.13), and how it understands the two forms of answers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import pytest

from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Header, Message, Route
from edgecore.clock import VirtualClock, settle
from edgecore.errors import BusClosed, ReplyTimeout, StoreError, UnknownModule
from edgecore.ids import NewId
from edgecore.metaclient import TIMEOUT_S, MetaClient


class ScriptedMetaManager:
    """Answers every question with what it was told to; keeps the questions."""

    def __init__(self, bus: Bus) -> None:
        self.port = bus.register("metaManager", "meta")
        self.asked: list[Message] = []
        self.operation = "response"
        self.source = "metaManager"
        self.content: Any = None

    async def answer(self) -> None:
        async for request in self.port:
            self.asked.append(request)
            route = Route(self.source, request.route.group, self.operation, request.route.resource)
            self.port.respond(Message(Header("a", request.header.id), route, self.content))


class Client(MetaClient):
    """The client of EdgeMesh, with MetaManager on the other side."""

    def __init__(self, bus: Bus, source: str) -> None:
        super().__init__(bus.register(source, "mesh"), source)
        self.bus = bus
        self.meta = ScriptedMetaManager(bus)


@pytest.fixture
async def client(vclock: VirtualClock, ids: NewId) -> AsyncIterator[Client]:
    client = Client(Bus(vclock, ids), "edgemesh")
    answering = asyncio.create_task(client.meta.answer())
    yield client
    client.bus.close()
    await answering


Call = Callable[[MetaClient], Awaitable[Any]]


@pytest.mark.parametrize(
    ("call", "operation", "resource", "content"),
    [
        (lambda c: c.services(), "query", "all/service", None),
        (lambda c: c.pod_list("ns", "web"), "query", "ns/podlist/web", None),
        (lambda c: c.endpoints("ns", "web"), "query", "ns/endpoints/web", None),
        (lambda c: c.listener("ns", "web"), "query", "default/listener/ns.web", None),
        (lambda c: c.set_listener("ns", "web", "9.251.0.1"), "insert", "default/listener/ns.web", "9.251.0.1"),
        (lambda c: c.delete_listener("ns", "web"), "delete", "default/listener/ns.web", None),
        (lambda c: c.update_node_status("ns", "n", {"UID": "u"}), "update", "ns/nodestatus/n", {"UID": "u"}),
        (lambda c: c.pods(), "query", "all/pod", None),
        (lambda c: c.pod_statuses(), "query", "all/podstatus", None),
        (lambda c: c.update_pod_status("ns", "p", {"UID": "u"}), "update", "ns/podstatus/p", {"UID": "u"}),
        (lambda c: c.config_map("ns", "cm"), "query", "ns/configmap/cm", None),
        (lambda c: c.secret("ns", "s"), "query", "ns/secret/s", None),
        (lambda c: c.delete_pod("ns", "p", "u"), "delete", "ns/pod/p", "u"),
    ],
)
async def test_each_call_asks_as_the_go_client(
    client: Client,
    call: Call,
    operation: str,
    resource: str,
    content: Any,
) -> None:
    await call(client)
    (request,) = client.meta.asked
    assert request.route == Route("edgemesh", "meta", operation, resource)
    assert request.content == content
    assert (request.header.sync, request.header.parent_id) == (True, "")


async def test_m11_each_question_has_an_id_of_its_own(client: Client) -> None:
    """Go asks up to three times under one id, so that a late answer meets the wrong question."""
    for _ in range(3):
        await client.services()
    assert len({request.header.id for request in client.meta.asked}) == 3


async def test_an_answer_from_the_rows_is_a_list_of_json_texts(client: Client) -> None:
    client.meta.content = ['{"a":1}', '{"b":2}']
    assert await client.services() == [b'{"a":1}', b'{"b":2}']
    assert await client.endpoints("ns", "web") == b'{"a":1}'


async def test_m10_an_answer_of_the_cloud_is_the_object_itself(client: Client) -> None:
    """Go takes it for a list of texts, and the endpoints that were asked for cannot be read."""
    client.meta.source = "edgecontroller"
    client.meta.content = msgspec.Raw(b'{"metadata": {"name":"web"}}')
    assert await client.endpoints("ns", "web") == b'{"metadata": {"name":"web"}}'
    assert await client.config_map("ns", "web") == b'{"metadata": {"name":"web"}}'
    assert await client.secret("ns", "web") == b'{"metadata": {"name":"web"}}'


async def test_a_list_of_the_cloud_is_one_answer(client: Client) -> None:
    client.meta.source = "edgecontroller"
    client.meta.content = msgspec.Raw(b'["x", 1]')
    assert await client.pod_list("ns", "web") == b'["x", 1]'


@pytest.mark.parametrize("content", [None, []])
async def test_no_row_is_none(client: Client, content: Any) -> None:
    client.meta.content = content
    assert await client.services() == []
    assert await client.pod_list("ns", "web") is None
    assert await client.endpoints("ns", "web") is None
    assert await client.config_map("ns", "web") is None
    assert await client.secret("ns", "web") is None
    assert await client.listener("ns", "web") is None


async def test_a_pod_list_of_null_is_not_no_pod_list(client: Client) -> None:
    client.meta.content = ["null"]
    assert await client.pod_list("ns", "web") == b"null"


async def test_a_listener_row_is_the_address_without_its_quotes(client: Client) -> None:
    client.meta.content = ['"9.251.0.1"']
    assert await client.listener("ns", "web") == "9.251.0.1"


@pytest.mark.parametrize("text", ["9.251.0.1", "7", "null", '{"ip":1}', ""])
async def test_a_listener_row_that_is_no_text_is_an_error(client: Client, text: str) -> None:
    client.meta.content = [text]
    with pytest.raises(StoreError, match="cannot read listener row of ns/web"):
        await client.listener("ns", "web")


async def test_an_error_answer_is_raised_with_its_text(client: Client) -> None:
    client.meta.operation, client.meta.content = "error", "Error to save meta to DB: the disk is full"
    with pytest.raises(StoreError, match=r"cannot insert default/listener/ns\.web: Error .* the disk is full"):
        await client.set_listener("ns", "web", "9.251.0.1")


async def test_no_answer_is_a_timeout_after_one_deadline(vclock: VirtualClock, ids: NewId) -> None:
    bus = Bus(vclock, ids)
    silent = bus.register("metaManager", "meta")
    client = MetaClient(bus.register("edgemesh", "mesh"), "edgemesh")
    asking = asyncio.create_task(client.services())
    await vclock.advance(TIMEOUT_S - 1)
    assert not asking.done()
    await vclock.advance(1)
    with pytest.raises(ReplyTimeout):
        await asking
    assert silent.statistics().depth == 1  # asked once, not once a retry
    bus.close()


async def test_without_metamanager_the_call_fails_at_once(vclock: VirtualClock, ids: NewId) -> None:
    bus = Bus(vclock, ids)
    client = MetaClient(bus.register("edgemesh", "mesh"), "edgemesh")
    with pytest.raises(UnknownModule):
        await client.services()
    bus.close()


async def test_a_stopping_node_ends_the_wait(vclock: VirtualClock, ids: NewId) -> None:
    bus = Bus(vclock, ids)
    bus.register("metaManager", "meta")
    client = MetaClient(bus.register("edgemesh", "mesh"), "edgemesh")
    asking = asyncio.create_task(client.services())
    await settle()
    bus.close()
    with pytest.raises(BusClosed):
        await asking
