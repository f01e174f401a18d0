"""The messages that are not known to have arrived: in order, bounded, each explained at its end."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from edgecore.beehive.message import Header, Message, Route
from edgecore.modules.edgehub.outbox import DURABLE_FACTOR, PROOFS, Ended, Outbox
from edgecore.observe.ledger import ACKNOWLEDGED, COALESCED, DELIVERED, DROPPED, SUPERSEDED

NODE = "default/nodestatus/n"


def _message(number: int, resource: str = "default/pod/x", operation: str = "query", source: str = "edged") -> Message:
    return Message(Header(f"m-{number}"), Route(source, "meta", operation, resource), number)


def _ack(number: int, parent: str) -> Message:
    return Message(Header(f"m-{number}", parent), Route("edgecontroller", "resource", "response", "d/pod/x"), "OK")


def _add(outbox: Outbox, *messages: Message, **kind: bool) -> list[tuple[str, str, str]]:
    return [told for message in messages for told in _told(outbox.add(message, b"12345678", **kind))]


def _told(ended: list[Ended]) -> list[tuple[str, str, str]]:
    return [(one.entry.id, one.outcome, one.reason) for one in ended]


def _take_all(outbox: Outbox, now: float = 0.0) -> list[str]:
    taken = []
    while (entry := outbox.take(now)) is not None:
        taken.append(entry.id)
    return taken


# What waits.


def test_messages_leave_in_the_order_they_came() -> None:
    outbox = Outbox()
    assert _add(outbox, *(_message(number) for number in range(100))) == []
    assert _take_all(outbox) == [f"m-{number}" for number in range(100)]
    assert outbox.waiting == 0


@pytest.mark.parametrize(
    ("operation", "resource"),
    [("insert", NODE), ("update", NODE), ("update", "default/podstatus/x"), ("update", "default/podstatus")],
)
def test_a_newer_status_replaces_an_older_one(operation: str, resource: str) -> None:
    outbox = Outbox()
    _add(outbox, _message(1, resource, operation), _message(2))
    assert _add(outbox, _message(3, resource, operation)) == [("m-1", SUPERSEDED, "")]
    assert _take_all(outbox) == ["m-2", "m-3"]


@pytest.mark.parametrize(
    "other",
    [
        _message(2, "default/nodestatus/other", "update"),
        _message(2, NODE, "insert"),
        _message(2, NODE, "update", source="metaManager"),
        _message(2, "default/node/n", "update"),
        _message(2, NODE, "delete"),
    ],
    ids=["another node", "another operation", "another source", "another type", "a delete"],
)
def test_another_message_replaces_nothing(other: Message) -> None:
    outbox = Outbox()
    assert _add(outbox, _message(1, NODE, "update"), other) == []
    assert _take_all(outbox) == ["m-1", "m-2"]


def test_the_same_acknowledgement_waits_once() -> None:
    outbox = Outbox()
    assert _add(outbox, _ack(1, "a"), _ack(2, "b"), _ack(3, "a")) == [("m-3", COALESCED, "acknowledged_already")]
    assert _take_all(outbox) == ["m-1", "m-2"]


def test_an_acknowledgement_that_was_written_is_written_again_when_the_cloud_asks_again() -> None:
    outbox = Outbox()
    _add(outbox, _ack(1, "a"))
    _take_all(outbox)
    assert _add(outbox, _ack(2, "a")) == []
    assert _take_all(outbox) == ["m-2"]


def test_a_message_that_lies_here_already_is_one_message() -> None:
    outbox = Outbox()
    assert _add(outbox, _message(1), _message(1)) == [("m-1", COALESCED, "in_outbox")]
    assert _take_all(outbox) == ["m-1"]


# What is in doubt.


def test_a_written_message_is_in_doubt_until_something_behind_it_is_answered() -> None:
    outbox = Outbox()
    _add(outbox, *(_message(number) for number in range(4)))
    _take_all(outbox, now=7.0)
    assert outbox.doubted_since() == 7.0
    assert _told(outbox.answered("m-2")) == [("m-2", ACKNOWLEDGED, ""), ("m-0", DELIVERED, ""), ("m-1", DELIVERED, "")]
    assert "m-3" in outbox


def test_an_answer_to_a_message_of_the_transport_proves_what_was_written_before_it() -> None:
    outbox = Outbox()
    _add(outbox, _message(1), _message(2))
    _take_all(outbox)
    outbox.ask_for_proof("proof")
    _add(outbox, _message(3))
    _take_all(outbox)
    assert outbox.awaits_proof("proof")
    assert _told(outbox.answered("proof")) == [("m-1", DELIVERED, ""), ("m-2", DELIVERED, "")]
    assert (len(outbox), outbox.awaits_proof()) == (1, False)


def test_a_late_answer_to_the_first_of_two_proofs_proves_what_was_written_before_that() -> None:
    outbox = Outbox()
    _add(outbox, _message(1))
    _take_all(outbox)
    outbox.ask_for_proof("first")
    _add(outbox, _message(2))
    _take_all(outbox)
    outbox.ask_for_proof("second")
    assert _told(outbox.answered("first")) == [("m-1", DELIVERED, "")]
    assert outbox.awaits_proof("second")
    assert _told(outbox.answered("second")) == [("m-2", DELIVERED, "")]


def test_the_answer_to_a_later_proof_does_for_the_earlier_ones() -> None:
    outbox = Outbox()
    outbox.ask_for_proof("first")
    outbox.ask_for_proof("second")
    outbox.answered("second")
    assert not outbox.awaits_proof()


def test_proofs_that_a_cloud_never_gives_are_forgotten_the_oldest_first() -> None:
    outbox = Outbox()
    for number in range(PROOFS + 1):
        outbox.ask_for_proof(f"p-{number}")
    assert not outbox.awaits_proof("p-0")
    assert outbox.awaits_proof("p-1")


def test_an_answer_to_nothing_that_lies_here_proves_nothing() -> None:
    outbox = Outbox()
    _add(outbox, _message(1))
    _take_all(outbox)
    assert outbox.answered("unknown") == []
    assert "m-1" in outbox


def test_what_is_in_doubt_when_the_connection_ends_is_written_again_before_the_rest() -> None:
    outbox = Outbox()
    _add(outbox, _message(1), _message(2))
    _take_all(outbox)
    _add(outbox, _message(3))
    assert outbox.connection_ended() == []
    assert outbox.doubted_since() is None
    assert _take_all(outbox) == ["m-1", "m-2", "m-3"]


def test_a_status_in_doubt_is_not_written_again_if_a_newer_one_waits() -> None:
    outbox = Outbox()
    _add(outbox, _message(1, NODE, "update"))
    _take_all(outbox)
    _add(outbox, _message(2, NODE, "update"))
    assert _told(outbox.connection_ended()) == [("m-1", SUPERSEDED, "")]
    assert _take_all(outbox) == ["m-2"]


def test_a_proof_asked_on_a_connection_that_ended_proves_nothing_on_the_next() -> None:
    outbox = Outbox()
    _add(outbox, _message(1))
    _take_all(outbox)
    outbox.ask_for_proof("old")
    outbox.connection_ended()
    _take_all(outbox)
    assert outbox.answered("old") == []
    assert "m-1" in outbox


# What is asked.


def test_a_question_that_was_read_lies_here_until_it_is_answered() -> None:
    outbox = Outbox()
    _add(outbox, _message(1), question=True)
    _add(outbox, _message(2))
    _take_all(outbox)
    assert _told(outbox.answered("m-2")) == [("m-2", ACKNOWLEDGED, "")]
    assert (outbox.doubted_since(), len(outbox)) == (None, 1)
    assert _told(outbox.answered("m-1")) == [("m-1", ACKNOWLEDGED, "")]


def test_a_question_is_asked_again_on_the_next_connection() -> None:
    outbox = Outbox()
    _add(outbox, _message(1), question=True)
    _add(outbox, _message(2))
    _take_all(outbox)
    outbox.answered("m-2")
    outbox.connection_ended()
    assert _take_all(outbox) == ["m-1"]


@pytest.mark.parametrize(
    ("written", "read", "how"),
    [
        (False, False, ("m-1", DROPPED, "nobody_waits")),
        (True, False, ("m-1", DELIVERED, "unproven")),
        (True, True, ("m-1", DELIVERED, "no_answer")),
    ],
)
def test_a_question_that_nobody_waits_for_is_forgotten(written: bool, read: bool, how: tuple[str, str, str]) -> None:
    outbox = Outbox()
    _add(outbox, _message(1), question=True)
    if written:
        _take_all(outbox)
    if read:
        outbox.ask_for_proof("proof")
        outbox.answered("proof")
    assert outbox.forget_unawaited(lambda _: True) == []
    assert _told(outbox.forget_unawaited(lambda _: False)) == [how]
    assert len(outbox) == 0


# Bounds.


def test_a_full_box_drops_the_oldest_that_waits_and_says_so() -> None:
    outbox = Outbox(capacity=2)
    _add(outbox, _message(0), _message(1))
    assert _add(outbox, _message(2)) == [("m-0", DROPPED, "outbox_full")]
    assert _take_all(outbox) == ["m-1", "m-2"]


def test_a_full_box_first_takes_the_oldest_in_doubt_for_delivered() -> None:
    outbox = Outbox(capacity=2)
    _add(outbox, _message(0))
    _take_all(outbox)
    _add(outbox, _message(1))
    assert _add(outbox, _message(2)) == [("m-0", DELIVERED, "unproven")]


def test_a_newer_status_needs_no_room() -> None:
    outbox = Outbox(capacity=2)
    _add(outbox, _message(1), _message(2, NODE, "update"))
    assert _add(outbox, _message(3, NODE, "update")) == [("m-2", SUPERSEDED, "")]
    assert _take_all(outbox) == ["m-1", "m-3"]


def test_questions_are_not_pushed_out() -> None:
    outbox = Outbox(capacity=1)
    _add(outbox, _message(1), question=True)
    assert _add(outbox, _message(2)) == [("m-2", DROPPED, "outbox_full")]
    assert _take_all(outbox) == ["m-1"]


def test_durable_messages_have_room_of_their_own_and_push_nothing_out() -> None:
    outbox = Outbox(capacity=1)
    _add(outbox, _message(0))
    assert _add(outbox, *(_message(1 + n) for n in range(DURABLE_FACTOR)), durable=True) == []
    assert _add(outbox, _message(99), durable=True) == [("m-99", DROPPED, "outbox_full")]
    assert len(outbox) == 1 + DURABLE_FACTOR


def test_where_their_room_is_full_the_oldest_report_of_a_device_gives_way_to_a_newer_one() -> None:
    outbox = Outbox(capacity=1)
    reports = [_message(n, "device/led-1/state", "update", "twin") for n in range(1, DURABLE_FACTOR + 1)]
    assert _add(outbox, _message(0), *reports, durable=True)[-1:] == [("m-1", DROPPED, "outbox_full")]
    assert _add(outbox, _message(99), durable=True) == [("m-2", DROPPED, "outbox_full")]
    assert _take_all(outbox) == ["m-0", *(f"m-{n}" for n in range(3, DURABLE_FACTOR + 1)), "m-99"]


def test_bytes_are_bounded_too_but_one_message_always_fits() -> None:
    outbox = Outbox(capacity_bytes=10)
    assert outbox.add(_message(1), b"x" * 20) == []
    assert _told(outbox.add(_message(2), b"x")) == [("m-1", DROPPED, "outbox_full")]
    assert outbox.held_bytes == 1


def test_at_the_end_only_what_is_durable_is_left() -> None:
    outbox = Outbox()
    _add(outbox, _message(1), durable=True)
    _add(outbox, _message(2))
    assert _told(outbox.close()) == [("m-2", DROPPED, "node_stopped")]
    assert "m-1" in outbox


class OutboxMachine(RuleBasedStateMachine):
    """A cloud that reads a prefix of what is written on each connection, and a box that must lose none of it."""

    def __init__(self) -> None:
        super().__init__()
        self.outbox = Outbox(capacity=6)
        self.added: list[str] = []
        self.ended: dict[str, str] = {}
        self.awaited: set[str] = set()
        self.written: list[str] = []
        """What was written on the present connection."""
        self.read: set[str] = set()
        """What the cloud has read, on any connection."""
        self.number = 0

    def _end(self, ended: list[Ended]) -> None:
        for one in ended:
            assert one.entry.id not in self.ended, "ended twice"
            self.ended[one.entry.id] = one.outcome
            if one.outcome in (DELIVERED, ACKNOWLEDGED) and one.reason != "unproven":
                assert one.entry.id in self.read, "taken for delivered, but the cloud has not read it"

    @rule(
        kind=st.sampled_from(["plain", "durable", "question", "ack"]),
        resource=st.sampled_from([NODE, "default/podstatus/x", "default/pod/x"]),
        parent=st.sampled_from(["a", "b"]),
    )
    def add(self, kind: str, resource: str, parent: str) -> None:
        self.number += 1
        message = _ack(self.number, parent) if kind == "ack" else _message(self.number, resource, "update")
        self.added.append(message.header.id)
        if kind == "question":
            self.awaited.add(message.header.id)
        self._end(self.outbox.add(message, b"x", durable=kind == "durable", question=kind == "question"))

    @rule()
    def write(self) -> None:
        entry = self.outbox.take(0.0)
        if entry is not None:
            assert entry.id not in self.ended
            self.written.append(entry.id)

    @rule(data=st.data())
    def answer(self, data: Any) -> None:
        if self.written:
            place = data.draw(st.integers(0, len(self.written) - 1))
            self.read.update(self.written[: place + 1])
            self._end(self.outbox.answered(self.written[place]))

    @rule()
    def prove(self) -> None:
        self.outbox.ask_for_proof("proof")
        self.read.update(self.written)
        self._end(self.outbox.answered("proof"))
        assert self.outbox.doubted_since() is None

    @rule(read=st.booleans())
    def cut(self, read: bool) -> None:
        if read:
            self.read.update(self.written)
        self.written.clear()
        self._end(self.outbox.connection_ended())

    @rule()
    def give_up_waiting(self) -> None:
        self.awaited.clear()
        self._end(self.outbox.forget_unawaited(self.awaited.__contains__))

    @invariant()
    def nothing_is_lost_or_invented(self) -> None:
        inside = {message_id for message_id in self.added if message_id in self.outbox}
        assert inside | set(self.ended) == set(self.added)
        assert not inside & set(self.ended)
        assert len(self.outbox) == len(inside)
        assert self.outbox.held_bytes == len(inside)


TestOutboxMachine = OutboxMachine.TestCase


@given(st.lists(st.text()), st.text(), st.text())
def test_any_route_is_kept(resources: list[str], operation: str, source: str) -> None:
    outbox = Outbox()
    told = [
        one for n, resource in enumerate(resources) for one in _add(outbox, _message(n, resource, operation, source))
    ]
    left = [int(message_id[2:]) for message_id in _take_all(outbox)]
    assert left == sorted(left)
    assert len(left) + len(told) == len(resources)
