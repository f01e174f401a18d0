"""What a message on the bus wants of DeviceTwin."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.beehive.message import Header, Message, Route
from edgecore.beehive.topics import topic_resource
from edgecore.modules.devicetwin.requests import (
    MAX_PAYLOAD_BYTES,
    Confirmation,
    Connection,
    Request,
    Unfit,
    read_request,
)
from edgecore.modules.devicetwin.topics import Action

TOPIC = topic_resource("$hw/events/device/sensor/twin/update")


def message(source: str, operation: str, resource: str, content: Any = None) -> Message:
    return Message(Header("id"), Route(source, "twin", operation, resource), content)


@pytest.mark.parametrize("content", ["{}", b"{}"])
def test_a_topic_of_a_device_is_a_request_from_here(content: Any) -> None:
    assert read_request(message("bus", "response", TOPIC, content)) == Request(
        Action.TWIN_UPDATE, "sensor", b"{}", local=True
    )


@pytest.mark.parametrize("content", [None, 1, {"a": 1}, ["{}"]])
def test_w2_content_of_mqtt_that_is_no_text_is_unfit(content: Any) -> None:
    found = read_request(message("bus", "response", TOPIC, content))
    assert isinstance(found, Unfit)
    assert found.reason == "content_not_text"


@pytest.mark.parametrize("resource", ["", "%%%", "bm8=", topic_resource("a/b/c/d/e")])
def test_a_resource_that_is_no_topic_of_ours_is_unfit(resource: str) -> None:
    found = read_request(message("bus", "response", resource, "{}"))
    assert isinstance(found, Unfit)
    assert found.reason == "unknown_topic"


def test_a_payload_over_the_limit_is_unfit() -> None:
    assert isinstance(read_request(message("bus", "response", TOPIC, "x" * MAX_PAYLOAD_BYTES)), Request)
    found = read_request(message("bus", "response", TOPIC, "x" * (MAX_PAYLOAD_BYTES + 1)))
    assert isinstance(found, Unfit)
    assert found.reason == "payload_too_large"


@pytest.mark.parametrize("source", ["devicecontroller", "edgemgr"])
@pytest.mark.parametrize(
    ("operation", "resource", "action", "device_id"),
    [
        ("update", "membership", Action.MEMBERSHIP_UPDATED, ""),
        ("update", "node/n/membership", Action.MEMBERSHIP_UPDATED, ""),
        ("update", "membership/detail", Action.MEMBERSHIP_DETAIL, ""),
        ("update", "membership/detail/result", Action.MEMBERSHIP_DETAIL, ""),
        ("response", "membership/detail", Action.MEMBERSHIP_DETAIL, ""),
        ("update", "device/a/twin/cloud_updated", Action.TWIN_CLOUD_UPDATED, "a"),
        ("updated", "device/a", Action.ATTRIBUTES_UPDATED, "a"),
        ("updated", "device/membership", Action.MEMBERSHIP_UPDATED, ""),
    ],
)
def test_what_the_cloud_sends_is_told_by_its_resource(
    source: str, operation: str, resource: str, action: Action, device_id: str
) -> None:
    found = read_request(message(source, operation, resource, {"a": 1}))
    assert found == Request(action, device_id, b'{"a":1}', local=False)


@pytest.mark.parametrize(
    ("operation", "resource"), [("update", "device/a"), ("updated", "device"), ("updated", "x/y"), ("update", "")]
)
def test_w3_a_resource_that_is_none_of_them_is_unfit(operation: str, resource: str) -> None:
    found = read_request(message("devicecontroller", operation, resource, {}))
    assert isinstance(found, Unfit)
    assert found.reason == "unknown_resource"


def test_an_answer_of_the_cloud_asks_for_nothing() -> None:
    assert read_request(message("devicecontroller", "response", "device/a/twin/edge_updated", "OK")) == Confirmation()
    assert read_request(message("resource", "response", "", "OK")) == Confirmation()


@pytest.mark.parametrize(("news", "connected"), [("cloud_connected", True), ("cloud_disconnected", False)])
def test_news_of_the_link_say_whether_it_is_up(news: str, connected: bool) -> None:
    assert read_request(message("edgehub", "publish", "node/connection", news)) == Connection(connected)


@pytest.mark.parametrize("news", ["", "cloud", None, 1, ["cloud_connected"]])
def test_other_news_are_unfit(news: Any) -> None:
    assert isinstance(read_request(message("edgehub", "publish", "node/connection", news)), Unfit)


@given(
    source=st.sampled_from(["bus", "edgehub", "devicecontroller", "edgemgr", "edged", ""]),
    operation=st.sampled_from(["update", "updated", "response", "publish", ""]),
    resource=st.sampled_from(["node/connection", TOPIC, "membership", "device/a/twin/cloud_updated", "device/a"])
    | st.text(max_size=20),
    content=st.none() | st.text() | st.binary() | st.integers() | st.dictionaries(st.text(), st.integers()),
)
def test_no_message_raises(source: str, operation: str, resource: str, content: Any) -> None:
    read_request(message(source, operation, resource, content))
