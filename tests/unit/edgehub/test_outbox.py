"""The messages that wait for the link: in order, bounded, only the newest of each status."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from edgecore.beehive.message import Header, Message, Route
from edgecore.modules.edgehub.outbox import Outbox

NODE = "default/nodestatus/n"


def _message(
    number: int, resource: str = "default/pod/x", operation: str = "response", source: str = "edged"
) -> Message:
    return Message(Header(f"m-{number}"), Route(source, "meta", operation, resource), number)


def _drain(outbox: Outbox) -> list[Any]:
    contents = []
    while (message := outbox.first()) is not None:
        contents.append(message.content)
        outbox.remove(message)
    return contents


def test_messages_leave_in_the_order_they_came() -> None:
    outbox = Outbox()
    for number in range(100):
        assert outbox.add(_message(number)) is None
    assert _drain(outbox) == list(range(100))
    assert (outbox.first(), len(outbox)) == (None, 0)


@pytest.mark.parametrize(
    ("operation", "resource"),
    [
        ("insert", NODE),
        ("update", NODE),
        ("update", "default/podstatus/x"),
        ("update", "default/podstatus"),
    ],
)
def test_a_newer_status_replaces_an_older_one(operation: str, resource: str) -> None:
    outbox = Outbox()
    outbox.add(_message(1, resource, operation))
    outbox.add(_message(2))
    outbox.add(_message(3, resource, operation))
    assert outbox.superseded == 1
    assert _drain(outbox) == [2, 3]


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
    outbox.add(_message(1, NODE, "update"))
    outbox.add(other)
    assert _drain(outbox) == [1, 2]
    assert outbox.superseded == 0


def test_two_acks_of_one_resource_are_both_kept() -> None:
    outbox = Outbox()
    outbox.add(_message(1, NODE, "response"))
    outbox.add(_message(2, NODE, "response"))
    assert _drain(outbox) == [1, 2]


def test_a_full_box_gives_back_the_oldest() -> None:
    outbox = Outbox(capacity=2)
    pushed_out = [outbox.add(_message(number)) for number in range(4)]
    assert [message.content if message else None for message in pushed_out] == [None, None, 0, 1]
    assert _drain(outbox) == [2, 3]


def test_a_newer_status_needs_no_room() -> None:
    outbox = Outbox(capacity=2)
    outbox.add(_message(1))
    outbox.add(_message(2, NODE, "update"))
    assert outbox.add(_message(3, NODE, "update")) is None
    assert _drain(outbox) == [1, 3]


def test_the_first_stays_until_it_is_removed() -> None:
    outbox = Outbox()
    outbox.add(_message(1))
    assert outbox.first() is outbox.first()
    assert len(outbox) == 1


def test_a_status_that_came_while_an_older_one_was_written_is_kept() -> None:
    outbox = Outbox()
    outbox.add(_message(1, NODE, "update"))
    being_written = outbox.first()
    assert being_written is not None
    outbox.add(_message(2, NODE, "update"))
    outbox.remove(being_written)
    assert _drain(outbox) == [2]


def test_a_message_that_was_pushed_out_while_it_was_written_is_gone() -> None:
    outbox = Outbox(capacity=1)
    outbox.add(_message(1))
    being_written = outbox.first()
    assert being_written is not None
    assert outbox.add(_message(2)) is being_written
    outbox.remove(being_written)
    assert _drain(outbox) == [2]


STATUSES = [(NODE, "update"), (NODE, "insert"), ("default/podstatus/x", "update")]


class OutboxMachine(RuleBasedStateMachine):
    """The box against a plain list."""

    CAPACITY = 4

    def __init__(self) -> None:
        super().__init__()
        self.outbox = Outbox(self.CAPACITY)
        self.model: list[Message] = []
        self.count = 0
        self.being_written: Message | None = None

    def _new(self, resource: str, operation: str) -> Message:
        self.count += 1
        return _message(self.count, resource, operation)

    @rule(status=st.sampled_from([*STATUSES, ("default/pod/x", "response"), ("default/pod/x", "update")]))
    def add(self, status: tuple[str, str]) -> None:
        message = self._new(*status)
        if status in STATUSES:
            self.model = [other for other in self.model if other.route != message.route]
        self.model.append(message)
        pushed_out = self.outbox.add(message)
        expected = self.model.pop(0) if len(self.model) > self.CAPACITY else None
        assert pushed_out is expected

    @precondition(lambda self: self.being_written is None)
    @rule()
    def begin_to_write(self) -> None:
        self.being_written = self.outbox.first()
        assert self.being_written is (self.model[0] if self.model else None)

    @precondition(lambda self: self.being_written is not None)
    @rule(succeeded=st.booleans())
    def end_to_write(self, succeeded: bool) -> None:
        message, self.being_written = self.being_written, None
        assert message is not None
        if succeeded:
            self.outbox.remove(message)
            self.model = [other for other in self.model if other is not message]

    @invariant()
    def same_as_the_model(self) -> None:
        assert len(self.outbox) == len(self.model)
        assert self.outbox.first() is (self.model[0] if self.model else None)


TestOutboxMachine = OutboxMachine.TestCase


@given(st.lists(st.text()), st.text(), st.text())
def test_any_route_is_kept(resources: list[str], operation: str, source: str) -> None:
    outbox = Outbox()
    for number, resource in enumerate(resources):
        outbox.add(_message(number, resource, operation, source))
    left = _drain(outbox)
    assert left == sorted(left)
    assert len(left) + outbox.superseded == len(resources)
