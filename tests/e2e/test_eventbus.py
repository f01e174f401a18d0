"""A node between a real broker and a cloud: uploads reach it, a broker that goes is a reason, and comes back."""

from collections.abc import Callable
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mosquitto import Mosquitto, Recorder

pytestmark = pytest.mark.needs_mosquitto


def linked(status: dict[str, Any]) -> bool:
    broker = status["parts"]["eventbus"]["brokers"]["external"]
    return all(broker["connected"].values()) and not status["parts"]["eventbus"]["reasons"]


def test_an_upload_is_carried_and_a_lost_broker_is_a_reason_until_it_is_back(
    programs: Any, mosquitto_at: Callable[..., Mosquitto]
) -> None:
    broker = mosquitto_at()
    cloud = programs.cloud()
    node = programs.node(cloud=cloud, eventBus__enable=True, eventBus__mqttServerExternal=broker.url)
    node.wait_for("broker", linked)

    with Recorder(broker) as device:
        device.publish("$hw/events/upload/x", "hello")
        node.wait_for("upload", lambda status: status["parts"]["eventbus"]["messages"].get("taken_in") == 1)

    broker.kill()
    reasons = node.wait_for("reason", lambda status: status["parts"]["eventbus"]["reasons"] and status["reasons"])
    assert any(reason.startswith("MQTT broker external is not reached") for reason in reasons)
    broker.start()
    node.wait_for("broker again", linked)
    families = {family.name for family in text_string_to_metric_families(node.page("/metrics")[1])}
    assert families >= {"edgecore_mqtt_connected", "edgecore_mqtt_queued", "edgecore_mqtt_received"}
    assert node.stop() == 0


def test_a_node_without_a_broker_runs_and_says_so(programs: Any, free_port: Callable[[], int]) -> None:
    node = programs.node(eventBus__enable=True, eventBus__mqttServerExternal=f"tcp://127.0.0.1:{free_port()}")

    status = node.wait_for("reason", lambda status: status["parts"].get("eventbus", {}).get("reasons") and status)

    assert status["state"] == "degraded"
    assert not node.lines("module_not_built")
    assert node.stop() == 0
