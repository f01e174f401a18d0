"""The mirror of a node: its clients, the flow of messages, the states, and the way in."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec
import structlog
from prometheus_client.core import CounterMetricFamily, Metric

from edgecore.beehive import resource as r
from edgecore.beehive.bus import Bus
from edgecore.beehive.port import Port
from edgecore.config.schema import EdgeCoreConfig
from edgecore.modules.eventbus.endpoint import Endpoint, Will
from edgecore.modules.eventbus.mirror import injection, topics
from edgecore.modules.eventbus.mirror.allowance import Allowance
from edgecore.modules.eventbus.mirror.flow import Flow, Missed
from edgecore.modules.eventbus.mirror.mirrorlink import Heard, MirrorLink, lasting
from edgecore.modules.eventbus.mirror.payload import Redact
from edgecore.modules.eventbus.mirror.settings import MirrorSettings, Sights
from edgecore.modules.eventbus.mirror.statekeeper import StateKeeper, online_topic
from edgecore.modules.eventbus.outgoing import Publication
from edgecore.observe.ledger import Ledger
from edgecore.observe.metrics import Metrics

log = structlog.get_logger("eventbus")

MakeLink = Callable[[Endpoint, Heard, str, Will | None], MirrorLink]
"""Of an endpoint, who is told, the version of MQTT (``auto``), and the last will."""

_json = msgspec.json.Encoder().encode


class Mirror:
    """Runs beside EventBus, on or off, as the settings are; ``reload`` is told those. Its troubles are its own."""

    def __init__(
        self,
        port: Port,
        bus: Bus,
        metrics: Metrics,
        ledger: Ledger,
        *,
        node: str,
        make_link: MakeLink,
        redact: Redact,
        sights: Sights,
        meant: Callable[[EdgeCoreConfig], tuple[MirrorSettings, Sequence[Endpoint]]],
    ) -> None:
        """``meant`` says what settings mean: how is mirrored, and with which brokers."""
        self._port = port
        self._bus = bus
        self._metrics = metrics
        self._ledger = ledger
        self._node = node
        self._make_link = make_link
        self._redact = redact
        self._sights = sights
        self._meant = meant
        self._settings = MirrorSettings()
        self._endpoints: tuple[Endpoint, ...] = ()
        self._changed = asyncio.Event()
        self._links: list[MirrorLink] = []
        self._flow: Flow | None = None
        self._states: StateKeeper | None = None
        self._allowed = Allowance(1, 1, bus.clock.monotonic())
        self._seen: Counter[str] = Counter()
        metrics.pull(self._families)

    def reload(self, config: EdgeCoreConfig) -> None:
        """Go by the settings as they are now."""
        settings, endpoints = self._meant(config)
        if (settings, tuple(endpoints)) != (self._settings, self._endpoints):
            self._settings, self._endpoints = settings, tuple(endpoints)
            self._changed.set()

    async def run(self) -> None:
        """Mirror while the settings say so, until cancelled."""
        while True:
            self._changed.clear()
            if not self._settings.is_on:
                self._links, self._flow, self._states = [], None, None
                await self._changed.wait()
                continue
            self._begin()
            work = asyncio.ensure_future(self._work())
            changed = asyncio.ensure_future(self._changed.wait())
            try:
                await asyncio.wait((work, changed), return_when=asyncio.FIRST_COMPLETED)
                if not work.done():
                    await self._leave(self._bus.clock.monotonic() + 0.5)
            finally:
                for task in (work, changed):
                    task.cancel()
                await asyncio.wait((work, changed))
            if not work.cancelled() and (error := work.exception()) is not None:
                log.error("mirror_failed", error=f"{type(error).__name__}: {error}")
                await self._bus.clock.sleep(1.0)

    async def stop(self, deadline: float) -> None:
        """Tell the brokers that the node goes, and take leave."""
        await self._leave(deadline)

    def status(self) -> dict[str, Any]:
        """Return what was mirrored, left out and injected."""
        return {
            "mirrors": self._settings.mirrors,
            "injects": self._settings.injects,
            "brokers": {link.name: link.status() for link in self._links},
            **(self._flow.status() if self._flow is not None else {}),
            **(self._states.status() if self._states is not None else {}),
            "injected": self._seen["injected"],
            "refused": self._seen["refused"],
        }

    def _begin(self) -> None:
        settings = self._settings
        will = Will(online_topic(self._node), "false", 1, True) if settings.mirrors else None
        self._links = [self._make_link(each, self, settings.version, will) for each in self._endpoints]
        self._flow = self._states = None
        if settings.mirrors:
            redact = self._redact if settings.redacts else None
            self._flow = Flow(self._bus, self._node, settings, redact, self._publish)
            self._states = StateKeeper(self._bus, self._node, self._sights, settings.state_every_s)
        now = self._bus.clock.monotonic()
        self._allowed = Allowance(settings.inject_rate, settings.inject_rate, now)

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            for link in self._links:
                tasks.create_task(link.run(), name=f"mirror {link.name}")
            if self._flow is not None and self._states is not None:
                tasks.create_task(self._flow.run(), name="mirror flow")
                tasks.create_task(self._states.run(), name="mirror states")
                tasks.create_task(self._tell_missed(), name="mirror missed")
            await self._bus.loop.create_future()

    async def _leave(self, deadline: float) -> None:
        if self._flow is not None:
            self._flow.end()
        farewell = [lasting(online_topic(self._node), b"false")] if self._states is not None else []
        await asyncio.gather(*(link.stop(farewell, deadline) for link in self._links))

    def _publish(self, publication: Publication) -> None:
        for link in self._links:
            link.publish(publication)

    async def _tell_missed(self) -> None:
        while True:
            await self._bus.clock.sleep(1.0)
            if self._flow is None:
                continue
            if not any(link.connected for link in self._links):
                self._flow.end()
            elif (missed := self._flow.missed()) is not None:
                self._publish(self._telling(missed, 0))

    def _telling(self, missed: Missed, qos: int) -> Publication:
        return Publication(topics.of_node(self._node, topics.MIRROR, "missed"), _json(missed._asdict()), qos, False)

    # What the clients meet.

    def up(self, link: MirrorLink) -> None:
        """See ``Heard``."""
        if self._states is not None and self._flow is not None:
            self._states.up(link)
            link.publish(self._telling(Missed(0, 0, {}), 1))  # its acknowledgement says whether anybody watches
            self._flow.begin()
        if self._settings.injects:
            link.subscribe([f"{topics.of_node(self._node, topics.INJECT)}/+"])

    def kept(self, link: MirrorLink, topic: str, payload: bytes) -> None:
        """See ``Heard``. A message that a broker has kept would be injected anew at each connect: it is refused."""
        if topics.receiver(topic, self._node) is not None:
            self._refuse(link, "inject_retained", "it was published to be kept by the broker", topic)
        elif self._states is not None and payload:
            self._states.kept(link, topic)

    def taken(self, *, is_watched: bool) -> None:
        """See ``Heard``."""
        if self._flow is None:
            return
        if is_watched:
            self._flow.watched()
        elif all(link.has_properties for link in self._links):  # else somebody may be at a broker that does not say
            self._flow.unwatched()

    def came(self, link: MirrorLink, topic: str, payload: bytes) -> None:
        """See ``Heard``."""
        to = topics.receiver(topic, self._node)
        if to is None or not self._settings.injects:
            return  # our own states come back while they are looked for
        if not self._allowed.takes(self._bus.clock.monotonic()):
            self._seen["too_fast"] += 1
            self._seen["refused"] += 1
            return
        try:
            message = injection.injected(payload, self._port.new_id, self._bus.clock, self._settings.inject_longest)
        except injection.Refused as refusal:
            self._refuse(link, refusal.reason, refusal.detail, topic)
            return
        if to not in self._bus.mailboxes:
            self._refuse(link, "inject_unknown_module", f"there is no module {to}", topic)
        elif self._port.inject(to, message):
            self._seen["injected"] += 1
            self._ledger.inject(to, message)
            log.info("message_injected", to=to, id=message.header.id, operation=message.route.operation)
        else:
            self._refuse(link, "inject_mailbox_full", f"module {to} has no room", topic)

    def _refuse(self, link: MirrorLink, reason: str, detail: str, topic: str) -> None:
        self._seen["refused"] += 1
        self._metrics.bad_input(r.EVENTBUS, reason, peer=f"broker {link.name}", topic=topic, detail=detail)

    def _families(self) -> Iterator[Metric]:
        """Yield the figures of the mirror for Prometheus."""
        flow = self._flow
        mirrored = flow.mirrored if flow is not None else 0
        yield CounterMetricFamily("edgecore_mirror_messages", "Messages that were mirrored.", value=mirrored)
        missed = CounterMetricFamily("edgecore_mirror_missed", "Messages that were left out.", labels=("reason",))
        for reason, number in flow.left_out.items() if flow is not None else ():
            missed.add_metric((reason,), number)
        yield missed
        injected = CounterMetricFamily("edgecore_injected_messages", "Messages that came by inject.", labels=("what",))
        for what in ("injected", "refused"):
            injected.add_metric((what,), self._seen[what])
        yield injected
