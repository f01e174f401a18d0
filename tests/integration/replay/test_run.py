"""Replays of small recordings to a whole node."""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
import uvloop

from edgecore.clock import SystemClock
from edgecore.errors import ContentError, StoreError
from edgecore.recording.entries import (
    CloudFrame,
    ConnectionEvent,
    Direction,
    Entry,
    MqttDirection,
    MqttMessage,
    Snapshot,
)
from edgecore.recording.lines import line_of
from edgecore.recording.selection import Selection, parse_filter
from edgecore.replay.judged import replay_and_judge, verdicts_of
from edgecore.replay.mapping import Mapping, parse_mapping
from edgecore.replay.options import Progress, ReplayOptions
from edgecore.replay.run import read_recordings, replay
from edgecore.verdict.rulesfile import read_rules

DATA = Path(__file__).parents[2] / "data"
T_MS = 1_600_000_000_000
UP, DOWN = Direction.TO_CLOUD, Direction.TO_EDGE


def frame(way: Direction, after_s: float, message_id: str, resource: str, parent: str = "") -> CloudFrame:
    header = {"msg_id": message_id, "timestamp": T_MS}
    if parent:
        header["parent_msg_id"] = parent
    route = {"source": "edgecontroller", "group": "resource", "operation": "response" if parent else "insert"}
    name = resource.rpartition("/")[2]
    content = "OK" if parent else {"metadata": {"name": name, "namespace": "default"}, "data": {"a": "b"}}
    text = json.dumps({"header": header, "route": {**route, "resource": resource}, "content": content}) + "\n"
    return CloudFrame(0, T_MS * 1_000_000 + int(after_s * 1e9), way, 1, text)


ENTRIES: tuple[Entry, ...] = (
    ConnectionEvent(0, T_MS * 1_000_000, UP, 1, "open", ""),
    frame(DOWN, 1, "m1", "default/configmap/c1"),
    frame(UP, 1.1, "a1", "default/configmap/c1", "m1"),
    frame(DOWN, 3600, "m2", "default/configmap/c2"),
    frame(UP, 3600.1, "a2", "default/configmap/c2", "m2"),
)

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def to(*entries: Entry, name: str = "r") -> Path:
        path = tmp_path / f"{name}.jsonl"
        path.write_bytes(b"".join(map(line_of, entries)))
        return path

    return to


def keys_at_end(entries: tuple[Entry, ...]) -> list[str]:
    """Return the keys of the configmaps that the node has at the end."""
    last = entries[-1]
    assert isinstance(last, Snapshot)
    return [row["key"] for row in last.state["rows"] if "configmap" in row["key"]]


async def test_an_hour_passes_in_no_time_and_the_node_acknowledges(write: Write) -> None:
    told: list[Progress] = []
    (done,) = await replay(ReplayOptions(files=(write(*ENTRIES),)), told.append)
    assert not done.missing
    assert [one.id for one in done.sent] == ["m1", "m2"]
    assert {one.parent for one in done.session.edge} >= {"m1", "m2"}
    assert sum(one.document["route"]["operation"] == "keepalive" for one in done.session.edge) == 241
    assert (told[-1].entry, told[-1].entries) == (5, 5)


async def test_each_life_is_one_of_a_new_node_and_the_same() -> None:
    first, second = await replay(ReplayOptions(files=(DATA / "d_devices_twins.jsonl",), loop=2))
    assert first.ours == second.ours


def test_the_event_loop_does_not_matter() -> None:
    """Services, pods, devices: the same bytes."""
    options = ReplayOptions(files=(DATA / "b_services_endpoints_pods.jsonl", DATA / "ours_demo.jsonl.zst"))
    played = [run(replay(options)) for run in (asyncio.run, uvloop.run)]
    first, second = ([list(map(line_of, one.ours)) for one in each] for each in played)
    assert first == second


async def test_a_node_begins_with_a_copy_of_a_database(write: Write, tmp_path: Path) -> None:
    path, kept = write(*ENTRIES[:3]), tmp_path / "kept"
    await replay(ReplayOptions(files=(path,), directory=kept))
    (done,) = await replay(ReplayOptions(files=(write(*ENTRIES[3:], name="later"),), db=kept / "edgecore.db"))
    assert keys_at_end(done.ours) == ["default/configmap/c1", "default/configmap/c2"]
    with closing(sqlite3.connect(kept / "edgecore.db")) as before:
        assert before.execute("SELECT count(*) FROM meta WHERE type = 'configmap'").fetchone() == (1,)


async def test_what_a_node_lived_through_before_is_played_whole_and_not_judged(write: Write) -> None:
    before = write(*ENTRIES[:3], frame(UP, 1.2, "a9", "default/configmap/c9", "m1"), name="before")
    later = write(*ENTRIES[3:], name="later")
    selection = Selection(filters=(parse_filter("resource=*/c2"),))
    done = await replay(ReplayOptions(files=(later,), after=(before,), selection=selection))
    assert [one.is_before for one in done] == [True, False]
    assert keys_at_end(done[1].ours) == ["default/configmap/c1", "default/configmap/c2"]
    assert [one.recording for one in verdicts_of(done, read_rules())] == ["later"]


async def test_a_directory_with_a_database_is_left_alone(write: Write, tmp_path: Path) -> None:
    path, kept = write(*ENTRIES[:3]), tmp_path / "kept"
    await replay(ReplayOptions(files=(path,), directory=kept))
    before = (kept / "edgecore.db").read_bytes()
    with pytest.raises(ContentError, match="a node has kept"):
        await replay(ReplayOptions(files=(path,), directory=kept))
    assert (kept / "edgecore.db").read_bytes() == before
    with pytest.raises(ContentError, match="cannot replay to 2 nodes in one directory"):
        await replay(ReplayOptions(files=(path,), directory=tmp_path / "new", loop=2))


async def test_a_database_that_is_not_there_is_named(write: Write, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot begin with a copy of"):
        await replay(ReplayOptions(files=(write(*ENTRIES),), db=tmp_path / "none.db"))


async def test_a_message_that_ours_does_not_send_is_missing_and_the_verdict_is_different(write: Write) -> None:
    path = write(*ENTRIES[:3], frame(UP, 1.2, "a9", "default/configmap/c9", "m1"))
    (verdict,) = await replay_and_judge(ReplayOptions(files=(path,)), read_rules())
    assert not verdict.is_equal
    assert any("configmap/c9" in str(one) for one in verdict.differences)


async def test_devices_speak_through_a_broker_in_memory(write: Write) -> None:
    device = MqttMessage(0, (T_MS + 1500) * 1_000_000, MqttDirection.IN, "external", "SYS/dis/upload_records", b"x")
    (done,) = await replay(ReplayOptions(files=(write(*ENTRIES[:3], device),)))
    assert [one.topic for one in done.ours if isinstance(one, MqttMessage)][:1]
    assert any(one.route[0] == "bus" for one in done.session.edge)


def test_a_recording_is_selected_mapped_and_moved_to_now(write: Write) -> None:
    options = ReplayOptions(
        files=(write(*ENTRIES),),
        selection=Selection(filters=(parse_filter("resource=*/c2"),)),
        mapping=Mapping(namespaces=(("default", "shop"),)),
        shift_time=True,
    )
    (found,) = read_recordings(options)
    assert [one.resource for one in found.frames.values()] == ["shop/configmap/c2"] * 2
    assert abs(found.entries[0].t_ns / 1e6 - SystemClock().now_ms()) < 60_000


async def test_a_life_under_other_names_and_now_is_equal() -> None:
    options = ReplayOptions(
        files=(DATA / "a_connect_first_sync.jsonl", DATA / "b_services_endpoints_pods.jsonl"),
        mapping=parse_mapping(("node=edge-7,namespace=shop,10.66.0.2=10.1.2.3",)),
        shift_time=True,
    )
    verdicts = await replay_and_judge(options, read_rules())
    assert [str(one) for verdict in verdicts for one in verdict.differences] == []


async def test_of_a_filtered_recording_what_ours_says_of_the_rest_is_not_compared() -> None:
    selection = Selection(filters=(parse_filter("resource=*/service/*"),))
    options = ReplayOptions(files=(DATA / "b_services_endpoints_pods.jsonl",), selection=selection)
    (verdict,) = await replay_and_judge(options, read_rules())
    assert verdict.is_equal
    assert verdict.compared == {"acknowledgement": 10}


def test_a_selection_of_nothing_cannot_be_replayed(write: Write) -> None:
    options = ReplayOptions(files=(write(*ENTRIES[1:2]),), selection=Selection(filters=(parse_filter("kind=mqtt"),)))
    with pytest.raises(ContentError, match="there are no entries"):
        read_recordings(options)


async def test_what_our_node_recorded_of_the_demonstration_replays_equal() -> None:
    """Services, their end, a device and its mapper; from the program, by way of ``recording filter``."""
    (verdict,) = await replay_and_judge(ReplayOptions(files=(DATA / "ours_demo.jsonl.zst",)), read_rules())
    assert verdict.is_equal, "\n".join(map(str, verdict.differences))
    assert not verdict.used
    assert {"twin", "mqtt", "device", "acknowledgement"} <= set(verdict.equal)
