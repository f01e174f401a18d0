"""A program of devices: it publishes twin updates with QoS 1, awaits the answer to each, and says how long that took.

Told ``["flight", n, total]`` it has ``n`` updates on their way at any time; told ``["pace", rate, total]`` it begins so
many a second, whether there are answers or not. Its only thread does all of it.
"""

import json
import socket
import sys
import time
from typing import Any

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

PATIENCE_S = 60.0


class Program:
    """One client, all devices."""

    def __init__(self, port: int, prefix: str, devices: int) -> None:
        self._prefix = prefix
        self._devices = devices
        self._begun: dict[str, float] = {}
        self._next = self._flight = self._until = 0
        self.times: list[float] = []
        self.last: dict[int, int] = {}
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.max_inflight_messages_set(1000)
        self._client.on_message = self._answered
        subscribed: list[bool] = []
        self._client.on_subscribe = lambda *_: subscribed.append(True)
        self._client.connect("127.0.0.1", port)
        at_once(self._client)
        self._client.subscribe(f"{prefix}/device/+/twin/update/result", 1)
        while not subscribed:
            self._client.loop(1.0)

    def flight(self, flight: int, total: int) -> dict[str, Any]:
        """Keep ``flight`` updates on their way."""
        self._flight = flight
        return self._during(total, lambda: 0.1)

    def pace(self, rate: float, total: int) -> dict[str, Any]:
        """Begin ``rate`` updates a second."""
        began, first = time.perf_counter(), self._next
        self._flight = 0

        def update() -> float:
            while self._next < self._until:
                due = began + (self._next - first) / rate
                now = time.perf_counter()
                if due > now:
                    return due - now
                self._update()
            return 0.1

        return self._during(total, update)

    def _during(self, total: int, then: Any) -> dict[str, Any]:
        self.times.clear()
        self._until = self._next + total
        used, began = time.process_time(), time.perf_counter()
        for _ in range(min(self._flight, total)):
            self._update()
        while len(self.times) < total:
            pause = then()
            if self._client.loop(pause) or time.perf_counter() - began > PATIENCE_S:
                raise SystemExit(f"{total - len(self.times)} of {total} updates were not answered")
        took = time.perf_counter() - began
        ms = sorted(self.times)
        return {
            "rate": total / took,
            "median_ms": ms[total // 2] * 1000,
            "p99_ms": ms[int(total * 0.99)] * 1000,
            "worst_ms": ms[-1] * 1000,
            "last": self.last,
            "cpu_s": time.process_time() - used,
        }

    def _update(self) -> None:
        number = self._next
        self._next += 1
        device = number % self._devices
        self.last[device] = number
        payload = (
            f'{{"event_id":"{number}","timestamp":0,"twin":{{"value":{{"actual":{{"value":"{number}"}},'
            '"metadata":{"type":"int"}}}}'
        )
        self._begun[str(number)] = time.perf_counter()
        self._client.publish(f"{self._prefix}/device/device-{device}/twin/update", payload, 1)

    def _answered(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        now = time.perf_counter()
        answer = json.loads(message.payload)
        event = answer["event_id"]
        if answer.get("code") or answer["twin"]["value"]["actual"]["value"] != event:
            raise SystemExit(f"not the answer to update {event}: {answer}")
        self.times.append(now - self._begun.pop(event))
        if self._flight and self._next < self._until:
            self._update()


def at_once(client: Client) -> None:
    """Let what it writes leave at once; else an acknowledgement keeps the next message for up to 40 ms."""
    connected = client.socket()
    assert isinstance(connected, socket.socket)
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def main() -> None:
    """Do what each line says."""
    port, prefix, devices = sys.argv[1:]
    program = Program(int(port), prefix, int(devices))
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        how, number, total = json.loads(line)
        told = program.flight(number, total) if how == "flight" else program.pace(number, total)
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
