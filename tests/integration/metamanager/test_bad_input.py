"""What is wrong with a message is counted, told to who sent it, and survived; so is a neighbour that takes nothing."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Header, Message, Route
from edgecore.clock import VirtualClock, settle
from edgecore.ids import NewId
from edgecore.modules.metamanager.module import MetaManager
from edgecore.modules.metamanager.tables import SCHEMA
from edgecore.observe.ledger import Ledger
from edgecore.observe.metrics import Metrics
from edgecore.store.store import open_store

GOOD = {"metadata": {"name": "a", "namespace": "n"}}


@pytest.mark.parametrize(
    ("operation", "resource", "content", "source", "reason"),
    [
        ("explode", "default/service/x", {}, "edgecontroller", "unknown_operation"),
        ("update", "default/service/x", {}, "nobody", "unknown_source"),
        ("error", "default/service/x", "it failed", "edgecontroller", "error_reported"),
        ("publish", "elsewhere", "cloud_connected", "edgecontroller", "unknown_resource"),
    ],
)
async def test_input_that_nothing_can_be_done_with_is_counted_and_logged_once(
    node: Any,
    operation: str,
    resource: str,
    content: Any,
    source: str,
    reason: str,
) -> None:
    with capture_logs() as logs:
        sent = await node.from_cloud(operation, resource, content, source=source)
        assert await node.quiet()
    assert node.metrics.bad_input_counts == {("metaManager", reason): 1}
    (entry,) = [entry for entry in logs if entry["event"] == "bad_input"]
    assert (entry["peer"], entry["id"], entry["resource"]) == (source, sent.header.id, resource)
    assert node.rows() == {}


async def test_an_unknown_type_is_stored_and_acknowledged_as_in_go_but_counted(node: Any) -> None:
    await node.from_cloud("insert", "stub/foo/x", {})
    assert (await node.hub.receive()).content == "OK"
    assert node.metrics.bad_input_counts == {("metaManager", "unknown_resource_type"): 1}
    assert node.rows() == {"stub/foo/x": ("foo", "{}")}


async def test_a_list_that_is_no_list_is_an_error_to_the_cloud(node: Any) -> None:
    with capture_logs() as logs:
        sent = await node.from_cloud("update", "namespace/servicelist/service", "text")
        error = await node.hub.receive()
    assert [entry["event"] for entry in logs] == ["bad_input"]
    assert (error.route.operation, error.header.parent_id) == ("error", sent.header.id)
    assert error.content.startswith("Error to unmarshal: ")
    assert node.metrics.bad_input_counts == {("metaManager", "wrong_content"): 1}


async def test_the_good_elements_of_a_list_are_stored(node: Any) -> None:
    await node.from_cloud("update", "namespace/servicelist/service", [1, GOOD, {"metadata": {}}])
    assert (await node.hub.receive()).content == "OK"
    assert node.metrics.bad_input_counts == {("metaManager", "wrong_element"): 1}
    assert set(node.rows()) == {"n/service/a"}


class Stuck:
    """MetaManager between neighbours that take nothing, on a bus whose mailboxes hold one message."""

    def __init__(self, bus: Bus, meta: MetaManager) -> None:
        self.meta = meta
        self.hub = bus.register("websocket", "hub", capacity=1)
        self.edged = bus.register("edged", "edged", capacity=1)
        self.mesh = bus.register("edgemesh", "mesh", capacity=1)

    async def give(self, operation: str, resource: str, content: Any = None) -> None:
        route = Route("edgecontroller", "resource", operation, resource)
        await self.hub.send("metaManager", self.hub.build(route, content))


@pytest.fixture
async def stuck(
    tmp_path: Path, vclock: VirtualClock, ids: NewId, metrics: Metrics, refusal: str
) -> AsyncIterator[Stuck]:
    store = open_store(tmp_path / "edgecore.db", (*SCHEMA, refusal))
    bus = Bus(vclock, ids, send_timeout_s=30)
    meta = MetaManager(bus.register("metaManager", "meta"), store, metrics, ledger=Ledger(vclock.monotonic))
    neighbours = Stuck(bus, meta)
    running = asyncio.create_task(meta.run())
    yield neighbours
    bus.close()
    await running
    await store.close()


async def test_a_message_that_edged_does_not_take_is_not_acknowledged(stuck: Stuck, vclock: VirtualClock) -> None:
    for name in ("a", "b"):
        await stuck.give("update", f"default/configmap/{name}", {})
    assert (await stuck.hub.receive()).route.resource == "default/configmap/a"
    await _until(lambda: stuck.edged.statistics().blocked == 1)
    await vclock.advance(30)  # the bus gives up b
    await stuck.give("update", "default/service/c", {})
    assert (await stuck.hub.receive()).route.resource == "default/service/c"


async def test_an_answer_that_edged_does_not_take_does_not_end_the_module(stuck: Stuck, vclock: VirtualClock) -> None:
    for _ in range(2):
        await stuck.give("query", "default/pod")
    await _until(lambda: stuck.edged.statistics().blocked == 1)
    await vclock.advance(30)
    await stuck.give("update", "default/service/c", {})
    assert (await stuck.hub.receive()).content == "OK"


async def test_an_error_that_the_hub_does_not_take_does_not_stop_later_acks(stuck: Stuck, vclock: VirtualClock) -> None:
    await stuck.give("update", "default/service/a", {})
    await _until(lambda: stuck.hub.statistics().depth == 1)
    await stuck.give("insert", "default/configmap/refused", {})
    await _until(lambda: stuck.hub.statistics().blocked == 1)
    await vclock.advance(30)  # the bus gives up the error report
    await stuck.mesh.receive()
    await stuck.give("update", "default/service/b", {})
    acks = [(await stuck.hub.receive()).route.resource for _ in range(2)]
    assert acks == ["default/service/a", "default/service/b"]


async def test_a_clouds_answer_that_edged_does_not_take_leaves_no_failed_task(
    stuck: Stuck,
    vclock: VirtualClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    await stuck.edged.send(
        "metaManager",
        Message(Header("news"), Route("edgehub", "meta", "publish", "node/connection"), "cloud_connected"),
    )
    await stuck.give("query", "default/pod")
    await stuck.give("query", "default/configmap/cm")
    question = await stuck.hub.receive()
    stuck.hub.respond(Message(Header("a", question.header.id), question.route, {}))
    await _until(lambda: stuck.edged.statistics().blocked == 1)
    await vclock.advance(30)
    await settle()
    assert stuck.meta.status()["asking_cloud"] == 0
    assert "never retrieved" not in caplog.text


class BrokenMetrics(Metrics):
    """Stands for a mistake of our own."""

    def bad_input(self, *_: Any, **__: Any) -> None:
        raise RuntimeError("a mistake")


async def test_a_mistake_of_our_own_ends_run_so_that_the_module_is_restarted(
    tmp_path: Path, vclock: VirtualClock, ids: NewId
) -> None:
    store = open_store(tmp_path / "edgecore.db", SCHEMA)
    bus = Bus(vclock, ids)
    meta = MetaManager(bus.register("metaManager", "meta"), store, BrokenMetrics(), ledger=Ledger(vclock.monotonic))
    stuck = Stuck(bus, meta)
    await stuck.give("insert", "default/unknown/x", {})
    with pytest.raises(ExceptionGroup, match="unhandled"):
        await meta.run()
    running = asyncio.create_task(meta.run())
    await stuck.give("insert", "default/service/x", {})
    assert (await stuck.hub.receive()).content == "OK"
    await meta.stop()
    bus.close()
    await running
    await store.close()


async def _until(true: Any) -> None:
    while not true():
        await asyncio.sleep(0.001)
