"""How many clients all ports of a process remember together: a client that names itself by a header costs memory."""

from typing import Protocol
from weakref import WeakKeyDictionary

MOST = 65_536
"""Some 20 MB."""
_SHARE = 8


class Remembering(Protocol):
    """What remembers clients."""

    def __len__(self) -> int:
        """Return how many."""

    def forget(self, number: int) -> None:
        """Forget so many, those that were away longest first."""


class Room:
    """Made once in a process. Whoever uses it tells it; one that is no more need not."""

    __slots__ = ("_most", "_taken", "_users")

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._users: WeakKeyDictionary[Remembering, None] = WeakKeyDictionary()
        self._taken = 0
        """At least as many as there are: what was taken by users that are gone is found out when it matters."""

    def has(self, user: Remembering) -> None:
        """Have ``user`` in it from now on."""
        self._users[user] = None

    def take(self, number: int) -> None:
        """Take note that a user remembers so many more, or fewer. Where all are too many, the one with most forgets."""
        self._taken += number
        if self._taken > self._most:
            self._make_room()

    def _make_room(self) -> None:
        """Have the largest forget an eighth, so that this is seldom asked for."""
        users = list(self._users)
        self._taken = sum(map(len, users))
        if self._taken > self._most:
            largest = max(users, key=len)
            before = len(largest)
            largest.forget(-(-before // _SHARE))
            self._taken -= before - len(largest)
