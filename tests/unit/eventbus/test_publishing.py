"""What messages of the bus become on MQTT; none of them raises, whatever it holds."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.beehive.message import Header, Message, Route
from edgecore.modules.eventbus.publishing import Deed, Passed, Publish, Refused, Subscribe, Unsubscribe, deed

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def of(operation: str, resource: str, content: Any = None, source: str = "twin") -> Deed:
    return deed(Message(Header("1"), Route(source, "bus", operation, resource), content), "n")


def test_bytes_and_text_are_published_as_they_are() -> None:
    assert of("publish", "a/b", b"\xff") == Publish("a/b", b"\xff")
    assert of("publish", "a/b", "ü") == Publish("a/b", "ü".encode())
    assert of("publish", "a/b", msgspec.Raw(b'"\\u00fc"')) == Publish("a/b", "ü".encode())


@pytest.mark.parametrize("content", [None, 1, 1.5, True, [], {}, msgspec.Raw(b"1"), msgspec.Raw(b"{}")])
def test_v2_content_that_is_neither_is_refused(content: Any) -> None:
    refused = of("publish", "a/b", content)
    assert isinstance(refused, Refused)
    assert refused.reason == "content_not_text"


@pytest.mark.parametrize("content", [msgspec.Raw(b"{"), "\ud800"])
def test_content_that_is_broken_is_refused(content: Any) -> None:
    refused = of("publish", "a/b", content)
    assert isinstance(refused, Refused)
    assert refused.reason == "content_malformed"


def test_v3_news_of_the_link_are_passed_over_whatever_the_operation() -> None:
    for operation in ("publish", "connect"):
        assert of(operation, "node/connection", "cloud_connected", "edgehub") == Passed("node_connection")
    assert of("publish", "node/connection", "x", "router_eventbus") == Publish("node/connection", b"x")


def test_operation_message_publishes_the_inner_object_with_sorted_keys() -> None:
    content = {"message": {"topic": "a", "b": {"z": 1, "a": "<"}}, "else": 1}
    assert of("message", "x", content) == Publish("a", b'{"b":{"a":"\\u003c","z":1},"topic":"a"}')


@pytest.mark.parametrize("content", [None, "x", [], {}, {"message": 1}, {"message": {}}, {"message": {"topic": 1}}])
def test_v1_a_message_without_a_topic_is_refused(content: Any) -> None:
    assert of("message", "x", content) == Refused("content_malformed", "the content has no message with a topic")


def test_only_the_result_of_a_login_is_published() -> None:
    assert of("get_result", "auth_info", {"a": 1}) == Publish("$hw/events/node/n/authInfo/get/result", b'{"a":1}')
    assert of("get_result", "other", {"a": 1}) == Passed("unknown_operation")


def test_filters_are_subscribed_and_taken_back() -> None:
    assert of("subscribe", "a/#") == Subscribe("a/#")
    assert of("unsubscribe", "a/#") == Unsubscribe("a/#")
    assert of("subscribe", "a/#/b") == Refused("filter_malformed", "# is not the last level")


def test_requests_for_servicebus_are_not_ours() -> None:
    assert of("POST", "node/n/x", {}, "router_rest") == Passed("of_servicebus")


@given(
    st.sampled_from(["publish", "message", "get_result", "subscribe", "unsubscribe", "other"]),
    st.text() | st.just("auth_info"),
    JSON | JSON.map(lambda value: {"message": value}) | st.binary() | st.binary().map(msgspec.Raw),
)
def test_whatever_comes_there_is_an_answer(operation: str, resource: str, content: Any) -> None:
    assert of(operation, resource, content) is not None
