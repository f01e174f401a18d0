"""A message of the cloud that comes again is acknowledged again, at its place, and applied once."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Header, Message, Route, response_to, with_id
from edgecore.clock import VirtualClock, settle
from edgecore.ids import NewId
from edgecore.modules.metamanager.module import MetaManager
from edgecore.modules.metamanager.tables import SCHEMA, newest_applied
from edgecore.observe.ledger import DOWN, Ledger
from edgecore.observe.metrics import Metrics
from edgecore.store.store import Statement, Store, open_store

Held = Callable[[], AbstractContextManager[None]]
CM = "default/configmap/cm"
SEEN = (DOWN, "coalesced", "seen_before")


async def _acked(node: Any, count: int) -> list[str]:
    """Take ``count`` acknowledgements; return whose they are."""
    acks = [await node.hub.receive() for _ in range(count)]
    assert all(ack.content == "OK" for ack in acks)
    return [ack.header.parent_id for ack in acks]


async def test_a_repeat_is_acknowledged_and_neither_stored_nor_forwarded(node: Any) -> None:
    first = await node.from_cloud("update", "default/service/x", {"v": 1})
    await node.hub.receive()
    await node.mesh.receive()
    await node.from_cloud("update", "default/service/x", {"v": 2})
    await node.hub.receive()
    await node.mesh.receive()
    await node.deliver(first)
    assert await _acked(node, 1) == [first.header.id]
    assert await node.quiet()
    assert node.rows() == {"default/service/x": ("service", '{"v":2}')}
    assert node.ledger.counts()[SEEN] == 1


async def test_the_ack_of_a_repeat_has_an_id_of_its_own(node: Any) -> None:
    first = await node.from_cloud("insert", "default/pod/x", {})
    await node.deliver(first)
    acks = [await node.hub.receive() for _ in range(2)]
    assert acks[0].header.id != acks[1].header.id
    assert acks[0].route == acks[1].route


async def test_a_repeat_of_a_message_under_way_is_acknowledged_behind_it(node: Any, commits_held: Held) -> None:
    with commits_held():
        first = await node.from_cloud("update", "default/service/x", {"v": 1})
        other = await node.from_cloud("update", "default/service/y", {})
        await node.deliver(first)
        assert await node.quiet()
    assert await _acked(node, 3) == [first.header.id, other.header.id, first.header.id]
    forwarded = [await node.mesh.receive() for _ in range(2)]
    assert forwarded == [first, other]
    assert await node.quiet()


async def test_a_repeat_does_not_overtake_what_waits_for_its_commit(node: Any, commits_held: Held) -> None:
    first = await node.from_cloud("update", "default/service/x", {})
    await node.hub.receive()
    with commits_held():
        other = await node.from_cloud("update", "default/service/y", {})
        await node.deliver(first)
        await settle(50)
        assert not node.hub.statistics().depth
    assert await _acked(node, 2) == [other.header.id, first.header.id]


async def test_the_same_content_under_another_id_is_applied(node: Any) -> None:
    first = await node.from_cloud("update", "default/service/x", {})
    await node.deliver(with_id(first, "another"))
    assert await _acked(node, 2) == [first.header.id, "another"]
    assert node.mesh.statistics().depth == 2


async def test_a_message_that_cannot_be_stored_is_done_anew_when_it_comes_again(node: Any) -> None:
    first = await node.from_cloud("insert", "default/pod/refused", {"v": 1})
    assert (await node.hub.receive()).route.operation == "error"
    await node.store.write(Statement("DROP TRIGGER refuse"))
    await node.deliver(first)
    assert await _acked(node, 1) == [first.header.id]
    assert (await node.edged.receive()) is first
    assert node.rows() == {"default/pod/refused": ("pod", '{"v":1}')}


async def test_a_repeat_behind_a_message_that_cannot_be_stored_is_left_to_the_next(
    node: Any, commits_held: Held
) -> None:
    with commits_held():
        first = await node.from_cloud("insert", "default/pod/refused", {})
        await node.deliver(first)
        await settle(50)
    assert (await node.hub.receive()).route.operation == "error"
    assert await node.quiet()
    await node.deliver(first)
    assert (await node.hub.receive()).route.operation == "error"
    assert node.ledger.under_way == 0


async def test_a_repeat_of_an_applied_pod_delete_does_not_delete_the_pod_that_came_after(node: Any) -> None:
    gone = await node.from_cloud("delete", "default/pod/x", {})
    await node.from_cloud("insert", "default/pod/x", {"v": 2})
    await node.deliver(gone)
    await _acked(node, 3)
    assert node.rows() == {"default/pod/x": ("pod", '{"v":2}')}


async def test_what_edged_sends_is_not_remembered(node: Any) -> None:
    for _ in range(2):
        request = Message(Header("same", timestamp_ms=1), Route("edged", "meta", "update", "default/podstatus/x"), {})
        await node.edged.send("metaManager", request)
        await node.hub.receive()
        await node.edged.receive()
        await node.store.write(Statement("DELETE FROM meta"))
    assert newest_applied(node.store, 10) == []


async def test_the_id_is_committed_with_the_rows(node: Any, commits_held: Held) -> None:
    with commits_held():
        first = await node.from_cloud("insert", "default/pod/x", {})
        await settle(50)
        assert newest_applied(node.store, 10) == []
    await node.hub.receive()
    assert newest_applied(node.store, 10) == [first.header.id]


async def test_rows_whose_id_cannot_be_stored_are_not_stored(node: Any) -> None:
    await node.store.write(
        Statement("CREATE TRIGGER no_ids BEFORE INSERT ON applied BEGIN SELECT raise(ABORT, 'refused'); END")
    )
    await node.from_cloud("insert", "default/pod/x", {})
    assert (await node.hub.receive()).route.operation == "error"
    assert node.rows() == {}


# Answers of the cloud to our questions.


def _answer(node: Any, question: Message, content: Any) -> Message:
    answer = response_to(question, None, node.bus.new_id, node.clock)
    raw = msgspec.Raw(msgspec.json.encode(content))
    return Message(answer.header, Route("edgecontroller", "resource", "response", question.route.resource), raw)


@pytest.mark.parametrize("content", [{"data": {}}, "OK"], ids=["an object", "no object"])
async def test_an_answer_that_comes_again_is_acknowledged_again_and_handed_to_nobody(node: Any, content: Any) -> None:
    """The cloud repeats it until it sees the ack, and nobody waits for it any more."""
    await node.connected()
    asked = node.ask(node.edged, CM)
    answer = _answer(node, await node.hub.receive(), content)
    node.hub.respond(answer)
    await asked
    assert await _acked(node, 1) == [answer.header.id]
    rows = node.rows()
    await node.deliver(answer)
    assert await _acked(node, 1) == [answer.header.id]
    assert await node.quiet()
    assert node.rows() == rows
    assert newest_applied(node.store, 10) == [answer.header.id]


async def test_an_answer_that_comes_again_while_it_is_stored_is_acknowledged_once(
    node: Any, commits_held: Held
) -> None:
    await node.connected()
    asked = node.ask(node.edged, CM)
    answer = _answer(node, await node.hub.receive(), {})
    with commits_held():
        node.hub.respond(answer)
        await settle(50)
        await node.deliver(answer)
        await settle(50)
        assert node.ledger.counts()[DOWN, "coalesced", "under_way"] == 1
    await asked
    assert await _acked(node, 1) == [answer.header.id]
    assert await node.quiet()


# Neighbours that take nothing, and other processes.


class Small:
    """MetaManager on a bus whose mailboxes hold one message, over a file that outlives it."""

    def __init__(self, store: Store, clock: VirtualClock, new_id: NewId) -> None:
        self.clock = clock
        self.bus = Bus(clock, new_id, send_timeout_s=30)
        self.hub = self.bus.register("websocket", "hub", capacity=1)
        self.edged = self.bus.register("edged", "edged", capacity=1)
        self.mesh = self.bus.register("edgemesh", "mesh", capacity=1)
        self.ledger = Ledger(clock.monotonic)
        self.meta = MetaManager(self.bus.register("metaManager", "meta"), store, Metrics(), ledger=self.ledger)

    async def give(self, message_id: str, resource: str = CM) -> None:
        message = Message(Header(message_id), Route("edgecontroller", "resource", "update", resource), {})
        self.ledger.open(DOWN, message)
        await self.hub.send("metaManager", message)

    async def until(self, true: Callable[[], Any]) -> None:
        while not true():
            await asyncio.sleep(0.001)


Begin = Callable[[], Any]


@pytest.fixture
async def begin(tmp_path: Path, vclock: VirtualClock, ids: NewId) -> AsyncIterator[Begin]:
    """``async with begin() as small:`` a process with the file of the one before."""
    store = open_store(tmp_path / "edgecore.db", SCHEMA)

    @asynccontextmanager
    async def process() -> AsyncIterator[Small]:
        small = Small(store, vclock, ids)
        await small.meta.start()
        running = asyncio.create_task(small.meta.run())
        yield small
        small.bus.close()
        await running

    yield process
    await store.close()


async def test_what_another_process_applied_is_only_acknowledged(begin: Begin) -> None:
    async with begin() as small:
        await small.give("m-1")
        await small.edged.receive()
    async with begin() as small:  # the ack was lost with the process
        await small.give("m-1")
        assert (await small.hub.receive()).header.parent_id == "m-1"
        assert small.edged.statistics().depth == 0
        assert small.meta.status()["applied_remembered"] == 1


async def test_a_message_that_edged_did_not_take_is_done_anew_when_it_comes_again(begin: Begin) -> None:
    async with begin() as small:
        await small.give("m-1")
        assert (await small.hub.receive()).header.parent_id == "m-1"
        await small.give("m-2")
        await small.until(lambda: small.edged.statistics().blocked)
        await small.clock.advance(30)
        assert small.ledger.counts()[DOWN, "dropped", "mailbox_full"] == 1
        await small.edged.receive()
        await small.give("m-2")
        assert (await small.edged.receive()).header.id == "m-2"
        assert (await small.hub.receive()).header.parent_id == "m-2"


async def test_a_repeat_behind_a_message_that_edged_did_not_take_hands_it_on(begin: Begin) -> None:
    async with begin() as small:
        await small.give("m-1")
        await small.hub.receive()
        for _ in range(3):
            await small.give("m-2")
            await small.until(lambda: small.edged.statistics().blocked)
        await small.clock.advance(30)
        await small.edged.receive()
        assert (await small.edged.receive()).header.id == "m-2"
        acks = [(await small.hub.receive()).header.parent_id for _ in range(2)]
        assert acks == ["m-2", "m-2"]
        assert small.edged.statistics().depth == 0


async def test_a_message_whose_ack_could_not_leave_is_only_acknowledged_when_it_comes_again(begin: Begin) -> None:
    async with begin() as small:
        await small.give("m-1", "default/service/x")
        await small.mesh.receive()
        await small.give("m-2")
        await small.until(lambda: small.hub.statistics().blocked)
        await small.clock.advance(30)
        await small.edged.receive()
        await small.hub.receive()
        await small.give("m-2")
        assert (await small.hub.receive()).header.parent_id == "m-2"
        assert small.edged.statistics().depth == 0


async def test_ids_that_cannot_be_read_do_not_keep_the_module_from_starting(begin: Begin, tmp_path: Path) -> None:
    async with begin() as small:
        await small.meta._store.write(Statement("DROP TABLE applied"))
        await small.meta.start()
        await small.give("m-1", "default/nothing")
        assert (await small.hub.receive()).route.operation == "error"
