"""The control plane: the cluster's objects, the controllers that work on them, the file that keeps them, the sender.

One round takes some changes, lets the controllers answer them with more, and commits everything together; only then are
messages queued for nodes. Whatever changes an object calls ``kick``, or ``commit`` to know when it is on disk. Used
from one event loop.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterator
from typing import Protocol

import structlog

from cloudhub_stub.cluster.api import Api
from cloudhub_stub.cluster.events import Events
from cloudhub_stub.cluster.kinds import KINDS, Object, ObjectKey
from cloudhub_stub.cluster.registry import Change, Registry
from cloudhub_stub.cluster.writes import Write
from cloudhub_stub.controllers.loop import ControlLoop
from cloudhub_stub.controllers.names import CONTROLLERS, NODE_GRACE_S
from cloudhub_stub.delivery.journal import is_committed
from cloudhub_stub.delivery.queues import Delivery
from cloudhub_stub.downstream.devices import DeviceItems
from cloudhub_stub.downstream.dispatch import Dispatch, Gathered
from cloudhub_stub.downstream.feed import Feed
from cloudhub_stub.downstream.synced import Synced
from cloudhub_stub.downstream.wanted import Wanted
from cloudhub_stub.store.cluster import (
    ClusterFile,
    SyncedKey,
    object_statement,
    stored_objects,
    stored_synced,
    stored_version,
    version_statement,
)
from edgecore.clock import Clock, Timer, looked_at
from edgecore.errors import StoreError
from edgecore.ids import NewId
from edgecore.observe.metrics import Metrics
from edgecore.store.store import Statement

log = structlog.get_logger("cloudhub")

CHANGES_A_ROUND = 200
"""How many changes one round takes: the rest waits for the next, so that nodes are answered in between."""
ROUND_S = 0.05
"""How long a round lasts at most, but for one step, however little changes: for the same reason."""
RETRY_AFTER_S = 1.0
"""How long after a failed commit the next is tried."""


class PlaneFile(ClusterFile, Protocol):
    """Where the cluster is kept."""

    def submit(self, *statements: Statement) -> asyncio.Future[None]:
        """Commit ``statements`` together, behind all that was submitted before."""


class ControlPlane:
    """The cluster, alive from ``load`` to ``stop``."""

    def __init__(
        self,
        file: PlaneFile,
        delivery: Delivery,
        metrics: Metrics,
        *,
        clock: Clock,
        new_id: NewId,
        is_connected: Callable[[str], bool],
        controllers: frozenset[str] = frozenset(CONTROLLERS),
        node_grace_s: float = NODE_GRACE_S,
    ) -> None:
        self.registry = Registry()
        self.new_id = new_id
        self.api = Api(self.registry, clock, new_id)
        self.synced = Synced()
        devices = DeviceItems(self.registry, self.synced, clock, new_id)
        self.wanted = Wanted(self.registry, self.synced, devices)
        self._feed = Feed(self.registry, self.synced, self.wanted, devices)
        self.dispatch = Dispatch(
            self.registry,
            self.synced,
            self.wanted,
            self._feed,
            delivery,
            clock=clock,
            new_id=new_id,
            is_connected=is_connected,
            on_gathered=self.kick,
        )
        self.events = Events(clock)
        self.loop = ControlLoop(
            self.registry,
            self.api,
            self.events,
            clock,
            is_connected,
            on_due=self.kick,
            enabled=controllers,
            node_grace_s=node_grace_s,
        )
        self.watchers: list[Callable[[Change], None]] = []
        """Told of every change."""
        self._file = file
        self._metrics = metrics
        self.clock = clock
        self._dirty: dict[ObjectKey, Object | None] = {}
        self._stored_version = 0
        self._unsent: Gathered = {}
        """What belongs to a commit that failed, and to those behind it."""
        self._in_flight: deque[_Batch] = deque()
        self._is_kicked = False
        self._retry: Timer | None = None
        self._last: asyncio.Future[None] | None = None
        self._stopped = False

    def load(self) -> None:
        """Take in what was stored. Raises ``StoreError``."""
        for key, found in stored_objects(self._file):
            if isinstance(found, StoreError) or key.kind not in KINDS:
                self._metrics.bad_input("cloudhub", "bad_row", str(key), detail=_why(found))
                continue
            self.registry.load(found)
            self.registry.note_version(found["metadata"].get("resourceVersion", ""))
        self.registry.version = self._stored_version = max(self.registry.version, stored_version(self._file))
        self.synced.load(stored_synced(self._file))
        self._feed.load()
        self.loop.load()
        self.kick()
        log.info("cluster_loaded", objects=len(self.registry), version=self.registry.version)

    def stop(self) -> None:
        """Submit what has changed and is not on its way to the disk yet; begin no round and set no timer any more."""
        if not self._stopped:
            while self.registry.changes:
                self._take(self.registry.changes.popleft())
            if self._dirty:
                self._submit()
        self._stopped = True
        self.dispatch.stop()
        self.loop.stop()
        if self._retry is not None:
            self._retry.cancel()

    def kick(self) -> None:
        """Have a round soon."""
        if not self._is_kicked and not self._stopped and self._retry is None:
            self._is_kicked = True
            asyncio.get_running_loop().call_soon(self._round)

    def commit(self, *more: Statement) -> asyncio.Future[None]:
        """Submit what has changed up to now, and return when that is on disk; controllers come later.

        ``more`` is committed together with it, or not at all: it is not tried again.
        """
        while self.registry.changes:
            self._take(self.registry.changes.popleft())
        self._submit(*more)
        self.kick()
        if self._last is None:
            self._last = asyncio.get_running_loop().create_future()
            self._last.set_result(None)
        return self._last

    def write(self, write: Write) -> bool:
        """Write what an edge or a controller says; see ``Api.write``."""
        done = self.api.write(write)
        self.kick()
        return done

    # What nodes tell.

    def connection_changed(self, node: str, *, is_connected: bool) -> None:
        """A node has connected, or is gone."""
        if is_connected:
            self.dispatch.connected(node)
        self.loop.connection_changed(node)
        self.kick()

    def started_anew(self, node: str) -> None:
        """A node has registered, as it does when it starts."""
        self.loop.heard_of(node)
        self.dispatch.started_anew(node)
        self.kick()

    def heard_of(self, node: str) -> None:
        """A node has posted its status."""
        self.loop.heard_of(node)
        self.dispatch.heard_of(node)
        self.kick()

    def owe(self, node: str, key: SyncedKey) -> None:
        """A node is known not to have what it was sent of a thing: it gets that once more."""
        self.synced.doubt(node, key)
        self.dispatch.sync(node, key)
        self.kick()

    @property
    def is_idle(self) -> bool:
        """Whether nothing is left to be done that does not wait for time to pass or a node to answer."""
        return not (self.registry.changes or self.loop.has_work or self._dirty or self._is_kicked or self._retry)

    def _round(self) -> None:
        self._is_kicked = False
        if self._stopped:
            return
        budget, until = CHANGES_A_ROUND, self.clock.monotonic() + ROUND_S
        while budget > 0 and self.clock.monotonic() < until:
            if self.registry.changes:
                self._take(self.registry.changes.popleft())
                budget -= 1
            elif not self.loop.step():
                break
        self._submit()
        if self.registry.changes or self.loop.has_work:
            self.kick()

    def _take(self, change: Change) -> None:
        self._dirty[change.key] = change.new
        self.dispatch.take(change)
        self.loop.note(change)
        for watcher in list(self.watchers):
            watcher(change)

    def _submit(self, *more: Statement) -> None:
        """Commit what is dirty; what was gathered for nodes goes to them after that."""
        self.dispatch.end_round()
        gathered = _joined(self._unsent, self.dispatch.batch())
        self._unsent = {}
        dirty, self._dirty = self._dirty, {}
        rows = self.synced.unstored
        statements = [*self._statements(dirty)]
        if not statements:
            if gathered:
                self.dispatch.send(gathered)
            if more:
                self._last = self._file.submit(*more)
                self._last.add_done_callback(looked_at)
            return
        committed = self._last = self._file.submit(*statements, *more)
        batch = _Batch(list(dirty), rows, gathered)
        self._in_flight.append(batch)
        committed.add_done_callback(lambda _: self._committed(committed, batch))

    def _statements(self, dirty: dict[ObjectKey, Object | None]) -> Iterator[Statement]:
        for key, obj in dirty.items():
            yield object_statement(key, obj)
        yield from self.synced.statements()
        if self.registry.version != self._stored_version:
            self._stored_version = self.registry.version
            yield version_statement(self.registry.version)

    def _committed(self, committed: asyncio.Future[None], batch: "_Batch") -> None:
        self._in_flight.remove(batch)
        if is_committed(committed):
            self.dispatch.send(batch.gathered)
            return
        self._metrics.bad_input("cloudhub", "cluster_not_stored", "disk", objects=len(batch.keys))
        # Stored once more is what is now: what came later may be on disk already.
        self._dirty.update((key, self.registry.get(key)) for key in batch.keys)
        self.synced.store_again(batch.rows)
        self._stored_version = 0
        # What was gathered later waits as well, so that nodes get all in its order.
        for each in (batch, *self._in_flight):
            self._unsent = _joined(self._unsent, each.gathered)
            each.gathered = {}
        if self._retry is None and not self._stopped:
            self._retry = self.clock.call_at(self.clock.monotonic() + RETRY_AFTER_S, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        self.kick()


class _Batch:
    """What is being committed together, and what goes to nodes once it is."""

    def __init__(self, keys: list[ObjectKey], rows: list[tuple[str, SyncedKey]], gathered: Gathered) -> None:
        self.keys = keys
        self.rows = rows
        self.gathered = gathered


def _joined(first: Gathered, second: Gathered) -> Gathered:
    if not first or not second:
        return first or second
    return {node: [*first.get(node, ()), *second.get(node, ())] for node in {**first, **second}}


def _why(found: Object | StoreError) -> str:
    """Return why a row is no use. What it holds is not said: it may be a secret."""
    return str(found)[:200] if isinstance(found, StoreError) else "it is of no kind that is known"
