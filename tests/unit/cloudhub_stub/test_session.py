"""What each frame of a node asks for."""

from typing import Any

import pytest

from cloudhub_stub.session import (
    MAX_UNACKNOWLEDGED,
    Acknowledged,
    Control,
    Ignored,
    Keepalive,
    Request,
    Session,
    is_due_ack,
)


@pytest.fixture
def session() -> Session:
    return Session("edge-1", 1, 100.0, 30.0)


def test_a_keepalive_moves_the_deadline(session: Session, message: Any) -> None:
    assert session.deadline == 130.0
    assert session.receive(message("keepalive", "node", "ping"), 115.0) == Keepalive()
    assert session.deadline == 145.0


def test_nothing_but_a_keepalive_moves_the_deadline(session: Session, message: Any) -> None:
    session.receive(message("update", "default/nodestatus/edge-1", {}), 120.0)
    assert session.deadline == 130.0


@pytest.mark.parametrize("operation", ["config", "ping", "pong"])
def test_transport_operations_are_control_whatever_their_resource(
    session: Session, message: Any, operation: str
) -> None:
    asked = message(operation, "default/pod/x")
    assert session.receive(asked, 100.0) == Control(asked)


def test_an_awaited_response_is_an_acknowledgement_by_its_parent(session: Session, message: Any) -> None:
    session.expect_ack(message("insert", "default/pod/x", id="sent"))
    assert session.unacknowledged == {"sent": "default/pod/x"}
    assert session.receive(message("response", "any/thing", "not OK", parent="sent"), 100.0) == Acknowledged("sent")
    assert session.unacknowledged == {}


@pytest.mark.parametrize("parent", ["", "unknown"])
def test_a_response_that_nobody_awaits_is_swallowed(session: Session, message: Any, parent: str) -> None:
    arrived = message("response", "JGh3L2V2ZW50cy8", "hello", parent=parent, source="bus", group="user")
    assert session.receive(arrived, 100.0) == Ignored("unawaited_response")


def test_a_second_acknowledgement_is_ignored(session: Session, message: Any) -> None:
    session.expect_ack(message("insert", "default/pod/x", id="sent"))
    session.receive(message("response", "default/pod/x", "OK", parent="sent"), 100.0)
    again = session.receive(message("response", "default/pod/x", "OK", parent="sent"), 100.0)
    assert again == Ignored("unawaited_response")


def test_a_forgotten_acknowledgement_is_ignored(session: Session, message: Any) -> None:
    session.expect_ack(message("insert", "default/pod/x", id="sent"))
    session.forget_ack("sent")
    late = session.receive(message("response", "default/pod/x", "OK", parent="sent"), 100.0)
    assert late == Ignored("unawaited_response")


def test_an_answer_about_a_volume_is_ignored_even_as_a_response(session: Session, message: Any) -> None:
    assert session.receive(message("response", "default/volume/pv1"), 100.0) == Ignored("volume_answer")


@pytest.mark.parametrize("operation", ["insert", "update", "query", "delete", "get", "error", "", "what?"])
def test_everything_else_is_a_request(session: Session, message: Any, operation: str) -> None:
    asked = message(operation, "default/service/x")
    assert session.receive(asked, 100.0) == Request(asked)


def test_an_ended_session_ignores_everything(session: Session, message: Any) -> None:
    session.expect_ack(message("insert", "default/pod/x", id="sent"))
    assert session.end("replaced")
    for arrived in (message("keepalive", "node"), message("ping", "x"), message("response", "x", parent="sent")):
        assert session.receive(arrived, 120.0) == Ignored("session_ended")
    assert session.deadline == 130.0


def test_the_first_reason_to_end_stays(session: Session) -> None:
    assert session.end("keepalive_timeout")
    assert not session.end("connection_closed")
    assert session.ended == "keepalive_timeout"


def test_the_unacknowledged_are_bounded_and_the_oldest_goes(session: Session, message: Any) -> None:
    for number in range(MAX_UNACKNOWLEDGED + 1):
        session.expect_ack(message("insert", "default/pod/x", id=str(number)))
    assert len(session.unacknowledged) == MAX_UNACKNOWLEDGED
    assert "0" not in session.unacknowledged


@pytest.mark.parametrize(
    ("operation", "group", "due"),
    [
        ("insert", "resource", True),
        ("update", "resource", True),
        ("delete", "resource", True),
        ("update", "func", True),
        ("update", "twin", False),
        ("publish", "user", False),
        ("query", "resource", False),
        ("keepalive", "resource", False),
    ],
)
def test_an_edge_acknowledges_what_metamanager_stores(message: Any, operation: str, group: str, due: bool) -> None:
    assert is_due_ack(message(operation, "default/service/x", group=group)) is due
