"""Wishes of the cloud and reports of a device, by a real broker: both ways, without a link, and what is refused."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cloudhub_stub.testing.cloud import Cloud
from cloudhub_stub.testing.edge import Edge
from mosquitto import Mosquitto, Recorder

pytestmark = pytest.mark.needs_mosquitto

ROOT = Path(__file__).parents[2]
NODE = "edge-node1"
TWIN = "$hw/events/device/led-1/twin/update"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with Mosquitto(tmp_path) as broker:
        yield broker


@pytest.fixture
def cloud(tmp_path: Path, broker: Mosquitto) -> Iterator[Cloud]:
    """A cloud with a node that has the light of the examples."""
    event_bus = {"eventBus": {"mqttServerExternal": broker.url}}
    with Cloud.start(tmp_path, plain=True, edges=[NODE], settings={"modules": event_bus}) as cloud:
        cloud.wait_for(lambda c: hears_the_broker(c.edge(NODE)))
        cloud.apply((ROOT / "examples/manifests/devices/device-model.yaml").read_text())
        cloud.apply(light("ON"))
        cloud.wait_for(lambda c: twin(c.edge(NODE))["expected"]["value"] == "ON")
        yield cloud


@pytest.fixture
def device(broker: Mosquitto) -> Iterator[Recorder]:
    with Recorder(broker, "$hw/events/device/led-1/#") as device:
        yield device


def hears_the_broker(edge: Edge) -> bool:
    return all(edge.status()["parts"]["eventbus"]["brokers"]["external"]["connected"].values())


def light(value: str) -> str:
    text = (ROOT / "examples/manifests/devices/device.yaml").read_text()
    assert "'ON'" in text
    return text.replace("'ON'", f"'{value}'")


def say(device: Recorder, side: str, value: str) -> None:
    payload = json.dumps({"event_id": "e", "timestamp": 1, "twin": {"power-status": {side: {"value": value}}}})
    device.publish(TWIN, payload)


def shown(program: str, *words: str) -> str:
    command = [sys.executable, "-m", program, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True, cwd=ROOT).stdout


def twin(edge: Edge) -> Any:
    text = shown("edgecore", "devices", "led-1", "-o", "json", "--config", str(edge.config))
    return json.loads(text)["twins"]["power-status"]


def reported(cloud: Cloud) -> Any:
    return cloud.get("Device", "led-1")["status"]["twins"][0]["reported"]["value"]


def test_what_changed_on_both_sides_without_a_link_is_so_on_both_after_it(cloud: Cloud, device: Recorder) -> None:
    edge = cloud.edge(NODE)
    say(device, "actual", "ON")
    cloud.wait_for(lambda c: reported(c) == "ON")
    cloud.stub.stop()
    for value in ("DIM", "DARK", "OFF"):
        say(device, "actual", value)
    cloud.wait_for(lambda c: twin(edge)["actual"]["value"] == "OFF")
    edge.kill()
    cloud.stub.start()
    cloud.apply(light("BLUE"))
    edge.start()
    cloud.wait_for(lambda c: reported(c) == "OFF")
    cloud.wait_for(lambda c: twin(edge)["expected"]["value"] == "BLUE")
    assert twin(edge)["actual"]["version"] == {"cloud": 0, "edge": 4}


def test_that_a_wish_is_refused_can_be_seen_at_both_ends_and_undone(cloud: Cloud, device: Recorder) -> None:
    edge = cloud.edge(NODE)
    say(device, "expected", "MINE")
    cloud.wait_for(lambda c: twin(edge)["set_here"])
    cloud.apply(light("BLUE"))
    cloud.wait_for(lambda c: edge.status()["parts"]["twin"]["wishes_unheeded"] == 1)
    assert twin(edge)["expected"]["value"] == "MINE"
    assert "power-status: a program on MQTT has set" in shown(
        "edgecore", "devices", "led-1", "--config", str(edge.config)
    )
    assert "1 set on MQTT and not by the cloud any more" in shown("edgecore", "status", "--config", str(edge.config))
    described = shown("cloudhub_stub", "describe", "device", "led-1", "--control", str(cloud.control.path))
    assert "DesiredRefused" in described
    cloud.delete("Device", "led-1")
    cloud.apply(light("BLUE"))
    cloud.wait_for(lambda c: twin(edge)["expected"]["value"] == "BLUE")
    assert not twin(edge)["set_here"]
