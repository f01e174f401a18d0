"""Doubles and builders for tests of the stub without sockets."""

import asyncio
import json
from collections.abc import Callable, Iterable
from typing import Any, Protocol

import pytest

from cloudhub_stub.cloud import Cloud
from cloudhub_stub.delivery.journal import Journal
from cloudhub_stub.delivery.parcel import Parcel, parcel_of
from cloudhub_stub.delivery.queue import QueueRules
from cloudhub_stub.delivery.queues import Delivery
from cloudhub_stub.errors import NodeLost
from cloudhub_stub.nodes import Nodes
from cloudhub_stub.objects import Objects
from cloudhub_stub.store.tables import JournalRow, QueuedRow
from edgecore.beehive.message import Header, Message, Route
from edgecore.beehive.wire import encode
from edgecore.clock import VirtualClock, settle
from edgecore.errors import StoreError
from edgecore.ids import NewId
from edgecore.observe.ledger import UP, Ledger
from edgecore.observe.metrics import Metrics


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

    def note(self, node: str, message: Message, at_ms: int) -> asyncio.Future[None]:
        return self._submit(lambda: self.noted.append((node, message.header.id)))

    def is_noted(self, node: str, message_id: str) -> bool:
        return (node, message_id) in self.noted

    def journal(self, node: str, after: int, limit: int) -> list[JournalRow]:
        return []

    async def commit(self) -> None:
        """Commit what waits, in order."""
        waiting, self._waiting = self._waiting, []
        for future, write in waiting:
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

    def make(*, faithful: bool = False, max_nodes: int = 3, **rules: Any) -> Cloud:
        nodes = Nodes(
            vclock, ids, keepalive_timeout_s=30.0, max_nodes=max_nodes, faithful=faithful, write_timeout_s=30.0
        )
        ledger = Ledger(vclock.monotonic)
        journal = Journal(rows)
        ledger.hold(UP, journal.is_pending)
        delivery = Delivery(QueueRules(faithful=faithful, **rules), rows, ledger, metrics)
        return Cloud(vclock, ids, metrics, ledger, nodes, Objects(), delivery, journal, faithful, 0.010)

    return make


@pytest.fixture
def cloud(make_cloud: Callable[..., Cloud]) -> Cloud:
    return make_cloud()


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
