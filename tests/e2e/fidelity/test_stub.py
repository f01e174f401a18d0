"""The edge frames of the recordings, given to our stub: it answers what the Go cloudcore answered."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from cloudhub_stub.app import Stub
from cloudhub_stub.settings import Settings
from edgecore.control.client import ControlClient
from edgecore.recording import frames as f
from edgecore.recording.frames import Frame, kind_of
from edgecore.recording.session import Recording
from edgecore.verdict.verdict import Verdict
from fidelity.answers import compare_answers
from fidelity.edge import PartEdge
from fidelity.history import NAMES, read_recording

RECORDINGS = [name for name in NAMES if not name.startswith("f_")]
NAMED = {"e_disconnect_reconnect_resync": {"H3": 1}}


@pytest.fixture
async def stub(tmp_path: Path) -> AsyncIterator[Stub]:
    stub = Stub(Settings(state_dir=tmp_path, listen="127.0.0.1:0", observe="off", plain=True))
    await stub.start()
    yield stub
    await stub.stop()


@pytest.mark.parametrize("name", RECORDINGS)
async def test_the_stub_answers_what_the_go_cloudcore_answered(
    name: str, stub: Stub, tmp_path: Path, report: Callable[[str, Verdict], None]
) -> None:
    recording = read_recording(name)
    requests = [frame for frame in recording.edge if not frame.parent]
    recorded = [frame for frame in recording.cloud if frame.parent]
    async with PartEdge(stub.server.url) as edge:
        await hold(stub, edge, [answer for answer in recording.cloud if asks_for_object(recording, answer)], tmp_path)
        answers = await edge.answers(recording.edge, len(recorded))
    found = compare_answers(name, requests, recorded, answers)
    report(f"stub, {name}", found)
    assert not found.differences, "\n" + "\n".join(map(str, found.differences[:20]))
    assert found.used == NAMED.get(name, {})
    assert found.compared.total() + found.used.total() == len(requests)


def asks_for_object(recording: Recording, answer: Frame) -> bool:
    """Return whether ``answer`` brings an object that the edge had asked for."""
    requests = {frame.id: kind_of(frame) for frame in recording.edge}
    return requests.get(answer.parent) in (f.CONFIGMAP_QUERY, f.SECRET_QUERY)


async def hold(stub: Stub, edge: PartEdge, answers: list[Frame], directory: Path) -> None:
    """Have the stub send the objects in ``answers``, so that it holds them as the Go cloudcore's cluster did."""
    if not answers:
        return
    entries = []
    for number, answer in enumerate(answers):
        header = {**answer.document["header"], "msg_id": f"held-{number}", "parent_msg_id": ""}
        route = {**answer.document["route"], "operation": "update"}
        text = json.dumps({"header": header, "route": route, "content": answer.document["content"]})
        entries.append({"t_ns": number, "link": 1, "dir": "cloud->edge", "text": text})
    path = directory / "held.jsonl"
    path.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    control = ControlClient(stub.control.path, timeout_s=10)
    playing = asyncio.to_thread(lambda: list(control.stream("POST", "/v1/replay", {"file": str(path)})))
    events, *_ = await asyncio.gather(playing, take(edge, len(answers)))
    assert events[-1]["event"] == "finished", events[-1]


async def take(edge: PartEdge, count: int) -> None:
    for _ in range(count):
        await edge.take()


def test_an_answer_that_differs_is_found_and_named() -> None:
    recording = read_recording("a_connect_first_sync")
    requests = [frame for frame in recording.edge if not frame.parent]
    recorded = [frame for frame in recording.cloud if frame.parent]
    wrong = [recorded[0]._replace(document={**recorded[0].document, "content": "no"}), *recorded[2:], recorded[2]]
    found = compare_answers(recording.name, requests, recorded, wrong).differences
    assert [(one.path, one.recorded, one.ours) for one in found if one.path != "message"] == [("content", "OK", "no")]
    assert [one.recorded_entry for one in found if one.path == "message"] == [recorded[1].line, None]
