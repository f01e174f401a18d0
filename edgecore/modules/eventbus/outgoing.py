"""What waits for one broker (pure): in order, bounded in messages and bytes.

Where there is no room, the oldest go: those of QoS 0, of which nobody was promised anything, before the others.
"""

from collections import Counter, deque
from itertools import count
from typing import NamedTuple


class Publication(NamedTuple):
    """One message for a broker."""

    topic: str
    payload: bytes
    qos: int
    retain: bool
    properties: tuple[tuple[str, str], ...] = ()
    """Of a user, for brokers that speak MQTT 5; others do not get them."""

    @property
    def size(self) -> int:
        """Its bytes, about."""
        return len(self.topic) + len(self.payload)


_Numbered = tuple[int, Publication]


class Outgoing:
    """The queue of one broker."""

    def __init__(self, capacity: int, capacity_bytes: int) -> None:
        self._capacity = capacity
        self._capacity_bytes = capacity_bytes
        self._numbers = count()
        self._waiting: tuple[deque[_Numbered], deque[_Numbered]] = (deque(), deque())  # of QoS 0; of QoS 1 and 2
        self.bytes = 0
        self.dropped: Counter[str] = Counter()
        """Messages that were given up, by reason: ``full``, ``too_large``."""

    def __len__(self) -> int:
        return len(self._waiting[0]) + len(self._waiting[1])

    def put(self, publication: Publication) -> int:
        """Let ``publication`` wait; return how many messages were given up for it, or it itself."""
        size = publication.size
        if size > self._capacity_bytes:
            self.dropped["too_large"] += 1
            return 1
        given_up = 0
        while len(self) >= self._capacity or self.bytes + size > self._capacity_bytes:
            self._take(self._waiting[0] or self._waiting[1])
            given_up += 1
        if given_up:
            self.dropped["full"] += given_up
        self._waiting[publication.qos > 0].append((next(self._numbers), publication))
        self.bytes += size
        return given_up

    def pop(self) -> Publication:
        """Return the message that has waited longest. Raises ``IndexError`` where none waits."""
        lesser, other = self._waiting
        if lesser and other:
            return self._take(lesser if lesser[0] < other[0] else other)
        return self._take(lesser or other)

    def _take(self, line: deque[_Numbered]) -> Publication:
        publication = line.popleft()[1]
        self.bytes -= publication.size
        return publication
