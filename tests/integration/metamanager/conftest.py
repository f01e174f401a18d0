"""MetaManager with a real bus and a real file, and ports in place of the modules around it."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Header, Message, Route
from edgecore.beehive.port import Port
from edgecore.beehive.resource import EDGECONTROLLER
from edgecore.clock import VirtualClock, settle
from edgecore.ids import NewId
from edgecore.modules.metamanager.module import MetaManager
from edgecore.modules.metamanager.tables import SCHEMA
from edgecore.observe.ledger import DOWN, Ledger
from edgecore.observe.metrics import Metrics
from edgecore.store import outbox
from edgecore.store.store import Store, open_store

REFUSAL = (
    "CREATE TRIGGER IF NOT EXISTS refuse BEFORE INSERT ON meta WHEN new.key LIKE '%/refused' "
    "BEGIN SELECT raise(ABORT, 'refused by the test'); END"
)


class Surroundings:
    """What MetaManager sees: the tests hold the ports of its neighbours. A row ``*/refused`` cannot be stored."""

    def __init__(self, bus: Bus, clock: VirtualClock, store: Store, metrics: Metrics) -> None:
        self.bus = bus
        self.clock = clock
        self.store = store
        self.metrics = metrics
        self.hub = bus.register("websocket", "hub")
        self.edged = bus.register("edged", "edged")
        self.mesh = bus.register("edgemesh", "mesh")
        self.ledger = Ledger(clock.monotonic)
        self.meta = MetaManager(bus.register("metaManager", "meta"), store, metrics, ledger=self.ledger)

    async def from_cloud(self, operation: str, resource: str, content: Any = None, **header: Any) -> Message:
        """Hand MetaManager a message as EdgeHub does; ``source`` may be given, all else goes into the header."""
        route = Route(header.pop("source", EDGECONTROLLER), "resource", operation, resource)
        message = Message(Header(**{"id": self.bus.new_id(), "timestamp_ms": 1, **header}), route, content)
        return await self.deliver(message)

    async def deliver(self, message: Message) -> Message:
        """Hand over a message as it is, perhaps once more; open it in the ledger, as EdgeHub does."""
        self.ledger.open(DOWN, message)
        await self.hub.send_to_group("meta", message)
        return message

    async def connected(self, content: str = "cloud_connected") -> None:
        """Bring the news that the link came up, or went down."""
        await self.hub.send_to_group(
            "meta", self.hub.build(Route("edgehub", "meta", "publish", "node/connection"), content)
        )

    def ask(self, port: Port, resource: str) -> "asyncio.Task[Message]":
        """Ask MetaManager and wait for the answer, as MetaClient does."""
        return asyncio.create_task(self.call(port, "query", resource))

    async def call(self, port: Port, operation: str, resource: str, content: Any = None) -> Message:
        """Send a synchronous request of the module behind ``port``; return the answer."""
        request = port.build(Route(port.name, "meta", operation, resource), content)
        return await port.send_sync("metaManager", request, 60.0)

    def rows(self) -> dict[str, tuple[str, str]]:
        """Return the committed rows: key to type and value."""
        return {key: (kind, value) for key, kind, value in self.store.rows("SELECT key, type, value FROM meta")}

    async def quiet(self) -> bool:
        """Let everything that can run, run; return whether none of the neighbours got anything."""
        await settle(50)
        return not any(port.statistics().depth for port in (self.hub, self.edged, self.mesh))


@pytest.fixture(scope="session")
def refusal() -> str:
    """SQL that makes rows ``*/refused`` impossible to store."""
    return REFUSAL


@pytest.fixture
async def node(tmp_path: Path, vclock: VirtualClock, ids: NewId, metrics: Metrics) -> AsyncIterator[Surroundings]:
    store = open_store(tmp_path / "edgecore.db", (*SCHEMA, *outbox.SCHEMA, REFUSAL))
    bus = Bus(vclock, ids, capacity=4096)
    surroundings = Surroundings(bus, vclock, store, metrics)
    await surroundings.meta.start()
    running = asyncio.create_task(surroundings.meta.run())
    yield surroundings
    await surroundings.meta.stop()
    bus.close()
    await running
    await store.close()


@pytest.fixture
def commits_held(node: Surroundings) -> Callable[[], AbstractContextManager[None]]:
    """``with commits_held():`` nothing that is written is committed before the end of the block."""

    @contextmanager
    def hold() -> Iterator[None]:
        other = sqlite3.connect(node.store.path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        try:
            yield
        finally:
            other.execute("ROLLBACK")
            other.close()

    return hold
