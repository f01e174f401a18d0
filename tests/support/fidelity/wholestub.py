"""A whole stub without sockets, on a clock that is moved: what it keeps lies in memory and outlives its restarts."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from cloudhub_stub.cloud import Cloud
from cloudhub_stub.controlplane import ControlPlane
from cloudhub_stub.delivery.fates import Fate
from cloudhub_stub.delivery.journal import Journal
from cloudhub_stub.delivery.parcel import Lane
from cloudhub_stub.delivery.queue import DEFAULT_RULES
from cloudhub_stub.delivery.queues import Delivery
from cloudhub_stub.hub import STOPPING, Hub
from cloudhub_stub.link import CONNECTION_CLOSED, Link
from cloudhub_stub.nodes import Nodes
from cloudhub_stub.objects import Objects
from cloudhub_stub.store.cluster import CLUSTER_SCHEMA
from cloudhub_stub.store.tables import SCHEMA, StoredRows
from cloudhub_stub.upgrade import Upgrade
from edgecore.clock import VirtualClock
from edgecore.ids import NewId
from edgecore.observe.ledger import UP, Ledger
from edgecore.observe.metrics import Metrics
from edgecore.store.store import Statement

NODE = "edge-node1"
GO = "Go-http-client/1.1"
"""How the recorded edge named itself."""
OURS = "edgecore/1"
"""How ours does."""
ANSWER_DELAY_S = 0.010


class MemoryStore:
    """One SQLite database; what is submitted is committed at once."""

    def __init__(self) -> None:
        self._database = sqlite3.connect(":memory:", isolation_level=None)
        for statement in (*SCHEMA, *CLUSTER_SCHEMA):
            self._database.execute(statement)

    def submit(self, *statements: Statement) -> asyncio.Future[None]:
        """See ``Store``."""
        self._database.execute("BEGIN")
        for each in statements:
            self._database.execute(each.sql, tuple(each.params))
        self._database.execute("COMMIT")
        committed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        committed.set_result(None)
        return committed

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """See ``Store``."""
        with closing(self._database.execute(sql, tuple(params))) as found:
            return found.fetchall()

    def close(self) -> None:
        """Forget everything."""
        self._database.close()


class MemoryRows(StoredRows):
    """The rows of the stub, in memory."""

    def __init__(self, store: MemoryStore) -> None:
        super().__init__(Path())
        self._memory = store

    @property
    def _store(self) -> Any:
        return self._memory


class Socket:
    """Where a link writes: to the edge, until the edge is cut off."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take

    async def send(self, data: bytes) -> None:
        """See ``Socket`` of the link."""
        self._take(data)

    def hang_up(self, reason: str) -> None:
        """See ``Socket`` of the link."""


class Written(NamedTuple):
    """A frame that the stub wrote."""

    at_ms: int
    link: int
    """Which connection, by the number that the recording gives it."""
    text: str


class WholeStub:
    """The stub, one node connected to it at most. ``heard`` is told of every frame that it writes."""

    def __init__(
        self, clock: VirtualClock, new_id: NewId, controllers: frozenset[str], heard: Callable[[Written], None]
    ) -> None:
        self.clock = clock
        self.new_id = new_id
        self.link: Link | None = None
        self._controllers = controllers
        self._heard = heard
        self._store = MemoryStore()
        self._lanes: dict[str, Lane] = {}
        self._start()

    @property
    def plane(self) -> ControlPlane:
        """The cluster."""
        return self.cloud.plane

    def _start(self) -> None:
        rows, metrics, clock = MemoryRows(self._store), Metrics(), self.clock
        nodes = Nodes(clock, keepalive_timeout_s=30.0, max_nodes=3, faithful=False, write_timeout_s=30.0)
        self.ledger = Ledger(clock.monotonic)
        journal = Journal(rows)
        self.ledger.hold(UP, journal.is_pending)
        delivery = Delivery(DEFAULT_RULES, rows, self.ledger, metrics)
        delivery.watchers.append(self._note_lane)
        plane = ControlPlane(
            rows,
            delivery,
            metrics,
            clock=clock,
            new_id=self.new_id,
            is_connected=nodes.is_connected,
            controllers=self._controllers,
        )
        objects = Objects(rows)
        self.cloud = Cloud(
            clock,
            self.new_id,
            metrics,
            self.ledger,
            nodes,
            objects,
            delivery,
            journal,
            plane,
            answer_delay_s=ANSWER_DELAY_S,
        )
        self.hub = Hub(self.cloud)
        objects.load()
        plane.load()
        delivery.load()

    def _note_lane(self, _node: str, fate: Fate) -> None:
        self._lanes[fate.parcel.id] = fate.parcel.lane

    def is_awaited(self, message_id: str) -> bool:
        """Whether a message went in the lane in which each waits for the acknowledgement of the one before."""
        return self._lanes.get(message_id) is Lane.ACK

    async def restart(self) -> None:
        """Be ended and started again."""
        self.hub.end_all(STOPPING)
        self.plane.stop()
        self.link = None
        await self.clock.advance(0)
        self._start()

    async def stop(self) -> None:
        """End, for good."""
        self.hub.end_all(STOPPING)
        self.plane.stop()
        await self.clock.advance(0)
        self._store.close()

    def connect(self, number: int, agent: str = GO) -> None:
        """Let the node connect, by a connection of that number."""
        socket = Socket(lambda data: self._take(number, data))
        self.link = self.hub.connect(Upgrade(NODE, "e632aba927ea4ac2b575ec1603d56f10", agent), socket)

    def disconnect(self) -> None:
        """The connection is gone, if there still is one."""
        if self.link is not None:
            self.link.end(CONNECTION_CLOSED)
        self.link = None

    async def receive(self, text: str) -> None:
        """Let the node say something; nothing where it is not connected."""
        if self.link is not None and not self.link.session.ended:
            await self.link.receive(text.encode())

    def _take(self, number: int, data: bytes) -> None:
        self._heard(Written(self.clock.now_ms(), number, data.decode()))
