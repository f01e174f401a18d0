"""Playing recordings to real websocket clients."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from cloudhub_stub.app import Stub
from cloudhub_stub.replay.plan import PlannedFrame, ReplayOptions, Selection
from cloudhub_stub.sender import SendOptions
from edgecore.clock import VirtualClock
from edgecore.recording.reader import read_entries

EXAMPLES = Path(__file__).parents[4] / "examples" / "recordings"
SERVICES = EXAMPLES / "b_services_endpoints_pods.jsonl"
DELETES = EXAMPLES / "b2_deletes.jsonl"

TWIN = {
    "header": {"msg_id": "t", "timestamp": 1},
    "route": {"source": "devicecontroller", "group": "twin", "operation": "update", "resource": "membership"},
    "content": {},
}


@pytest.fixture
async def stub(make_stub: Any, vclock: VirtualClock) -> Stub:
    made: Stub = await make_stub(vclock)
    return made


def planned(path: Path) -> list[PlannedFrame]:
    plan = Selection(ReplayOptions(file=str(path))).plan(read_entries(path))
    return [each for each in plan if isinstance(each, PlannedFrame)]


async def play(stub: Stub, path: Path, **options: Any) -> list[dict[str, Any]]:
    return [event async for event in stub.player.play(ReplayOptions(file=str(path), **options))]


def write(path: Path, *documents: dict[str, Any]) -> Path:
    lines = [{"t_ns": 1, "link": 1, "dir": "cloud->edge", "text": json.dumps(each)} for each in documents]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


@pytest.mark.parametrize("path", [SERVICES, DELETES], ids=["services", "deletes"])
async def test_every_message_is_played_and_acknowledged_in_order(stub: Stub, make_edge: Any, path: Path) -> None:
    expected = planned(path)
    edge = await make_edge(stub)
    events, _ = await asyncio.gather(play(stub, path), edge.take_and_acknowledge(len(expected)))
    assert [event["entry"] for event in events if event["event"] == "acked"] == [each.entry for each in expected]
    assert [taken["route"]["resource"] for taken in edge.taken] == [each.message.route.resource for each in expected]
    last = events[-1]
    assert (last["event"], last["sent"], last["acked"]) == ("finished", len(expected), len(expected))


async def test_addresses_are_mapped_and_ids_are_fresh(stub: Stub, make_edge: Any) -> None:
    edge = await make_edge(stub)
    mapping = {"10.66.0.2": "127.0.0.2", "10.66.0.1": "127.0.0.3"}
    await asyncio.gather(play(stub, SERVICES, map=mapping), edge.take_and_acknowledge(33))
    text = json.dumps(edge.taken)
    assert "127.0.0.2" in text
    assert "127.0.0.3" in text
    assert "10.66.0." not in text
    ids = {taken["header"]["msg_id"] for taken in edge.taken}
    assert len(ids) == 33
    assert not ids & {each.message.header.id for each in planned(SERVICES)}


async def test_recorded_ids_and_times_are_kept_when_asked(stub: Stub, make_edge: Any) -> None:
    edge = await make_edge(stub)
    await asyncio.gather(play(stub, DELETES, keep_ids=True), edge.take_and_acknowledge(13))
    sent = [(taken["header"]["msg_id"], taken["header"]["timestamp"]) for taken in edge.taken]
    assert sent == [(each.message.header.id, each.message.header.timestamp_ms) for each in planned(DELETES)]


async def test_the_next_message_waits_for_the_acknowledgement(stub: Stub, make_edge: Any) -> None:
    edge = await make_edge(stub)
    async with aclosing(stub.player.play(ReplayOptions(file=str(DELETES)))) as events:  # type: ignore[type-var]
        running = asyncio.create_task(_drain(events))
        first = await edge.receive()
        asked = await edge.send("update", "default/nodestatus/edge-1", {"Status": {}})
        # What comes next answers the status: the second message of the recording has not overtaken it.
        assert (await edge.receive())["header"]["parent_msg_id"] == asked
        await edge.acknowledge(first)
        await edge.take_and_acknowledge(12)
        await running


async def _drain(events: AsyncIterator[Any]) -> None:
    async for _ in events:
        pass


async def test_a_silent_edge_fails_the_replay_with_the_entry(stub: Stub, make_edge: Any, vclock: VirtualClock) -> None:
    edge = await make_edge(stub)
    playing = asyncio.create_task(play(stub, SERVICES))
    await edge.take_and_acknowledge(2)
    await edge.receive()
    await vclock.advance(25)
    last = (await playing)[-1]
    assert (last["event"], last["entry"], last["resource"]) == ("failed", 6, "default/endpoints/nginx-svc")
    assert (last["sent"], last["acked"]) == (2, 2)
    assert "cannot replay entry 6 (insert default/endpoints/nginx-svc)" in last["text"]
    assert "is the edge running?" in last["text"]


async def test_a_replay_goes_on_over_a_cut_where_it_was(stub: Stub, make_edge: Any, turns: Any) -> None:
    edge = await make_edge(stub)
    playing = asyncio.create_task(play(stub, DELETES))
    await edge.take_and_acknowledge(4)
    fifth = await edge.receive()
    await edge.connection.close()
    await turns(lambda: stub.hub.find("edge-1") is None)
    again = await make_edge(stub)
    assert await again.receive() == fifth
    await again.acknowledge(fifth)
    await again.take_and_acknowledge(8)
    events = await playing
    assert {"event": "waiting", "node": "edge-1", "wait_s": 120.0} in events
    assert (events[-1]["event"], events[-1]["acked"]) == ("finished", 13)


async def test_a_replay_goes_on_over_a_connection_that_replaces_the_old_one(stub: Stub, make_edge: Any) -> None:
    edge = await make_edge(stub)
    playing = asyncio.create_task(play(stub, DELETES))
    await edge.receive()
    new = await make_edge(stub)
    await new.take_and_acknowledge(13)
    assert (await playing)[-1]["event"] == "finished"


async def test_an_edge_that_stays_away_fails_the_replay_and_leaves_nothing_queued(
    stub: Stub, make_edge: Any, vclock: VirtualClock, turns: Any
) -> None:
    edge = await make_edge(stub)
    playing = asyncio.create_task(play(stub, SERVICES))
    await edge.take_and_acknowledge(1)
    await edge.connection.close()
    await turns(lambda: stub.hub.find("edge-1") is None)
    while not playing.done():  # the replay notices a moment later that the edge is gone, and waits from then on
        await vclock.advance(10)
        await asyncio.sleep(0.001)
    last = (await playing)[-1]
    assert last["event"] == "failed"
    assert "edge-1 is gone, and was not back within 120 s" in last["text"]
    assert stub.cloud.delivery.depth("edge-1") == 0


async def test_a_faithful_stub_leaves_out_what_cloudhub_would(make_stub: Any, make_edge: Any, tmp_path: Path) -> None:
    stub = await make_stub(faithful=True)
    edge = await make_edge(stub)
    pod = {"source": "edgecontroller", "group": "resource", "operation": "insert", "resource": "default/pod/p"}
    path = write(tmp_path / "r.jsonl", {"header": {"msg_id": "1"}, "route": pod, "content": {}}, TWIN)
    events = await play(stub, path)
    assert [event["event"] for event in events] == ["planned", "started", "left_out", "sent", "finished"]
    assert (events[2]["resource"], events[2]["reason"]) == ("default/pod/p", "no_version")
    assert (await edge.receive())["route"]["resource"] == "membership"


async def test_a_replay_waits_for_its_node(stub: Stub, make_edge: Any, turns: Any) -> None:
    events: list[dict[str, Any]] = []

    async def collect() -> None:
        async for event in stub.player.play(ReplayOptions(file=str(DELETES), node="edge-2", to_entry=2)):
            events.append(event)  # noqa: PERF401 - looked at while it grows

    playing = asyncio.create_task(collect())
    await turns(lambda: len(events) == 2)
    assert events[1] == {"event": "waiting", "node": "edge-2", "wait_s": 30.0}
    edge = await make_edge(stub, "edge-2")
    await edge.take_and_acknowledge(1)
    await playing
    assert events[2] == {"event": "started", "node": "edge-2"}
    assert events[-1]["event"] == "finished"


async def test_a_replay_waits_no_longer_than_it_was_told(stub: Stub, vclock: VirtualClock, turns: Any) -> None:
    playing = asyncio.create_task(play(stub, DELETES, wait_s=5.0))
    await turns(lambda: bool(vclock._timers))
    await vclock.advance(5)
    last = (await playing)[-1]
    assert (last["event"], last["text"]) == ("failed", "cannot replay: no node connected within 5 s")


async def test_of_several_nodes_one_must_be_named(stub: Stub, make_edge: Any) -> None:
    await make_edge(stub, "edge-1")
    edge = await make_edge(stub, "edge-2")
    assert "2 are connected (edge-1, edge-2)" in (await play(stub, DELETES))[-1]["text"]
    events, _ = await asyncio.gather(play(stub, DELETES, node="edge-2"), edge.take_and_acknowledge(13))
    assert events[-1]["event"] == "finished"


async def test_one_recording_at_a_time_is_played_to_a_node(stub: Stub, make_edge: Any) -> None:
    edge = await make_edge(stub)
    first = asyncio.create_task(play(stub, DELETES))
    document = await edge.receive()
    assert "another recording is being played to edge-1" in (await play(stub, DELETES))[-1]["text"]
    await edge.acknowledge(document)
    await edge.take_and_acknowledge(12)
    assert (await first)[-1]["event"] == "finished"


async def test_who_hangs_up_stops_the_replay_and_frees_the_node(stub: Stub, make_edge: Any) -> None:
    edge = await make_edge(stub)
    playing = asyncio.create_task(play(stub, DELETES))
    await edge.receive()
    playing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await playing
    events, _ = await asyncio.gather(play(stub, DELETES, from_entry=31, to_entry=31), edge.take_and_acknowledge(1))
    assert events[-1]["event"] == "finished"


async def test_messages_that_no_edge_acknowledges_are_sent_one_after_the_other(
    stub: Stub, make_edge: Any, tmp_path: Path
) -> None:
    edge = await make_edge(stub)
    events = await play(stub, write(tmp_path / "r.jsonl", TWIN, TWIN))
    assert [event["event"] for event in events] == ["planned", "started", "sent", "sent", "finished"]
    assert (events[-1]["sent"], events[-1]["acked"]) == (2, 0)
    assert [(await edge.receive())["route"]["resource"] for _ in range(2)] == ["membership", "membership"]


async def test_played_objects_can_be_asked_for(stub: Stub, make_edge: Any) -> None:
    edge = await make_edge(stub)
    await asyncio.gather(play(stub, SERVICES, to_entry=2), edge.take_and_acknowledge(1))
    answer = await edge.ask("query", "default/service/nginx-svc")
    assert answer["content"] == edge.taken[0]["content"]
    assert answer["header"]["resourceversion"] == "104"


async def test_nothing_is_sent_of_a_recording_with_a_bad_line(stub: Stub, make_edge: Any, tmp_path: Path) -> None:
    path = write(tmp_path / "r.jsonl", TWIN)
    path.write_text(path.read_text() + "{\n")
    edge = await make_edge(stub)
    (last,) = await play(stub, path)
    assert last["event"] == "failed"
    assert f"cannot read recording {path}: line 2" in last["text"]
    await edge.ask("update", "default/nodestatus/edge-1", {"Status": {}})


@pytest.mark.parametrize(
    ("options", "text"),
    [({"only": "nothing"}, "no message to an edge is selected"), ({"from_entry": 999}, "no message")],
)
async def test_an_empty_selection_is_a_failure(stub: Stub, options: dict[str, Any], text: str) -> None:
    events = await play(stub, DELETES, **options)
    assert text in events[-1]["text"]


async def test_a_missing_file_is_a_failure(stub: Stub, tmp_path: Path) -> None:
    (last,) = await play(stub, tmp_path / "none.jsonl")
    assert "No such file" in last["text"]


async def test_a_replay_that_is_stopped_takes_no_message_back_that_somebody_else_handed_in(
    stub: Stub, make_edge: Any, tmp_path: Path, turns: Any
) -> None:
    document = {
        "header": {"msg_id": "same", "timestamp": 1, "resourceversion": "1"},
        "route": {"source": "edgecontroller", "group": "resource", "operation": "insert", "resource": "a/pod/p"},
        "content": {},
    }
    edge = await make_edge(stub)
    await stub.sender.send(SendOptions(messages=[document], node="edge-1"))
    await edge.receive()
    replaying = asyncio.create_task(play(stub, write(tmp_path / "one.jsonl", document), keep_ids=True))
    await turns(lambda: bool(stub.cloud.delivery._observers))
    replaying.cancel()
    await asyncio.gather(replaying, return_exceptions=True)
    assert stub.cloud.delivery.depth("edge-1") == 1
