"""Our own messages, as they come back from more than one broker (pure): each is taken in once.

What is published on two brokers, on a topic that is subscribed, comes back from both. The n-th time that such a message
comes from one broker it is taken in if no other has brought it n times yet. With one broker there is nothing to do.
"""

import hashlib
from collections import Counter, OrderedDict
from dataclasses import dataclass, field

KEPT = 1024
KEPT_S = 60.0
_Key = tuple[str, bytes]


@dataclass
class _Expected:
    until: float
    came: Counter[str] = field(default_factory=Counter)


class Echoes:
    """Remembers what was published lately."""

    def __init__(self) -> None:
        self._expected: OrderedDict[_Key, _Expected] = OrderedDict()

    def __len__(self) -> int:
        return len(self._expected)

    def published(self, topic: str, payload: bytes, now: float) -> None:
        """Note a message that will come back."""
        key = (topic, _digest(payload))
        expected = self._expected.get(key)
        if expected is None or expected.until <= now:
            expected = self._expected[key] = _Expected(now)
        expected.until = now + KEPT_S
        self._expected.move_to_end(key)
        while len(self._expected) > KEPT or next(iter(self._expected.values())).until <= now:
            self._expected.popitem(last=False)

    def takes_in(self, broker: str, topic: str, payload: bytes, now: float) -> bool:
        """Return whether a message that has come from ``broker`` is news."""
        expected = self._expected.get((topic, _digest(payload)))
        if expected is None or expected.until <= now:
            return True
        seen = max(expected.came.values(), default=0)
        expected.came[broker] += 1
        return expected.came[broker] > seen


def _digest(payload: bytes) -> bytes:
    return hashlib.blake2b(payload, digest_size=16).digest()
