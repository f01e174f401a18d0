"""Doubles and builders for tests of the stub without sockets."""

import asyncio
import json
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import pytest

from cloudhub_stub.answers import LIKE_1_3, Answer, Manners, answer
from cloudhub_stub.cloud import Cloud
from cloudhub_stub.cluster.kinds import ObjectKey
from cloudhub_stub.controllers.names import CONTROLLERS
from cloudhub_stub.controlplane import ControlPlane
from cloudhub_stub.delivery.journal import Journal
from cloudhub_stub.delivery.parcel import Parcel, parcel_of
from cloudhub_stub.delivery.queue import QueueRules
from cloudhub_stub.delivery.queues import Delivery
from cloudhub_stub.errors import NodeLost
from cloudhub_stub.nodes import Node, Nodes
from cloudhub_stub.objects import Objects
from cloudhub_stub.store.tables import JournalRow, QueuedRow
from cloudhub_stub.upgrade import Upgrade
from cluster.acting import ActingEdge
from edgecore.beehive.message import Header, Message, Route
from edgecore.beehive.wire import encode
from edgecore.clock import VirtualClock, settle
from edgecore.errors import StoreError
from edgecore.ids import NewId
from edgecore.observe.ledger import UP, Ledger
from edgecore.observe.metrics import Metrics
from edgecore.store.store import Statement


class RecordingSocket:
    """Keeps what is sent; ``broken`` makes it refuse like a closed connection."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.blocked: asyncio.Event | None = None
        self.hung_up: list[str] = []
        self.broken = False

    async def send(self, data: bytes) -> None:
        if self.broken:
            raise NodeLost("cannot send: closed")
        if self.blocked is not None:
            await self.blocked.wait()
        self.frames.append(data)

    def hang_up(self, reason: str) -> None:
        self.hung_up.append(reason)

    @property
    def sent(self) -> list[dict[str, Any]]:
        return [json.loads(frame) for frame in self.frames]


class FakeRows:
    """Rows in memory, committed at once; ``held`` lets commits wait for ``commit``, ``broken`` makes them fail."""

    def __init__(self) -> None:
        self.queued: dict[tuple[str, str], QueuedRow] = {}
        self.noted: list[tuple[str, str]] = []
        self.log: list[str] = []
        """Notes and objects in the order of their commits."""
        self.statements: list[Statement] = []
        """Of the cluster."""
        self.held = False
        self.broken = False
        self._waiting: list[tuple[asyncio.Future[None], Callable[[], None]]] = []

    def keep(self, rows: Iterable[QueuedRow]) -> asyncio.Future[None]:
        kept = list(rows)

        def write() -> None:
            for row in kept:
                self.queued.setdefault((row.node, row.id), row)

        return self._submit(write)

    def forget(self, node: str, message_ids: Iterable[str]) -> asyncio.Future[None]:
        gone = list(message_ids)

        def write() -> None:
            for message_id in gone:
                self.queued.pop((node, message_id), None)

        return self._submit(write)

    def kept(self) -> list[QueuedRow]:
        return list(self.queued.values())

    def noting(self, node: str, message: Message, at_ms: int) -> list[Statement]:
        return [Statement("INSERT INTO journal", (node, message.header.id))]

    def is_noted(self, node: str, message_id: str) -> bool:
        return (node, message_id) in self.noted

    def journal(self, node: str, after: int, limit: int) -> list[JournalRow]:
        return []

    def submit(self, *statements: Statement) -> asyncio.Future[None]:
        def write() -> None:
            self.statements.extend(statements)
            for each in statements:
                if " journal" in each.sql:
                    self.noted.append((each.params[0], each.params[1]))
                    self.log.append(f"note {each.params[1]}")
                elif " objects " in each.sql:
                    self.log.append(f"{each.params[0]} {each.params[2]}")

        return self._submit(write)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return what was committed to the table of ``sql``, as it is now."""
        table = sql.rpartition(" FROM ")[2].split()[0]
        held: dict[Any, tuple[Any, ...]] = {}
        for each in self.statements:
            if f" {table} " not in each.sql:
                continue
            if table == "counters":
                held[table] = tuple(each.params)
                continue
            width = {"objects": 3, "synced": 4}[table]
            key = tuple(each.params[:width])
            held.pop(key, None)
            if not each.sql.startswith("DELETE"):
                held[key] = tuple(each.params)
        return list(held.values())

    async def commit(self, *, fail_first: bool = False) -> None:
        """Commit what waits, in order; the first of it may fail."""
        waiting, self._waiting = self._waiting, []
        for number, (future, write) in enumerate(waiting):
            if fail_first and number == 0:
                future.set_exception(StoreError("cannot write: the disk is full"))
            else:
                self._end(future, write)
        await settle()

    def _submit(self, write: Callable[[], None]) -> asyncio.Future[None]:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if self.held:
            self._waiting.append((future, write))
        else:
            self._end(future, write)
        return future

    def _end(self, future: asyncio.Future[None], write: Callable[[], None]) -> None:
        if self.broken:
            future.set_exception(StoreError("cannot write: the disk is full"))
        else:
            write()
            future.set_result(None)


class MakeMessage(Protocol):
    def __call__(self, operation: str, resource: str, content: Any = None, **header: str) -> Message: ...


@pytest.fixture
def rows() -> FakeRows:
    return FakeRows()


@pytest.fixture
def make_cloud(vclock: VirtualClock, ids: NewId, metrics: Metrics, rows: FakeRows) -> Callable[..., Cloud]:
    """Return a cloud with these rules for its queues, by default those of the stub."""

    def make(
        *,
        faithful: bool = False,
        max_nodes: int = 3,
        controllers: Iterable[str] = CONTROLLERS,
        **rules: Any,
    ) -> Cloud:
        nodes = Nodes(vclock, keepalive_timeout_s=30.0, max_nodes=max_nodes, faithful=faithful, write_timeout_s=30.0)
        ledger = Ledger(vclock.monotonic)
        journal = Journal(rows)
        ledger.hold(UP, journal.is_pending)
        delivery = Delivery(QueueRules(faithful=faithful, **rules), rows, ledger, metrics)
        plane = ControlPlane(
            rows,
            delivery,
            metrics,
            clock=vclock,
            new_id=ids,
            is_connected=nodes.is_connected,
            controllers=frozenset(controllers),
        )
        return Cloud(vclock, ids, metrics, ledger, nodes, Objects(), delivery, journal, plane, faithful, 0.010)

    return make


@pytest.fixture
def cloud(make_cloud: Callable[..., Cloud]) -> Cloud:
    return make_cloud()


@pytest.fixture
def make_edge(vclock: VirtualClock) -> Callable[..., ActingEdge]:
    """Return a function that makes an edge of a cloud, which is not connected yet."""

    def make(cloud: Cloud, name: str = "edge-1") -> ActingEdge:
        return ActingEdge(cloud, name, vclock)

    return make


@pytest.fixture
def make_socket() -> type[RecordingSocket]:
    return RecordingSocket


@pytest.fixture
def message() -> MakeMessage:
    def make(operation: str, resource: str, content: Any = None, **header: str) -> Message:
        source, group = header.pop("source", "edged"), header.pop("group", "meta")
        head = Header(header.get("id", "m1"), header.get("parent", ""), 1, header.get("version", ""))
        return Message(head, Route(source, group, operation, resource), content)

    return make


@pytest.fixture
def frame(message: MakeMessage) -> Any:
    """Return the bytes of a message, as ``message`` takes its parts."""

    def make(*parts: Any, **header: str) -> bytes:
        return encode(message(*parts, **header)) + b"\n"

    return make


@pytest.fixture
def parcel() -> Callable[..., Parcel]:
    """Return the parcel of a message of the cloud about ``resource``."""
    count = iter(range(10_000))

    def make(
        resource: str,
        version: str = "",
        *,
        operation: str = "update",
        id: str = "",  # noqa: A002 - the word of the wire
        source: str = "edgecontroller",
        group: str = "resource",
        content: Any = None,
        **more: Any,
    ) -> Parcel:
        head = Header(id or f"m{next(count)}", "", 1, version)
        return parcel_of(Message(head, Route(source, group, operation, resource), content), **more)

    return make


@pytest.fixture
def node(cloud: Cloud) -> Node:
    return cloud.nodes.connect(Upgrade("edge-1", "p"))[0]


@pytest.fixture
def ask(message: Any, node: Node, cloud: Cloud) -> Any:
    def ask_(*parts: Any, is_ours: bool = True, manners: Manners = LIKE_1_3, **header: str) -> Answer:
        request = message(*parts, **header)
        return answer(request, node, cloud.plane, cloud.objects, is_ours=is_ours, manners=manners)

    return ask_


@pytest.fixture
def held(cloud: Cloud) -> Any:
    """Return a function that returns an object of the cluster; ``None`` where there is none."""

    def held_(kind: str, name: str, namespace: str = "default") -> Any:
        return cloud.plane.registry.get(ObjectKey(kind, "" if kind == "Node" else namespace, name))

    return held_


@pytest.fixture
async def told(cloud: Cloud) -> Any:
    """Return a function that says what lies in the queue of a node, in words."""

    async def told_(name: str = "edge-1") -> list[str]:
        await settle()
        return sorted(f"{each.operation} {each.resource}" for each in cloud.delivery.queue(name)._held.values())

    return told_
