"""A node with two brokers, one of its own and mosquitto: devices at either are heard, and both hear the node."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from brokerpython import broker_python
from deviceplace import brokers_are_there
from mosquitto import Mosquitto, Recorder

pytestmark = [pytest.mark.needs_mosquitto, pytest.mark.needs_amqtt]

NODE = "edge-node1"
GET = f"$hw/events/node/{NODE}/membership/get"


class Listening:
    """As much of a broker as ``Recorder`` needs."""

    def __init__(self, port: int) -> None:
        self.port = port


def test_what_a_device_says_at_either_broker_is_taken_in_once_and_answered_at_both(
    programs: Any, mosquitto_at: Callable[..., Mosquitto], free_port: Callable[[], int]
) -> None:
    outside, inside = mosquitto_at(), Listening(free_port())
    cloud = programs.cloud()
    node = programs.node(
        NODE,
        cloud,
        deviceTwin__enable=True,
        eventBus__enable=True,
        eventBus__mqttMode=1,
        eventBus__mqttServerExternal=outside.url,
        eventBus__mqttServerInternal=f"tcp://127.0.0.1:{inside.port}",
        eventBus__internal__python=broker_python(),
    )
    node.wait_for("both brokers", brokers_are_there)
    node.wait_for("link", lambda status: status["parts"]["twin"]["connected"])

    here: Any = inside
    with Recorder(outside, f"{GET}/result", qos=1) as first, Recorder(here, f"{GET}/result", qos=1) as second:
        for number, recorder in enumerate((first, second, first, second)):
            recorder.publish(GET, json.dumps({"event_id": str(number)}))
            for one in (first, second):
                one.until(lambda seen, number=number: len(seen) > number)
        first.publish("$hw/events/upload/a", "from mosquitto")
        cloud.wait_for("the first upload", lambda _: len(uploads(cloud)) == 1)
        second.publish("$hw/events/upload/b", "from the other")
        cloud.wait_for("the second upload", lambda _: len(uploads(cloud)) == 2)

        asked = [str(number) for number in range(4)]
        assert [[event_of(one) for one in recorder.seen] for recorder in (first, second)] == [asked, asked]
    assert [(one["topic"], one["shown"]) for one in uploads(cloud)] == [
        ("$hw/events/upload/a", "from mosquitto"),
        ("$hw/events/upload/b", "from the other"),
    ]
    assert node.status()["parts"]["twin"]["requests"] == {"membership_get": 4}
    assert node.lines("bad_input") == []


def uploads(cloud: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cloud.control.get("/v1/uploads", {"node": NODE})
    return found


def event_of(message: Any) -> str:
    found: str = json.loads(message.payload)["event_id"]
    return found
