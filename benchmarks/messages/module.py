"""EventBus alone, on a bus of its own, with an empty mailbox where DeviceTwin would be: what a node could carry."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Self

from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Route
from edgecore.clock import SystemClock
from edgecore.ids import random_ids
from edgecore.modules.eventbus import tables
from edgecore.modules.eventbus.brokerlink import BrokerLink, Room
from edgecore.modules.eventbus.endpoint import Endpoint
from edgecore.modules.eventbus.module import EventBus
from edgecore.observe.metrics import Metrics
from edgecore.store.store import open_store
from messages.places import Broker


class Alone:
    """The module, connected."""

    def __init__(self, broker: Broker, qos: int, file: Path) -> None:
        clock, metrics = SystemClock(), Metrics()
        self._bus = Bus(clock, random_ids(), capacity=1024, send_timeout_s=30)
        port = self._bus.register("eventbus", "bus")
        self.twin = self._bus.register("twin", "twin")
        self._store = open_store(file, tables.SCHEMA)
        self._module = EventBus(
            port,
            metrics,
            self._store,
            node="n",
            endpoints=[Endpoint("external", "127.0.0.1", broker.port, qos=1 if qos else 0)],
            make_link=lambda endpoint, receiver: BrokerLink(
                endpoint,
                receiver,
                metrics,
                clock=clock,
                new_id=port.new_id,
                jitter=random.Random(),
                room=Room(100_000, 2**26),
            ),
        )

    async def __aenter__(self) -> Self:
        await self._module.start()
        self._running = asyncio.create_task(self._module.run())
        while self._module.status()["reasons"]:  # noqa: ASYNC110 - a status has no event
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)  # the subscriptions
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._module.stop()
        self._bus.close()
        await self._running
        await self._store.close()


async def taken_in(broker: Broker, qos: int, file: Path, number: int, begin: Callable[[], object]) -> float:
    """Return the seconds from ``begin`` until so many messages have come to the mailbox."""
    async with Alone(broker, qos, file) as alone:
        began = time.perf_counter()
        await asyncio.to_thread(begin)
        for _ in range(number):
            await alone.twin.receive()
        return time.perf_counter() - began


async def handed_out(
    broker: Broker, qos: int, file: Path, *, message: tuple[str, bytes], number: int, end: Callable[[], Awaitable[None]]
) -> float:
    """Return the seconds until a message has been put on the bus so often, and ``end`` has seen them come."""
    topic, payload = message
    async with Alone(broker, qos, file) as alone:
        route = Route("twin", "bus", "publish", topic)
        began = time.perf_counter()
        ending = asyncio.ensure_future(end())
        for _ in range(number):
            await alone.twin.send_to_group("bus", alone.twin.build(route, payload))
        await ending
        return time.perf_counter() - began
