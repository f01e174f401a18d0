"""The messages to one node that are sent until it acknowledges them: whose turn it is, and when (pure).

Each is sent every ``resend_every_s`` seconds with the same bytes, and given up ``give_up_after_s`` seconds after the
first time (``kubeedge cloud/pkg/cloudhub/handler/messagehandler.go:416-443@v1.3.1``: at 0, 5, 10, 15, 20 s, given up at
25 s). On their way are at most ``FIRST_WINDOW`` at a time, and one more for each that this session had acknowledged, up
to the window of the edge: so a session that ends soon leaves little that must be sent once more, and a link that breaks
again and again still brings something each time. A message moves between four places:

    waiting --its turn--> in flight --acknowledged--> gone
       ^                     |  |
       |---session over------|  |---given up--> parked --next session, or the object queued anew--> waiting

What is given up while something newer of its object waits is superseded by that, but for a delete, which gets in line
again before it.

Order is kept for each key, not between keys: what waits under one key is at most a delete and the newest message behind
it, beside one whose sending has begun. A delete is never superseded by what follows it: the object was another one.
"""

from collections import deque
from collections.abc import Set as AbstractSet
from math import floor, inf
from typing import NamedTuple

from cloudhub_stub.delivery.fates import GivenUp, Settled
from cloudhub_stub.delivery.parcel import Parcel, is_older
from edgecore.observe.ledger import ACKNOWLEDGED, DROPPED, SUPERSEDED

FIRST_WINDOW = 4
"""How many messages are on their way at most before the first acknowledgement of a session."""


class Timing(NamedTuple):
    """When messages are sent again, and how many at a time."""

    resend_every_s: float = 5.0
    give_up_after_s: float = 25.0
    in_flight: int = 1
    """As CloudHub of 1.3.1, to edges that expect that."""
    in_flight_ours: int = 64
    """To edges of this project: they take what comes by one connection in order, and many share a commit there."""

    def window(self, *, is_ours: bool) -> int:
        """Return how many are on their way to an edge at a time."""
        return self.in_flight_ours if is_ours else self.in_flight


DEFAULT_TIMING = Timing()


class _Flight:
    """One message that was sent in this session and is not acknowledged."""

    __slots__ = ("first_at", "next_at", "parcel")

    def __init__(self, parcel: Parcel, now: float, timing: Timing) -> None:
        self.parcel = parcel
        self.first_at = now
        self.next_at = now
        self.schedule(now, timing)

    def schedule(self, now: float, timing: Timing) -> None:
        """Set when it is sent next; times that have passed by are left out."""
        steps = floor((now - self.first_at) / timing.resend_every_s) + 1
        self.next_at = self.first_at + steps * timing.resend_every_s
        if self.next_at <= now:  # the sum was rounded down: that step is this one
            self.next_at += timing.resend_every_s
        if self.next_at >= self.gives_up_at(timing):
            self.next_at = inf

    def gives_up_at(self, timing: Timing) -> float:
        return self.first_at + timing.give_up_after_s

    def due_at(self, timing: Timing) -> float:
        return min(self.next_at, self.gives_up_at(timing))


class AckLane:
    """The lane of one node. Times are ``monotonic`` seconds. ``faithful``: versions are looked at elsewhere
    (``admission.py``), and what is given up is gone (bug H5)."""

    def __init__(self, timing: Timing, *, faithful: bool = False) -> None:
        self._timing = timing
        self._faithful = faithful
        self._turns: deque[str] = deque()
        """The keys under which something waits, each once, but for those in flight."""
        self._waiting: dict[str, list[Parcel]] = {}
        self._window = timing.in_flight
        self._open = min(FIRST_WINDOW, self._window)
        """How much of the window may be used by now."""
        self._flights: dict[str, _Flight] = {}
        """By key, in the order of their first sending."""
        self._due_at = inf
        """No message in flight is to be sent again, or given up, before that; what has left may have been due then."""
        self._parked: dict[str, Parcel] = {}
        self._begun: set[str] = set()
        """Ids of waiting messages that were in flight before: they are finished first."""

    @property
    def in_flight(self) -> list[Parcel]:
        """What was sent and is not acknowledged."""
        return [flight.parcel for flight in self._flights.values()]

    @property
    def parked(self) -> list[Parcel]:
        """What was given up."""
        return list(self._parked.values())

    def offer(self, parcel: Parcel) -> list[Settled]:
        """Queue ``parcel``; return what gives way to it, or itself where something newer is on its way."""
        key = _key(parcel)
        line = self._line(key)
        flight = self._flights.get(key)
        newest = line[-1] if line else None if flight is None else flight.parcel
        if newest is not None and not self._faithful and _is_stale(parcel, newest):
            return [Settled(parcel, SUPERSEDED, "stale_version")]
        self._parked.pop(key, None)
        stays = [old for old in line if old.id in self._begun or (old.is_delete and not parcel.is_delete)]
        settled = [Settled(old, SUPERSEDED, "newer_version") for old in line if old not in stays]
        if flight is None and key not in self._waiting:
            self._turns.append(key)
        self._waiting[key] = [*stays, parcel]
        return settled

    def put_first(self, parcel: Parcel) -> None:
        """Let ``parcel``, an answer that somebody waits for, go before all that is not in flight."""
        self._turns.appendleft(_key(parcel))
        self._waiting[_key(parcel)] = [parcel]

    def take(self, now: float) -> Parcel | None:
        """Return the next message to be written now, which counts as sent."""
        if self._due_at <= now:
            for flight in self._flights.values():
                if flight.next_at <= now:
                    flight.schedule(now, self._timing)
                    self._look_for_due()
                    return flight.parcel
            self._look_for_due()
        if not self._turns or len(self._flights) >= self._open:
            return None
        key = self._turns.popleft()
        parcel = self._pop(key)
        self._begun.discard(parcel.id)
        flight = self._flights[key] = _Flight(parcel, now, self._timing)
        self._due_at = min(self._due_at, flight.due_at(self._timing))
        return parcel

    def wake_at(self) -> float:
        """When ``take`` or ``expire`` has something to do next, at the earliest; infinity for never."""
        if self._turns and len(self._flights) < self._open:
            return -inf
        return self._due_at if self._flights else inf

    def expire(self, now: float) -> list[GivenUp | Settled]:
        """Give up what was not acknowledged in time."""
        if self._due_at > now:
            return []
        late = [flight.parcel for flight in self._flights.values() if flight.gives_up_at(self._timing) <= now]
        fates: list[GivenUp | Settled] = []
        for parcel in late:
            key = _key(parcel)
            del self._flights[key]
            fates.append(GivenUp(parcel))
            if self._faithful or not parcel.lasting:
                fates.append(Settled(parcel, DROPPED, "given_up"))
            elif key not in self._waiting:
                self._parked[key] = parcel
            elif parcel.is_delete and not self._waiting[key][0].is_delete:
                self._begun.add(parcel.id)
                self._waiting[key].insert(0, parcel)
            else:
                fates.append(Settled(parcel, SUPERSEDED, "given_up"))
            self._next_of(key)
        self._look_for_due()
        return fates

    def acknowledge(self, parcel: Parcel) -> Settled:
        """``parcel``, which lies in this lane, was acknowledged, wherever in the lane it is."""
        key = _key(parcel)
        flight = self._flights.get(key)
        if flight is not None and flight.parcel.id == parcel.id:
            del self._flights[key]
            self._open = min(self._open + 1, self._window)
            self._next_of(key)
        elif key in self._parked and self._parked[key].id == parcel.id:
            del self._parked[key]
        else:
            self._remove(parcel)
        return Settled(parcel, ACKNOWLEDGED)

    def withdraw(self, parcel: Parcel) -> None:
        """Take ``parcel`` out, wherever in the lane it is."""
        self.acknowledge(parcel)

    def discard(self, ids: AbstractSet[str]) -> None:
        """Take messages out, wherever in the lane they are."""
        self._flights = {key: flight for key, flight in self._flights.items() if flight.parcel.id not in ids}
        self._parked = {key: parcel for key, parcel in self._parked.items() if parcel.id not in ids}
        self._begun -= ids
        lines = ((key, [parcel for parcel in line if parcel.id not in ids]) for key, line in self._waiting.items())
        self._waiting = {key: line for key, line in lines if line}
        turns = dict.fromkeys([*self._turns, *self._waiting])
        self._turns = deque(key for key in turns if key in self._waiting and key not in self._flights)

    def interrupt(self) -> list[Settled]:
        """The session is over: what was in flight waits for the next one, answers are of no use any more."""
        settled: list[Settled] = []
        for flight in reversed(list(self._flights.values())):
            parcel = flight.parcel
            if parcel.lasting:
                self._begun.add(parcel.id)
                self._waiting.setdefault(_key(parcel), []).insert(0, parcel)
                self._turns.appendleft(_key(parcel))
            else:
                settled.append(Settled(parcel, DROPPED, "link_lost"))
        self._flights.clear()
        self._due_at = inf
        for parcel in [line[0] for line in self._waiting.values() if not line[0].lasting]:
            self._remove(parcel)
            settled.append(Settled(parcel, DROPPED, "link_lost"))
        return settled

    def resume(self, window: int | None = None) -> None:
        """A session begins: what was given up gets another chance, behind what waits.

        ``window``: how many messages may be in flight; by default as to a Go edge.
        """
        self._window = self._timing.in_flight if window is None else window
        self._open = min(FIRST_WINDOW, self._window)
        for key, parcel in self._parked.items():
            self._waiting[key] = [parcel]
            self._turns.append(key)
        self._parked.clear()

    def _line(self, key: str) -> list[Parcel]:
        """Return what waits under ``key``, in order; one that was given up would go first."""
        parked = self._parked.get(key)
        waiting = self._waiting.get(key, [])
        return waiting if parked is None else [parked, *waiting]

    def _look_for_due(self) -> None:
        self._due_at = min((flight.due_at(self._timing) for flight in self._flights.values()), default=inf)

    def _pop(self, key: str) -> Parcel:
        line = self._waiting[key]
        parcel = line.pop(0)
        if not line:
            del self._waiting[key]
        return parcel

    def _next_of(self, key: str) -> None:
        """``key`` is not in flight any more: what waits under it gets in line again."""
        if key in self._waiting:
            self._turns.append(key)

    def _remove(self, parcel: Parcel) -> None:
        key = _key(parcel)
        self._begun.discard(parcel.id)
        line = [other for other in self._waiting.get(key, ()) if other.id != parcel.id]
        if line:
            self._waiting[key] = line
        elif self._waiting.pop(key, None) is not None and key not in self._flights:
            self._turns.remove(key)


def _key(parcel: Parcel) -> str:
    """Answers have keys of their own: each is for one waiter."""
    return parcel.key or f"\n{parcel.id}"


def _is_stale(parcel: Parcel, newest: Parcel) -> bool:
    """Whether something newer of the same object is on its way already."""
    return not parcel.is_delete and not newest.is_delete and is_older(parcel.version, newest.version)
