"""Odd input that a real edgecore was given (probe_edge.jsonl), given to EdgeHub and MetaManager: the same answers."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from edgecore.modules.metamanager.module import MetaManager
from edgecore.modules.metamanager.tables import SCHEMA
from edgecore.observe.ledger import Ledger
from edgecore.store.store import open_store

LINES = (Path(__file__).parents[2] / "data" / "probe_edge.jsonl").read_text().splitlines()
RECORDED = {entry["desc"]: entry["answer"] for entry in map(json.loads, LINES) if "answer" in entry}
SERVICE = {"metadata": {"name": "a", "namespace": "stub"}, "spec": {"ports": [{"name": "http-0", "port": 80}]}}
MANY = [{"metadata": {"name": f"s{number}", "namespace": "stub"}, "spec": {}} for number in range(1500)]


def _frame(operation: str, resource: str, content: Any = None, **over: Any) -> dict[str, Any]:
    header = {"msg_id": "probe", "parent_msg_id": "", "timestamp": 1, "resourceversion": "7", "sync": False}
    route = {"source": "edgecontroller", "group": "resource", "operation": operation, "resource": resource}
    header |= {key: value for key, value in over.items() if key in header}
    route |= {key: value for key, value in over.items() if key in route}
    return {"header": header, "route": route, "content": content}


def _parts(text: str, count: int) -> list[str]:
    size = len(text) // count + 1
    return [text[start : start + size] for start in range(0, len(text), size)]


INSERT = _frame("insert", "stub/service/a", SERVICE)
LIST = _frame("update", "namespace/servicelist/service", MANY)
PROBES: dict[str, Any] = {
    "service insert, text, no newline": INSERT,
    "same insert again (SaveMeta on existing key)": INSERT,
    "older resourceVersion update": _frame("update", "stub/service/a", SERVICE, resourceversion="3"),
    "no resourceversion": _frame("update", "stub/service/a", SERVICE, resourceversion=""),
    "binary frame": json.dumps(_frame("insert", "stub/service/b", SERVICE)).encode(),
    "servicelist of 1500 in one unfragmented frame (374121 bytes)": LIST,
    "fragmented in 3": _parts(json.dumps(_frame("update", "namespace/servicelist/service", [SERVICE])), 3),
    "servicelist null": _frame("update", "namespace/servicelist/service"),
    "servicelist insert op": _frame("insert", "namespace/servicelist/service", [SERVICE]),
    "podlist insert of list": _frame("insert", "stub/podlist/a", [{"metadata": {"name": "p"}}]),
    "podlist update []": _frame("update", "stub/podlist/a", []),
    "podlist delete": _frame("delete", "stub/podlist/a"),
    "endpointslist insert": _frame("insert", "namespace/endpointslist/endpoints", [SERVICE]),
    "service content is a string": _frame("insert", "stub/service/c", "text"),
    "service content null": _frame("insert", "stub/service/d"),
    "service list in service resource": _frame("insert", "stub/service/e", [SERVICE]),
    "delete missing service": _frame("delete", "stub/service/nosuch", SERVICE),
    "delete with null content": _frame("delete", "stub/service/a"),
    "unknown resource type": _frame("insert", "stub/foo/x", {}),
    "unknown operation": _frame("explode", "stub/service/f", SERVICE),
    "unknown group": _frame("insert", "stub/service/f", SERVICE, group="nonsense"),
    "unknown source": _frame("update", "stub/service/g", SERVICE, source="nobody"),
    "resource with one token": _frame("insert", "x", {}),
    "resource with five tokens node/n/stub/service/h": _frame("insert", "node/edge-node1/stub/service/h", SERVICE),
    "query from cloud": _frame("query", "stub/service/a"),
    "response op unsolicited": _frame("response", "stub/service/i", SERVICE),
    "group func": _frame("insert", "stub/service/j", SERVICE, group="func"),
    "group user": _frame("insert", "stub/service/j", SERVICE, group="user"),
    "missing header fields": {"header": {}, "route": INSERT["route"], "content": SERVICE},
    "unknown extra fields": {**INSERT, "extra": 1, "header": {**INSERT["header"], "extra": {"a": []}}},
}


@pytest.fixture
async def session(cloud: Any, link: Any, tmp_path: Path, metrics: Any) -> AsyncIterator[Any]:
    """The cloud's end of a link to EdgeHub with a real MetaManager behind it."""
    store = open_store(tmp_path / "edgecore.db", SCHEMA)
    linked = await link()
    meta = MetaManager(linked.meta, store, metrics, ledger=Ledger(linked.bus.clock.monotonic))
    linked.bus.register("edgemesh", "mesh")
    running = asyncio.create_task(meta.run())
    yield await cloud.sessions.get()
    await meta.stop()
    linked.bus.close()
    await running
    await store.close()


def test_every_recorded_probe_is_made() -> None:
    assert set(PROBES) == set(RECORDED)


@pytest.mark.parametrize("desc", PROBES)
async def test_the_answer_is_the_recorded_one(session: Any, desc: str) -> None:
    await session.send(PROBES[desc])
    await session.send(_frame("insert", "stub/service/sentinel", SERVICE, msg_id="sentinel"))
    answer = "no answer"
    while (frame := await session.frame())["header"]["parent_msg_id"] != "sentinel":
        assert frame["header"]["parent_msg_id"] == "probe"
        answer = f"{frame['route']['operation']} {frame['content']}"
    assert answer == RECORDED[desc]


async def test_a_malformed_frame_after_all_of_them_leaves_the_link_up(session: Any) -> None:
    """The real edgecore drops the connection, and is back 33 s later."""
    for probe in PROBES.values():
        await session.send(probe)
    await session.send("malformed JSON now")
    await session.send(_frame("insert", "stub/service/sentinel", SERVICE, msg_id="sentinel"))
    while (await session.frame())["header"]["parent_msg_id"] != "sentinel":
        pass
    assert not session.ended.is_set()
