"""The queues of all nodes, over rows that are committed when the test says so."""

import asyncio
from typing import Any

import pytest

from cloudhub_stub.cloud import Cloud
from cloudhub_stub.delivery.fates import Fate, Settled
from cloudhub_stub.errors import QueueFull
from cloudhub_stub.nodes import MAX_NODES
from edgecore.clock import settle
from edgecore.errors import StoreError


@pytest.fixture
def pod(message: Any) -> Any:
    return lambda name, **header: message(
        "update", f"default/pod/{name}", {}, source="edgecontroller", group="resource", **header
    )


async def test_accepted_is_committed(cloud: Cloud, rows: Any, pod: Any) -> None:
    rows.held = True
    accepting = asyncio.create_task(cloud.delivery.accept("n", [pod("p", id="1")]))
    await settle()
    assert (accepting.done(), len(cloud.delivery.queue("n"))) == (False, 0)
    await rows.commit()
    await accepting
    assert cloud.delivery.queue("n").holds("1")


async def test_who_hangs_up_during_the_commit_takes_nothing_back(cloud: Cloud, rows: Any, pod: Any) -> None:
    rows.held = True
    accepting = asyncio.create_task(cloud.delivery.accept("n", [pod("p", id="1")]))
    await settle()
    accepting.cancel()
    await rows.commit()
    assert accepting.cancelled()
    assert cloud.delivery.queue("n").holds("1")


async def test_what_cannot_be_committed_is_refused_and_leaves_nothing(cloud: Cloud, rows: Any, pod: Any) -> None:
    rows.broken = True
    told: list[Fate] = []
    with pytest.raises(StoreError, match="the disk is full"):
        await cloud.delivery.accept("n", [pod("p", id="1")], observer=told.append)
    assert (cloud.delivery.depth("n"), cloud.ledger.under_way, told) == (0, 0, [])


async def test_room_is_kept_while_the_commit_is_under_way(make_cloud: Any, rows: Any, pod: Any) -> None:
    cloud = make_cloud(max_messages=1)
    rows.held = True
    accepting = asyncio.create_task(cloud.delivery.accept("n", [pod("p", id="1")]))
    await settle()
    with pytest.raises(QueueFull, match="cannot queue 1 messages for n"):
        await cloud.delivery.accept("n", [pod("q", id="2")])
    await rows.commit()
    await accepting
    assert cloud.delivery.refused == 1


async def test_the_rows_of_what_is_through_are_removed(cloud: Cloud, rows: Any, pod: Any) -> None:
    await cloud.delivery.accept("n", [pod("p", id="1", version="1"), pod("p", id="2", version="2")])
    assert list(rows.queued) == [("n", "2")]
    cloud.delivery.withdraw("n", "2")
    assert rows.queued == {}


async def test_the_link_is_told_of_the_room_that_a_message_leaves_which_is_taken_back(cloud: Cloud, pod: Any) -> None:
    await cloud.delivery.accept("n", [pod("p", id="1"), pod("q", id="2")])
    woken: list[str] = []
    cloud.delivery.on_work = woken.append
    cloud.delivery.withdraw("n", "1")
    cloud.delivery.withdraw("n", "1")
    assert woken == ["n"]


async def test_a_message_that_is_handed_in_twice_is_queued_once(cloud: Cloud, rows: Any, pod: Any) -> None:
    await cloud.delivery.accept("n", [pod("p", id="1")])
    await cloud.delivery.accept("n", [pod("p", id="1")])
    assert (cloud.delivery.depth("n"), list(rows.queued)) == (1, [("n", "1")])
    assert cloud.ledger.under_way == 1


async def test_an_observer_is_told_to_the_end_and_no_further(cloud: Cloud, pod: Any) -> None:
    told: list[Fate] = []
    await cloud.delivery.accept("n", [pod("p", id="1")], observer=told.append)
    cloud.delivery.withdraw("n", "1")
    await cloud.delivery.accept("n", [pod("p", id="1")])
    cloud.delivery.withdraw("n", "1")
    assert [type(fate) for fate in told] == [Settled]


async def test_an_observer_that_was_forgotten_is_told_nothing(cloud: Cloud, pod: Any) -> None:
    told: list[Fate] = []
    await cloud.delivery.accept("n", [pod("p", id="1")], observer=told.append)
    cloud.delivery.forget_observer("n", "1", told.append)
    cloud.delivery.withdraw("n", "1")
    assert told == []


async def test_what_is_not_to_be_durable_has_no_row(cloud: Cloud, rows: Any, pod: Any) -> None:
    await cloud.delivery.accept("n", [pod("p", id="1")], durable=False)
    assert (rows.queued, cloud.delivery.depth("n")) == ({}, 1)


async def test_what_lies_on_disk_is_queued_again_in_order(make_cloud: Any, rows: Any, pod: Any) -> None:
    first = make_cloud()
    await first.delivery.accept("n", [pod("p", id="1", version="1"), pod("q", id="2")])
    await first.delivery.accept("m", [pod("p", id="3")])
    second = make_cloud(max_messages=1)  # whatever the limits are now
    second.delivery.load()
    queue = second.delivery.queue("n")
    queue.connect(None)
    sent = queue.take(0.0)
    assert (sent.id, second.delivery.depth("n"), second.delivery.depth("m")) == ("1", 2, 1)
    assert second.ledger.under_way == 3


async def test_there_are_as_many_queues_as_nodes_and_empty_ones_give_way(cloud: Cloud, pod: Any) -> None:
    await cloud.delivery.accept("kept", [pod("p", id="1")])
    for number in range(MAX_NODES + 10):
        cloud.delivery.queue(f"n{number}")
    assert len(cloud.delivery.queues()) == MAX_NODES
    assert cloud.delivery.depth("kept") == 1
    for name, queue in cloud.delivery.queues().items():
        if name != "kept":
            queue.connect(None)
    with pytest.raises(QueueFull, match="there are queues for 1000 nodes, which is the limit"):
        cloud.delivery.queue("one more")
