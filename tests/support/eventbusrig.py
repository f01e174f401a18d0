"""EventBus on a real bus and a real file, with ports in place of DeviceTwin, EdgeHub and whoever publishes."""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Message, Route
from edgecore.beehive.port import Port
from edgecore.clock import SystemClock
from edgecore.config.schema import EdgeCoreConfig
from edgecore.ids import random_ids
from edgecore.modules.eventbus import tables
from edgecore.modules.eventbus.brokerlink import BrokerLink, Receiver, Room
from edgecore.modules.eventbus.endpoint import Endpoint, Will
from edgecore.modules.eventbus.mirror.mirror import Mirror
from edgecore.modules.eventbus.mirror.mirrorlink import Heard, MirrorLink
from edgecore.modules.eventbus.mirror.settings import MirrorSettings, Sights
from edgecore.modules.eventbus.module import EventBus
from edgecore.observe.ledger import Ledger
from edgecore.observe.metrics import Metrics
from edgecore.recording.redaction import Redactor
from edgecore.store.store import Store, open_store
from mosquitto import Mosquitto

PATIENCE_S = 20.0
ROOM = Room(10_000, 2**24)


class NoJitter(random.Random):
    """Pauses are as short as they may be."""

    def uniform(self, a: float, b: float) -> float:
        return a


class Rig:
    """One node's EventBus, over its restarts."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.clock = SystemClock()
        self.metrics = Metrics()

    async def start(
        self,
        *endpoints: Endpoint,
        queue: Room = ROOM,
        mailbox: int = 1024,
        ready: Any = None,
        mirror: MirrorSettings | None = None,
        sights: Sights | None = None,
        **more: Any,
    ) -> None:
        self.metrics = Metrics()
        self.store: Store = open_store(self._file, tables.SCHEMA)
        self.bus = Bus(self.clock, random_ids(), capacity=mailbox, send_timeout_s=30)
        port = self.bus.register("eventbus", "bus")
        self.hub = self.bus.register("websocket", "hub")
        self.twin = self.bus.register("twin", "twin")

        def make_link(endpoint: Endpoint, receiver: Receiver) -> BrokerLink:
            return BrokerLink(
                endpoint,
                receiver,
                self.metrics,
                clock=self.clock,
                new_id=port.new_id,
                jitter=NoJitter(),
                room=queue,
                ready=ready,
            )

        if mirror is not None:
            more["mirror"] = self._mirror(port, endpoints, mirror, sights or Sights())
        self.module = EventBus(
            port, self.metrics, self.store, node="n", endpoints=endpoints, make_link=make_link, **more
        )
        await self.module.start()
        self._running = asyncio.create_task(self.module.run())

    def _mirror(self, port: Port, endpoints: tuple[Endpoint, ...], settings: MirrorSettings, sights: Sights) -> Mirror:
        def make_link(endpoint: Endpoint, heard: Heard, version: str, will: Will | None) -> MirrorLink:
            return MirrorLink(
                endpoint,
                heard,
                clock=self.clock,
                new_id=port.new_id,
                jitter=NoJitter(),
                version=version,
                will=will,
            )

        self.ledger = Ledger(self.clock.monotonic)
        self.mirroring = settings
        self.mirror = Mirror(
            port,
            self.bus,
            self.metrics,
            self.ledger,
            node="n",
            make_link=make_link,
            redact=Redactor(b"key").entry,  # type: ignore[arg-type]
            sights=sights,
            meant=lambda _config: (self.mirroring, endpoints),
        )
        self.mirror.reload(EdgeCoreConfig())
        return self.mirror

    async def mirrors(self) -> None:
        """Return once the mirror is on all its brokers, and subscribed."""
        await self.until(lambda: self.mirror._links and all(one.connected for one in self.mirror._links))
        await self.until(lambda: not any(one._client._asked for one in self.mirror._links))

    async def connected(self) -> None:
        """Return once all brokers are, and what they are subscribed has left."""
        await self.until(lambda: not self.module.status()["reasons"])
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def until(self, done: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
        deadline = self.clock.monotonic() + patience_s
        while not done():
            assert not self._running.done(), self._running
            assert self.clock.monotonic() < deadline, self.module.status()
            await asyncio.sleep(0.005)

    async def say(self, operation: str, resource: str, content: Any = None, source: str = "twin") -> None:
        """Send EventBus a message, as DeviceTwin does."""
        message = self.twin.build(Route(source, "bus", operation, resource), content)
        await self.twin.send_to_group("bus", message)

    async def publish(self, topic: str, content: Any) -> None:
        await self.say("publish", topic, content)

    @property
    def broker(self) -> dict[str, Any]:
        """What is known of the only broker."""
        (status,) = self.module.status()["brokers"].values()
        return dict(status)

    async def stop(self) -> None:
        await self.module.stop()
        self.bus.close()
        await asyncio.gather(self._running)
        await self.store.close()


def at(broker: Mosquitto, **more: Any) -> Endpoint:
    """Return the endpoint of a broker of the tests."""
    return Endpoint(**{"name": "external", "host": "127.0.0.1", "port": broker.port, **more})


async def received(port: Any, number: int = 1) -> list[Message]:
    """Return the next messages."""
    return [await asyncio.wait_for(port.receive(), PATIENCE_S) for _ in range(number)]
