"""The stub records what goes over its links, and what it lets go wrong."""

import asyncio
import json
import stat
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from cloudhub_stub.app import Stub
from cloudhub_stub.faults.spec import FaultSpec
from edgecore.errors import RecordingError
from edgecore.recording.entries import CloudFrame, ConnectionEvent, Direction, Entry, Fault, SessionHead
from edgecore.recording.reader import read_entries

Make = Callable[..., Awaitable[Any]]
SECRET = "hunter2-of-the-canary"

NODE_STATUS = "default/node/edge-1"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "session.jsonl"


async def stopped(stub: Stub, path: Path) -> list[Entry]:
    """Stop the stub; return what it recorded."""
    await stub.stop()
    return list(read_entries(path))


async def test_frames_of_all_nodes_are_recorded_both_ways_with_their_links(
    make_stub: Make, make_edge: Make, path: Path
) -> None:
    stub = await make_stub(record=path)
    edges = [await make_edge(stub, name) for name in ("edge-1", "edge-2")]
    asked = [await edge.ask("query", f"default/configmap/of-{number}") for number, edge in enumerate(edges)]

    head, *entries = await stopped(stub, path)

    assert isinstance(head, SessionHead)
    assert (head.version, head.program, head.redacted) == (2, "", True)
    opened = [one for one in entries if isinstance(one, ConnectionEvent) and one.event == "open"]
    assert [(one.link, one.direction, one.detail) for one in opened] == [
        (1, Direction.TO_CLOUD, "node edge-1, edgecore"),
        (2, Direction.TO_CLOUD, "node edge-2, edgecore"),
    ]
    frames = [one for one in entries if isinstance(one, CloudFrame)]
    assert [(one.link, one.direction) for one in frames] == [
        (1, Direction.TO_CLOUD),
        (1, Direction.TO_EDGE),
        (2, Direction.TO_CLOUD),
        (2, Direction.TO_EDGE),
    ]
    assert [json.loads(one.text) for one in frames[1::2]] == asked
    assert frames[1].causes == (frames[0].n,)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


async def test_who_ended_a_connection_is_recorded(make_stub: Make, make_edge: Make, path: Path, turns: Any) -> None:
    stub = await make_stub(record=path)
    one, two, three = [await make_edge(stub, f"edge-{number}") for number in (1, 2, 3)]
    await one.connection.close()
    two.connection.transport.abort()
    await turns(lambda: len(stub.status()["nodes_connected"]) == 1)
    assert three.connection

    entries = await stopped(stub, path)

    ends = [entry for entry in entries if isinstance(entry, ConnectionEvent) and entry.event != "open"]
    assert {(end.link, end.direction, end.event) for end in ends} == {
        (1, Direction.TO_CLOUD, "eof"),
        (2, Direction.TO_CLOUD, "error"),
        (3, Direction.TO_EDGE, "eof"),
    }
    assert next(end.detail for end in ends if end.link == 3) == "stopping"


async def test_faults_are_recorded_as_commands_with_what_they_hit(
    make_stub: Make, make_edge: Make, path: Path, turns: Any
) -> None:
    stub = await make_stub(record=path)
    edge = await make_edge(stub)
    stub.faults.inject(FaultSpec(fault="duplicate", direction="down", nth=1))
    await edge.ask("query", "default/configmap/none")
    await edge.receive()
    stub.faults.inject(FaultSpec(fault="cut", node="edge-1"))
    await turns(lambda: not stub.status()["nodes_connected"])

    entries = await stopped(stub, path)

    told = [(one.fault, one.detail) for one in entries if isinstance(one, Fault)]
    assert [fault for fault, _ in told[:2]] == ["duplicate --direction down --nth 1", "cut --node edge-1"]
    assert told[0][1].startswith("node edge-1, direction down, id ")
    assert told[1][1] == "node edge-1"
    down = [one for one in entries if isinstance(one, CloudFrame) and one.direction == Direction.TO_EDGE]
    assert len(down) == 2
    ends = [one for one in entries if isinstance(one, ConnectionEvent) and one.event == "error"]
    assert [(end.direction, end.detail) for end in ends] == [(Direction.TO_EDGE, "cut by a fault")]


async def test_secrets_become_pseudonyms_unless_that_is_not_wanted(
    make_stub: Make, make_edge: Make, tmp_path: Path
) -> None:
    for name, as_they_are in (("pseudonyms", False), ("whole", True)):
        path = tmp_path / f"{name}.jsonl"
        stub = await make_stub(record=path, record_secrets=as_they_are, state_dir=tmp_path / name)
        edge = await make_edge(stub)
        await edge.send("update", "default/secret/s", {"kind": "Secret", "data": {"password": SECRET}})
        await edge.ask("query", "default/configmap/none")
        await stopped(stub, path)
        assert (SECRET in path.read_text()) is as_they_are


async def test_a_file_that_is_there_is_left_and_the_stub_does_not_start(make_stub: Make, path: Path) -> None:
    path.write_text("precious")

    with pytest.raises(RecordingError, match=str(path)):
        await make_stub(record=path)

    assert path.read_text() == "precious"


async def test_the_recording_stands_in_the_status(make_stub: Make, make_edge: Make, path: Path, turns: Any) -> None:
    stub = await make_stub(record=path)
    await make_edge(stub)
    await turns(lambda: stub.status()["recording"]["entries"] == 2)
    assert stub.status()["recording"]["path"] == str(path)
    await asyncio.sleep(0)


async def test_a_stub_that_records_nothing_says_so(make_stub: Make) -> None:
    assert (await make_stub()).status()["recording"] is None
