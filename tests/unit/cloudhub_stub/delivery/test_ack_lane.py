"""What is sent until it is acknowledged."""

from collections import deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.delivery.ack_lane import AckLane, Timing
from cloudhub_stub.delivery.fates import GivenUp, Settled
from cloudhub_stub.delivery.parcel import Parcel, parcel_of
from edgecore.beehive.message import Header, Message, Route
from edgecore.observe.ledger import ACKNOWLEDGED, DROPPED, SUPERSEDED

POD, OTHER = "default/pod/p", "default/pod/q"


@pytest.fixture
def lane() -> AckLane:
    return AckLane(Timing())


def test_a_message_is_due_at_0_5_10_15_and_20_seconds_with_the_same_bytes(lane: AckLane, parcel: Any) -> None:
    sent = parcel(POD)
    lane.offer(sent)
    times = [now for now in range(25) if lane.take(100.0 + now) is sent]
    assert times == [0, 5, 10, 15, 20]


def test_a_message_is_given_up_after_25_seconds_and_parked(lane: AckLane, parcel: Any) -> None:
    sent = parcel(POD)
    lane.offer(sent)
    lane.take(0.0)
    assert lane.expire(24.9) == []
    assert lane.expire(25.0) == [GivenUp(sent)]
    assert (lane.parked, lane.in_flight, lane.take(25.0)) == ([sent], [], None)


def test_the_next_time_to_look_is_told(lane: AckLane, parcel: Any) -> None:
    assert lane.wake_at() == float("inf")
    lane.offer(parcel(POD))
    assert lane.wake_at() == float("-inf")
    lane.take(100.0)
    assert lane.wake_at() == 105.0
    for now in (105.0, 110.0, 115.0, 120.0):
        lane.take(now)
    assert lane.wake_at() == 125.0


def test_a_late_look_sends_once_and_keeps_to_the_schedule(lane: AckLane, parcel: Any) -> None:
    sent = parcel(POD)
    lane.offer(sent)
    lane.take(0.0)
    assert [lane.take(12.0), lane.take(12.0)] == [sent, None]
    assert lane.wake_at() == 15.0


def test_one_is_in_flight_and_the_next_waits_for_its_acknowledgement(lane: AckLane, parcel: Any) -> None:
    first, second = parcel(POD), parcel(OTHER)
    lane.offer(first)
    lane.offer(second)
    assert [lane.take(0.0), lane.take(0.0)] == [first, None]
    assert lane.acknowledge(first) == Settled(first, ACKNOWLEDGED)
    assert lane.take(0.1) is second


def test_more_may_be_in_flight_but_one_of_each_object(parcel: Any) -> None:
    lane = AckLane(Timing(in_flight=3))
    first, second, newer = parcel(POD, "1"), parcel(OTHER, "1"), parcel(POD, "2")
    lane.offer(first)
    lane.offer(second)
    assert [lane.take(0.0) for _ in range(2)] == [first, second]
    lane.offer(newer)
    assert lane.take(0.0) is None
    lane.acknowledge(first)
    assert lane.take(0.0) is newer


def test_a_newer_version_takes_the_place_of_one_that_was_not_sent(lane: AckLane, parcel: Any) -> None:
    old, other, new = parcel(POD, "9"), parcel(OTHER), parcel(POD, "10")
    lane.offer(old)
    lane.offer(other)
    assert lane.offer(new) == [Settled(old, SUPERSEDED, "newer_version")]
    assert lane.take(0.0) is new


@pytest.mark.parametrize("version", ["10", "", "x"])
def test_what_is_equal_or_cannot_be_compared_takes_the_place(lane: AckLane, parcel: Any, version: str) -> None:
    old, new = parcel(POD, "10"), parcel(POD, version)
    lane.offer(old)
    assert lane.offer(new) == [Settled(old, SUPERSEDED, "newer_version")]


def test_an_older_version_does_not_get_in(lane: AckLane, parcel: Any) -> None:
    new, old = parcel(POD, "10"), parcel(POD, "9")
    lane.offer(new)
    assert lane.offer(old) == [Settled(old, SUPERSEDED, "stale_version")]
    assert lane.take(0.0) is new
    late = parcel(POD, "9")
    assert lane.offer(late) == [Settled(late, SUPERSEDED, "stale_version")]


def test_a_version_in_flight_is_finished_first(lane: AckLane, parcel: Any) -> None:
    first, second = parcel(POD, "1"), parcel(POD, "2")
    lane.offer(first)
    lane.take(0.0)
    assert lane.offer(second) == []
    assert lane.take(5.0) is first
    lane.acknowledge(first)
    assert lane.take(6.0) is second


def test_a_delete_takes_the_place_of_what_waits_and_keeps_it(lane: AckLane, parcel: Any) -> None:
    old, gone, again = parcel(POD, "3"), parcel(POD, operation="delete"), parcel(POD, "1", operation="insert")
    lane.offer(old)
    assert lane.offer(gone) == [Settled(old, SUPERSEDED, "newer_version")]
    assert lane.offer(again) == []
    assert lane.take(0.0) is gone
    lane.acknowledge(gone)
    assert lane.take(0.0) is again


def test_what_was_given_up_comes_again_with_the_next_session(lane: AckLane, parcel: Any) -> None:
    sent = parcel(POD)
    lane.offer(sent)
    lane.take(0.0)
    lane.expire(25.0)
    lane.interrupt()
    lane.resume()
    assert lane.take(60.0) is sent
    assert lane.wake_at() == 65.0


def test_what_was_given_up_gives_way_when_its_object_is_queued_anew(lane: AckLane, parcel: Any) -> None:
    old, same = parcel(POD, "7"), parcel(POD, "7")
    lane.offer(old)
    lane.take(0.0)
    lane.expire(25.0)
    assert lane.offer(same) == [Settled(old, SUPERSEDED, "newer_version")]
    assert lane.take(26.0) is same


def test_a_delete_that_was_given_up_goes_before_what_follows_it(lane: AckLane, parcel: Any) -> None:
    gone, again = parcel(POD, operation="delete"), parcel(POD, "1", operation="insert")
    lane.offer(gone)
    lane.take(0.0)
    lane.expire(25.0)
    assert lane.offer(again) == []
    assert lane.take(26.0) is gone
    lane.acknowledge(gone)
    assert lane.take(26.0) is again


def test_a_message_given_up_with_a_newer_one_behind_it_is_through(lane: AckLane, parcel: Any) -> None:
    old, new = parcel(POD, "1"), parcel(POD, "2")
    lane.offer(old)
    lane.take(0.0)
    lane.offer(new)
    assert lane.expire(25.0) == [GivenUp(old), Settled(old, SUPERSEDED, "given_up")]
    assert lane.take(25.0) is new


def test_an_acknowledgement_that_comes_after_the_giving_up_counts(lane: AckLane, parcel: Any) -> None:
    sent = parcel(POD)
    lane.offer(sent)
    lane.take(0.0)
    lane.expire(25.0)
    assert lane.acknowledge(sent) == Settled(sent, ACKNOWLEDGED)
    lane.resume()
    assert lane.take(30.0) is None


def test_an_interrupted_message_starts_anew_before_the_others(lane: AckLane, parcel: Any) -> None:
    first, second = parcel(POD), parcel(OTHER)
    lane.offer(first)
    lane.offer(second)
    lane.take(0.0)
    assert lane.interrupt() == []
    lane.resume()
    assert lane.take(60.0) is first
    assert lane.wake_at() == 65.0


def test_an_interrupted_message_is_finished_before_a_newer_version(lane: AckLane, parcel: Any) -> None:
    first, second = parcel(POD, "1"), parcel(POD, "2")
    lane.offer(first)
    lane.take(0.0)
    lane.interrupt()
    assert lane.offer(second) == []
    lane.resume()
    assert lane.take(60.0) is first
    lane.acknowledge(first)
    assert lane.take(60.0) is second


def test_an_acknowledgement_between_sessions_counts(lane: AckLane, parcel: Any) -> None:
    first, second = parcel(POD, "1"), parcel(POD, "2")
    lane.offer(first)
    lane.take(0.0)
    lane.interrupt()
    lane.offer(second)
    lane.acknowledge(first)
    assert lane.take(1.0) is second


def test_an_answer_goes_first_and_ends_with_its_session(lane: AckLane, parcel: Any) -> None:
    queued, answer, flying = parcel(POD), parcel(OTHER, lasting=False), parcel(OTHER, lasting=False)
    lane.put_first(flying)
    lane.take(0.0)
    lane.offer(queued)
    lane.put_first(answer)
    assert lane.interrupt() == [Settled(flying, DROPPED, "link_lost"), Settled(answer, DROPPED, "link_lost")]
    assert lane.take(0.0) is queued


def test_h5_a_faithful_lane_forgets_what_it_gave_up(parcel: Any) -> None:
    lane = AckLane(Timing(), faithful=True)
    sent = parcel(POD)
    lane.offer(sent)
    lane.take(0.0)
    assert lane.expire(25.0) == [GivenUp(sent), Settled(sent, DROPPED, "given_up")]
    lane.resume()
    assert lane.take(30.0) is None


def test_a_delete_that_is_given_up_is_sent_again_before_the_object_that_follows_it(lane: AckLane, parcel: Any) -> None:
    gone, again = parcel(POD, operation="delete"), parcel(POD, "1", operation="insert")
    lane.offer(gone)
    lane.take(0.0)
    lane.offer(again)
    assert lane.expire(25.0) == [GivenUp(gone)]
    assert lane.take(25.0) is gone
    lane.acknowledge(gone)
    assert lane.take(26.0) is again


def test_a_delete_that_is_given_up_gives_way_to_another_delete(lane: AckLane, parcel: Any) -> None:
    gone, more = parcel(POD, operation="delete"), parcel(POD, operation="delete")
    lane.offer(gone)
    lane.take(0.0)
    lane.offer(more)
    assert lane.expire(25.0) == [GivenUp(gone), Settled(gone, SUPERSEDED, "given_up")]
    assert lane.take(25.0) is more


def test_each_session_has_its_own_window(lane: AckLane, parcel: Any) -> None:
    sent = [parcel(POD), parcel(OTHER), parcel("default/pod/other")]
    for each in sent:
        lane.offer(each)
    lane.resume(2)
    assert [lane.take(0.0), lane.take(0.0), lane.take(0.0)] == [*sent[:2], None]
    lane.interrupt()
    lane.resume()
    assert [lane.take(1.0), lane.take(1.0)] == [sent[0], None]


def test_what_is_in_flight_when_a_session_ends_comes_first_and_in_order_in_the_next(lane: AckLane, parcel: Any) -> None:
    sent = [parcel(f"default/pod/p{number}") for number in range(5)]
    for each in sent:
        lane.offer(each)
    lane.resume(4)
    while lane.take(0.0):
        pass
    lane.acknowledge(sent[1])
    lane.interrupt()
    lane.resume(64)
    assert [lane.take(1.0) for _ in range(5)] == [sent[0], sent[2], sent[3], sent[4], None]


def test_the_window_opens_by_one_with_each_acknowledgement(lane: AckLane, parcel: Any) -> None:
    sent = [parcel(f"default/pod/p{number}") for number in range(40)]
    for each in sent:
        lane.offer(each)
    lane.resume(10)
    held = []
    for number in range(12):
        while lane.take(0.0):
            pass
        held.append(len(lane.in_flight))
        lane.acknowledge(sent[number])
    assert held == [4, 5, 6, 7, 8, 9, 10, 10, 10, 10, 10, 10]


@pytest.mark.parametrize(("lasts", "least"), [(6, 1), (10, 2), (100, 20)])
def test_a_link_that_breaks_again_and_again_brings_something_each_time(
    lane: AckLane, parcel: Any, lasts: int, least: int
) -> None:
    """It breaks at every so many messages, and each acknowledgement comes behind all that could be written."""
    for number in range(300):
        lane.offer(parcel(f"default/pod/p{number}"))
    brought = least
    while brought >= least:
        lane.resume(64)
        unread: deque[Parcel] = deque()
        brought = 0
        for _ in range(lasts):
            if (written := lane.take(0.0)) is not None:
                unread.append(written)
            elif unread:
                lane.acknowledge(unread.popleft())
                brought += 1
        lane.interrupt()
    lane.resume(64)
    assert lane.take(0.0) is None


@given(ages=st.lists(st.integers(0, 24), min_size=1, max_size=4), acknowledged=st.sets(st.integers(0, 3)))
def test_nothing_in_flight_is_ever_due_before_the_lane_wakes(ages: list[int], acknowledged: set[int]) -> None:
    lane = AckLane(Timing())
    lane.resume(8)
    sent = []
    for number, at in enumerate(sorted(ages)):
        route = Route("edgecontroller", "resource", "update", f"{POD}-{number}")
        sent.append((at, parcel_of(Message(Header(f"m{number}", "", 1, "1"), route, {}))))
        lane.offer(sent[-1][1])
        while lane.take(at):
            pass
    for number in acknowledged:
        if number < len(sent):
            lane.acknowledge(sent[number][1])
    left = {parcel.id: at for number, (at, parcel) in enumerate(sent) if number not in acknowledged}
    now: float = max(ages)
    while left:
        assert lane.wake_at() < float("inf")
        now = max(now, lane.wake_at())
        for fate in lane.expire(now):
            assert left.pop(fate.parcel.id) + 25.0 <= now
        while (parcel := lane.take(now)) is not None:
            assert (now - left[parcel.id]) % 5 == 0 or now == max(ages)
    assert lane.wake_at() == float("inf")


@given(first_at=st.floats(0.0, 1e7))
def test_each_sending_comes_once_whenever_the_first_was(first_at: float) -> None:
    lane = AckLane(Timing(resend_every_s=0.1, give_up_after_s=0.5))
    route = Route("edgecontroller", "resource", "update", POD)
    lane.offer(parcel_of(Message(Header("m", "", 1, "1"), route, {})))
    lane.take(first_at)
    for _ in range(4):
        now = lane.wake_at()
        lane.take(now)
        assert lane.take(now) is None
