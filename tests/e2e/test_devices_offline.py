"""What a device says while the cloud is away reaches the stub, once and in order, whatever else goes meanwhile."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from deviceplace import brokers_are_there
from mosquitto import Mosquitto, Recorder

pytestmark = pytest.mark.needs_mosquitto

NODE = "edge-node1"
TWIN = "power-status"
REPORT = "device/led-1/twin/edge_updated"
UPDATE = "$hw/events/device/led-1/twin/update"
MANIFESTS = Path(__file__).parents[2] / "examples/manifests/devices"
QUICK = {"edgeHub__heartbeat": 1, "edged__nodeStatusUpdateFrequency": 1}


class Device:
    """The led of the examples: what it says, it counts; each word is answered before it says the next."""

    def __init__(self, broker: Mosquitto) -> None:
        self._broker = broker
        self.said: list[str] = []

    def says(self, number: int) -> None:
        """Report the next values."""
        with Recorder(self._broker, f"{UPDATE}/result", qos=1) as recorder:
            for _ in range(number):
                value = str(len(self.said) + 1)
                update = {"event_id": value, "timestamp": 1, "twin": {TWIN: {"actual": {"value": value}}}}
                recorder.publish(UPDATE, json.dumps(update))
                recorder.until(lambda seen, value=value: any(event_of(one) == value for one in seen))
                self.said.append(value)


def event_of(message: Any) -> str:
    found: str = json.loads(message.payload)["event_id"]
    return found


def linked(status: dict[str, Any]) -> bool:
    return brokers_are_there(status) and bool(status["parts"]["twin"]["connected"])


def kept(database: Path) -> list[tuple[str, str]]:
    """Return id and value of each report in the outbox of a node that has ended, in the order of the rows."""
    with closing(sqlite3.connect(database)) as connection:
        found = [json.loads(message) for (message,) in connection.execute("SELECT message FROM outbox ORDER BY seq")]
    reports = [one for one in found if one["route"]["resource"] == REPORT]
    return [(one["header"]["msg_id"], one["content"]["twin"][TWIN]["actual"]["value"]) for one in reports]


def taken_in(cloud: Any) -> list[str]:
    """Return the ids of the reports that the stub has taken in, in its order."""
    rows = cloud.control.get("/v1/journal", {"node": NODE, "after": "0"})
    return [row["id"] for row in rows if row["resource"] == REPORT]


def shown(cloud: Any) -> str | None:
    """Return the value that the stub shows of the device."""
    (device,) = cloud.control.get("/v1/objects", {"kind": "Device"})
    (twin,) = device["status"]["twins"]
    found: str | None = twin.get("reported", {}).get("value")
    return found


def test_what_a_device_says_without_a_cloud_reaches_the_stub_once_and_in_order(
    programs: Any, mosquitto_at: Callable[..., Mosquitto], free_port: Callable[[], int]
) -> None:
    """The broker is restarted meanwhile, the node killed, then stopped; at last the stub is there again."""
    broker = mosquitto_at()
    listen = f"127.0.0.1:{free_port()}"
    settings: dict[str, Any] = {
        "eventBus__enable": True,
        "eventBus__mqttServerExternal": broker.url,
        "deviceTwin__enable": True,
    }
    cloud = programs.cloud(listen)
    settings["edgeHub__websocket__server"] = cloud.url

    def start() -> Any:
        node = programs.node(NODE, **settings, **QUICK)
        node.wait_for("broker", brokers_are_there)
        return node

    node = start()
    node.wait_for("link", linked)
    words = [word for name in ("device-model", "device") for word in ("-f", MANIFESTS / f"{name}.yaml")]
    assert programs.run("cloudhub_stub", "apply", *words, "--control", cloud.control.path).returncode == 0
    node.wait_for("device", lambda status: status["parts"]["twin"]["devices"] == 1)
    device = Device(broker)
    device.says(3)
    cloud.wait_for("the first reports", lambda _: len(taken_in(cloud)) == 3)
    before = taken_in(cloud)

    cloud.process.kill()
    cloud.process.wait()
    node.wait_for("outage", lambda status: not status["parts"]["twin"]["connected"])
    device.says(10)
    broker.kill()
    broker.start()
    node.wait_for("broker again", brokers_are_there)
    device.says(10)
    node.process.kill()
    node.process.wait()
    broker.restart()
    node = start()
    device.says(10)
    assert node.stop() == 0
    waiting = [one for one in kept(node.directory / "edgecore.db") if one[0] not in before]
    assert [value for _, value in waiting] == device.said[3:]

    node = start()
    cloud = programs.cloud(listen)
    cloud.wait_for("the last report", lambda _: shown(cloud) == device.said[-1])
    device.says(1)

    cloud.wait_for("one more", lambda _: shown(cloud) == device.said[-1])
    assert taken_in(cloud)[:-1] == [*before, *(message_id for message_id, _ in waiting)]
    assert node.lines("bad_input") == []
