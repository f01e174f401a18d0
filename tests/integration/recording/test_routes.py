"""What commands can have a node record, and what is refused."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from edgecore.beehive.bus import Bus
from edgecore.clock import VirtualClock
from edgecore.control.routes import ControlRefused, ControlRequest, Routes
from edgecore.ids import NewId
from edgecore.recording.recorder.desk import RecordingDesk
from edgecore.recording.watch import Watch
from edgecore.routes.recording import recording_routes


@pytest.fixture
async def routes(vclock: VirtualClock, ids: NewId) -> Routes:
    async def look(names: Sequence[str]) -> dict[str, Any]:
        return {"rows": [], "dns": dict.fromkeys(names)}

    desk = RecordingDesk(
        clock=vclock,
        node="edge-1",
        program="edgecore 1",
        bus=Bus(vclock, ids),
        watch=Watch(),
        known=(),
        new_key=lambda: b"k",
        look=look,
    )
    return recording_routes(desk)


async def asked(routes: Routes, verb: str, body: Any) -> Any:
    return await routes["POST", f"/v1/recording/{verb}"](ControlRequest({}, body))


@pytest.mark.parametrize(
    ("verb", "body", "status", "text"),
    [
        ("start", None, 400, "no JSON object"),
        ("start", {}, 400, "path is no text"),
        ("start", {"path": "s.jsonl"}, 400, "not absolute"),
        ("start", {"path": "/nowhere/s.jsonl", "kinds": "colours"}, 400, "cannot record 'colours'"),
        ("start", {"path": "/nowhere/s.jsonl"}, 409, "cannot write recording"),
        ("start", {"path": "/nowhere/s.mcap"}, 409, "edgecore recording convert"),
        ("stop", {}, 409, "nothing is recorded"),
        ("note", {"text": "x"}, 409, "nothing is recorded"),
        ("note", {"text": 5}, 400, "text is no text"),
    ],
)
async def test_what_cannot_be_done_is_refused_with_the_reason(
    routes: Routes, verb: str, body: Any, status: int, text: str
) -> None:
    with pytest.raises(ControlRefused, match=text) as refused:
        await asked(routes, verb, body)
    assert refused.value.status == status


async def test_in_a_folder_a_file_is_named_after_node_and_time(routes: Routes, tmp_path: Path) -> None:
    told = await asked(routes, "start", {"path": str(tmp_path)})
    try:
        assert Path(told["path"]).name == "edge-1-20200509T045320123Z.jsonl"
        assert (await routes["GET", "/v1/recording"](ControlRequest({}, None)))["recording"]
    finally:
        ended = await asked(routes, "stop", {})
    assert (ended["recording"], ended["reasons"], ended["entries"]) == (False, [], 2)
