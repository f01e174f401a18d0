"""Nothing is forwarded, answered or acknowledged before its rows are committed, and all of it happens in order."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from structlog.testing import capture_logs

from edgecore.beehive.message import Route
from edgecore.beehive.switchboard import Passage
from edgecore.clock import VirtualClock, settle
from edgecore.errors import StoreError
from edgecore.store.store import Statement

Held = Callable[[], AbstractContextManager[None]]
REFUSED = {"metadata": {"name": "refused", "namespace": "default"}}


async def test_an_ack_leaves_only_after_the_commit(node: Any, commits_held: Held) -> None:
    with commits_held():
        sent = await node.from_cloud("insert", "default/pod/x", {"a": 1}, resource_version="7")
        assert await node.quiet()
        assert node.rows() == {}
    ack = await node.hub.receive()
    assert node.rows() == {"default/pod/x": ("pod", '{"a":1}')}
    assert ack.header.parent_id == sent.header.id
    assert ack.header.id not in ("", sent.header.id)
    assert ack.route == Route("edgecontroller", "resource", "response", "default/pod/x")
    assert (ack.content, ack.header.sync, ack.header.resource_version) == ("OK", False, "")
    assert (await node.edged.receive()) is sent


async def test_a_message_is_forwarded_before_it_is_acknowledged(node: Any) -> None:
    passages: list[Passage] = []
    node.bus.add_tap(passages.append)
    await node.from_cloud("insert", "default/service/x", {})
    await node.hub.receive()
    assert [passage.receiver for passage in passages] == ["metaManager", "edgemesh", "websocket"]


async def test_messages_are_settled_in_the_order_they_came(node: Any, commits_held: Held) -> None:
    resources = [f"default/{kind}/{i}" for i in range(10) for kind in ("pod", "service", "podlist", "configmap")]
    with commits_held():
        for resource in resources:
            await node.from_cloud("update", resource, {})
        await node.from_cloud("delete", resources[0])
        assert await node.quiet()
    acks = [(await node.hub.receive()).route.resource for _ in range(len(resources) + 1)]
    assert acks == [*resources, resources[0]]
    forwarded = [(await node.mesh.receive()).route.resource for _ in range(31)]
    assert forwarded[-1] == resources[0]
    assert forwarded[:-1] == [
        resource for resource in resources if resource.split("/")[1] in ("service", "podlist", "pod")
    ]
    assert set(node.rows()) == set(resources[1:])


async def test_a_message_without_rows_does_not_overtake_one_that_waits(node: Any, commits_held: Held) -> None:
    with commits_held():
        first = await node.from_cloud("update", "default/service/x", {})
        second = await node.from_cloud("update", "namespace/servicelist/service", [])
        assert await node.quiet()
    acks = [(await node.hub.receive()).header.parent_id for _ in range(2)]
    assert acks == [first.header.id, second.header.id]


async def test_messages_that_wait_share_commits(node: Any, commits_held: Held) -> None:
    with commits_held():
        for i in range(500):
            await node.from_cloud("update", f"default/service/{i}", {})
        await settle(50)
    for _ in range(500):
        await node.hub.receive()
    assert node.store.statistics().commits <= 2  # the one that was held, and all the others


async def test_messages_beyond_the_bound_wait_in_the_mailbox(node: Any, commits_held: Held) -> None:
    with commits_held():
        for i in range(1500):
            await node.from_cloud("update", f"default/service/{i}", {})
        await settle(50)
        assert node.meta.status()["in_flight"] == 1024
        assert 400 < node.bus.statistics()["metaManager"].depth < 500
    acks = [(await node.hub.receive()).route.resource for _ in range(1500)]
    assert acks == [f"default/service/{i}" for i in range(1500)]


async def test_a_query_sees_a_write_that_is_not_committed_yet(node: Any, commits_held: Held) -> None:
    await node.from_cloud("insert", "default/service/x", {"v": 1})
    await node.hub.receive()
    with commits_held():
        await node.from_cloud("update", "default/service/x", {"v": 2})
        await node.from_cloud("insert", "other/service/y", {"v": 3})
        one = await node.call(node.mesh, "query", "default/service/x")
        every = await node.call(node.mesh, "query", "all/service")
        assert node.rows() == {"default/service/x": ("service", '{"v":1}')}
    assert one.content == ['{"v":2}']
    assert every.content == ['{"v":2}', '{"v":3}']


async def test_who_writes_and_waits_is_answered_after_the_commit(node: Any, commits_held: Held) -> None:
    with commits_held():
        status = asyncio.create_task(node.call(node.edged, "update", "default/nodestatus/n", {"UID": "u"}))
        listener = asyncio.create_task(node.call(node.mesh, "insert", "default/listener/default.x", "9.251.0.1"))
        assert await node.quiet()
        assert not status.done()
        assert not listener.done()
    assert (await status).content == "OK"
    assert (await listener).content is None
    assert node.rows()["default/listener/default.x"] == ("listener", '"9.251.0.1"')


async def test_what_edged_updates_goes_on_to_the_cloud_as_it_is(node: Any) -> None:
    await node.call(node.edged, "update", "default/nodestatus/n", {"UID": "u"})
    sent_on = await node.hub.receive()
    assert (sent_on.route.source, sent_on.route.group) == ("edged", "meta")
    assert (sent_on.route.operation, sent_on.content) == ("update", {"UID": "u"})
    assert sent_on.header.sync is False
    assert sent_on.header.parent_id == ""


@pytest.mark.parametrize("taken", [1, 200])
async def test_stop_settles_what_was_taken(node: Any, commits_held: Held, taken: int) -> None:
    with commits_held():
        for i in range(taken):
            await node.from_cloud("update", f"default/service/{i}", {})
        await settle(50)
        stopping = asyncio.create_task(node.meta.stop())
        await settle(50)
        assert not stopping.done()
    await stopping
    assert node.hub.statistics().depth == taken
    assert len(node.rows()) == taken


async def test_stop_of_an_idle_module_returns_at_once_and_twice(node: Any) -> None:
    await node.meta.stop()
    await node.meta.stop()
    assert node.meta.status()["in_flight"] == 0


async def test_a_write_that_is_refused_is_an_error_to_the_cloud_and_no_ack(node: Any) -> None:
    """Go's error carries the parent of the request, which is nobody's id (bug B1)."""
    sent = await node.from_cloud("insert", "default/pod/refused", {})
    error = await node.hub.receive()
    assert error.header.parent_id == sent.header.id
    assert (error.route.source, error.route.group) == ("metaManager", "resource")
    assert (error.route.operation, error.route.resource) == ("error", "default/pod/refused")
    assert error.content.startswith("Error to save meta to DB: cannot write")
    assert await node.quiet()


@pytest.mark.parametrize(
    ("operation", "resource", "content", "text"),
    [
        ("insert", "default/pod/refused", {}, "Error to save meta to DB: "),
        ("insert", "namespace/servicelist/service", [REFUSED], "Error to save meta to DB: "),
        ("action", "default/function/refused", {}, "Error to save meta to DB: "),
        ("update", "default/pod/refused", {}, "Error to update meta to DB: "),
        ("update", "namespace/servicelist/service", [REFUSED], "Error to update meta to DB: "),
        ("response", "default/pod/refused", {}, "Error to update meta to DB: "),
        ("delete", "default/pod/undeletable", {}, "Error to delete meta to DB: "),
    ],
)
async def test_the_refusal_names_what_could_not_be_done_in_the_words_of_go(
    node: Any, operation: str, resource: str, content: Any, text: str
) -> None:
    keep = "CREATE TRIGGER keep BEFORE DELETE ON meta BEGIN SELECT raise(ABORT, 'refused by the test'); END"
    await node.from_cloud("insert", "default/pod/undeletable", {})
    assert (await node.hub.receive()).content == "OK"
    await node.store.write(Statement(keep))
    await node.from_cloud(operation, resource, content)
    error = await node.hub.receive()
    assert error.route.operation == "error"
    assert error.content.startswith(text)


async def test_a_write_that_is_refused_takes_no_other_with_it(node: Any, commits_held: Held) -> None:
    with commits_held():
        for name in ("a", "refused", "b"):
            await node.from_cloud("insert", f"default/pod/{name}", {})
        await settle(50)
    answers = [await node.hub.receive() for _ in range(3)]
    assert [answer.route.operation for answer in answers] == ["response", "error", "response"]
    assert set(node.rows()) == {"default/pod/a", "default/pod/b"}


async def test_who_writes_and_waits_is_told_of_the_refusal(node: Any) -> None:
    error = await node.call(node.edged, "update", "default/podstatus/refused", {})
    assert error.route.operation == "error"
    assert "refused by the test" in error.content
    assert await node.quiet()


async def test_a_file_that_cannot_be_read_is_an_error_to_who_asked(node: Any) -> None:
    await node.store.write(Statement("DROP TABLE meta"))
    error = await node.call(node.mesh, "query", "all/service")
    assert error.route.operation == "error"
    assert error.content.startswith("Error to query meta in DB: cannot read")
    with pytest.raises(StoreError):
        node.rows()


async def test_refusals_are_logged_once_in_ten_seconds_however_many_there_are(node: Any, vclock: VirtualClock) -> None:
    with capture_logs() as logs:
        for _ in range(3):
            await node.from_cloud("update", "default/pod/refused", {"metadata": {"name": "refused"}})
            assert (await node.hub.receive()).route.operation == "error"
        await vclock.advance(10)
        await node.from_cloud("update", "default/pod/refused", {"metadata": {"name": "refused"}})
        assert (await node.hub.receive()).route.operation == "error"
    left_out = [entry["left_out"] for entry in logs if entry["event"] == "request_failed"]
    assert left_out == [0, 2]
