"""Once a minute the cloud is told the states of all pods, and those of pods that are gone are forgotten."""

import asyncio
from typing import Any

import msgspec
from structlog.testing import capture_logs

from edgecore.beehive import wire
from edgecore.beehive.message import Route, content_value
from edgecore.clock import settle
from edgecore.config.host import Environment
from edgecore.config.load import parse
from edgecore.store.store import Statement

ROUTE = Route("metaManager", "resource", "update", "default/podstatus")


async def _pod(node: Any, namespace: str, name: str, status: Any) -> None:
    await node.from_cloud("insert", f"{namespace}/pod/{name}", {})
    await node.call(node.edged, "update", f"{namespace}/podstatus/{name}", status)
    for _ in range(2):  # the ack and the status
        await node.hub.receive()


async def _reports(node: Any) -> list[Any]:
    await settle(50)
    return [await node.hub.receive() for _ in range(node.hub.statistics().depth)]


async def test_every_minute_each_namespace_is_told_of_in_one_message(node: Any) -> None:
    await node.connected()
    await _pod(node, "default", "a", {"Name": "a", "UID": "1"})
    await _pod(node, "default", "b", {"Name": "b", "UID": "2"})
    await _pod(node, "other", "a", {"Name": "a", "UID": "3"})
    for _ in range(2):
        await node.clock.advance(59)
        assert await _reports(node) == []
        await node.clock.advance(1)
        first, second = await _reports(node)
        assert (first.route, second.route.resource) == (ROUTE, "other/podstatus")
        assert first.content == [{"Name": "a", "UID": "1"}, {"Name": "b", "UID": "2"}]
        assert second.content == [{"Name": "a", "UID": "3"}]
        assert (first.header.parent_id, first.header.sync, first.header.resource_version) == ("", False, "")


async def test_the_message_is_the_recorded_one_but_for_id_and_time(node: Any) -> None:
    status = {"UID": "22653d95-ad8f-40f4-ab08-97770ed0f5bc", "Name": "nginx-0", "Status": {"phase": "Running"}}
    await node.connected()
    await _pod(node, "default", "nginx-0", status)
    await node.clock.advance(60)
    (report,) = await _reports(node)
    frame = wire.decode(wire.encode(report))
    assert frame.route == ROUTE
    assert content_value(frame) == [status]


async def test_a_sync_that_is_asked_for_comes_at_once_and_the_next_when_the_minute_is_over(node: Any) -> None:
    await node.connected()
    await _pod(node, "default", "a", {"Name": "a"})
    await node.clock.advance(20)
    for _ in range(3):
        await node.from_cloud("meta-internal-sync", "podstatus", source="metaManager")
    assert [report.route for report in await _reports(node)] == [ROUTE]  # one: they came together
    await node.clock.advance(39)
    assert await _reports(node) == []
    await node.clock.advance(1)
    assert [report.route for report in await _reports(node)] == [ROUTE]
    await node.clock.advance(59)
    assert await _reports(node) == []


async def test_how_often_is_told_can_be_changed_while_the_node_runs(node: Any) -> None:
    await node.connected()
    await _pod(node, "default", "a", {"Name": "a"})
    document = "{modules: {metaManager: {podStatusSyncInterval: 5}}}"
    await node.meta.reload(parse(document, "a", env=Environment("n", "127.0.0.1")).config)
    assert len(await _reports(node)) == 1  # at once, and then as often
    for _ in range(2):
        await node.clock.advance(4)
        assert await _reports(node) == []
        await node.clock.advance(1)
        assert len(await _reports(node)) == 1


async def test_without_a_link_nothing_is_told(node: Any) -> None:
    """Go sends it all the same, to lie there until the link is back (M9)."""
    await _pod(node, "default", "a", {})
    await node.clock.advance(60)
    assert await _reports(node) == []
    await node.connected()
    await node.clock.advance(60)
    assert len(await _reports(node)) == 1


async def test_the_status_of_a_pod_that_is_gone_is_removed_with_or_without_a_link(node: Any) -> None:
    await node.call(node.edged, "update", "default/podstatus/x", {})
    await node.hub.receive()
    await node.clock.advance(60)
    while node.rows():
        await asyncio.sleep(0.001)
    assert await _reports(node) == []


async def test_a_row_that_is_no_status_is_counted_and_the_others_are_told(node: Any) -> None:
    await node.connected()
    await _pod(node, "default", "a", {"Name": "a"})
    await _pod(node, "default", "b", "text")
    await node.clock.advance(60)
    (report,) = await _reports(node)
    assert report.content == [{"Name": "a"}]
    assert node.metrics.bad_input_counts == {("metaManager", "unreadable_podstatus"): 1}


async def test_a_file_that_cannot_be_read_is_tried_again_a_minute_later(node: Any) -> None:
    await node.connected()
    await _pod(node, "default", "a", {"Name": "a"})
    await node.store.write(Statement("ALTER TABLE meta RENAME TO away"))
    with capture_logs() as logs:
        await node.clock.advance(60)
        assert await _reports(node) == []
    assert [entry["event"] for entry in logs] == ["pod_statuses_not_reported"]
    await node.store.write(Statement("ALTER TABLE away RENAME TO meta"))
    await node.clock.advance(60)
    assert msgspec.json.encode((await _reports(node))[0].content) == b'[{"Name":"a"}]'
