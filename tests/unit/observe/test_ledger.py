"""The delivery ledger: every message that was opened is closed once, under way, or unexplained."""

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edgecore.beehive.message import Header, Message, Route
from edgecore.observe.ledger import (
    ACKNOWLEDGED,
    DELIVERED,
    DOWN,
    DROPPED,
    OUTCOMES,
    SUPERSEDED,
    UP,
    Ledger,
)


class _Time:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> _Time:
    return _Time()


def _message(message_id: str, resource: str = "default/pod/web") -> Message:
    return Message(Header(message_id), Route("edged", "meta", "update", resource))


def test_a_message_is_under_way_until_it_is_closed(time: _Time) -> None:
    ledger = Ledger(time)
    assert ledger.open(UP, _message("1"))
    assert ledger.under_way == 1
    assert ledger.close(UP, "1", DELIVERED)
    assert ledger.under_way == 0
    assert ledger.counts() == {(UP, DELIVERED, ""): 1}


def test_a_message_is_closed_once(time: _Time) -> None:
    ledger = Ledger(time)
    ledger.open(UP, _message("1"))
    ledger.close(UP, "1", SUPERSEDED)
    assert not ledger.close(UP, "1", DELIVERED)
    assert ledger.counts() == {(UP, SUPERSEDED, ""): 1}


def test_the_same_message_once_more_is_coalesced(time: _Time) -> None:
    ledger = Ledger(time)
    ledger.open(DOWN, _message("1"))
    assert not ledger.open(DOWN, _message("1"))
    ledger.close(DOWN, "1", ACKNOWLEDGED)
    view = ledger.view()["directions"][DOWN]
    assert (view["opened"], view["acknowledged"], view["coalesced"], view["under_way"]) == (2, 1, 1, 0)


def test_directions_and_peers_have_books_of_their_own(time: _Time) -> None:
    ledger = Ledger(time)
    for direction, peer in ((UP, "a"), (UP, "b"), (DOWN, "a")):
        assert ledger.open(direction, _message("1"), peer)
    assert not ledger.close(DOWN, "1", DELIVERED, peer="b")
    assert ledger.under_way == 3


def test_what_is_overdue_and_held_by_nobody_is_unexplained(time: _Time) -> None:
    ledger = Ledger(time, overdue_s=60)
    ledger.open(UP, _message("lost"), "n")
    ledger.open(UP, _message("held"), "n")
    ledger.hold(UP, lambda peer, message_id: (peer, message_id) == ("n", "held"))
    time.now = 59.9
    ledger.open(UP, _message("young"), "n")
    assert ledger.unexplained == 0
    assert ledger.view()["held_by_nobody"] == 2
    time.now = 60.0
    assert ledger.unexplained == 1
    (shown,) = ledger.view()["unexplained_messages"]
    assert (shown["id"], shown["node"], shown["resource"], shown["age_s"]) == ("lost", "n", "default/pod/web", 60.0)


def test_what_is_under_way_for_longest_is_shown_first(time: _Time) -> None:
    ledger = Ledger(time)
    for number in range(30):
        time.now = float(number)
        ledger.open(UP, _message(str(number)))
    shown = ledger.view()["under_way_messages"]
    assert [(one["id"], one["age_s"]) for one in shown] == [(str(number), 29.0 - number) for number in range(20)]


def test_an_entry_forgotten_for_want_of_room_is_unexplained(time: _Time) -> None:
    ledger = Ledger(time, capacity=2)
    for number in range(3):
        ledger.open(DOWN, _message(str(number)))
    assert (ledger.under_way, ledger.unexplained, ledger.view()["forgotten"]) == (2, 1, 1)


def test_drops_are_kept_with_their_reason_and_without_content(time: _Time) -> None:
    ledger = Ledger(time)
    ledger.open(UP, _message("1"))
    ledger.close(UP, "1", DROPPED, "outbox_full")
    ledger.record(DOWN, _message("2", "x" * 500), DROPPED, "unknown_group")
    first, second = ledger.view()["recently_dropped"]
    assert first == {
        "direction": UP,
        "id": "1",
        "source": "edged",
        "operation": "update",
        "resource": "default/pod/web",
        "reason": "outbox_full",
    }
    assert (second["reason"], len(second["resource"])) == ("unknown_group", 200)
    assert ledger.view()["directions"][UP]["reasons"] == {"dropped": {"outbox_full": 1}}


class _Book(RuleBasedStateMachine):
    """Whatever happens, every opened message is closed once, under way, or forgotten."""

    def __init__(self) -> None:
        super().__init__()
        self.ledger = Ledger(lambda: 0.0, capacity=4)
        self.opened = 0

    @rule(direction=st.sampled_from([UP, DOWN]), number=st.integers(0, 7))
    def open(self, direction: str, number: int) -> None:
        self.ledger.open(direction, _message(str(number)))
        self.opened += 1

    @rule(direction=st.sampled_from([UP, DOWN]), number=st.integers(0, 7), outcome=st.sampled_from(OUTCOMES))
    def close(self, direction: str, number: int, outcome: str) -> None:
        self.ledger.close(direction, str(number), outcome, "because")

    @rule(outcome=st.sampled_from(OUTCOMES))
    def record(self, outcome: str) -> None:
        self.ledger.record(UP, _message("9"), outcome)
        self.opened += 1

    @invariant()
    def nothing_is_lost_or_invented(self) -> None:
        view = self.ledger.view()
        sides = view["directions"].values()
        ended = sum(side[outcome] for side in sides for outcome in OUTCOMES)
        assert sum(side["opened"] for side in sides) == self.opened
        assert self.opened == ended + self.ledger.under_way + view["forgotten"]
        assert ended == sum(self.ledger.counts().values())


TestBook = _Book.TestCase


def test_what_a_person_put_on_the_bus_is_counted_beside_the_link(time: _Time) -> None:
    ledger = Ledger(time)
    ledger.inject("edgemesh", _message("1"))
    view = ledger.view()
    assert (view["injected"], ledger.under_way, ledger.unexplained) == (1, 0, 0)
    (told,) = view["recently_injected"]
    assert told == {
        "id": "1",
        "source": "edged",
        "operation": "update",
        "resource": "default/pod/web",
        "to": "edgemesh",
    }
    assert all(not any(ended[outcome] for outcome in OUTCOMES) for ended in view["directions"].values())
