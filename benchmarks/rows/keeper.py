"""MetaManager as it ships, on a real bus with a real file; EdgeHub's place is taken by who measures."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from edgecore.app import SCHEMA
from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Message
from edgecore.beehive.resource import (
    EDGED,
    EDGEHUB,
    EDGEMESH,
    GROUP_EDGED,
    GROUP_HUB,
    GROUP_MESH,
    GROUP_META,
    METAMANAGER,
)
from edgecore.clock import SystemClock
from edgecore.ids import random_ids
from edgecore.metaclient import MetaClient
from edgecore.modules.metamanager.module import MetaManager
from edgecore.observe.ledger import DOWN, Ledger
from edgecore.observe.metrics import Metrics
from edgecore.store.store import Store, open_store


class Keeper:
    """MetaManager and its neighbours. ``hub`` is EdgeHub's port; what goes to EdgeMesh and Edged is dropped."""

    def __init__(self, store: Store) -> None:
        self.store = store
        clock = SystemClock()
        self.bus = Bus(clock, random_ids())
        self.hub = self.bus.register(EDGEHUB, GROUP_HUB)
        self.readers = [self.bus.register(EDGEMESH, GROUP_MESH), self.bus.register(EDGED, GROUP_EDGED)]
        self.client = MetaClient(self.readers[0], EDGEMESH)
        self.ledger = Ledger(clock.monotonic)
        self.meta = MetaManager(self.bus.register(METAMANAGER, GROUP_META), store, Metrics(), ledger=self.ledger)

    async def send(self, message: Message) -> None:
        """Hand over a message of the cloud, as EdgeHub does."""
        self.ledger.open(DOWN, message)
        await self.hub.send_to_group(GROUP_META, message)

    async def through(self, messages: Sequence[Message], flight: int) -> None:
        """Send all, with at most ``flight`` unacknowledged; return once the last is acknowledged.

        Every acknowledgement must come, in the order of the messages.
        """
        room = asyncio.Semaphore(flight)

        async def acknowledged() -> None:
            for message in messages:
                answer = await self.hub.receive()
                if (answer.header.parent_id, answer.content) != (message.header.id, "OK"):
                    raise SystemExit(f"{message.route.resource}: not acknowledged in its turn, but {answer}")
                room.release()

        reading = asyncio.create_task(acknowledged())
        for message in messages:
            await room.acquire()
            await self.send(message)
        await reading


@asynccontextmanager
async def keeper(path: Path) -> AsyncIterator[Keeper]:
    """Run one over the file at ``path``."""
    store = open_store(path, SCHEMA)
    made = Keeper(store)
    await made.meta.start()
    tasks = [asyncio.create_task(made.meta.run()), *(asyncio.create_task(_read_all(port)) for port in made.readers)]
    try:
        yield made
    finally:
        await made.meta.stop()
        made.bus.close()
        await asyncio.gather(*tasks, return_exceptions=True)
        await store.close()


async def _read_all(port: Any) -> None:
    async for _ in port:
        pass
