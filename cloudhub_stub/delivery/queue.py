"""Everything on its way to one node: its two lanes, its answers, and what proves that something was read (pure).

The shell asks ``take`` what to write next and writes it; ``wake_at`` says when to ask again. What becomes of messages
is collected and fetched with ``drain``. A queue outlives the node's sessions: ``connect`` and ``disconnect`` say when
one begins and ends.

Where something written has not been proved read for ``PROVE_AFTER_S`` seconds, ``take`` says ``Prove``: a message of
the transport, which every edge answers at once and in order (``kubeedge VD/conn/ws.go:69-94@v1.3.1``), shall be
written, and told with ``proving``. A faithful stub sends none and takes what it has written for read.
"""

from collections import deque
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from math import inf

from cloudhub_stub.delivery.ack_lane import DEFAULT_TIMING, AckLane, Timing
from cloudhub_stub.delivery.admission import FaithfulAdmission
from cloudhub_stub.delivery.fates import Fate, Settled, Written
from cloudhub_stub.delivery.list_lane import ListLane
from cloudhub_stub.delivery.parcel import Lane, Parcel
from cloudhub_stub.errors import QueueFull
from edgecore.observe.ledger import DELIVERED, DROPPED, SUPERSEDED

PROVE_AFTER_S = 2.0
"""How long something may be in doubt before its reading is asked for."""
PROVE_AGAIN_AFTER_S = 5.0
"""How long an answer to that may take before it is asked for once more."""
MAX_ANSWERS = 1024
"""How many answers wait to be written; a node that asks on and reads nothing loses the newest, and asks again."""
_MAX_PROOFS = 4
_EARLIER = 0


@dataclass(frozen=True)
class QueueRules:
    """What holds for the queues of all nodes."""

    timing: Timing = DEFAULT_TIMING
    max_messages: int = 10_000
    max_bytes: int = 64 * 1024 * 1024
    faithful: bool = False


DEFAULT_RULES = QueueRules()


class Prove:
    """Something that is answered at once shall be written."""


class NodeQueue:
    """The queue of one node. Times are ``monotonic`` seconds."""

    def __init__(self, rules: QueueRules) -> None:
        self._rules = rules
        self._admission = FaithfulAdmission() if rules.faithful else None
        self._acks = AckLane(rules.timing, faithful=rules.faithful)
        self._lists = ListLane(rules.timing.give_up_after_s)
        self._answers: deque[tuple[float, Parcel]] = deque()
        """Answers of this session, and the time from which on they may be written."""
        self._held: dict[str, Parcel] = {}
        self._lasting = self._bytes = 0
        self._fates: list[Fate] = []
        self.connected = False
        self._pace: int | None = None
        self._writes = 0
        self._places: dict[str, int] = {}
        """Id to place among the session's writes, of what is in flight and of what shall prove reading; ``_EARLIER``
        for what an earlier session may have written: an acknowledgement may be of that, and proves nothing here."""
        self._proofs: list[str] = []
        self._proved_at = -inf
        """When a proof was asked for last that has not come; minus infinity if none is open."""

    # What it holds.

    def holds(self, message_id: str) -> bool:
        """Whether the message lies here."""
        return message_id in self._held

    def __len__(self) -> int:
        return len(self._held)

    @property
    def lasting(self) -> int:
        """How many messages lie here, answers not counted."""
        return self._lasting

    @property
    def held_bytes(self) -> int:
        """How long they are together."""
        return self._bytes

    @property
    def unacknowledged(self) -> int:
        """How many were sent in this session and are due an acknowledgement."""
        return len(self._acks.in_flight) + sum(parcel.due_ack for parcel in self._lists.written)

    @property
    def given_up(self) -> int:
        """How many were given up and wait for the next session."""
        return len(self._acks.parked)

    # What comes in.

    def reserve(self, parcels: list[Parcel]) -> None:
        """Keep room for ``parcels`` until they ``enter`` or are released; none where it raises ``QueueFull``."""
        count, size = len(parcels), sum(len(parcel.data) for parcel in parcels)
        if self._lasting + count > self._rules.max_messages:
            raise QueueFull(f"{self._lasting} messages lie in its queue, which takes {self._rules.max_messages}")
        if self._bytes + size > self._rules.max_bytes:
            raise QueueFull(f"{self._bytes} bytes lie in its queue, which takes {self._rules.max_bytes}")
        self._lasting += count
        self._bytes += size

    def release(self, parcel: Parcel) -> None:
        """Give back the room that was kept for ``parcel``."""
        self._lasting -= 1
        self._bytes -= len(parcel.data)

    def enter(self, parcel: Parcel) -> bool:
        """Queue a message that room was kept for; false where one of that id lies here already."""
        if parcel.id in self._held:
            self.release(parcel)
            return False
        self._held[parcel.id] = parcel
        refusal = self._admission.refusal(parcel) if self._admission is not None else ""
        if refusal:
            self._settle([Settled(parcel, DROPPED, refusal)])
        else:
            lane = self._acks if parcel.lane is Lane.ACK else self._lists
            self._settle(lane.offer(parcel))
        return True

    def restore(self, parcel: Parcel) -> None:
        """Queue a message that an earlier process accepted, whatever the limits are now."""
        self._lasting += 1
        self._bytes += len(parcel.data)
        self._places[parcel.id] = _EARLIER
        self.enter(parcel)

    def answer(self, parcel: Parcel, not_before: float) -> None:
        """Queue the answer to a request of this session, to be written at ``not_before`` at the earliest."""
        self._held[parcel.id] = parcel
        refusal = self._admission.refusal(parcel) if self._admission is not None else ""
        if not refusal and len(self._answers) >= MAX_ANSWERS:
            refusal = "queue_full"
        if refusal:
            self._settle([Settled(parcel, DROPPED, refusal)])
        else:
            self._answers.append((not_before, parcel))

    def acknowledge(self, message_id: str) -> bool:
        """The node answered the message of that id; false where nobody awaits that."""
        proof = message_id in self._proofs
        parcel = self._held.get(message_id)
        if parcel is None and not proof:
            return False
        place = self._places.pop(message_id, None)
        if parcel is not None:
            place = self._lists.place_of(parcel) if place is None else place
            lane = self._acks if parcel.lane is Lane.ACK else self._lists
            self._drop_answer(parcel)
            self._settle([lane.acknowledge(parcel)])
            if self._admission is not None:
                self._admission.acknowledged(parcel)
        if place is not None:
            self._settle(self._lists.was_read(place, handled=not proof))
        if proof:
            while self._proofs and self._proofs.pop(0) != message_id:
                pass
            self._proved_at = -inf
        return True

    def withdraw(self, message_id: str) -> None:
        """Take a message out that its sender does not want any more."""
        parcel = self._held.get(message_id)
        if parcel is not None:
            lane = self._acks if parcel.lane is Lane.ACK else self._lists
            lane.withdraw(parcel)
            self._settle([Settled(parcel, DROPPED, "withdrawn")])

    def take_back(self, ids: AbstractSet[str], reason: str) -> None:
        """Take messages out whose sender makes others in their place."""
        held = [self._held[message_id] for message_id in ids if message_id in self._held]
        self._acks.discard(ids)
        self._lists.discard(ids)
        self._settle([Settled(parcel, SUPERSEDED, reason) for parcel in held])

    # Sessions.

    def connect(self, pace: int | None, window: int | None = None) -> None:
        """A session begins.

        ``pace``: how many unread lists it may have under way, ``None`` for any number; ``window``: how many messages
        that wait for their acknowledgement, ``None`` for as many as a Go edge gets.
        """
        self.connected = True
        self._pace = pace
        self._writes = 0
        self._acks.resume(window)

    def disconnect(self) -> None:
        """The session is over: answers are dropped, everything else waits for the next one."""
        if not self.connected:
            return
        self.connected = False
        answers = [Settled(parcel, DROPPED, "link_lost") for _, parcel in self._answers]
        self._answers.clear()
        written = [*self._places, *(parcel.id for parcel in self._lists.written)]
        self._places = {message_id: _EARLIER for message_id in written if message_id in self._held}
        self._proofs.clear()
        self._proved_at = -inf
        self._settle([*answers, *self._acks.interrupt(), *self._lists.interrupt()])

    # What goes out.

    def take(self, now: float) -> Parcel | Prove | None:
        """Return what is to be written now, and counts as written from now on."""
        if not self.connected:
            return None
        self.expire(now)
        parcel = self._next(now)
        if parcel is not None:
            self._note_write(parcel, now)
            return parcel
        return Prove() if self._prove_at() <= now else None

    def proving(self, message_id: str, now: float) -> None:
        """The message of that id is being written; its answer proves that all before it was read."""
        self._writes += 1
        self._places[message_id] = self._writes
        self._proofs.append(message_id)
        while len(self._proofs) > _MAX_PROOFS:
            self._places.pop(self._proofs.pop(0), None)
        self._proved_at = now

    def wake_at(self) -> float:
        """When ``take`` has something to do next: minus infinity for now, infinity for never."""
        if not self.connected:
            return inf
        if self._lists.has_waiting and self._lists.has_room(self._pace):
            return -inf
        answer_at = self._answers[0][0] if self._answers else inf
        return min(answer_at, self._acks.wake_at(), self._lists.expires_at(), self._prove_at())

    def expire(self, now: float) -> None:
        """Give up what was not acknowledged in time."""
        for fate in [*self._acks.expire(now), *self._lists.expire(now)]:
            if isinstance(fate, Settled):
                self._settle([fate])
            else:
                self._fates.append(fate)

    def drain(self) -> list[Fate]:
        """Return what became of messages since the last call, in order."""
        fates, self._fates = self._fates, []
        return fates

    def _next(self, now: float) -> Parcel | None:
        while self._answers and self._answers[0][0] <= now:
            parcel = self._answers.popleft()[1]
            if parcel.lane is Lane.LIST:
                return parcel
            self._acks.put_first(parcel)
        if self._lists.has_waiting and self._lists.has_room(self._pace):
            return self._lists.take()
        return self._acks.take(now)

    def _note_write(self, parcel: Parcel, now: float) -> None:
        self._writes += 1
        self._fates.append(Written(parcel))
        if parcel.lane is Lane.ACK:
            self._places.setdefault(parcel.id, self._writes)
        elif self._rules.faithful and not parcel.due_ack:
            self._settle([Settled(parcel, DELIVERED, "written")])
        else:
            self._lists.wrote(parcel, self._writes, now)

    def _prove_at(self) -> float:
        """When a proof is to be asked for: at once where lists wait for the reading of others."""
        oldest = inf if self._rules.faithful else self._lists.oldest_unread_at()
        if oldest == inf:
            return inf
        held_up = self._lists.has_waiting and not self._lists.has_room(self._pace)
        due_at = oldest if held_up else oldest + PROVE_AFTER_S
        return max(due_at, self._proved_at + PROVE_AGAIN_AFTER_S)

    def _drop_answer(self, parcel: Parcel) -> None:
        if not parcel.lasting:
            self._answers = deque(entry for entry in self._answers if entry[1].id != parcel.id)

    def _settle(self, settled: list[Settled]) -> None:
        for fate in settled:
            parcel = fate.parcel
            del self._held[parcel.id]
            self._places.pop(parcel.id, None)
            if parcel.lasting:
                self.release(parcel)
        self._fates += settled
