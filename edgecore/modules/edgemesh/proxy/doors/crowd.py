"""Who leaves when more clients come than there is room for: those that ask nothing, who has for the longest first.

A client that waits for its own next request, or has begun one and does not go on, costs a place and gives nothing for
it. So half-open connections, however many, keep nobody out. Where everybody is being served, the newcomer is refused.
"""

from collections.abc import Callable, Iterable

from edgecore.clock import Clock
from edgecore.modules.edgemesh.proxy.deadlines import Timed

SHARE = 16
"""One of so many leaves at a time: looking at all of them is done that much less often."""
AGAIN_S = 0.1
"""Where nobody can leave, it is looked again after this."""


class Crowd:
    """See the module. ``everybody`` returns those that may leave; ``left`` is called for each that had to."""

    def __init__(
        self, most: int, clock: Clock, everybody: Callable[[], Iterable[Timed]], left: Callable[[], object]
    ) -> None:
        self._most = most
        self._clock = clock
        self._everybody = everybody
        self._left = left
        self._leaving = 0
        """So many, or fewer, of those that are counted were told to leave."""
        self._again_at = 0.0

    def admits(self, number: int) -> bool:
        """Say whether there is room for who came last; ``number`` are there, that one included."""
        if number <= self._most:
            return True
        if number - self._leaving > self._most:
            self._leaving += self._thin_out()
        return number - self._leaving <= self._most

    def one_left(self) -> None:
        """Take note that a client is gone: it may be one that was told to leave, and nobody counts on that twice."""
        self._leaving = max(0, self._leaving - 1)

    def _thin_out(self) -> int:
        """Have some leave; return how many."""
        now = self._clock.monotonic()
        if now < self._again_at:
            return 0
        idle = sorted((guest for guest in self._everybody() if guest.is_idle), key=lambda guest: guest.due)
        gone = idle[: max(1, self._most // SHARE)]
        for guest in gone:
            self._left()
            guest.abort()
        if not gone:
            self._again_at = now + AGAIN_S
        return len(gone)
