"""Whatever comes over MQTT or from the cloud: the documented error, and nothing else changes."""

from typing import Any

import pytest

TEMP = {"expected": {"value": "20"}, "metadata": {"type": "int"}, "expected_version": {"cloud": 100, "edge": 0}}


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        ("not json", "Unmarshal update request body failed, Please check the request"),
        ("[]", "Unmarshal update request body failed, Please check the request"),
        ('{"twin": 1}', "Unmarshal update request body failed, Please check the request"),
    ],
)
async def test_a_body_that_cannot_be_read_is_answered_under_no_id(node: Any, payload: str, reason: str) -> None:
    await node.device("sensor", "twin/update", payload)
    heard = await node.published()
    assert heard.place == "$hw/events/device//twin/update/result"
    assert (heard.payload["event_id"], heard.payload["code"], heard.payload["reason"]) == ("", 400, reason)


@pytest.mark.parametrize(
    ("payload", "code", "reason"),
    [
        ({"event_id": "u"}, 400, "Update twin error, the update request body not have key:twin"),
        ({"event_id": "u", "twin": {"a b": {"actual": {"value": "1"}}}}, 400, "The key of twin must"),
        ({"event_id": "u", "twin": {"temp": {"actual": {"value": "a b"}}}}, 400, "The value of twin must"),
        ({"event_id": "u", "twin": {"temp": {"actual": {"value": "abc"}}}}, 400, "the value is not int"),
    ],
)
async def test_an_update_that_cannot_be_is_answered_to_its_device(
    node: Any, payload: Any, code: int, reason: str
) -> None:
    await node.add("sensor", temp=TEMP)
    before = node.twin.device("sensor")
    await node.device("sensor", "twin/update", payload)
    heard = await node.published()
    assert heard.place == "$hw/events/device/sensor/twin/update/result"
    assert (heard.payload["event_id"], heard.payload["code"]) == ("u", code)
    assert heard.payload["reason"].startswith(reason)
    assert node.twin.device("sensor") == before


async def test_a_question_that_cannot_be_read_is_answered_with_its_text(node: Any) -> None:
    await node.mqtt("$hw/events/node/edge-node1/membership/get", "not json")
    heard = await node.published()
    assert heard.payload["code"] == 400
    assert heard.payload["reason"].startswith("Unmarshal get membership info not json failed , err: ")
    await node.device("sensor", "twin/get", "not json")
    heard = await node.published()
    assert heard.payload["reason"].startswith("Unmarshal twin info not json failed , err: ")


async def test_a_payload_over_the_limit_is_counted(node: Any) -> None:
    await node.device("sensor", "twin/update", " " * (1024 * 1024 + 1))
    assert await node.quiet()
    assert node.count("payload_too_large") == 1


async def test_a_topic_that_is_none_of_ours_is_counted(node: Any) -> None:
    await node.mqtt("$hw/events/device/sensor/twin/other", "{}")
    await node.mqtt("a/b", "{}")
    assert await node.quiet()
    assert node.count("unknown_topic") == 2


async def test_news_that_are_none_are_counted(node: Any) -> None:
    await node.link("maybe")
    assert await node.quiet()
    assert node.count("unknown_news") == 1
