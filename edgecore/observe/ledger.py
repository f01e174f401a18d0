"""The delivery ledger: what became of every message that crossed the link, in either direction (pure).

A message is *opened* when it begins its way and *closed*, once, with an outcome:

================  ===================================================================================
outcome           what it means
================  ===================================================================================
``delivered``     the other side has it, and owes nothing for it
``acknowledged``  the other side answered it, or we acknowledged it to the other side
``superseded``    a newer state of the same thing took its place before it could leave
``coalesced``     it was there already: the same message once more, or the same acknowledgement
``dropped``       it went nowhere; the reason says why
================  ===================================================================================

Between the two it is *under way*. A message under way that nobody holds (no outbox, no queue) for longer than
``overdue_s`` is *unexplained*: somebody lost it. (``held_by_nobody`` counts them at any age: once a process is at rest,
it is 0 too.) So opened = closed + under way, and in a node that loses nothing
``unexplained`` is 0. The ledger holds no contents, and never more than ``capacity`` open entries; one that had to be
forgotten counts as unexplained.

What a person puts on the bus (``edgecore/<node>/inject``) crosses no link: it is counted beside, as *injected*.
"""

from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from edgecore.beehive.message import Message, Route

UP = "edge->cloud"
DOWN = "cloud->edge"

DELIVERED = "delivered"
ACKNOWLEDGED = "acknowledged"
SUPERSEDED = "superseded"
COALESCED = "coalesced"
DROPPED = "dropped"
OUTCOMES = (DELIVERED, ACKNOWLEDGED, SUPERSEDED, COALESCED, DROPPED)

CAPACITY = 65_536
OVERDUE_S = 60.0
RECENT_DROPS = 100
OLDEST_SHOWN = 20
"""How many of the messages under way are shown."""

_Key = tuple[str, str, str]

Holds = Callable[[str, str], bool]
"""Whether the message with this id, of this peer, lies where it cannot be lost."""


_Entry = tuple[float, Route]
"""One message under way: when it was opened, ``monotonic`` seconds, and where it goes. (A plain tuple: every message of
the link makes two.)"""


class Ledger:
    """The book of one process. ``peer`` names the node in the book of a cloud; a node's own book has none."""

    def __init__(
        self, monotonic: Callable[[], float], *, capacity: int = CAPACITY, overdue_s: float = OVERDUE_S
    ) -> None:
        self._monotonic = monotonic
        self._capacity = capacity
        self._overdue_s = overdue_s
        self._under_way: dict[_Key, _Entry] = {}
        self._counts: dict[tuple[str, str, str], int] = {}
        self._opened = {UP: 0, DOWN: 0}
        self._forgotten = 0
        self._drops: deque[dict[str, Any]] = deque(maxlen=RECENT_DROPS)
        self._injections: deque[dict[str, Any]] = deque(maxlen=RECENT_DROPS)
        self.injected = 0
        """Messages that a person put on the bus."""
        self._holders: dict[str, list[Holds]] = {UP: [], DOWN: []}

    def hold(self, direction: str, holds: Holds) -> None:
        """Ask ``holds`` at every look at the book: what lies in an outbox or a queue is not lost, however old."""
        self._holders[direction].append(holds)

    def open(self, direction: str, message: Message, peer: str = "") -> bool:
        """Note that ``message`` begins its way. One that is under way already is counted as ``coalesced``: false."""
        self._opened[direction] += 1
        key = (direction, peer, message.header.id)
        if key in self._under_way:
            self._add(direction, COALESCED, "under_way")
            return False
        if len(self._under_way) >= self._capacity:
            del self._under_way[next(iter(self._under_way))]
            self._forgotten += 1
        self._under_way[key] = (self._monotonic(), message.route)
        return True

    def close(self, direction: str, message_id: str, outcome: str, reason: str = "", peer: str = "") -> bool:
        """Note how the message ended; ``reason`` is a fixed snake_case word. False where none of that id is open."""
        entry = self._under_way.pop((direction, peer, message_id), None)
        if entry is None:
            return False
        self._add(direction, outcome, reason)
        if outcome == DROPPED:
            self._note_drop(direction, peer, message_id, entry[1], reason)
        return True

    def record(self, direction: str, message: Message, outcome: str, reason: str = "", peer: str = "") -> None:
        """Note a message that began and ended in the same moment."""
        self._opened[direction] += 1
        self._add(direction, outcome, reason)
        if outcome == DROPPED:
            self._note_drop(direction, peer, message.header.id, message.route, reason)

    def inject(self, to: str, message: Message) -> None:
        """Note that a person put ``message`` on the bus for module ``to``."""
        self.injected += 1
        shown = _shown("", "", message.header.id, message.route)
        del shown["direction"]
        self._injections.append({**shown, "to": to[:80]})

    def is_held(self, direction: str, message_id: str, peer: str = "") -> bool:
        """Whether anybody says that they hold this message."""
        return any(holds(peer, message_id) for holds in self._holders[direction])

    @property
    def under_way(self) -> int:
        """How many messages have begun their way and not ended it."""
        return len(self._under_way)

    @property
    def unexplained(self) -> int:
        """How many messages nobody can account for: overdue and held by nobody, or forgotten for want of room."""
        return self._forgotten + sum(1 for _ in self._lost())

    def counts(self) -> dict[tuple[str, str, str], int]:
        """Return (direction, outcome, reason) to the number of messages that ended so."""
        return dict(self._counts)

    def view(self, limit: int = RECENT_DROPS) -> dict[str, Any]:
        """Return the book as a JSON object, with at most ``limit`` unexplained messages and recent drops, and the
        messages that are under way for longest.
        """
        now = self._monotonic()
        lost = list(self._lost())
        return {
            "directions": {direction: self._direction(direction) for direction in (UP, DOWN)},
            "unexplained": self._forgotten + len(lost),
            "forgotten": self._forgotten,
            "held_by_nobody": sum(1 for _ in self._unheld(now)),
            "unexplained_messages": [self._open(key, entry, now) for key, entry in lost[:limit]],
            "under_way_messages": [
                self._open(key, entry, now) for key, entry in islice(self._under_way.items(), min(limit, OLDEST_SHOWN))
            ],
            "recently_dropped": list(self._drops)[-limit:],
            "injected": self.injected,
            "recently_injected": list(self._injections)[-limit:],
        }

    def _open(self, key: _Key, entry: _Entry, now: float) -> dict[str, Any]:
        return {**_shown(*key, entry[1]), "age_s": round(now - entry[0], 3)}

    def _direction(self, direction: str) -> dict[str, Any]:
        ended = dict.fromkeys(OUTCOMES, 0)
        reasons: dict[str, dict[str, int]] = {}
        for (of, outcome, reason), count in sorted(self._counts.items()):
            if of == direction:
                ended[outcome] += count
                if reason:
                    reasons.setdefault(outcome, {})[reason] = count
        under_way = sum(1 for key in self._under_way if key[0] == direction)
        return {"opened": self._opened[direction], **ended, "under_way": under_way, "reasons": reasons}

    def _lost(self) -> Iterator[tuple[_Key, _Entry]]:
        """Yield what is overdue and held by nobody."""
        return self._unheld(self._monotonic() - self._overdue_s)

    def _unheld(self, latest: float) -> Iterator[tuple[_Key, _Entry]]:
        """Yield what was opened at ``latest`` or before and is held by nobody."""
        for key, entry in self._under_way.items():
            if entry[0] > latest:
                return  # entries lie in the order of their opening
            direction, peer, message_id = key
            if not self.is_held(direction, message_id, peer):
                yield key, entry

    def _add(self, direction: str, outcome: str, reason: str) -> None:
        key = (direction, outcome, reason)
        self._counts[key] = self._counts.get(key, 0) + 1

    def _note_drop(self, direction: str, peer: str, message_id: str, route: Route, reason: str) -> None:
        self._drops.append({**_shown(direction, peer, message_id, route), "reason": reason})


def _shown(direction: str, peer: str, message_id: str, route: Route) -> dict[str, Any]:
    shown = {
        "direction": direction,
        "id": message_id[:80],
        "source": route.source[:80],
        "operation": route.operation[:80],
        "resource": route.resource[:200],
    }
    return {**shown, "node": peer} if peer else shown
