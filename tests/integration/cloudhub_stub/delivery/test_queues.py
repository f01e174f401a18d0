"""Messages that are handed in, with a real file and real connections, over cuts and restarts of the stub."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from cloudhub_stub.app import Stub
from cloudhub_stub.errors import BadMessage, NoSuchNode, QueueFull
from cloudhub_stub.paths import JOURNAL, LEDGER, MESSAGES
from cloudhub_stub.routes import routes
from cloudhub_stub.sender import SendOptions
from edgecore.beehive.message import Header, Message, Route
from edgecore.control.client import ControlClient
from edgecore.control.routes import ControlRefused, ControlRequest
from edgecore.errors import StoreError
from edgecore.observe.ledger import ACKNOWLEDGED, DOWN, UP
from edgecore.store.store import Statement


@pytest.fixture
async def stub(make_stub: Any) -> Stub:
    made: Stub = await make_stub()
    return made


def pod(name: str, version: str = "1", **header: str) -> dict[str, Any]:
    return {
        "header": {"resourceversion": version, **header},
        "route": {
            "source": "edgecontroller",
            "group": "resource",
            "operation": "update",
            "resource": f"default/pod/{name}",
        },
        "content": {"metadata": {"name": name}},
    }


async def send(stub: Stub, *messages: dict[str, Any], node: str | None = "edge-1") -> list[str]:
    accepted = await stub.sender.send(SendOptions(messages=list(messages), node=node))
    assert isinstance(accepted, dict)
    ids: list[str] = accepted["ids"]
    return ids


def taken_ids(edge: Any) -> list[str]:
    return [document["header"]["msg_id"] for document in edge.taken]


async def test_what_is_sent_to_a_connected_node_arrives_whole(stub: Stub, make_edge: Any) -> None:
    edge = await make_edge(stub)
    (message_id,) = await send(stub, pod("p"), node=None)
    document = await edge.receive()
    assert document["header"].keys() == {"msg_id", "parent_msg_id", "timestamp", "resourceversion", "sync"}
    assert document["header"]["msg_id"] == message_id
    assert document["header"]["timestamp"] > 0
    assert document["content"] == {"metadata": {"name": "p"}}


async def test_who_waits_is_told_what_becomes_of_each(stub: Stub, make_edge: Any) -> None:
    edge = await make_edge(stub)
    options = SendOptions(messages=[pod("p", "1"), pod("p", "2"), pod("q")], wait=True)
    events = await stub.sender.send(options)
    assert not isinstance(events, dict)
    taking = asyncio.create_task(edge.take_and_acknowledge(2))
    seen = [event async for event in events]
    await taking
    assert [event["event"] for event in seen] == [
        "accepted", "superseded", "acknowledged", "acknowledged", "finished"
    ]  # fmt: skip
    assert (seen[-1]["acknowledged"], seen[-1]["superseded"], seen[-1]["given_up"]) == (2, 1, 0)


async def test_messages_wait_for_a_node_that_never_was_there(stub: Stub, make_edge: Any) -> None:
    ids = await send(stub, pod("a"), pod("b"))
    edge = await make_edge(stub)
    await edge.take_and_acknowledge(2)
    assert taken_ids(edge) == ids


@pytest.mark.parametrize("acknowledged", [0, 1, 3])
async def test_what_was_accepted_and_is_not_through_survives_the_stub(
    make_stub: Any, make_edge: Any, turns: Any, acknowledged: int
) -> None:
    stub = await make_stub()
    edge = await make_edge(stub)
    ids = await send(stub, *(pod(str(number)) for number in range(3)))
    await edge.take_and_acknowledge(acknowledged)
    await turns(lambda: stub.cloud.delivery.depth("edge-1") == 3 - acknowledged)
    await stub.stop()
    again = await make_stub()
    assert again.cloud.delivery.depth("edge-1") == 3 - acknowledged
    edge = await make_edge(again)
    await edge.take_and_acknowledge(3 - acknowledged)
    assert taken_ids(edge) == ids[acknowledged:]
    await turns(lambda: again.cloud.delivery.depth("edge-1") == 0)
    assert again.cloud.ledger.under_way == 0


async def test_a_message_comes_after_a_restart_with_the_same_bytes(make_stub: Any, make_edge: Any) -> None:
    stub = await make_stub()
    edge = await make_edge(stub)
    await send(stub, pod("p"))
    before = await edge.connection.recv()
    await stub.stop()
    after = await (await make_edge(await make_stub())).connection.recv()
    assert before == after


async def test_of_versions_queued_over_a_restart_the_newest_is_sent(make_stub: Any, make_edge: Any) -> None:
    stub = await make_stub()
    await send(stub, pod("p", "9"))
    await stub.stop()
    again = await make_stub()
    (newest,) = await send(again, pod("p", "10"))
    edge = await make_edge(again)
    await edge.take_and_acknowledge(1)
    assert taken_ids(edge) == [newest]


async def test_nothing_that_has_an_effect_has_it_twice_over_connections_and_restarts(
    make_stub: Any, make_edge: Any, turns: Any
) -> None:
    stub = await make_stub()
    edge = await make_edge(stub)
    text = edge.text("up", "response", "JGh3L3g=", "hello", source="bus", group="user")
    await edge.connection.send(text)
    assert (await edge.ask("ping", "x"))["content"] == "ack"
    await edge.connection.send(text)
    await edge.ask("ping", "x")
    node = stub.cloud.nodes.get("edge-1")
    assert node is not None
    assert node.counters.outcomes == {"upload_taken": 1, "seen_before": 1}
    await stub.stop()
    again = await make_stub()
    edge = await make_edge(again)
    await edge.connection.send(text)
    await edge.ask("ping", "x")
    assert again.cloud.nodes.get("edge-1").counters.outcomes == {"seen_before": 1}
    assert [row.id for row in again.rows.journal("edge-1", 0, 10)] == ["up"]


async def test_many_effects_share_commits_and_stay_in_order(stub: Stub, make_edge: Any) -> None:
    edge = await make_edge(stub)
    for number in range(600):
        await edge.send("delete", f"default/pod/{number}", "uid")
    assert (await edge.ask("ping", "x"))["content"] == "ack"
    rows = stub.rows.journal("edge-1", 0, 1000)
    assert [row.resource for row in rows] == [f"default/pod/{number}" for number in range(600)]
    assert stub.rows._store.statistics().commits < 600
    assert stub.cloud.ledger.under_way == 0


async def test_the_book_is_balanced_after_both_ways_and_a_cut(stub: Stub, make_edge: Any, turns: Any) -> None:
    edge = await make_edge(stub)
    await send(stub, *(pod(str(number)) for number in range(20)))
    await edge.take_and_acknowledge(10)
    await edge.connection.close()
    await turns(lambda: stub.hub.find("edge-1") is None)
    edge = await make_edge(stub)
    await edge.take_and_acknowledge(10)
    await turns(lambda: stub.cloud.delivery.depth("edge-1") == 0)
    view = stub.cloud.ledger.view()
    assert (view["unexplained"], stub.cloud.ledger.under_way) == (0, 0)
    assert view["directions"][DOWN][ACKNOWLEDGED] == 20
    assert view["directions"][UP]["opened"] == 20


async def test_a_full_queue_is_refused_with_what_to_do(make_stub: Any) -> None:
    stub = await make_stub(queue_messages=2)
    await send(stub, pod("a"))
    with pytest.raises(
        QueueFull, match="cannot queue 2 messages for edge-1: 1 messages lie in its queue, which takes 2"
    ):
        await send(stub, pod("b"), pod("c"))
    assert (stub.cloud.delivery.depth("edge-1"), stub.cloud.delivery.refused) == (1, 2)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ({"route": {"group": "resource", "operation": "update"}}, "message 1: its route has no resource"),
        ({"route": {"group": "resource", "resource": "x"}}, "message 1: its route has no operation"),
        ({"header": {"msg_id": 5}}, "message 1: msg_id is not a str"),
    ],
)
async def test_what_is_no_message_is_refused(stub: Stub, message: dict[str, Any], text: str) -> None:
    with pytest.raises(BadMessage, match=text):
        await send(stub, message)


async def test_without_a_name_a_node_must_be_connected(stub: Stub) -> None:
    with pytest.raises(NoSuchNode, match="none is connected"):
        await send(stub, pod("p"), node=None)
    with pytest.raises(NoSuchNode, match="that is no node name"):
        await send(stub, pod("p"), node="a/b")


async def test_commands_send_and_ask_over_the_control_socket(stub: Stub, make_edge: Any) -> None:
    edge = await make_edge(stub)
    client = ControlClient(stub.control.path)
    body = {"node": "edge-1", "messages": [pod("p", msg_id="mine")]}
    accepted = await asyncio.to_thread(client.post, MESSAGES, body)
    assert (accepted["ids"], accepted["connected"]) == (["mine"], True)
    await edge.take_and_acknowledge(1)
    await edge.send("delete", "default/pod/p", "uid")
    await edge.ask("ping", "x")
    ledger = await asyncio.to_thread(client.get, LEDGER)
    assert ledger["directions"][DOWN][ACKNOWLEDGED] == 1
    (row,) = await asyncio.to_thread(client.get, JOURNAL, {"node": "edge-1"})
    assert (row["operation"], row["resource"]) == ("delete", "default/pod/p")


@pytest.mark.parametrize(
    ("body", "status"),
    [({}, 400), ({"messages": []}, 400), ({"messages": [pod("p")]}, 409), ({"messages": [pod("p")] * 3}, 429)],
)
async def test_refusals_have_a_status(make_stub: Any, body: dict[str, Any], status: int) -> None:
    stub = await make_stub(queue_messages=2)
    handlers = routes(stub.cloud, stub.player, stub.sender, stub.rows, stub.status)
    if status == 429:
        body = {**body, "node": "edge-1"}
    with pytest.raises(ControlRefused) as refused:
        await handlers["POST", MESSAGES](ControlRequest({}, body))
    assert refused.value.status == status


@pytest.mark.parametrize("query", [{}, {"node": ""}, {"node": "n", "after": "x"}])
async def test_the_journal_wants_a_node(stub: Stub, query: dict[str, str]) -> None:
    handlers = routes(stub.cloud, stub.player, stub.sender, stub.rows, stub.status)
    with pytest.raises(ControlRefused, match="it wants"):
        await handlers["GET", JOURNAL](ControlRequest(query, None))


async def test_the_file_is_private_and_of_one_stub(stub: Stub, make_stub: Any, tmp_path: Path) -> None:
    assert stub.rows.path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(StoreError, match=r"another cloudhub-stub uses it; .* \(--state-dir\)"):
        await make_stub(control=tmp_path / "other.sock")


async def test_a_row_that_is_no_message_is_counted_and_removed(make_stub: Any) -> None:
    stub = await make_stub()
    await send(stub, pod("p"))
    await stub.rows._store.write(Statement("UPDATE queued SET frame = ?", (b"{",)))
    await stub.stop()
    again = await make_stub()
    assert again.metrics.bad_input_counts == {("cloudhub", "bad_row"): 1}
    assert again.cloud.delivery.depth("edge-1") == 0
    await again.stop()
    assert (await make_stub()).metrics.bad_input_counts == {}


async def test_the_journal_keeps_the_newest_of_each_node(stub: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloudhub_stub.store.tables.KEPT_PER_NODE", 20)
    monkeypatch.setattr("cloudhub_stub.store.tables._PRUNE_EVERY", 10)
    for number in range(60):
        message = Message(Header(str(number)), Route())
        await stub.rows.submit(*stub.rows.noting("a" if number % 2 else "b", message, 1))
    kept = [row.id for row in stub.rows.journal("a", 0, 100)]
    assert len(kept) <= 30
    assert kept[-1] == "59"
