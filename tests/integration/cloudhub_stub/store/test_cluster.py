"""The cluster in the stub's file: what survives a restart, a bad row, and a disk that fails."""

from collections.abc import Callable
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed

from cloudhub_stub.app import Stub
from cloudhub_stub.cluster.kinds import ObjectKey
from cloudhub_stub.controlplane import RETRY_AFTER_S
from cloudhub_stub.sender import SendOptions
from cloudhub_stub.store.cluster import VERSION_STEP
from cluster.objects import config
from edgecore.clock import VirtualClock
from edgecore.errors import StoreError
from edgecore.store.store import Statement

C = ObjectKey("ConfigMap", "default", "c")
BLOCKED = "CREATE TRIGGER blocked BEFORE INSERT ON objects BEGIN SELECT RAISE(FAIL, 'the disk is full'); END"


EDGE = {"node-role.kubernetes.io/edge": ""}


def pod(name: str) -> dict[str, Any]:
    spec = {"nodeName": "edge-1", "containers": [{"name": "c", "image": "i"}]}
    return {"kind": "Pod", "apiVersion": "v1", "metadata": {"name": name}, "spec": spec}


@pytest.fixture
async def stub(make_stub: Any, vclock: VirtualClock) -> Stub:
    made: Stub = await make_stub(vclock)
    return made


@pytest.fixture
def restart(stub: Stub, make_stub: Any, vclock: VirtualClock) -> Any:
    """Return a function that stops the stub and returns the next one, with the same file."""
    stubs = [stub]

    async def restart_() -> Stub:
        await stubs[-1].stop()
        stubs.append(await make_stub(vclock))
        return stubs[-1]

    return restart_


def held(stub: Stub, key: ObjectKey = C) -> Any:
    return stub.cloud.plane.registry.get(key)


async def test_objects_are_after_a_restart_what_they_were(stub: Stub, restart: Callable[[], Any]) -> None:
    stub.cloud.plane.api.apply(
        {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "c"}, "data": {"a": "ä\n"}}
    )
    stub.cloud.plane.api.apply({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "other"}})
    await stub.cloud.plane.commit()
    before = held(stub)
    again = await restart()
    assert held(again) == before
    assert held(again, ObjectKey("Namespace", "", "other")) is not None


async def test_what_was_removed_stays_away(stub: Stub, restart: Callable[[], Any]) -> None:
    stub.cloud.plane.registry.put(config("c"))
    await stub.cloud.plane.commit()
    stub.cloud.plane.registry.remove(C)
    await stub.cloud.plane.commit()
    assert held(await restart()) is None


async def test_what_changed_in_the_last_moment_is_stored_when_the_stub_is_stopped(
    stub: Stub, restart: Callable[[], Any]
) -> None:
    stub.cloud.plane.registry.put(config("c", k="last"))
    found = held(await restart())
    assert found is not None
    assert found["data"] == {"k": "last"}


async def test_versions_never_repeat(stub: Stub, restart: Callable[[], Any]) -> None:
    """Also of what is gone, and of what was handed out and is not on disk."""
    stub.cloud.plane.registry.put(config("c"))
    stub.cloud.plane.registry.remove(C)
    await stub.cloud.plane.commit()
    for _ in range(VERSION_STEP - 1):
        highest = int(stub.cloud.plane.registry.next_version())
    again = await restart()
    assert int(again.cloud.plane.registry.next_version()) > highest
    again.cloud.plane.registry.put(config("c"))
    await again.cloud.plane.commit()
    third = await restart()
    assert third.cloud.plane.registry.version > again.cloud.plane.registry.version


async def test_versions_of_messages_by_hand_never_repeat(
    stub: Stub, make_edge: Any, restart: Callable[[], Any]
) -> None:
    stub.cloud.plane.registry.note_version("5000")
    stub.cloud.plane.registry.put(config("c"))
    await stub.cloud.plane.commit()
    assert (await restart()).cloud.plane.registry.version > 5000


async def test_a_bad_row_is_counted_and_passed_over(stub: Stub, restart: Callable[[], Any]) -> None:
    for name in ("c", "bad", "torn"):
        stub.cloud.plane.registry.put(config(name))
    await stub.cloud.plane.commit()
    for name, content in (("bad", b"{"), ("torn", b"[]")):
        await stub.rows.submit(Statement("UPDATE objects SET content = ? WHERE name = ?", (content, name)))
    again = await restart()
    assert [each["metadata"]["name"] for each in again.cloud.plane.registry.all_of("ConfigMap")] == ["c"]
    assert again.metrics.bad_input_counts == {("cloudhub", "bad_row"): 2}


async def test_an_edge_is_sent_after_a_restart_what_it_had_not_acknowledged(
    stub: Stub, make_edge: Any, turns: Any, restart: Callable[[], Any]
) -> None:
    edge = await make_edge(stub)
    await edge.ask("insert", "default/nodestatus/edge-1", {"metadata": {"labels": EDGE}})
    for name in ("a", "b"):
        stub.cloud.plane.api.apply(pod(name))
    await stub.cloud.plane.commit()
    await edge.take_and_acknowledge(1)
    await turns(lambda: stub.cloud.nodes.known()[0].counters.acknowledged == 1)
    again = await restart()
    edge = await make_edge(again)
    document = await edge.receive()
    assert document["route"]["resource"] == "default/pod/b"
    assert document["content"]["metadata"]["name"] == "b"


async def test_a_disk_that_fails_is_tried_again_and_nothing_is_lost(
    stub: Stub, vclock: VirtualClock, turns: Any, restart: Callable[[], Any]
) -> None:
    await stub.rows.submit(Statement(BLOCKED))
    stub.cloud.plane.registry.put(config("c", k="1"))
    with pytest.raises(StoreError, match="the disk is full"):
        await stub.cloud.plane.commit()
    await turns(lambda: ("cloudhub", "cluster_not_stored") in stub.metrics.bad_input_counts)
    await stub.rows.submit(Statement("DROP TRIGGER blocked"))
    await vclock.advance(RETRY_AFTER_S)
    await stub.cloud.plane.commit()
    assert held(await restart())["data"] == {"k": "1"}


async def test_what_an_edge_told_is_not_noted_and_not_answered_while_it_cannot_be_stored(
    stub: Stub, make_edge: Any, turns: Any, vclock: VirtualClock, restart: Callable[[], Any]
) -> None:
    edge = await make_edge(stub)
    await edge.ask("insert", "default/nodestatus/edge-1", {"metadata": {"labels": EDGE}})
    stub.cloud.plane.api.apply(pod("p"))
    await stub.cloud.plane.commit()
    await edge.take_and_acknowledge(1)
    await stub.rows.submit(Statement(BLOCKED))
    await edge.send("update", "default/podstatus/p", {"Status": {"phase": "Running"}})
    await edge.send("ping", "x", "ping")
    with pytest.raises(ConnectionClosed) as closed:
        await edge.receive()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.reason == "store_failed"
    assert stub.rows.journal("edge-1", 0, 10) == []
    await stub.rows.submit(Statement("DROP TRIGGER blocked"))
    await vclock.advance(RETRY_AFTER_S)
    await stub.cloud.plane.commit()
    assert held(await restart(), ObjectKey("Pod", "default", "p"))["status"]["phase"] == "Running"


async def test_what_was_sent_by_hand_is_known_after_a_restart(stub: Stub, restart: Callable[[], Any]) -> None:
    route = {"source": "edgecontroller", "group": "resource", "operation": "insert", "resource": "default/pod/p"}
    await stub.sender.send(SendOptions(messages=[{"route": route, "content": {"metadata": {}}}], node="edge-1"))
    again = await restart()
    assert len(again.cloud.objects) == 1
