"""A node and the stub record the same link: what one side says of it, the other says too."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from structlog.testing import capture_logs

from cloudhub_stub.app import Stub
from cloudhub_stub.settings import Settings
from edgecore.app import Node
from edgecore.config.host import Environment
from edgecore.config.load import parse
from edgecore.recording.entries import CloudFrame, ConnectionEvent, Direction, Entry
from edgecore.recording.kinds import DEFAULT
from edgecore.recording.reader import read_entries
from edgecore.recording.recorder.desk import Wish
from edgecore.recording.session import Recording
from edgecore.verdict.rules import is_ours

PATIENCE_S = 20.0


def node_of(directory: Path, server: str) -> Node:
    modules = {
        "eventBus": {"enable": False},
        "edgeMesh": {"enable": False},
        "edgeHub": {"websocket": {"server": server}},
        "edged": {"hostnameOverride": "edge-1", "nodeStatusUpdateFrequency": 1},
    }
    text = json.dumps({"database": {"dataSource": str(directory / "edgecore.db")}, "modules": modules})
    loaded = parse(text, "edgecore.yaml", env=Environment("edge-1", "127.0.0.1"))
    return Node(loaded, record=Wish(directory / "node.jsonl", DEFAULT))


async def until(what: Callable[[], Any]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not what():
            await asyncio.sleep(0.01)


def frames(entries: list[Entry], direction: Direction) -> list[str]:
    return [one.text for one in entries if isinstance(one, CloudFrame) and one.direction == direction]


async def test_the_node_and_the_stub_record_the_same_frames(tmp_path: Path) -> None:
    with capture_logs():
        stub = Stub(
            Settings(tmp_path, "127.0.0.1:0", observe="off", plain=True, record=tmp_path / "stub.jsonl"),
        )
        await stub.start()
        node = node_of(tmp_path, stub.server.url)
        try:
            await node.start()
            await until(lambda: any(each.status_at_ms for each in stub.cloud.nodes.known()))
        finally:
            await node.stop()
            await until(lambda: not stub.cloud.nodes.connected())
            await stub.stop()

    here, there = (list(read_entries(tmp_path / f"{side}.jsonl")) for side in ("node", "stub"))
    for direction, least in ((Direction.TO_CLOUD, 3), (Direction.TO_EDGE, 2)):
        ours, theirs = frames(here, direction), frames(there, direction)
        seen_by_both = min(len(ours), len(theirs))  # the last ones may be on their way when a side ends
        assert seen_by_both >= least
        assert ours[:seen_by_both] == theirs[:seen_by_both]
    opened = [next(one for one in entries if isinstance(one, ConnectionEvent)) for entries in (here, there)]
    assert [(one.event, one.link) for one in opened] == [("open", 1)] * 2
    assert all(is_ours(Recording("r", tuple(entries))) for entries in (here, there))
