"""The queues of all nodes: messages accepted, kept on disk until they are through, and those who sent them told."""

import asyncio
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

import structlog

from cloudhub_stub.delivery.fates import Fate, GivenUp, Settled
from cloudhub_stub.delivery.journal import is_committed
from cloudhub_stub.delivery.parcel import Parcel, parcel_of
from cloudhub_stub.delivery.queue import NodeQueue, QueueRules
from cloudhub_stub.errors import QueueFull
from cloudhub_stub.nodes import MAX_NODES
from cloudhub_stub.store.tables import QueuedRow, Rows
from edgecore.beehive.message import Message
from edgecore.beehive.wire import decode
from edgecore.clock import looked_at
from edgecore.errors import FrameError, StoreError
from edgecore.observe.ledger import DOWN, Ledger
from edgecore.observe.metrics import Metrics

log = structlog.get_logger("cloudhub")

Observer = Callable[[Fate], None]
"""Told what becomes of a message, up to its ``Settled``."""


class _Intake(NamedTuple):
    """Messages that room is kept for."""

    node: str
    queue: NodeQueue
    parcels: list[Parcel]
    messages: Sequence[Message]


class Delivery:
    """Everything on its way down. Used from one event loop; the rows are there from ``load`` on."""

    def __init__(self, rules: QueueRules, rows: Rows, ledger: Ledger, metrics: Metrics) -> None:
        self.rules = rules
        self.ledger = ledger
        self.refused = 0
        """Messages that full queues did not take."""
        self.given_up = 0
        self._rows = rows
        self._metrics = metrics
        self._queues: dict[str, NodeQueue] = {}
        self._observers: dict[tuple[str, str], list[Observer]] = {}
        self.on_work: Callable[[str], None] = lambda _node: None
        """Called with the name of a node whose queue has something new."""
        self.on_accepted: Callable[[Message], None] = lambda _message: None
        """Called with every message that somebody handed in to be sent; not with those that were ``put``."""
        self.watchers: list[Callable[[str, Fate], None]] = []
        """Told what becomes of every message, with the name of its node."""
        ledger.hold(DOWN, self.holds)

    def load(self) -> None:
        """Queue what was accepted before and is not through. Raises ``StoreError``."""
        for row in self._rows.kept():
            try:
                message = decode(row.frame)
                parcel = parcel_of(message, data=row.frame, durable=True)
            except FrameError as error:
                self._metrics.bad_input("cloudhub", "bad_row", row.node, id=row.id, detail=error.detail)
                self._rows.forget(row.node, [row.id]).add_done_callback(looked_at)
                continue
            self._force(row.node, parcel, message)
        for node in self._queues:
            self.settle(node)
        if self._queues:
            waiting = sum(queue.lasting for queue in self._queues.values())
            log.info("queues_loaded", nodes=len(self._queues), messages=waiting)

    def queue(self, node: str) -> NodeQueue:
        """Return the queue of ``node``. Raises ``QueueFull`` where there are as many queues as may be."""
        queue = self._queues.get(node)
        if queue is None:
            self._make_room(node)
            queue = self._queues[node] = NodeQueue(self.rules)
        return queue

    def queues(self) -> dict[str, NodeQueue]:
        """Return the queues by node."""
        return dict(self._queues)

    def depth(self, node: str) -> int:
        """Return how many messages wait for ``node`` or are on their way to it."""
        queue = self._queues.get(node)
        return 0 if queue is None else queue.lasting

    def holds(self, node: str, message_id: str) -> bool:
        """Whether the message lies in the queue of ``node``."""
        queue = self._queues.get(node)
        return queue is not None and queue.holds(message_id)

    async def accept(
        self, node: str, messages: Sequence[Message], *, durable: bool = True, observer: Observer | None = None
    ) -> None:
        """Queue ``messages``, all or none, and return when they will not be lost: ``durable`` ones are committed.

        Raises ``QueueFull``, ``FrameError`` where a content is no JSON value, ``StoreError``. ``observer`` is told
        from the first event on, even where this returns later.
        """
        parcels = [parcel_of(message, durable=durable) for message in messages]
        queue = self.queue(node)
        try:
            queue.reserve(parcels)
        except QueueFull as full:
            self.refused += len(parcels)
            raise QueueFull(
                f"cannot queue {len(parcels)} messages for {node}: {full}; wait until some are through"
            ) from None
        if observer is not None:
            for parcel in parcels:
                self._observers.setdefault((node, parcel.id), []).append(observer)
        if not durable:
            self._tell_accepted(messages)
            self._enter(_Intake(node, queue, parcels, messages))
            return
        kept = self._rows.keep(QueuedRow(node, parcel.id, parcel.data) for parcel in parcels)
        entered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entered.add_done_callback(looked_at)
        # Entered by the commit and not by this task: who asked may hang up while the rows are being written.
        kept.add_done_callback(lambda _: self._end_intake(kept, entered, _Intake(node, queue, parcels, messages)))
        await asyncio.shield(entered)

    def put(self, node: str, messages: Sequence[Message]) -> int:
        """Queue ``messages`` in memory only, as many of the first as there is room for, and return how many those are.

        For a sender that knows by itself what a node is owed, also after a restart. Raises ``FrameError`` where a
        content is no JSON value.
        """
        parcels = [parcel_of(message) for message in messages]
        try:
            queue = self.queue(node)
        except QueueFull:
            return 0
        fitting = 0
        for parcel in parcels:
            try:
                queue.reserve([parcel])
            except QueueFull:
                break
            fitting += 1
        if fitting:
            self._enter(_Intake(node, queue, parcels[:fitting], messages[:fitting]))
        return fitting

    def withdraw(self, node: str, message_id: str) -> None:
        """Take a message back that nobody wants to be sent any more."""
        queue = self._queues.get(node)
        if queue is not None and queue.holds(message_id):
            queue.withdraw(message_id)
            self.settle(node)
            self.on_work(node)  # it may have been in flight, with others behind it

    def take_back(self, node: str, message_ids: AbstractSet[str], reason: str) -> None:
        """Take messages back that were ``put``, and in whose place others will be."""
        queue = self._queues.get(node)
        if queue is not None and message_ids:
            queue.take_back(message_ids, reason)
            self.settle(node)

    def forget_observer(self, node: str, message_id: str, observer: Observer) -> None:
        """Tell ``observer`` nothing more of that message."""
        observers = self._observers.get((node, message_id), [])
        if observer in observers:
            observers.remove(observer)
        if not observers:
            self._observers.pop((node, message_id), None)

    def settle(self, node: str) -> None:
        """Do what the events in the queue of ``node`` ask for."""
        through: list[str] = []
        for fate in self._queues[node].drain():
            self._tell(node, fate)
            if isinstance(fate, Settled):
                parcel = fate.parcel
                self.ledger.close(DOWN, parcel.id, fate.outcome, fate.reason, node)
                if parcel.durable:
                    through.append(parcel.id)
            elif isinstance(fate, GivenUp):
                self.given_up += 1
                log.warning("message_given_up", node=node, id=fate.parcel.id, resource=fate.parcel.resource[:200])
        if through:
            # Not waited for: a row too many is a message sent twice under one id, which edges take once.
            self._rows.forget(node, through).add_done_callback(looked_at)

    def _end_intake(self, kept: asyncio.Future[None], entered: asyncio.Future[None], intake: _Intake) -> None:
        if is_committed(kept):
            self._tell_accepted(intake.messages)
            self._enter(intake)
            entered.set_result(None)
            return
        entered.set_exception(kept.exception() or StoreError("cannot queue messages: the stub is stopping"))
        for parcel in intake.parcels:
            intake.queue.release(parcel)
            self._observers.pop((intake.node, parcel.id), None)

    def _tell_accepted(self, messages: Sequence[Message]) -> None:
        for message in messages:
            self.on_accepted(message)

    def _enter(self, intake: _Intake) -> None:
        node = intake.node
        for parcel, message in zip(intake.parcels, intake.messages, strict=True):
            self.ledger.open(DOWN, message, node)
            intake.queue.enter(parcel)
        self.settle(node)
        self.on_work(node)

    def _force(self, node: str, parcel: Parcel, message: Message) -> None:
        """Queue what was accepted by an earlier process, whatever the limits are now."""
        queue = self._queues.setdefault(node, NodeQueue(self.rules))
        self.ledger.open(DOWN, message, node)
        queue.restore(parcel)

    def _tell(self, node: str, fate: Fate) -> None:
        for watcher in self.watchers:
            watcher(node, fate)
        key = (node, fate.parcel.id)
        observers = self._observers.get(key)
        if observers is None:
            return
        if isinstance(fate, Settled):
            del self._observers[key]
        for observer in list(observers):
            observer(fate)

    def _make_room(self, node: str) -> None:
        if len(self._queues) < MAX_NODES:
            return
        for name, queue in self._queues.items():
            if not queue.lasting and not queue.connected:
                del self._queues[name]
                return
        raise QueueFull(f"cannot queue messages for {node}: there are queues for {MAX_NODES} nodes, which is the limit")
