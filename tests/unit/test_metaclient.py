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
        (lambda c: c.services("ns"), "query", "ns/service", None),
        (lambda c: c.service("ns", "web"), "query", "ns/service/web", None),
        (lambda c: c.pod_list("ns", "web"), "query", "ns/podlist/web", None),
        (lambda c: c.endpoints("ns", "web"), "query", "ns/endpoints/web", None),
        (lambda c: c.listener("ns", "web"), "query", "default/listener/ns.web", None),
        (lambda c: c.set_listener("ns", "web", "9.251.0.1"), "insert", "default/listener/ns.web", "9.251.0.1"),
        (lambda c: c.delete_listener("ns", "web"), "delete", "default/listener/ns.web", None),
        (lambda c: c.update_node_status("ns", "n", {"UID": "u"}), "update", "ns/nodestatus/n", {"UID": "u"}),
        (lambda c: c.node("ns", "n"), "query", "ns/node/n", None),
        (lambda c: c.update_node("ns", "n", {"a": 1}), "update", "ns/node/n", {"a": 1}),
        (lambda c: c.pods(), "query", "all/pod", None),
        (lambda c: c.pods("ns"), "query", "ns/pod", None),
        (lambda c: c.pod_statuses(), "query", "all/podstatus", None),
        (lambda c: c.pod_statuses("ns"), "query", "ns/podstatus", None),
        (lambda c: c.update_pod_status("ns", "p", {"UID": "u"}), "update", "ns/podstatus/p", {"UID": "u"}),
        (lambda c: c.config_map("ns", "cm"), "query", "ns/configmap/cm", None),
        (lambda c: c.secret("ns", "s"), "query", "ns/secret/s", None),
        (lambda c: c.delete_pod("ns", "p", "u"), "delete", "ns/pod/p", "u"),
        (lambda c: c.persistent_volume("ns", "v"), "query", "ns/persistentvolume/v", None),
        (lambda c: c.persistent_volume_claim("ns", "v"), "query", "ns/persistentvolumeclaim/v", None),
        (lambda c: c.volume_attachment("ns", "v"), "query", "ns/volumeattachment/v", None),
        (lambda c: c.create_volume_attachment("ns", "v", {"a": 1}), "insert", "ns/volumeattachment/v", {"a": 1}),
        (lambda c: c.delete_volume_attachment("ns", "v"), "delete", "ns/volumeattachment/v", None),
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


ONE_OBJECT: list[Call] = [
    lambda c: c.service("ns", "web"),
    lambda c: c.pod_list("ns", "web"),
    lambda c: c.endpoints("ns", "web"),
    lambda c: c.node("ns", "web"),
    lambda c: c.config_map("ns", "web"),
    lambda c: c.secret("ns", "web"),
    lambda c: c.persistent_volume("ns", "web"),
    lambda c: c.persistent_volume_claim("ns", "web"),
    lambda c: c.volume_attachment("ns", "web"),
]
ONE: list[Call] = [*ONE_OBJECT, lambda c: c.listener("ns", "web")]
"""A listener is not handed on as it is stored."""
EVERY: list[Call] = [lambda c: c.services(), lambda c: c.pods(), lambda c: c.pod_statuses()]


async def test_m11_each_question_has_an_id_of_its_own(client: Client) -> None:
    """Go asks up to three times under one id, so that a late answer meets the wrong question."""
    for _ in range(3):
        await client.services()
    assert len({request.header.id for request in client.meta.asked}) == 3


async def test_an_answer_from_the_rows_is_a_list_of_json_texts(client: Client) -> None:
    client.meta.content = ['{"a":1}', '{"b":2}']
    assert [await call(client) for call in EVERY] == [[b'{"a":1}', b'{"b":2}']] * 3
    client.meta.content = ['{"a":1}']
    assert [await call(client) for call in ONE_OBJECT] == [b'{"a":1}'] * 9


async def test_m10_an_answer_of_the_cloud_is_the_object_itself(client: Client) -> None:
    """Go takes it for a list of texts, and the endpoints that were asked for cannot be read."""
    client.meta.source = "edgecontroller"
    client.meta.content = msgspec.Raw(b'{"metadata": {"name":"web"}}')
    assert [await call(client) for call in ONE_OBJECT] == [b'{"metadata": {"name":"web"}}'] * 9


@pytest.mark.parametrize("call", ONE)
async def test_several_rows_where_there_can_be_one_are_an_error(client: Client, call: Call) -> None:
    client.meta.content = ['"9.251.0.1"', '"9.251.0.2"']
    with pytest.raises(StoreError, match=r"cannot read (ns|default)/.*: there are 2 of it, not one"):
        await call(client)


@pytest.mark.parametrize("content", [[1], ["{}", None], [{}]], ids=repr)
@pytest.mark.parametrize("call", [*ONE, *EVERY])
async def test_rows_that_are_no_texts_are_an_error(client: Client, call: Call, content: Any) -> None:
    client.meta.content = content
    with pytest.raises(StoreError, match=r"cannot read .*: the answer of metaManager is no list of texts"):
        await call(client)


async def test_an_answer_that_is_no_json_is_an_error(client: Client) -> None:
    client.meta.source, client.meta.content = "edgecontroller", msgspec.Raw(b"{")
    with pytest.raises(StoreError, match="cannot read ns/node/n: cannot decode content"):
        await client.node("ns", "n")


async def test_a_list_of_the_cloud_is_one_answer(client: Client) -> None:
    client.meta.source = "edgecontroller"
    client.meta.content = msgspec.Raw(b'["x", 1]')
    assert await client.pod_list("ns", "web") == b'["x", 1]'


@pytest.mark.parametrize("content", [None, []])
async def test_an_answer_without_a_row_is_none(client: Client, content: Any) -> None:
    client.meta.content = content
    assert [await call(client) for call in EVERY] == [[]] * 3
    assert [await call(client) for call in ONE] == [None] * 10


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
