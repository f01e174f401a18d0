"""The messages for the cloud that are not known to have arrived (pure): bounded, in order, each explained at its end.

==========  =================================================================================================
a message   is
==========  =================================================================================================
waiting     to be written; a newer status takes the place of an older one, the same acknowledgement goes once
in doubt    written, and nothing has proved yet that the cloud read it
asked       read by the cloud, and somebody in this node still waits for its answer
==========  =================================================================================================

The cloud reads a connection in order, so an answer to one message proves that it has read every message written before
on that connection. When a connection ends, what was asked or in doubt waits again, in the order in which it was
written and before everything else, under the ids it had: the cloud may get it twice, and never not at all.

A full box makes room by a rule that is counted and named: first the oldest message in doubt is taken for delivered
(``unproven``), then the oldest that waits is dropped (``outbox_full``); questions and durable messages are left alone,
and where nothing else is left the new message is refused. Durable messages have room of their own; where that is full,
the oldest report of a device that waits gives way, for a later one says how the device is now.
"""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from edgecore.beehive.message import Message
from edgecore.beehive.resource import INSERT, NODESTATUS, PODSTATUS, RESPONSE, TWIN, UPDATE, parse_edge
from edgecore.observe.ledger import ACKNOWLEDGED, COALESCED, DELIVERED, DROPPED, SUPERSEDED

CAPACITY = 1024
CAPACITY_BYTES = 256 * 1024 * 1024
DURABLE_FACTOR = 10
"""So many times as many durable messages may lie here as others."""
PROOFS = 64
"""Proofs that may be awaited at one time; one is asked for at every heartbeat until one comes."""

_Key = tuple[str, str, str, str]


@dataclass(slots=True, eq=False)
class Entry:
    """One message with the bytes that are written for it, the same every time."""

    message: Message
    payload: bytes
    durable: bool
    question: bool
    """Somebody in this node waits for the answer."""
    key: _Key
    taken: int = 0
    """The how many-th it was when it was last taken to be written."""
    taken_at: float = 0.0
    """When that was, ``monotonic`` seconds."""

    @property
    def id(self) -> str:
        """The message's id."""
        return self.message.header.id


class Ended(NamedTuple):
    """A message that left the box, with the ledger's word for how."""

    entry: Entry
    outcome: str
    reason: str = ""


class Outbox:
    """Messages for the cloud, first in first out."""

    def __init__(self, capacity: int = CAPACITY, capacity_bytes: int = CAPACITY_BYTES) -> None:
        self._capacity = capacity
        self._capacity_bytes = capacity_bytes
        self._waiting: OrderedDict[_Key, Entry] = OrderedDict()
        self._doubt: OrderedDict[str, Entry] = OrderedDict()
        self._asked: OrderedDict[str, Entry] = OrderedDict()
        self._by_id: dict[str, Entry] = {}
        self._taken = 0
        self._proofs: dict[str, int] = {}  # message of the transport: how many were taken before it
        self._bytes = 0
        self._durable = 0

    def __len__(self) -> int:
        return len(self._by_id)

    def __contains__(self, message_id: str) -> bool:
        return message_id in self._by_id

    @property
    def waiting(self) -> int:
        """How many messages are to be written."""
        return len(self._waiting)

    @property
    def held_bytes(self) -> int:
        """The bytes of all that lies here."""
        return self._bytes

    @property
    def in_doubt(self) -> int:
        """How many messages were written and are not known to be read."""
        return len(self._doubt)

    def doubted_since(self) -> float | None:
        """Return when the oldest message in doubt was taken to be written; ``None`` if there is none."""
        return next(iter(self._doubt.values())).taken_at if self._doubt else None

    def add(self, message: Message, payload: bytes, *, durable: bool = False, question: bool = False) -> list[Ended]:
        """Put ``message`` behind what waits; return what ended because of it, maybe itself."""
        entry = Entry(message, payload, durable, question, _key(message))
        if entry.id in self._by_id:
            return [Ended(entry, COALESCED, "in_outbox")]
        if _is_ack(message) and entry.key in self._waiting:
            return [Ended(entry, COALESCED, "acknowledged_already")]
        ended: list[Ended] = []
        if durable and self._durable >= self._capacity * DURABLE_FACTOR:
            oldest = self._oldest_report()
            if oldest is None:
                return [Ended(entry, DROPPED, "outbox_full")]
            ended.append(self._end(oldest, DROPPED, "outbox_full"))
        older = self._waiting.get(entry.key)
        if older is not None:
            ended.append(self._end(older, SUPERSEDED))
        while not self._has_room(entry):
            gone = self._make_room()
            if gone is None:
                return [*ended, Ended(entry, DROPPED, "outbox_full")]
            ended.append(gone)
        self._hold(entry)
        return ended

    def take(self, now: float) -> Entry | None:
        """Return the message to be written next, and from now on doubt whether it arrived."""
        if not self._waiting:
            return None
        _, entry = self._waiting.popitem(last=False)
        self._taken += 1
        entry.taken, entry.taken_at = self._taken, now
        self._doubt[entry.id] = entry
        return entry

    def ask_for_proof(self, message_id: str) -> None:
        """``message_id`` is being written, a message of the transport: its answer proves all that was taken so far."""
        self._proofs[message_id] = self._taken
        if len(self._proofs) > PROOFS:
            del self._proofs[next(iter(self._proofs))]

    def awaits_proof(self, message_id: str = "") -> bool:
        """Whether the answer to any ``ask_for_proof`` is awaited; if an id is given, whether that one's is."""
        return message_id in self._proofs if message_id else bool(self._proofs)

    def answered(self, message_id: str) -> list[Ended]:
        """The cloud answered ``message_id`` on the present connection; return what ended by that."""
        taken = self._proofs.get(message_id)
        if taken is not None:
            while next(iter(self._proofs)) != message_id:  # asked for earlier: there is nothing left to prove
                del self._proofs[next(iter(self._proofs))]
            del self._proofs[message_id]
            return self._proven(taken)
        entry = self._by_id.get(message_id)
        if entry is None:
            return []
        in_doubt = message_id in self._doubt
        return [self._end(entry, ACKNOWLEDGED), *(self._proven(entry.taken) if in_doubt else ())]

    def connection_ended(self) -> list[Ended]:
        """What was asked or in doubt waits again, before the rest; return what need not be written a second time."""
        self._proofs.clear()
        waiting: OrderedDict[_Key, Entry] = OrderedDict()
        ended: list[Ended] = []
        again = [*self._asked.values(), *self._doubt.values()]
        for entry in [*sorted(again, key=lambda entry: entry.taken), *self._waiting.values()]:
            older = waiting.pop(entry.key, None)
            if older is not None:
                ended.append(self._end(older, COALESCED if _is_ack(older.message) else SUPERSEDED))
            waiting[entry.key] = entry
        self._asked.clear()
        self._doubt.clear()
        self._waiting = waiting
        return ended

    def forget_unawaited(self, awaited: Callable[[str], bool]) -> list[Ended]:
        """Take out the questions for whose answers nobody waits any more."""
        gone = [entry for entry in self._by_id.values() if entry.question and not awaited(entry.id)]
        return [
            self._end(entry, DROPPED, "nobody_waits")
            if entry.key in self._waiting
            else self._end(entry, DELIVERED, "no_answer" if entry.id in self._asked else "unproven")
            for entry in gone
        ]

    def close(self) -> list[Ended]:
        """The node stops: take out everything but what is durable."""
        return [self._end(entry, DROPPED, "node_stopped") for entry in list(self._by_id.values()) if not entry.durable]

    def _proven(self, taken: int) -> list[Ended]:
        """Everything in doubt up to the one that was taken as number ``taken`` was read."""
        ended: list[Ended] = []
        while self._doubt:
            entry = next(iter(self._doubt.values()))
            if entry.taken > taken:
                break
            if entry.question:
                del self._doubt[entry.id]
                self._asked[entry.id] = entry
            else:
                ended.append(self._end(entry, DELIVERED))
        return ended

    def _hold(self, entry: Entry) -> None:
        self._by_id[entry.id] = entry
        self._waiting[entry.key] = entry
        self._bytes += len(entry.payload)
        self._durable += entry.durable

    def _end(self, entry: Entry, outcome: str, reason: str = "") -> Ended:
        del self._by_id[entry.id]
        self._bytes -= len(entry.payload)
        self._durable -= entry.durable
        if self._waiting.get(entry.key) is entry:
            del self._waiting[entry.key]
        self._doubt.pop(entry.id, None)
        self._asked.pop(entry.id, None)
        return Ended(entry, outcome, reason)

    def _has_room(self, entry: Entry) -> bool:
        if self._by_id and self._bytes + len(entry.payload) > self._capacity_bytes:
            return False
        return entry.durable or len(self._by_id) - self._durable < self._capacity

    def _oldest_report(self) -> Entry | None:
        return next(filter(_is_report, self._waiting.values()), None)

    def _make_room(self) -> Ended | None:
        for entry in self._doubt.values():
            if not (entry.durable or entry.question):
                return self._end(entry, DELIVERED, "unproven")
        for entry in self._waiting.values():
            if not (entry.durable or entry.question):
                return self._end(entry, DROPPED, "outbox_full")
        return None


def _is_report(entry: Entry) -> bool:
    """Whether a device says something in it: a later report says how the device is now."""
    return entry.durable and entry.message.route.source == TWIN


def _is_ack(message: Message) -> bool:
    return message.route.operation == RESPONSE and message.header.parent_id != ""


def _key(message: Message) -> _Key:
    """Return what two messages share when one of them is enough; for most that is nothing."""
    route = message.route
    if _is_ack(message):
        return (RESPONSE, message.header.parent_id, "", "")
    resource = parse_edge(route.resource)
    if route.operation in (INSERT, UPDATE) and resource is not None and resource.type in (NODESTATUS, PODSTATUS):
        return ("", route.source, route.operation, route.resource)
    return ("", "", "", message.header.id)
