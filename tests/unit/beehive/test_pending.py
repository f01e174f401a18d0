"""Pending replies: who waits for which, and until when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.beehive.pending import PendingReplies, Waiter


def waiter(deadline: float, slot: str = "slot") -> Waiter[str]:
    return Waiter(deadline, "edged", slot)


def test_waiter_is_returned_once() -> None:
    pending: PendingReplies[str] = PendingReplies()
    pending.enter("x", waiter(1))
    assert "x" in pending
    assert pending.settle("x") == waiter(1)
    assert pending.settle("x") is None
    assert "x" not in pending
    assert len(pending) == 0


def test_id_that_is_waited_for_is_refused_and_the_first_waiter_stays() -> None:
    pending: PendingReplies[str] = PendingReplies()
    pending.enter("x", waiter(1, "first"))
    with pytest.raises(KeyError):
        pending.enter("x", waiter(2, "second"))
    assert pending.settle("x") == waiter(1, "first")


def test_waiters_expire_at_their_deadline_in_its_order() -> None:
    pending: PendingReplies[str] = PendingReplies()
    for key, deadline in (("late", 3.0), ("early", 1.0), ("middle", 2.0)):
        pending.enter(key, waiter(deadline, key))
    assert pending.expired(0.99) == []
    assert [one.slot for one in pending.expired(2.0)] == ["early", "middle"]
    assert pending.next_deadline() == 3.0
    assert len(pending) == 1


def test_settled_waiter_does_not_expire() -> None:
    pending: PendingReplies[str] = PendingReplies()
    pending.enter("x", waiter(1))
    pending.settle("x")
    assert pending.next_deadline() is None
    assert pending.expired(10) == []


def test_id_used_again_expires_at_its_new_deadline_only() -> None:
    pending: PendingReplies[str] = PendingReplies()
    for deadline in (1.0, 5.0, 5.0):
        pending.settle("x")
        pending.enter("x", waiter(deadline))
    assert pending.expired(1) == []
    assert pending.expired(5) == [waiter(5.0)]
    assert pending.expired(5) == []


def test_clear_returns_all_and_forgets_their_deadlines() -> None:
    pending: PendingReplies[str] = PendingReplies()
    pending.enter("x", waiter(1))
    pending.enter("y", waiter(2))
    assert pending.clear() == [waiter(1), waiter(2)]
    assert len(pending) == 0
    assert pending.next_deadline() is None


def test_settled_requests_do_not_pile_up() -> None:
    pending: PendingReplies[str] = PendingReplies()
    pending.enter("kept", waiter(0.5))
    for number in range(10_000):
        pending.enter(str(number), waiter(1e6))
        pending.settle(str(number))
    assert len(pending._deadlines) < 100
    assert pending.expired(1) == [waiter(0.5)]


_ids = st.sampled_from("abcde")
_steps = st.lists(
    st.one_of(
        st.tuples(st.just("enter"), _ids, st.integers(0, 9)),
        st.tuples(st.just("settle"), _ids, st.just(0)),
        st.tuples(st.just("expired"), st.just(""), st.integers(0, 9)),
    ),
    max_size=200,
)


@given(_steps)
def test_pending_replies_do_what_a_dictionary_with_a_search_does(steps: list[tuple[str, str, int]]) -> None:
    pending: PendingReplies[str] = PendingReplies()
    model: dict[str, Waiter[str]] = {}
    for verb, key, number in steps:
        if verb == "enter" and key in model:
            with pytest.raises(KeyError):
                pending.enter(key, waiter(number, key))
        elif verb == "enter":
            model[key] = waiter(number, key)
            pending.enter(key, model[key])
        elif verb == "settle":
            assert pending.settle(key) == model.pop(key, None)
        else:
            late = sorted(one for one in model.values() if one.deadline <= number)
            assert sorted(pending.expired(number)) == late
            model = {key: one for key, one in model.items() if one.deadline > number}
        assert len(pending) == len(model)
        assert pending.next_deadline() == min((one.deadline for one in model.values()), default=None)
