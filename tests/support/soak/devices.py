"""Devices of a soak: what they publish, and what the node must say to that."""

import json
from collections import deque
from collections.abc import Callable
from typing import Any

from edgecore.modules.eventbus.endpoint import Endpoint
from edgecore.modules.eventbus.outgoing import Publication
from edgecore.replay.broker import MemoryBroker
from edgecore.replay.journal import Journal
from soak.manifests import TWIN

PREFIX = "$hw/events/device/"


class Devices:
    """The side of the devices; ``publish`` hands a message to the broker. ``heard`` is called with what comes."""

    def __init__(self, publish: Callable[[str, str], object]) -> None:
        self._publish = publish
        self._number = 0
        self._awaited: dict[str, str] = {}
        self.said: dict[str, str] = {}
        """Device to the value that it reported last."""
        self.wished: dict[str, str] = {}
        """Device to the value that it was last told to have."""
        self.answered = 0
        self.wrong: deque[str] = deque(maxlen=20)

    @property
    def unanswered(self) -> int:
        """How many reports have no answer yet."""
        return len(self._awaited)

    def report(self, device: str, value: str) -> None:
        """Let a device say what its value is."""
        self._number += 1
        event = f"event-{self._number}"
        self._awaited[event] = device
        self.said[device] = value
        twin = {TWIN: {"actual": {"value": value}, "metadata": {"type": "string"}}}
        self._publish(f"{PREFIX}{device}/twin/update", json.dumps({"event_id": event, "timestamp": 1, "twin": twin}))

    def forget(self) -> None:
        """What is awaited now never comes: the broker, or the node, has gone."""
        self._awaited.clear()

    def heard(self, topic: str, payload: bytes) -> None:
        """Take what the node published."""
        if topic.endswith("/twin/update/result"):
            content = json.loads(payload)
            if self._awaited.pop(content.get("event_id", ""), None) is None:
                return  # of a twin that somebody else changed
            self.answered += 1
            if content.get("code", 0) not in (0, 200):
                self.wrong.append(f"{topic}: {payload[:200].decode()}")
        elif topic.endswith("/twin/update/delta"):
            content = json.loads(payload)
            wished = content["twin"].get(TWIN, {}).get("expected", {}).get("value")
            if wished is not None:
                self.wished[topic.removeprefix(PREFIX).partition("/")[0]] = wished


class _NoJournal(Journal):
    """Keeps nothing: a soak is no session that is judged."""

    def mqtt(self, *_: Any) -> None: ...


class DeviceBroker(MemoryBroker):
    """A broker in memory with the devices at it."""

    broker = "devices"
    client_id = "devices"

    def __init__(self, clock: Any, node: str) -> None:
        super().__init__(_NoJournal(clock, node))
        self.devices = Devices(lambda topic, payload: self.publish(topic, payload.encode()))
        self.join(self)  # type: ignore[arg-type]

    def take(self, endpoint: Endpoint, publication: Publication) -> None:
        """Take what the node publishes; nothing of it is to come from the devices once more, as in a recording."""
        self._deliver(publication.topic, publication.payload)

    def wants(self, topic: str) -> bool:
        return topic.startswith(PREFIX)

    def arrived(self, topic: str, payload: bytes) -> None:
        self.devices.heard(topic, payload)
