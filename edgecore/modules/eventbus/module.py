"""EventBus on the bus: what comes of MQTT goes to DeviceTwin and the cloud, what they publish goes to the brokers.

It takes its messages at once, whatever the brokers do. What comes faster than the bus takes it is not read from the
brokers, which keep it or drop it, as they are set up.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from edgecore.beehive import resource as r
from edgecore.beehive.message import Message, Route
from edgecore.beehive.port import Port
from edgecore.clock import looked_at
from edgecore.config.schema import EdgeCoreConfig
from edgecore.errors import BusClosed, MailboxFull
from edgecore.modules.eventbus import publishing, tables, topics
from edgecore.modules.eventbus.brokerlink import BrokerLink, Receiver
from edgecore.modules.eventbus.echoes import Echoes
from edgecore.modules.eventbus.endpoint import Endpoint
from edgecore.modules.eventbus.mirror.topics import is_of_mirror
from edgecore.observe.metrics import Metrics
from edgecore.recording.entries import MqttDirection
from edgecore.recording.watch import Watch
from edgecore.store.store import Statement, Store

log = structlog.get_logger("eventbus")

MOST_SUBSCRIPTIONS = 1000
HELD_MESSAGES = 1000
HELD_BYTES = 4_194_304
"""So much may wait for the bus; then the brokers are not read."""
LEAVE_S = 1.0
"""How long a stop waits for the brokers to take what waits for them, and the leave; and the bus what has come."""

MakeLink = Callable[[Endpoint, Receiver], BrokerLink]
EndpointsOf = Callable[[EdgeCoreConfig], Iterable[Endpoint]]
"""The brokers that settings mean."""


class Companion(Protocol):
    """What runs beside EventBus: the internal broker."""

    async def run(self) -> None:
        """Work until cancelled, and end what it began; its troubles are its own."""

    def status(self) -> dict[str, Any]:
        """Return what is known of it; ``reasons`` says what is not as it should be."""


class Mirroring(Companion, Protocol):
    """What shows the bus on the brokers, beside EventBus."""

    async def stop(self, deadline: float) -> None:
        """Take leave of the brokers by ``deadline``."""

    def reload(self, config: EdgeCoreConfig) -> None:
        """Go by the settings as they are now."""


class EventBus:
    """The module ``eventbus``."""

    name = r.EVENTBUS
    group = r.GROUP_BUS

    def __init__(
        self,
        port: Port,
        metrics: Metrics,
        store: Store,
        *,
        node: str,
        endpoints: Sequence[Endpoint],
        make_link: MakeLink,
        endpoints_of: EndpointsOf | None = None,
        upload_form: topics.UploadForm = "1.3",
        companions: Sequence[Companion] = (),
        mirror: Mirroring | None = None,
        watch: Watch | None = None,
    ) -> None:
        self._port = port
        self._metrics = metrics
        self._store = store
        self._watch = watch or Watch()
        self._node = node
        self._form = upload_form
        self._fixed = topics.subscribed(upload_form)
        self._wanted: dict[str, None] = {}
        self._endpoints_of = endpoints_of
        self._companions = companions
        self._mirror = mirror
        self._echoes = Echoes()
        self._come: deque[tuple[str, str, bytes]] = deque()
        self._come_bytes = 0
        self._has_come = asyncio.Event()
        self._holding = self._over = False
        self._seen: Counter[str] = Counter()
        self._links = [make_link(endpoint, self) for endpoint in endpoints]
        metrics.pull(self._families)

    async def start(self) -> None:
        """Take up the subscriptions that were kept. No broker is waited for. Raises ``StoreError``."""
        for wanted in tables.subscriptions(self._store, MOST_SUBSCRIPTIONS):
            if not topics.fault_of_filter(wanted):
                self._wanted[wanted] = None

    async def run(self) -> None:
        """Carry messages both ways until the bus is closed."""
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(self._read(), name="eventbus read")
            others = [
                tasks.create_task(self._take_in(), name="eventbus take in"),
                *(tasks.create_task(link.run(), name=f"eventbus {link.endpoint.name}") for link in self._links),
                *(tasks.create_task(one.run(), name="eventbus companion") for one in self._companions),
            ]
            if self._mirror is not None:
                others.append(tasks.create_task(self._mirror.run(), name="eventbus mirror"))
            await reading  # ends when the bus is closed
            for other in others:
                other.cancel()

    async def stop(self) -> None:
        """Take leave of the brokers, and let the bus have what has come: it is acknowledged."""
        deadline = self._port.clock.monotonic() + LEAVE_S
        leaving = [link.stop(deadline) for link in self._links]
        if self._mirror is not None:
            leaving.append(self._mirror.stop(deadline))
        await asyncio.gather(*leaving)
        while self._come and self._port.clock.monotonic() < deadline:
            await self._port.clock.sleep(0.01)

    async def reload(self, config: EdgeCoreConfig) -> None:
        """Go over to the brokers that the settings mean now; which links there are stays."""
        meant = {each.name: each for each in self._endpoints_of(config)} if self._endpoints_of else {}
        for link in self._links:
            link.move(meant.get(link.endpoint.name, link.endpoint))
        if self._mirror is not None:
            self._mirror.reload(config)

    def status(self) -> dict[str, Any]:
        """Return each broker, what was subscribed at run time, and what was carried."""
        beside = [one.status() for one in self._companions]
        return {
            "brokers": {link.endpoint.name: link.status() for link in self._links},
            "beside": beside,
            "subscriptions": list(self._wanted),
            "waiting_for_the_bus": len(self._come),
            "messages": dict(self._seen),
            **({} if self._mirror is None else {"mirror": self._mirror.status()}),
            "reasons": [
                *filter(None, (link.reason for link in self._links)),
                *(reason for one in beside for reason in one.get("reasons", ())),
            ],
        }

    # From the bus.

    async def _read(self) -> None:
        async for message in self._port:
            self._take(message)

    def _take(self, message: Message) -> None:
        match publishing.deed(message, self._node):
            case publishing.Publish(topic, payload):
                self._seen["published"] += 1
                if len(self._links) > 1 and self._comes_back(topic):
                    self._echoes.published(topic, payload, self._port.clock.monotonic())
                self._publish(message.header.id, topic, payload)
            case publishing.Subscribe(wanted):
                self._subscribe(message, wanted)
            case publishing.Unsubscribe(wanted):
                self._unsubscribe(wanted)
            case publishing.Passed(reason):
                self._seen[reason] += 1
            case publishing.Refused(reason, detail):
                self._refuse(message, reason, detail)

    def _publish(self, message_id: str, topic: str, payload: bytes) -> None:
        for link in self._links:
            if self._watch.mqtt is not None:
                self._watch.mqtt(MqttDirection.OUT, link.endpoint.name, topic, payload, message_id)
            link.publish(topic, payload)

    def _subscribe(self, message: Message, wanted: str) -> None:
        if wanted in self._wanted or wanted in self._fixed:
            return
        if len(self._wanted) >= MOST_SUBSCRIPTIONS:
            self._refuse(message, "too_many_subscriptions", f"there are {MOST_SUBSCRIPTIONS}")
            return
        self._wanted[wanted] = None
        self._keep(tables.subscribed(wanted))
        for link in self._links:
            link.subscribe(wanted)

    def _unsubscribe(self, wanted: str) -> None:
        if wanted not in self._wanted:
            return
        del self._wanted[wanted]
        self._keep(tables.unsubscribed(wanted))
        for link in self._links:
            link.unsubscribe(wanted)

    def _keep(self, statement: Statement) -> None:
        self._store.submit(statement).add_done_callback(looked_at)

    def _comes_back(self, topic: str) -> bool:
        return any(topics.matches(wanted, topic) for wanted in self.subscriptions())

    def _refuse(self, message: Message, reason: str, detail: str) -> None:
        route = message.route
        peer = route.source or "unknown"
        self._seen["refused"] += 1
        self._metrics.bad_input(
            r.EVENTBUS, reason, peer=peer, id=message.header.id, operation=route.operation, detail=detail
        )

    # From the brokers.

    def subscriptions(self) -> Sequence[str]:
        """Return all filters that are to be subscribed."""
        return [*self._fixed, *self._wanted]

    def arrived(self, broker: str, topic: str, payload: bytes) -> None:
        """Take one message that a broker handed out; one of a mirror is no message of a device."""
        if is_of_mirror(topic):
            self._seen["of_mirror"] += 1
            return
        if len(self._links) > 1 and not self._echoes.takes_in(broker, topic, payload, self._port.clock.monotonic()):
            self._seen["echo"] += 1
            return
        self._come.append((broker, topic, payload))
        self._come_bytes += len(topic) + len(payload)
        self._has_come.set()
        if not self._holding and (len(self._come) >= HELD_MESSAGES or self._come_bytes >= HELD_BYTES):
            self._hold(True)

    async def _take_in(self) -> None:
        """Put what has come on the bus, in order."""
        port, come = self._port, self._come
        while True:
            while not come:
                self._has_come.clear()
                await self._has_come.wait()
            broker, topic, payload = come.popleft()
            self._come_bytes -= len(topic) + len(payload)
            taken = topics.taken_in(topic, self._form)
            route = Route(r.BUS, r.GROUP_USER, taken.operation, taken.resource)
            message = port.build(route, topics.as_text(payload))
            if self._watch.mqtt is not None:
                self._watch.mqtt(MqttDirection.IN, broker, topic, payload, message.header.id)
            if port.has_group(taken.group):
                try:
                    await port.send_to_group(taken.group, message)
                    self._seen["taken_in"] += 1
                except BusClosed:  # it waited for room when the node stopped
                    return
                except MailboxFull as error:
                    self._seen["mailbox_full"] += 1
                    log.error("mqtt_message_lost", group=taken.group, resource=taken.resource, error=str(error))
            else:
                self._seen["nobody_there"] += 1
            if self._holding and len(come) < HELD_MESSAGES // 2 and self._come_bytes < HELD_BYTES // 2:
                self._hold(False)

    def _hold(self, held: bool) -> None:
        self._holding = held
        for link in self._links:
            link.hold(held)

    def _families(self) -> Iterator[Metric]:
        """Yield the figures of each broker for Prometheus."""
        connected = GaugeMetricFamily(
            "edgecore_mqtt_connected", "Whether a client is connected.", labels=("broker", "role")
        )
        sessions = CounterMetricFamily("edgecore_mqtt_sessions", "Connections made.", labels=("broker", "role"))
        received = CounterMetricFamily("edgecore_mqtt_received", "Messages received.", labels=("broker",))
        published = CounterMetricFamily("edgecore_mqtt_published", "Messages published.", labels=("broker",))
        queued = GaugeMetricFamily("edgecore_mqtt_queued", "Messages that wait for a broker.", labels=("broker",))
        queued_bytes = GaugeMetricFamily("edgecore_mqtt_queued_bytes", "Their bytes.", labels=("broker",))
        in_flight = GaugeMetricFamily("edgecore_mqtt_in_flight", "Not acknowledged yet.", labels=("broker",))
        dropped = CounterMetricFamily("edgecore_mqtt_dropped", "Messages given up.", labels=("broker", "reason"))
        for link in self._links:
            name, status = link.endpoint.name, link.status()
            for role, is_connected in status["connected"].items():
                connected.add_metric((name, role), float(is_connected))
            for role, number in status["sessions"].items():
                sessions.add_metric((name, role), number)
            received.add_metric((name,), status["received"])
            published.add_metric((name,), status["published"])
            queued.add_metric((name,), status["queued"])
            queued_bytes.add_metric((name,), status["queued_bytes"])
            in_flight.add_metric((name,), status["in_flight"])
            for reason, number in status["dropped"].items():
                dropped.add_metric((name, reason), number)
        yield from (connected, sessions, received, published, queued, queued_bytes, in_flight, dropped)
