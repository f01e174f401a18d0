"""The messages to one node that are written once in each session: lists, changes of twins, simple answers (pure).

They do not wait for each other. A message that was written is in doubt until it is known to have been read:

| it is | known by | ends as |
| --- | --- | --- |
| one that edges acknowledge | its acknowledgement | ``acknowledged`` |
| the same, and none comes in ``give_up_after_s`` seconds | an answer to anything later | ``delivered``, ``no_ack`` |
| one that edges do not acknowledge | an answer to anything that was written later | ``delivered`` |

Whatever is still in doubt when the session ends is written again in the next one, the newest of each list; an answer to
a request is dropped, as the edge asks again. (Go forgets a list once it is written.)
"""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from math import inf
from typing import NamedTuple

from cloudhub_stub.delivery.fates import GivenUp, Settled
from cloudhub_stub.delivery.parcel import Parcel
from edgecore.observe.ledger import ACKNOWLEDGED, DELIVERED, DROPPED, SUPERSEDED

PACE = 64
"""How many unread messages a Go edge gets at a time: beyond 100 it drops the oldest (bug T4)."""


class _Doubt(NamedTuple):
    parcel: Parcel
    place: int
    """Its number among the writes of the session."""
    written_at: float


class ListLane:
    """The lane of one node. Times are ``monotonic`` seconds."""

    def __init__(self, give_up_after_s: float) -> None:
        self._give_up_after_s = give_up_after_s
        self._waiting: dict[str, Parcel] = {}
        self._plain: dict[str, _Doubt] = {}
        """Written, read by nobody as far as is known, and due no acknowledgement; in the order of writing."""
        self._due: dict[str, _Doubt] = {}
        """Written and not acknowledged, in the order of writing."""
        self._late: dict[str, _Doubt] = {}
        """The same, given up in this session."""
        self._read = 0
        """What was written before that place has been read."""
        self._handled = 0
        """What was written before that place has been handed to a module of the edge."""

    @property
    def written(self) -> list[Parcel]:
        """What was written and is in doubt."""
        return [doubt.parcel for doubt in self._doubts()]

    @property
    def has_waiting(self) -> bool:
        """Whether something is to be written."""
        return bool(self._waiting)

    def offer(self, parcel: Parcel) -> list[Settled]:
        """Queue ``parcel``; return the older list that gives way to it."""
        slot = _slot(parcel)
        older = self._waiting.get(slot)
        self._waiting[slot] = parcel
        return [] if older is None else [Settled(older, SUPERSEDED, "newer_version")]

    def has_room(self, pace: int | None) -> bool:
        """Whether fewer than ``pace`` messages lie unread at the edge; ``None`` for any number."""
        if pace is None:
            return True
        unread = len(self._plain)
        for doubt in reversed(self._due.values()):
            if unread >= pace or doubt.place < self._handled:
                break
            unread += 1
        return unread < pace

    def take(self) -> Parcel:
        """Return the next message to be written; ``wrote`` follows."""
        return self._waiting.pop(next(iter(self._waiting)))

    def wrote(self, parcel: Parcel, place: int, now: float) -> None:
        """``parcel`` was written, the ``place``-th write of the session."""
        doubts = self._due if parcel.due_ack else self._plain
        doubts[parcel.id] = _Doubt(parcel, place, now)

    def oldest_unread_at(self) -> float:
        """When the oldest message was written that may not have been read; infinity if there is none."""
        if not self._plain and not self._due:
            return inf
        plain = next((doubt.written_at for doubt in self._plain.values()), inf)
        due = next((doubt.written_at for doubt in self._due.values() if doubt.place >= self._read), inf)
        return min(plain, due)

    def was_read(self, place: int, *, handled: bool) -> list[Settled]:
        """What was written before ``place`` has been read; ``handled``: a module of the edge has answered."""
        self._read = max(self._read, place)
        if handled:
            self._handled = max(self._handled, place)
        settled = []
        while self._plain and (doubt := next(iter(self._plain.values()))).place < place:
            del self._plain[doubt.parcel.id]
            settled.append(Settled(doubt.parcel, DELIVERED))
        for doubt in [doubt for doubt in self._late.values() if doubt.place < place]:
            del self._late[doubt.parcel.id]
            settled.append(Settled(doubt.parcel, DELIVERED, "no_ack"))
        return settled

    def acknowledge(self, parcel: Parcel) -> Settled:
        """``parcel``, which lies in this lane, was acknowledged."""
        self.withdraw(parcel)
        return Settled(parcel, ACKNOWLEDGED)

    def withdraw(self, parcel: Parcel) -> None:
        """Take ``parcel`` out, wherever in the lane it is."""
        for doubts in (self._plain, self._due, self._late):
            doubts.pop(parcel.id, None)
        waiting = self._waiting.get(_slot(parcel))
        if waiting is not None and waiting.id == parcel.id:
            del self._waiting[_slot(parcel)]

    def discard(self, ids: AbstractSet[str]) -> None:
        """Take messages out, wherever in the lane they are."""
        for doubts in (self._plain, self._due, self._late):
            for message_id in doubts.keys() & ids:
                del doubts[message_id]
        self._waiting = {slot: parcel for slot, parcel in self._waiting.items() if parcel.id not in ids}

    def place_of(self, parcel: Parcel) -> int | None:
        """Return which write of this session ``parcel`` was, if it was written."""
        for doubts in (self._plain, self._due, self._late):
            if parcel.id in doubts:
                return doubts[parcel.id].place
        return None

    def expires_at(self) -> float:
        """When ``expire`` has something to do next; infinity for never."""
        return next((doubt.written_at for doubt in self._due.values()), inf) + self._give_up_after_s

    def expire(self, now: float) -> list[GivenUp | Settled]:
        """Wait no longer for acknowledgements that are overdue."""
        fates: list[GivenUp | Settled] = []
        while self._due and self.expires_at() <= now:
            doubt = self._due.pop(next(iter(self._due)))
            if doubt.place < self._read:
                fates.append(Settled(doubt.parcel, DELIVERED, "no_ack"))
            else:
                self._late[doubt.parcel.id] = doubt
                fates.append(GivenUp(doubt.parcel))
        return fates

    def interrupt(self) -> list[Settled]:
        """The session is over: what is in doubt waits again, in order, before the rest."""
        settled: list[Settled] = []
        again: dict[str, Parcel] = {}
        for doubt in sorted(self._doubts(), key=lambda doubt: doubt.place):
            parcel, slot = doubt.parcel, _slot(doubt.parcel)
            if not parcel.lasting:
                settled.append(Settled(parcel, DROPPED, "link_lost"))
                continue
            if slot in again:
                settled.append(Settled(again.pop(slot), SUPERSEDED, "newer_version"))
            again[slot] = parcel
        outdated = [slot for slot in again if slot in self._waiting]
        settled += [Settled(again.pop(slot), SUPERSEDED, "newer_version") for slot in outdated]
        self._waiting = {**again, **self._waiting}
        for doubts in (self._plain, self._due, self._late):
            doubts.clear()
        self._read = self._handled = 0
        return settled

    def _doubts(self) -> Iterator[_Doubt]:
        for doubts in (self._plain, self._due, self._late):
            yield from doubts.values()


def _slot(parcel: Parcel) -> str:
    return parcel.key or f"\n{parcel.id}"
