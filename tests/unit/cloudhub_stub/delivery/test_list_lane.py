"""What is written once in each session."""

from math import inf
from typing import Any

import pytest

from cloudhub_stub.delivery.fates import GivenUp, Settled
from cloudhub_stub.delivery.list_lane import ListLane
from cloudhub_stub.delivery.parcel import Parcel
from edgecore.observe.ledger import ACKNOWLEDGED, DELIVERED, DROPPED, SUPERSEDED

LIST = "default/podlist/web"


@pytest.fixture
def lane() -> ListLane:
    return ListLane(25.0)


@pytest.fixture
def twin(parcel: Any) -> Any:
    return lambda: parcel("device/d/twin/cloud_updated", source="devicecontroller", group="twin")


def write(lane: ListLane, *parcels: Parcel, now: float = 0.0) -> None:
    for place, each in enumerate(parcels, 1):
        lane.offer(each)
        taken = lane.take()
        assert taken is each
        lane.wrote(taken, place, now)


def test_what_waits_is_written_in_order(lane: ListLane, parcel: Any, twin: Any) -> None:
    parcels = [parcel(LIST), twin(), parcel("default/podlist/other"), twin()]
    for each in parcels:
        lane.offer(each)
    taken = []
    while lane.has_waiting:
        taken.append(lane.take())
    assert taken == parcels


def test_a_newer_list_takes_the_place_of_one_that_waits(lane: ListLane, parcel: Any) -> None:
    old, new = parcel(LIST), parcel(LIST)
    lane.offer(old)
    assert lane.offer(new) == [Settled(old, SUPERSEDED, "newer_version")]
    assert lane.take() is new


def test_changes_do_not_take_the_place_of_each_other(lane: ListLane, twin: Any) -> None:
    first, second = twin(), twin()
    assert lane.offer(first) + lane.offer(second) == []


def test_an_acknowledgement_ends_the_doubt(lane: ListLane, parcel: Any) -> None:
    sent = parcel(LIST)
    write(lane, sent)
    assert lane.written == [sent]
    assert lane.acknowledge(sent) == Settled(sent, ACKNOWLEDGED)
    assert lane.written == []


def test_what_is_due_no_acknowledgement_is_delivered_when_something_later_was_answered(
    lane: ListLane, twin: Any
) -> None:
    first, second = twin(), twin()
    write(lane, first, second)
    assert lane.was_read(2, handled=False) == [Settled(first, DELIVERED)]
    assert lane.was_read(3, handled=False) == [Settled(second, DELIVERED)]


def test_a_list_that_was_read_and_never_acknowledged_is_delivered_in_the_end(lane: ListLane, parcel: Any) -> None:
    sent = parcel(LIST)
    write(lane, sent)
    assert lane.was_read(2, handled=False) == []
    assert lane.expire(24.9) == []
    assert lane.expire(25.0) == [Settled(sent, DELIVERED, "no_ack")]


def test_a_list_that_nobody_read_is_told_and_stays_in_doubt(lane: ListLane, parcel: Any) -> None:
    sent = parcel(LIST)
    write(lane, sent)
    assert lane.expires_at() == 25.0
    assert lane.expire(25.0) == [GivenUp(sent)]
    assert (lane.expire(50.0), lane.expires_at()) == ([], inf)
    assert lane.was_read(2, handled=False) == [Settled(sent, DELIVERED, "no_ack")]


def test_what_is_in_doubt_is_written_again_before_the_rest_in_order(lane: ListLane, parcel: Any, twin: Any) -> None:
    first, second, third = twin(), parcel(LIST), twin()
    write(lane, first, second, third)
    waiting = twin()
    lane.offer(waiting)
    assert lane.interrupt() == []
    assert [lane.take() for _ in range(4)] == [first, second, third, waiting]


def test_of_each_list_in_doubt_the_newest_is_written_again(lane: ListLane, parcel: Any) -> None:
    old, new, other, newest = parcel(LIST), parcel(LIST), parcel("a/podlist/b"), parcel("a/podlist/b")
    write(lane, old, new, other)
    lane.offer(newest)
    assert lane.interrupt() == [
        Settled(old, SUPERSEDED, "newer_version"),
        Settled(other, SUPERSEDED, "newer_version"),
    ]
    assert [lane.take(), lane.take()] == [new, newest]


def test_an_answer_ends_with_its_session(lane: ListLane, parcel: Any) -> None:
    answer = parcel("default/node/n", operation="response", content="OK", lasting=False)
    lane.wrote(answer, 1, 0.0)
    assert lane.interrupt() == [Settled(answer, DROPPED, "link_lost")]
    assert not lane.has_waiting


def test_the_pace_counts_what_no_module_of_the_edge_has_handled(lane: ListLane, parcel: Any, twin: Any) -> None:
    parcels = [parcel(LIST), twin(), parcel("a/podlist/b"), parcel("a/podlist/c")]
    write(lane, *parcels)
    assert (lane.has_room(4), lane.has_room(5), lane.has_room(None)) == (False, True, True)
    lane.was_read(5, handled=False)  # read by the transport: the lists may still lie in a Go edge's buffer
    assert (lane.has_room(3), lane.has_room(4)) == (False, True)
    lane.was_read(4, handled=True)
    assert (lane.has_room(1), lane.has_room(2)) == (False, True)


def test_the_oldest_that_may_not_have_been_read_is_told(lane: ListLane, parcel: Any, twin: Any) -> None:
    assert lane.oldest_unread_at() == inf
    first, second = parcel(LIST), twin()
    lane.wrote(first, 1, 10.0)
    lane.wrote(second, 2, 11.0)
    assert lane.oldest_unread_at() == 10.0
    lane.was_read(2, handled=False)
    assert lane.oldest_unread_at() == 11.0


def test_what_is_withdrawn_is_not_written(lane: ListLane, parcel: Any) -> None:
    waiting = parcel(LIST)
    lane.offer(waiting)
    lane.withdraw(waiting)
    assert not lane.has_waiting
