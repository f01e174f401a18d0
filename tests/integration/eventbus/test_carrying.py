"""Messages between a real broker and the bus, both ways, as KubeEdge has them."""

from collections.abc import Callable
from typing import Any

import pytest

from eventbusrig import at, received
from mosquitto import Mosquitto, Recorder, Seen

pytestmark = pytest.mark.needs_mosquitto

Start = Callable[..., Mosquitto]


@pytest.fixture(params=["3.1.1", "5"])
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_a_device_topic_goes_to_devicetwin_as_go_sends_it(rig: Any, mosquitto_at: Start, version: str) -> None:
    broker = mosquitto_at()
    await rig.start(at(broker, version=version))
    await rig.connected()

    with Recorder(broker) as device:
        device.publish("$hw/events/device/sensor/twin/update", b'{"event_id":"u1"}')
        (message,) = await received(rig.twin)

    route = message.route
    assert (route.source, route.group, route.operation) == ("bus", "user", "response")
    assert route.resource == "JGh3L2V2ZW50cy9kZXZpY2Uvc2Vuc29yL3R3aW4vdXBkYXRl"
    assert message.content == '{"event_id":"u1"}'
    assert message.header.parent_id == ""


async def test_uploads_go_to_the_cloud_in_the_form_of_1_3(rig: Any, mosquitto_at: Start) -> None:
    broker = mosquitto_at()
    await rig.start(at(broker))
    await rig.connected()

    with Recorder(broker) as device:
        device.publish("$hw/events/upload/x", b"hel\xff\xfelo")
        device.publish("SYS/dis/upload_records", b"r")
        first, second = await received(rig.hub, 2)

    assert (first.route.operation, first.route.resource) == ("response", "JGh3L2V2ZW50cy91cGxvYWQveA==")
    assert first.content == "hel\ufffd\ufffdlo"
    assert (second.route.operation, second.route.resource) == ("response", "SYS/dis/upload_records")


async def test_uploads_go_in_the_form_of_1_6_where_it_is_set(rig: Any, mosquitto_at: Start) -> None:
    broker = mosquitto_at()
    await rig.start(at(broker), upload_form="1.6")
    await rig.connected()

    with Recorder(broker) as device:
        device.publish("$hw/events/upload/x", b"hello")
        device.publish("default/user/a/b", b"own")
        device.publish("$hw/events/device/d/state/update", b"{}")
        first, second = await received(rig.hub, 2)
        (third,) = await received(rig.twin)

    assert (first.route.operation, first.route.resource) == ("upload", "$hw/events/upload/x")
    assert (second.route.operation, second.route.resource) == ("upload", "default/user/a/b")
    assert third.route.operation == "response"


async def test_what_modules_publish_arrives_in_order_with_qos_1(rig: Any, mosquitto_at: Start, version: str) -> None:
    broker = mosquitto_at()
    await rig.start(at(broker, version=version))
    await rig.connected()

    with Recorder(broker, "$hw/#") as recorder:
        for number in range(500):
            await rig.publish(f"$hw/events/device/d/twin/{number}", b"%d" % number)
        await rig.until(lambda: len(recorder.seen) == 500)

    assert [each.payload for each in recorder.seen] == [b"%d" % number for number in range(500)]
    assert recorder.seen[0] == Seen("$hw/events/device/d/twin/0", b"0", 1, False)


async def test_operation_message_and_the_login_result_are_published_as_json(rig: Any, mosquitto_at: Start) -> None:
    broker = mosquitto_at()
    await rig.start(at(broker))
    await rig.connected()

    with Recorder(broker, "$hw/#", "a/b") as recorder:
        await rig.say("message", "x", {"message": {"topic": "a/b", "b": [1], "a": "<ü>"}})
        await rig.say("get_result", "auth_info", {"z": 1, "a": 2})
        await rig.until(lambda: len(recorder.seen) == 2)

    by_topic = {each.topic: each.payload for each in recorder.seen}
    assert by_topic["a/b"] == '{"a":"\\u003cü\\u003e","b":[1],"topic":"a/b"}'.encode()
    assert by_topic["$hw/events/node/n/authInfo/get/result"] == b'{"a":2,"z":1}'


async def test_v1_v2_a_bad_message_is_counted_and_the_next_is_published(rig: Any, mosquitto_at: Start) -> None:
    broker = mosquitto_at()
    await rig.start(at(broker))
    await rig.connected()

    with Recorder(broker, "good") as recorder:
        for content in (None, 1, True, 1.5, [], {}):
            await rig.publish("bad", content)
            await rig.say("message", "x", content)
        await rig.say("message", "x", {"message": {"topic": 7}})
        await rig.say("get_result", "other", {})
        await rig.publish("a/+", "x")
        await rig.publish("", "x")
        await rig.say("POST", "node/n/x", {}, source="router_rest")
        await rig.publish("good", "x")
        await rig.until(lambda: recorder.seen)

    counts = rig.metrics.bad_input_counts
    assert counts["eventbus", "content_not_text"] == 6
    assert counts["eventbus", "content_malformed"] == 7
    assert counts["eventbus", "topic_malformed"] == 2
    assert rig.module.status()["messages"]["of_servicebus"] == 1
    assert recorder.topics == ["good"]


async def test_v3_news_of_the_link_are_not_published(rig: Any, mosquitto_at: Start) -> None:
    broker = mosquitto_at()
    await rig.start(at(broker))
    await rig.connected()

    with Recorder(broker, "#") as recorder:
        await rig.say("publish", "node/connection", "cloud_connected", source="edgehub")
        await rig.publish("node/connection", "of somebody else")
        await rig.until(lambda: recorder.seen)

    assert [each.payload for each in recorder.seen] == [b"of somebody else"]


async def test_qos_and_retain_are_those_of_the_broker(rig: Any, mosquitto_at: Start) -> None:
    broker = mosquitto_at()
    await rig.start(at(broker, name="internal", qos=0, retain=True))
    await rig.connected()
    await rig.publish("a/b", "x")
    await rig.until(lambda: rig.broker["published"] == 1)

    with Recorder(broker, "a/#") as recorder:
        await rig.until(lambda: recorder.seen)

    assert recorder.seen == [Seen("a/b", b"x", 0, True)]


async def test_a_publication_is_taken_in_once_with_two_brokers(rig: Any, mosquitto_at: Start) -> None:
    one, other = mosquitto_at(), mosquitto_at()
    await rig.start(at(one), at(other, name="internal"))
    await rig.connected()
    await rig.say("subscribe", "a/#")

    with Recorder(one, "a/#") as at_one, Recorder(other, "a/#") as at_other:
        await rig.until(lambda: rig.module.status()["subscriptions"])
        for number in range(3):
            await rig.publish("a/b", f"{number}")
        at_other.publish("a/b", "of a device")
        messages = await received(rig.hub, 4)
        await rig.until(lambda: rig.module.status()["messages"].get("echo") == 3)
        await rig.until(lambda: len(at_one.seen) == 3 and len(at_other.seen) == 4)

    assert sorted(message.content for message in messages) == ["0", "1", "2", "of a device"]
    assert rig.hub.statistics().depth == 0


async def test_a_payload_of_megabytes_passes_and_one_over_the_limit_ends_the_session(
    rig: Any, mosquitto_at: Start
) -> None:
    broker = mosquitto_at()
    await rig.start(at(broker, max_packet_bytes=2**21))
    await rig.connected()

    with Recorder(broker) as device:
        device.publish("$hw/events/upload/x", b"a" * 2_000_000)
        (message,) = await received(rig.hub)
        device.publish("$hw/events/upload/x", b"a" * 2_200_000, qos=0)
        await rig.until(lambda: rig.broker["sessions"]["subscribe"] == 2)
        await rig.connected()
        device.publish("$hw/events/upload/x", b"after")
        (after,) = await received(rig.hub)

    assert len(message.content) == 2_000_000
    assert after.content == "after"
