"""What devices send up reaches the stub, in either form."""

from collections.abc import Callable
from typing import Any

import pytest

from deviceplace import brokers_are_there
from mosquitto import Mosquitto, Recorder

pytestmark = pytest.mark.needs_mosquitto

NODE = "edge-node1"


@pytest.mark.parametrize(("form", "operation"), [("1.3", "response"), ("1.6", "upload")])
def test_an_upload_reaches_the_stub_in_the_form_that_is_set(
    programs: Any, mosquitto_at: Callable[..., Mosquitto], form: str, operation: str
) -> None:
    broker = mosquitto_at()
    cloud = programs.cloud()
    settings = {"eventBus__enable": True, "eventBus__mqttServerExternal": broker.url, "eventBus__uploadForm": form}
    node = programs.node(NODE, cloud, deviceTwin__enable=True, **settings)
    node.wait_for("broker", brokers_are_there)
    node.wait_for("link", lambda status: status["parts"]["twin"]["connected"])

    with Recorder(broker) as device:
        device.publish("$hw/events/upload/a/b", "hello")
        device.publish("SYS/dis/upload_records", "{}")

        cloud.wait_for("the uploads", lambda _: len(uploads(cloud)) == 2)
    assert [(one["topic"], one["operation"], one["shown"]) for one in uploads(cloud)] == [
        ("$hw/events/upload/a/b", operation, "hello"),
        ("SYS/dis/upload_records", operation, "{}"),
    ]


def uploads(cloud: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = cloud.control.get("/v1/uploads", {"node": NODE})
    return found
