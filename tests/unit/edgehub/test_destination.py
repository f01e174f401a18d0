"""Where a message from the cloud goes (spec 4.4), by group, operation and parent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.beehive.message import Header, Message, Route
from edgecore.modules.edgehub.conversation import KEEPALIVE_ROUTE
from edgecore.modules.edgehub.destination import (
    AnswerControl,
    Dispatch,
    HandToWaiter,
    Refuse,
    destination_of,
)
from edgecore.modules.edgehub.news import connection_route


def _message(group: str, operation: str = "update", parent: str = "", message_id: str = "m") -> Message:
    return Message(Header(message_id, parent), Route("edgecontroller", group, operation, "default/service/x"), {})


def _nobody_waits(_: str) -> bool:
    return False


@pytest.mark.parametrize(("group", "to"), [("resource", "meta"), ("func", "meta"), ("twin", "twin"), ("user", "bus")])
@pytest.mark.parametrize("operation", ["insert", "update", "delete", "query", "response", "error", "anything"])
def test_the_group_says_which_modules_get_it(group: str, operation: str, to: str) -> None:
    assert destination_of(_message(group, operation), _nobody_waits) == Dispatch(to)


@pytest.mark.parametrize("group", ["", "meta", "hub", "Resource", "bus"])
def test_an_unknown_group_is_refused_by_name(group: str) -> None:
    assert destination_of(_message(group), _nobody_waits) == Refuse("unknown_group", group)


@pytest.mark.parametrize("operation", ["config", "ping", "pong"])
@pytest.mark.parametrize("group", ["resource", "", "nonsense"])
def test_an_operation_of_the_transport_is_answered_whatever_its_group(operation: str, group: str) -> None:
    assert isinstance(destination_of(_message(group, operation, message_id=""), _nobody_waits), AnswerControl)


@pytest.mark.parametrize("group", ["resource", "func", "twin", "user"])
@pytest.mark.parametrize("message_id", ["m", ""])
def test_an_answer_goes_to_who_waits_for_it(group: str, message_id: str) -> None:
    awaited = {"request"}.__contains__
    assert isinstance(destination_of(_message(group, "response", "request", message_id), awaited), HandToWaiter)


def test_the_group_is_checked_before_the_parent() -> None:
    assert destination_of(_message("x", "response", "request"), lambda _: True) == Refuse("unknown_group", "x")


def test_an_answer_that_nobody_waits_for_is_dispatched() -> None:
    assert destination_of(_message("resource", "response", "request"), {"other"}.__contains__) == Dispatch("meta")


def test_a_message_without_a_parent_answers_nothing() -> None:
    assert destination_of(_message("resource"), lambda _: True) == Dispatch("meta")


def test_a_message_without_an_id_is_refused() -> None:
    """Go takes it and acknowledges it under the id of the message before (bug T1)."""
    assert destination_of(_message("resource", message_id=""), _nobody_waits) == Refuse(
        "no_message_id", "default/service/x"
    )


@given(st.text(), st.text(), st.text(), st.text(), st.booleans())
def test_every_message_goes_somewhere(group: str, operation: str, parent: str, message_id: str, waits: bool) -> None:
    decided = destination_of(_message(group, operation, parent, message_id), lambda _: waits)
    assert isinstance(decided, AnswerControl | HandToWaiter | Dispatch | Refuse)


def test_the_keepalive_is_the_recorded_one() -> None:
    assert Route("websocket", "resource", "keepalive", "node") == KEEPALIVE_ROUTE


@pytest.mark.parametrize("group", ["meta", "twin", "bus"])
def test_the_news_of_the_link_is_the_one_of_go(group: str) -> None:
    assert connection_route(group) == Route("edgehub", group, "publish", "node/connection")
