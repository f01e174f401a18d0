"""The mirror's own client of one broker: what it floods displaces no message of a device.

It speaks MQTT 5, for the user properties; where a broker takes that not, 3.1.1.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Sequence
from itertools import cycle
from typing import Any, Protocol

import structlog

from edgecore.clock import Clock
from edgecore.errors import BrokerError
from edgecore.ids import NewId
from edgecore.modules.eventbus.backoff import Backoff
from edgecore.modules.eventbus.client import MqttClient
from edgecore.modules.eventbus.endpoint import Endpoint, ProtocolVersion, Will
from edgecore.modules.eventbus.outgoing import Outgoing, Publication

log = structlog.get_logger("eventbus")

VERSIONS: dict[str, tuple[ProtocolVersion, ...]] = {"auto": ("5", "3.1.1"), "5": ("5",), "3.1.1": ("3.1.1",)}
CLIENT_ID = "edgecore-mirror-"
ROOM_MESSAGES = 4000
ROOM_BYTES = 8_388_608
QOS_OF_STATE = 1


class Heard(Protocol):
    """Who is told what the client meets."""

    def up(self, link: "MirrorLink") -> None:
        """The broker has taken the client in; it knows nothing yet."""

    def came(self, link: "MirrorLink", topic: str, payload: bytes) -> None:
        """Something was published on what is subscribed."""

    def kept(self, link: "MirrorLink", topic: str, payload: bytes) -> None:
        """The broker had kept this."""

    def taken(self, *, is_watched: bool) -> None:
        """A message of QoS 1 was acknowledged: somebody has subscribed its topic, or nobody."""


class MirrorLink:
    """One broker, dialled while ``ready`` is set, if it is given."""

    def __init__(
        self,
        endpoint: Endpoint,
        heard: Heard,
        *,
        clock: Clock,
        new_id: NewId,
        jitter: random.Random,
        version: str = "auto",
        will: Will | None = None,
        ready: asyncio.Event | None = None,
    ) -> None:
        self._endpoint = endpoint._replace(will=will)
        self._heard = heard
        self._clock = clock
        self._jitter = jitter
        self._ready = ready
        self._client_id = CLIENT_ID + new_id().replace("-", "")[:16]
        self._may_speak = VERSIONS[version]
        self._versions = cycle(self._may_speak)
        self._queue = Outgoing(ROOM_MESSAGES, ROOM_BYTES)
        self._pumping = self._stopping = False
        self.dropped: Counter[str] = Counter()
        self.published = self.sessions = 0
        self.error = ""
        self._client = self._made()

    @property
    def name(self) -> str:
        """``external`` or ``internal``."""
        return self._endpoint.name

    @property
    def connected(self) -> bool:
        """Whether the broker takes messages."""
        return self._client.connected

    @property
    def has_properties(self) -> bool:
        """Whether the broker takes user properties."""
        return self._version == "5"

    async def run(self) -> None:
        """Keep connected until cancelled or stopped."""
        backoff, failures = Backoff(self._jitter), 0
        try:
            while True:
                lasted_s = 0.0
                if self._ready is not None:
                    await self._ready.wait()
                try:
                    await self._client.connect()
                    failures, since = 0, self._clock.monotonic()
                    self._begin()
                    self.error = await self._client.lost()
                    lasted_s = self._clock.monotonic() - since
                    self._versions = cycle(self._may_speak)
                except BrokerError as refusal:
                    self.error = str(refusal)
                    failures += 1
                if self._stopping:
                    return
                log.debug("mirror_away", broker=self.name, error=self.error, version=self._version)
                self._client = self._made()
                if failures % len(self._may_speak) == 0:  # the other version is tried at once
                    await self._clock.sleep(backoff.pause_s(lasted_s))
        finally:
            self._client.abort()

    async def stop(self, farewell: Sequence[Publication], deadline: float) -> None:
        """Publish ``farewell``, and take leave, by ``deadline``."""
        self._stopping = True
        if self.connected:
            for publication in farewell:
                self.publish(publication)
            self._pump()
            half = (self._clock.monotonic() + deadline) / 2
            while self.connected and (len(self._queue) or self._client.inflight) and self._clock.monotonic() < half:
                await self._clock.sleep(0.01)
        await self._client.close(deadline)

    def publish(self, publication: Publication) -> None:
        """Hand a message to the broker; while there is none it goes nowhere."""
        if not self.connected:
            return
        if not len(self._queue) and self._client.room:
            self._hand_over(publication)
        elif given_up := self._queue.put(publication):
            self.dropped["broker_slow"] += given_up

    def subscribe(self, filters: Sequence[str]) -> None:
        """Subscribe, until the connection ends."""
        self._client.subscribe(filters)

    def unsubscribe(self, wanted: str) -> None:
        """Take a subscription back."""
        self._client.unsubscribe(wanted)

    def status(self) -> dict[str, Any]:
        """Return what is known of it."""
        return {
            "connected": self.connected,
            "version": self._version,
            "client_id": self._client_id,
            "sessions": self.sessions,
            "error": "" if self.connected else self.error,
            "published": self.published,
            "queued": len(self._queue),
            "dropped": dict(self.dropped),
        }

    def _made(self) -> MqttClient:
        self._version = next(self._versions)
        return MqttClient(
            self._endpoint._replace(version=self._version),
            self._client_id,
            self._clock,
            arrived=lambda topic, payload: self._heard.came(self, topic, payload),
            room_again=self._pump_soon,
            malformed=self._malformed,
            kept=lambda topic, payload: self._heard.kept(self, topic, payload),
            taken=lambda is_watched: self._heard.taken(is_watched=is_watched),
        )

    def _begin(self) -> None:
        self._queue = Outgoing(ROOM_MESSAGES, ROOM_BYTES)  # what happened meanwhile is no news
        self.sessions += 1
        log.info("mirror_connected", broker=self.name, url=self._endpoint.url, version=self._version)
        self._heard.up(self)

    def _pump_soon(self) -> None:
        if not self._pumping and len(self._queue):
            self._pumping = True
            asyncio.get_running_loop().call_soon(self._pump)

    def _pump(self) -> None:
        self._pumping = False
        while len(self._queue) and self._client.room:
            self._hand_over(self._queue.pop())

    def _hand_over(self, publication: Publication) -> None:
        if refusal := self._client.publish(publication):
            self.dropped[refusal] += 1
        else:
            self.published += 1

    def _malformed(self, reason: str, detail: str) -> None:
        self.dropped[reason] += 1
        log.debug("mirror_malformed", broker=self.name, reason=reason, detail=detail)


def lasting(topic: str, payload: bytes) -> Publication:
    """Return a state, which the broker keeps; none where ``payload`` is empty."""
    return Publication(topic, payload, QOS_OF_STATE, True)
