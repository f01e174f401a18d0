"""The link to one broker: two clients, as Go has them, one that subscribes and one that publishes, and what waits.

Each is dialled again, with growing pauses, whatever ends it. Nothing here is ever waited for by the bus.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import structlog

from edgecore.clock import Clock
from edgecore.errors import BrokerError
from edgecore.ids import NewId
from edgecore.modules.eventbus.backoff import LASTING_S, Backoff
from edgecore.modules.eventbus.client import Arrived, MqttClient
from edgecore.modules.eventbus.endpoint import Endpoint
from edgecore.modules.eventbus.outgoing import Outgoing, Publication
from edgecore.observe.metrics import Metrics

log = structlog.get_logger("eventbus")

MODULE = "eventbus"
FIRST_CLIENT_IDS = ("hub-client-sub-", "hub-client-pub-")
FUTILE_SESSIONS = 3
"""Short sessions in a row that left messages not acknowledged; those are given up then, for they may be the cause."""


LEAVE_S = 0.5
"""How long a broker that is left for another may take to say goodbye."""


class Receiver(Protocol):
    """Who takes in what comes."""

    def arrived(self, broker: str, topic: str, payload: bytes) -> None:
        """Take one message, at once."""

    def subscriptions(self) -> Sequence[str]:
        """Return the filters that are to be subscribed."""


class Client(Protocol):
    """One client of one broker; as ``MqttClient`` is one."""

    client_id: str
    refused: dict[str, str]

    @property
    def connected(self) -> bool:
        """See ``MqttClient``."""

    @property
    def inflight(self) -> int:
        """See ``MqttClient``."""

    @property
    def room(self) -> bool:
        """See ``MqttClient``."""

    async def connect(self) -> None:
        """See ``MqttClient``."""

    async def lost(self) -> str:
        """See ``MqttClient``."""

    def publish(self, publication: Publication) -> str:
        """See ``MqttClient``."""

    def give_up_inflight(self) -> int:
        """See ``MqttClient``."""

    def subscribe(self, filters: Sequence[str]) -> None:
        """See ``MqttClient``."""

    def unsubscribe(self, wanted: str) -> None:
        """See ``MqttClient``."""

    def hold(self, held: bool) -> None:
        """See ``MqttClient``."""

    async def close(self, deadline: float) -> None:
        """See ``MqttClient``."""

    def abort(self) -> None:
        """See ``MqttClient``."""


class MakeClient(Protocol):
    """Makes a client, as ``MqttClient`` is made."""

    def __call__(
        self,
        endpoint: Endpoint,
        client_id: str,
        clock: Clock,
        *,
        arrived: Arrived,
        room_again: Callable[[], None],
        malformed: Callable[[str, str], None],
    ) -> Client:
        """See ``MqttClient``."""


class Room(NamedTuple):
    """How much may wait for a broker."""

    messages: int
    bytes: int


class BrokerLink:
    """The link to one broker, which is dialled while ``ready`` is set, if it is given: who sets it says why not."""

    def __init__(
        self,
        endpoint: Endpoint,
        receiver: Receiver,
        metrics: Metrics,
        *,
        clock: Clock,
        new_id: NewId,
        jitter: random.Random,
        room: Room,
        ready: asyncio.Event | None = None,
        make_client: MakeClient = MqttClient,
    ) -> None:
        self.endpoint = endpoint
        self._receiver = receiver
        self._metrics = metrics
        self._clock = clock
        self._jitter = jitter
        self._queue = Outgoing(*room)
        self._ready = ready
        self._pumping = self._stopping = self._held = False
        self.received = self.published = 0
        self._sessions: Counter[str] = Counter()
        self._errors: dict[str, str] = {}
        self._moved = asyncio.Event()
        self._new_id = new_id
        self._make_client = make_client
        self._subscriber, self._publisher = self._clients()

    def _clients(self) -> tuple[Client, Client]:
        endpoint = self.endpoint
        unique = self._new_id().replace("-", "")[:16]  # the block's own bits: the end of an id counts up
        named = (endpoint.subscriber_id, endpoint.publisher_id)
        ids = [given or f"{first}{unique}" for given, first in zip(named, FIRST_CLIENT_IDS, strict=True)]
        will_less = endpoint._replace(will=None)  # a node that is gone is told of once
        return self._client(will_less, ids[0], lambda: None), self._client(endpoint, ids[1], self._pump_soon)

    def _client(self, endpoint: Endpoint, client_id: str, room_again: Callable[[], None]) -> Client:
        return self._make_client(
            endpoint,
            client_id,
            self._clock,
            arrived=self._arrived,
            room_again=room_again,
            malformed=self._malformed,
        )

    async def run(self) -> None:
        """Keep both clients connected, until cancelled or stopped."""
        try:
            while await self._kept_until_moved():
                deadline = self._clock.monotonic() + LEAVE_S
                await asyncio.gather(self._subscriber.close(deadline), self._publisher.close(deadline))
                self._move()
        finally:
            self._subscriber.abort()
            self._publisher.abort()

    async def _kept_until_moved(self) -> bool:
        """Keep both clients connected; return whether that is over because of a move, not of a stop."""
        self._moved.clear()
        keeping = asyncio.ensure_future(self._keep_both())
        moved = asyncio.ensure_future(self._moved.wait())
        try:
            await asyncio.wait((keeping, moved), return_when=asyncio.FIRST_COMPLETED)
            if keeping.done():
                keeping.result()
                return False
        finally:
            for task in (keeping, moved):
                task.cancel()
            await asyncio.wait((keeping, moved))
        return True

    async def _keep_both(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep("subscribe", self._subscriber, self._subscribe_all))
            tasks.create_task(self._keep("publish", self._publisher, self._pump))

    def move(self, endpoint: Endpoint) -> None:
        """Go over to another broker, or to the same in another way; what waits goes there."""
        if endpoint != self.endpoint:
            self.endpoint = endpoint
            self._moved.set()

    def _move(self) -> None:
        """Make the clients anew; what the old broker has not acknowledged is left to it, and counted."""
        if lost := self._publisher.inflight:
            self._queue.dropped["moved"] += lost
        self._errors.clear()
        self._subscriber, self._publisher = self._clients()
        log.info("broker_moved", broker=self.endpoint.name, url=self.endpoint.url)

    async def stop(self, deadline: float) -> None:
        """Let what waits leave, while the broker takes it, and take leave; all by ``deadline``."""
        half = (self._clock.monotonic() + deadline) / 2
        while self._publisher.connected and (len(self._queue) or self._publisher.inflight):
            if self._clock.monotonic() >= half:
                break
            await self._clock.sleep(0.01)
        self._stopping = True
        await asyncio.gather(self._subscriber.close(deadline), self._publisher.close(deadline))

    # What the module says; none of it waits.

    def publish(self, topic: str, payload: bytes) -> None:
        """Publish a message as soon as the broker takes it."""
        publication = Publication(topic, payload, self.endpoint.qos, self.endpoint.retain)
        before = self._queue.dropped.total()
        if self._queue.put(publication) and not before:  # said once; the rest is counted
            log.warning("mqtt_messages_dropped", broker=self.endpoint.name, reasons=dict(self._queue.dropped))
        self._pump_soon()

    def subscribe(self, wanted: str) -> None:
        """Subscribe a filter now, if connected."""
        self._subscriber.subscribe([wanted])

    def unsubscribe(self, wanted: str) -> None:
        """Take a subscription back."""
        self._subscriber.unsubscribe(wanted)

    def hold(self, held: bool) -> None:
        """Take nothing in, or go on; a broker that is not connected is held once it is."""
        self._held = held
        if self._subscriber.connected:
            self._subscriber.hold(held)

    @property
    def connected(self) -> dict[str, bool]:
        """Whether each client is connected."""
        return {"subscribe": self._subscriber.connected, "publish": self._publisher.connected}

    @property
    def reason(self) -> str:
        """Why the link is not as it should be; nothing where it is."""
        if all(self.connected.values()):
            refused = self._subscriber.refused
            return f"MQTT broker {self.endpoint.name} refuses {', '.join(sorted(refused))}" if refused else ""
        is_ready = self._ready is None or self._ready.is_set()
        if not is_ready or not self._is_missed:
            return ""
        error = next(filter(None, self._errors.values()), "not tried yet")
        hint = "is it running, and is modules.eventBus right?"
        return f"MQTT broker {self.endpoint.name} is not reached: {error}; {hint}"

    @property
    def _is_missed(self) -> bool:
        return self.endpoint.expected or bool(self._sessions)

    def status(self) -> dict[str, Any]:
        """Return what is known of this link."""
        return {
            "url": self.endpoint.url,
            "version": self.endpoint.version,
            "expected": self._is_missed,
            "connected": self.connected,
            "client_ids": [self._subscriber.client_id, self._publisher.client_id],
            "sessions": dict(self._sessions),
            "errors": {role: error for role, error in self._errors.items() if error},
            "received": self.received,
            "published": self.published,
            "queued": len(self._queue),
            "queued_bytes": self._queue.bytes,
            "in_flight": self._publisher.inflight,
            "dropped": dict(self._queue.dropped),
            "refused_subscriptions": dict(self._subscriber.refused),
        }

    # Its own work.

    async def _keep(self, role: str, client: Client, begin: Callable[[], None]) -> None:
        """Connect ``client`` and ``begin``, over and over."""
        backoff, futile = Backoff(self._jitter), 0
        while True:
            lasted_s = 0.0
            try:
                if self._ready is not None:
                    await self._ready.wait()
                await client.connect()
                self._sessions[role] += 1
                self._errors[role] = ""
                log.info("broker_connected", broker=self.endpoint.name, role=role, url=self.endpoint.url)
                since = self._clock.monotonic()
                begin()
                error = await client.lost()
                lasted_s = self._clock.monotonic() - since
            except BrokerError as refusal:
                error = str(refusal)
            if self._stopping:
                return
            futile = futile + 1 if client.inflight and 0 < lasted_s < LASTING_S else 0
            if futile == FUTILE_SESSIONS:
                futile, given_up = 0, client.give_up_inflight()
                self._queue.dropped["never_acknowledged"] += given_up
                log.warning("mqtt_messages_never_acknowledged", broker=self.endpoint.name, given_up=given_up)
            pause_s = backoff.pause_s(lasted_s)
            if error != self._errors.get(role):
                self._errors[role] = error
                say = log.warning if self._is_missed else log.info
                say("broker_away", broker=self.endpoint.name, role=role, error=error, again_in_s=round(pause_s, 3))
            await self._clock.sleep(pause_s)

    def _subscribe_all(self) -> None:
        self._subscriber.refused.clear()
        self._subscriber.subscribe(self._receiver.subscriptions())
        self._subscriber.hold(self._held)

    def _pump_soon(self) -> None:
        if not self._pumping and len(self._queue) and self._publisher.connected:
            self._pumping = True
            asyncio.get_running_loop().call_soon(self._pump)

    def _pump(self) -> None:
        self._pumping = False
        while len(self._queue) and self._publisher.room:
            refusal = self._publisher.publish(self._queue.pop())
            if refusal:
                self._queue.dropped[refusal] += 1
            else:
                self.published += 1

    def _arrived(self, topic: str, payload: bytes) -> None:
        self.received += 1
        self._receiver.arrived(self.endpoint.name, topic, payload)

    def _malformed(self, reason: str, detail: str) -> None:
        self._metrics.bad_input(MODULE, reason, peer=f"broker {self.endpoint.name}", detail=detail)
