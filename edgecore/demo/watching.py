"""Who watches what is on MQTT, and plays the device: one client, in a thread of its own."""

import queue
import time
from types import TracebackType
from typing import NamedTuple

from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

from edgecore.errors import EdgecoreError

TIMEOUT_S = 20.0
_DIAL_AGAIN_S = 0.1
_KEPT = 1000


class Told(NamedTuple):
    """One message as it came."""

    topic: str
    payload: bytes


class Watch:
    """A client of the broker on ``host`` and ``port``, subscribed to ``topic``. Raises ``EdgecoreError``."""

    def __init__(self, host: str, port: int, topic: str) -> None:
        self._place = (host, port)
        self._topic = topic
        self._told: queue.Queue[Told] = queue.Queue(_KEPT)
        self._subscribed: queue.Queue[None] = queue.Queue()
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.on_message = self._take
        self._client.on_connect = lambda client, *_: client.subscribe(topic, 1)
        self._client.on_subscribe = lambda *_: self._subscribed.put(None)

    def __enter__(self) -> "Watch":
        self._dial()
        self._client.loop_start()
        try:
            self._subscribed.get(timeout=TIMEOUT_S)
        except queue.Empty:
            self._end()
            raise EdgecoreError(f"the broker took no subscription to {self._topic} in {TIMEOUT_S:.0f} s") from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def publish(self, topic: str, payload: bytes) -> None:
        """Hand a message to the broker."""
        self._client.publish(topic, payload, qos=1)

    def until(self, topic: str) -> list[Told]:
        """Return what has come, in order, once something on ``topic`` has; that is the last."""
        seen = []
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            try:
                told = self._told.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise EdgecoreError(f"nothing came on the MQTT topic {topic} in {TIMEOUT_S:.0f} s") from None
            seen.append(told)
            if told.topic == topic:
                return seen

    def _dial(self) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            try:
                self._client.connect(*self._place)
            except OSError as error:
                if time.monotonic() > deadline:
                    raise EdgecoreError(f"the broker does not listen: {error}") from error
                time.sleep(_DIAL_AGAIN_S)  # the embedded one starts with the node
            else:
                return

    def _end(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    def _take(self, _client: Client, _data: object, message: MQTTMessage) -> None:
        if not self._told.full():
            self._told.put(Told(message.topic, bytes(message.payload)))
