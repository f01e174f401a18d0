"""What each frame of a node asks for."""

from typing import Any

import pytest

from cloudhub_stub.session import (
    KEEPALIVE_TIMEOUT,
    WRITE_TIMEOUT,
    Control,
    Ignored,
    Keepalive,
    Request,
    Response,
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
    assert session.receive(asked, 100.0) == Control()


@pytest.mark.parametrize("parent", ["", "sent"])
def test_a_response_is_told_with_its_parent(session: Session, message: Any, parent: str) -> None:
    arrived = message("response", "any/thing", "not OK", parent=parent)
    assert session.receive(arrived, 100.0) == Response(parent)


def test_an_answer_about_a_volume_is_ignored_even_as_a_response(session: Session, message: Any) -> None:
    assert session.receive(message("response", "default/volume/pv1"), 100.0) == Ignored("volume_answer")


@pytest.mark.parametrize("operation", ["insert", "update", "query", "delete", "get", "error", "", "what?"])
def test_everything_else_is_a_request(session: Session, message: Any, operation: str) -> None:
    asked = message(operation, "default/service/x")
    assert session.receive(asked, 100.0) == Request()


def test_an_ended_session_ignores_everything(session: Session, message: Any) -> None:
    assert session.end("replaced")
    for arrived in (message("keepalive", "node"), message("ping", "x"), message("response", "x", parent="sent")):
        assert session.receive(arrived, 120.0) == Ignored("session_ended")
    assert session.deadline == 130.0


def test_the_first_reason_to_end_stays(session: Session) -> None:
    assert session.end("keepalive_timeout")
    assert not session.end("connection_closed")
    assert session.ended == "keepalive_timeout"


def test_h1_a_full_faithful_hub_ignores_everything_but_the_transport(session: Session, message: Any) -> None:
    for operation in ("keepalive", "response", "update"):
        arrived = message(operation, "default/nodestatus/edge-1")
        assert session.receive(arrived, 120.0, hub_is_full=True) == Ignored("node_limit")
    assert session.deadline == 130.0
    assert session.receive(message("ping", "x"), 120.0, hub_is_full=True) == Control()


def test_t2_without_a_write_timeout_writes_do_not_move_the_deadline(session: Session) -> None:
    session.wrote(101.0)
    assert (session.deadline, session.overdue) == (130.0, KEEPALIVE_TIMEOUT)


def test_t2_with_a_write_timeout_the_last_write_sets_the_deadline_whatever_keepalives_come(message: Any) -> None:
    session = Session("edge-1", 1, 100.0, 30.0, write_timeout_s=30.0)
    session.receive(message("keepalive", "node"), 115.0)
    assert session.deadline == 145.0  # nothing was written yet
    session.wrote(110.0)
    assert (session.deadline, session.overdue) == (140.0, WRITE_TIMEOUT)
    session.wrote(120.0)
    assert (session.deadline, session.overdue) == (145.0, KEEPALIVE_TIMEOUT)


@pytest.mark.parametrize(("agent", "ours"), [("edgecore", True), ("edgecore/1.0", True), ("Go-http-client/1.1", False)])
def test_our_edge_is_known_by_its_user_agent(agent: str, ours: bool) -> None:
    assert Session("edge-1", 1, 100.0, 30.0, agent=agent).is_ours is ours


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
