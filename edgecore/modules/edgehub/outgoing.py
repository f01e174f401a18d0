"""The outbox at work: what each change of it means for the ledger, the durable rows, the log, and those who wait."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import structlog

from edgecore.beehive.frame import encode_frame
from edgecore.beehive.message import Message
from edgecore.beehive.resource import EDGEHUB
from edgecore.clock import looked_at
from edgecore.errors import FrameError, StoreError
from edgecore.modules.edgehub.outbox import Ended, Entry, Outbox
from edgecore.observe.ledger import ACKNOWLEDGED, COALESCED, DELIVERED, DROPPED, SUPERSEDED, UP, Ledger
from edgecore.observe.metrics import Metrics
from edgecore.store import outbox as rows
from edgecore.store.store import Statement, Store

log = structlog.get_logger("edgehub")


class Outgoing:
    """The messages of this node on their way to the cloud, over all connections."""

    def __init__(
        self,
        box: Outbox,
        ledger: Ledger,
        store: Store,
        metrics: Metrics,
        *,
        awaited: Callable[[str], bool],
        max_message_bytes: int,
    ) -> None:
        self._box = box
        self._ledger = ledger
        self._store = store
        self._metrics = metrics
        self._awaited = awaited
        self._max_message_bytes = max_message_bytes
        self.filled = asyncio.Event()
        """Something is to be written."""
        self.written = asyncio.Event()
        """Nothing is to be written."""
        self.arrived = asyncio.Event()
        """Nothing is to be written, and nothing is in doubt."""
        self._show()
        self.counts = dict.fromkeys((DELIVERED, ACKNOWLEDGED, SUPERSEDED, COALESCED, DROPPED), 0)
        ledger.hold(UP, lambda _peer, message_id: message_id in box)

    def restore(self) -> None:
        """Take up what an earlier process of this node could not send. Raises ``StoreError``."""
        for kept in rows.kept(self._store):
            if isinstance(kept, rows.BadRow):
                self._metrics.bad_input(EDGEHUB, "bad_outbox_row", peer="database", row=kept.seq, detail=kept.detail)
                self._submit(rows.forget_row(kept))
            else:
                self._accept(kept, question=False)
        if self._box.waiting:
            log.info("outbox_restored", messages=self._box.waiting)

    def accept(self, message: Message) -> None:
        """Take a message of a module; what cannot be sent is counted and logged."""
        self._accept(message, question=message.header.sync)

    def take(self, now: float) -> Entry | None:
        """Return the message to be written next."""
        entry = self._box.take(now)
        self._show()
        return entry

    def ask_for_proof(self, message_id: str) -> None:
        """See ``Outbox``."""
        self._box.ask_for_proof(message_id)

    def awaits_proof(self, message_id: str = "") -> bool:
        """See ``Outbox``."""
        return self._box.awaits_proof(message_id)

    @property
    def in_doubt(self) -> int:
        """See ``Outbox``."""
        return self._box.in_doubt

    def doubted_since(self) -> float | None:
        """See ``Outbox``."""
        return self._box.doubted_since()

    def answered(self, message_id: str) -> None:
        """The cloud answered ``message_id``."""
        self._settle(self._box.answered(message_id))

    def connection_ended(self) -> None:
        """What is not known to have arrived waits for the next connection."""
        self._settle(self._box.connection_ended())

    def forget_unawaited(self) -> None:
        """Take out the questions for whose answers nobody waits any more."""
        self._settle(self._box.forget_unawaited(self._awaited))

    def close(self) -> None:
        """The node stops."""
        left = self._box.close()
        if left:
            log.warning("messages_not_sent", messages=len(left), hint="the link was down when the node stopped")
        self._settle(left)

    def _accept(self, message: Message, *, question: bool) -> None:
        payload = self._encoded(message)
        if payload is None:
            return
        self._ledger.open(UP, message)
        durable = rows.is_durable(message)
        if durable and not self._is_kept(message):
            self._submit(rows.keep(message))
        self._settle(self._box.add(message, payload, durable=durable, question=question))

    def _is_kept(self, message: Message) -> bool:
        """Whether its maker has had it written already: a look costs a fraction of writing it once more."""
        try:
            return rows.is_kept(self._store, message.header.id)
        except StoreError:
            return False

    def _encoded(self, message: Message) -> bytes | None:
        try:
            payload = encode_frame(message)
        except FrameError as error:
            self._refuse(message, error.reason, detail=error.detail)
            return None
        if len(payload) > self._max_message_bytes:
            self._refuse(message, "too_large_to_send", size_bytes=len(payload))
            return None
        return payload

    def _refuse(self, message: Message, reason: str, **details: Any) -> None:
        route = message.route
        self._ledger.record(UP, message, DROPPED, reason)
        self.counts[DROPPED] += 1
        self._metrics.bad_input(EDGEHUB, reason, peer=route.source, resource=route.resource, **details)
        if rows.is_durable(message):
            self._submit(*rows.forget([message.header.id]))

    def _settle(self, ended: Iterable[Ended]) -> None:
        gone: list[str] = []
        for entry, outcome, reason in ended:
            self.counts[outcome] += 1
            # Of two with one id the other goes on: the ledger has counted this one when it was opened.
            if reason != "in_outbox":
                self._ledger.close(UP, entry.id, outcome, reason)
                if entry.durable:
                    gone.append(entry.id)
            if outcome == DROPPED and reason == "outbox_full":
                route = entry.message.route
                log.error("outbox_overflow", id=entry.id, operation=route.operation, resource=route.resource)
        if gone:
            self._submit(*rows.forget(gone))
        self._show()

    def _show(self) -> None:
        """Set the events to what the box says."""
        waits = self._box.waiting > 0
        _set(self.filled, waits)
        _set(self.written, not waits)
        _set(self.arrived, not waits and self._box.doubted_since() is None)

    def _submit(self, *statements: Statement) -> None:
        """Have rows written; the store logs what it refuses, and the message itself goes its way all the same."""
        self._store.submit(*statements).add_done_callback(looked_at)


def _set(event: asyncio.Event, so: bool) -> None:
    if so:
        event.set()
    else:
        event.clear()
