"""That edged deleted a pod is kept for the cloud, in the same transaction as the removal of its rows."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Header, Message, Route
from edgecore.clock import VirtualClock, settle
from edgecore.ids import NewId
from edgecore.modules.metamanager.module import MetaManager
from edgecore.modules.metamanager.tables import SCHEMA
from edgecore.observe.ledger import Ledger
from edgecore.observe.metrics import Metrics
from edgecore.store import outbox
from edgecore.store.store import Statement, open_store

Held = Callable[[], AbstractContextManager[None]]
POD = "default/pod/x"


def _gone(content: Any = "uid-1") -> Message:
    return Message(Header("gone", timestamp_ms=1), Route("edged", "meta", "delete", POD), content)


def _kept(node: Any) -> list[Message]:
    return [message for message in outbox.kept(node.store) if isinstance(message, Message)]


async def test_a_pod_delete_of_edged_is_kept_and_sent(node: Any) -> None:
    await node.from_cloud("insert", POD, {})
    await node.hub.receive()
    await node.edged.send("metaManager", _gone())
    assert await node.hub.receive() == _gone()
    (kept,) = _kept(node)
    assert (kept.header, kept.route) == (_gone().header, _gone().route)
    assert node.rows() == {}


async def test_a_pods_deletion_is_kept_with_the_removal_of_its_rows_and_sent_after_that(
    node: Any, commits_held: Held
) -> None:
    await node.from_cloud("insert", POD, {})
    await node.hub.receive()
    await node.edged.receive()
    await node.mesh.receive()
    with commits_held():
        await node.edged.send("metaManager", _gone())
        assert await node.quiet()
        assert (list(node.rows()), _kept(node)) == ([POD], [])
    await node.hub.receive()
    assert (list(node.rows()), len(_kept(node))) == ([], 1)


async def test_where_it_cannot_be_kept_the_rows_stay_and_edged_is_told(node: Any) -> None:
    await node.from_cloud("insert", POD, {})
    await node.hub.receive()
    await node.edged.receive()
    await node.mesh.receive()
    await node.store.write(
        Statement("CREATE TRIGGER full BEFORE INSERT ON outbox BEGIN SELECT raise(ABORT, 'refused'); END")
    )
    await node.edged.send("metaManager", _gone())
    assert (await node.edged.receive()).route.operation == "error"
    assert list(node.rows()) == [POD]
    assert await node.quiet()


async def test_one_that_is_no_json_is_an_error_to_edged(node: Any) -> None:
    await node.edged.send("metaManager", _gone(object()))
    assert (await node.edged.receive()).route.operation == "error"
    assert node.metrics.bad_input_counts == {("metaManager", "wrong_content"): 1}
    assert await node.quiet()


@pytest.mark.parametrize(("source", "resource"), [("edgecontroller", POD), ("edged", "default/configmap/x")])
async def test_other_deletes_are_not_kept(node: Any, source: str, resource: str) -> None:
    await node.from_cloud("delete", resource, {}, source=source)
    await node.hub.receive()
    assert _kept(node) == []


async def test_a_hub_that_takes_nothing_hears_of_it_when_it_does(
    tmp_path: Path, vclock: VirtualClock, ids: NewId
) -> None:
    store = open_store(tmp_path / "edgecore.db", (*SCHEMA, *outbox.SCHEMA))
    bus = Bus(vclock, ids, send_timeout_s=30)
    hub, edged = bus.register("websocket", "hub", capacity=1), bus.register("edged", "edged")
    meta = MetaManager(bus.register("metaManager", "meta"), store, Metrics(), ledger=Ledger(vclock.monotonic))
    running = asyncio.create_task(meta.run())
    await edged.send("websocket", edged.build(Route("edged", "meta", "update", "in/the/way")))
    await edged.send("metaManager", _gone())
    while not hub.statistics().blocked:
        await asyncio.sleep(0.001)
    await vclock.advance(100)
    await settle()
    assert (await hub.receive()).route.resource == "in/the/way"
    assert (await hub.receive()).header.id == "gone"
    await meta.stop()
    bus.close()
    await running
    await store.close()
