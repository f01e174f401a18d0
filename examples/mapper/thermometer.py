"""A mapper: what stands between a device and the node's MQTT. The device is simulated: a room with a heating.

The room comes one degree nearer to the wanted temperature each time it is looked at. KubeEdge calls the wanted one
``expected``, and the one that is reported ``actual``; the topics are those of EventBus and DeviceTwin of KubeEdge 1.3.
"""

import argparse
import json
import signal
import sys
import threading
import time
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

PROPERTY = "temperature"
UNKNOWN_DEVICE = 404


class Thermometer:
    """The device: what it has, and what it is to have."""

    def __init__(self, celsius: int) -> None:
        self.celsius = celsius
        self.wanted: int | None = None

    def warm_or_cool(self) -> None:
        """Let a moment pass."""
        if self.wanted is not None and self.wanted != self.celsius:
            self.celsius += 1 if self.wanted > self.celsius else -1


class Mapper:
    """Speaks MQTT for one device."""

    def __init__(self, device: str, thermometer: Thermometer) -> None:
        self._topic = f"$hw/events/device/{device}"
        self._thermometer = thermometer
        self._is_known = threading.Event()
        self._number = 0
        self._client = Client(CallbackAPIVersion.VERSION2)
        # Whoever pulls the plug does not say goodbye: the broker says it.
        self._client.will_set(f"{self._topic}/state/update", self._document(state="offline"), qos=1)
        self._client.on_connect = self._connected
        self._client.on_message = self._take

    def run(self, host: str, port: int, every_s: float, end: threading.Event) -> None:
        """Report every so often until the end; the broker may come and go."""
        self._client.connect_async(host, port)
        self._client.loop_start()
        while not end.wait(every_s):
            if self._is_known.is_set():
                self._publish("twin/update", twin={PROPERTY: {"actual": {"value": str(self._thermometer.celsius)}}})
                self._thermometer.warm_or_cool()
            elif self._client.is_connected():
                self._publish("twin/get")
        if self._client.is_connected():
            self._publish("state/update", state="offline").wait_for_publish(5)
        self._client.disconnect()
        self._client.loop_stop()

    def _connected(self, client: Client, *_: Any) -> None:
        print("connected", flush=True)
        self._is_known.clear()
        client.subscribe([(f"{self._topic}/twin/update/delta", 1), (f"{self._topic}/twin/get/result", 1)])

    def _take(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        said = json.loads(message.payload)
        if message.topic.endswith("/twin/get/result"):
            self._begin(said)
        elif PROPERTY in said["delta"]:
            self._want(said["delta"][PROPERTY])

    def _begin(self, said: dict[str, Any]) -> None:
        """Begin to report, once the cloud has given the device to this node."""
        if said.get("code") == UNKNOWN_DEVICE:
            print("the node does not know the device yet", flush=True)
            return
        if not self._is_known.is_set():
            self._is_known.set()
            self._publish("state/update", state="online")
        expected = said["twin"].get(PROPERTY, {}).get("expected", {})
        if expected.get("value"):
            self._want(expected["value"])

    def _want(self, value: str) -> None:
        if self._thermometer.wanted != int(value):
            self._thermometer.wanted = int(value)
            print(f"wanted: {value}", flush=True)

    def _publish(self, what: str, **values: Any) -> Any:
        if what == "twin/update":
            print(f"it has: {self._thermometer.celsius}", flush=True)
        return self._client.publish(f"{self._topic}/{what}", self._document(**values), qos=1)

    def _document(self, **values: Any) -> str:
        self._number += 1
        return json.dumps({"event_id": str(self._number), "timestamp": time.time_ns() // 1_000_000, **values})


def main() -> int:
    """Run one mapper until Ctrl-C."""
    parser = argparse.ArgumentParser(description="A simulated thermometer on the MQTT broker of a KubeEdge node.")
    parser.add_argument("--broker", default="127.0.0.1:1883", metavar="HOST:PORT", help="default: %(default)s")
    parser.add_argument(
        "--device", default="thermometer-1", metavar="NAME", help="as in the cloud; default: %(default)s"
    )
    parser.add_argument("--celsius", type=int, default=15, metavar="N", help="at the beginning; default: %(default)s")
    parser.add_argument("--every", type=float, default=1.0, metavar="S", help="seconds between two reports")
    args = parser.parse_args()
    host, _, port = args.broker.rpartition(":")
    end = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: end.set())
    Mapper(args.device, Thermometer(args.celsius)).run(host, int(port), args.every, end)
    return 0


if __name__ == "__main__":
    sys.exit(main())
