"""One moment at which something is too late, moved often and reached seldom."""

from collections.abc import Callable
from math import inf

from edgecore.clock import Clock, Timer


class Deadline:
    """Calls ``expired`` once ``clock.monotonic()`` has reached what ``set`` or ``move`` said last.

    Moving it later, as each request of a connection does, costs no timer: the one that is set finds out when it fires.
    """

    __slots__ = ("_clock", "_due", "_expired", "_timer", "_timer_at")

    def __init__(self, clock: Clock, expired: Callable[[], object]) -> None:
        self._clock = clock
        self._expired = expired
        self._due = inf
        self._timer: Timer | None = None
        self._timer_at = inf

    def set(self, seconds: float) -> None:
        """Be due ``seconds`` from now, whatever was said before."""
        self.move(self._clock.monotonic() + seconds)

    def move(self, due: float) -> None:
        """Be due at ``due`` (never, if that is infinite), whatever was said before."""
        self._due = due
        if due < self._timer_at:
            self._arm()

    def cancel(self) -> None:
        """Be done: no timer is left."""
        self._due = inf
        self._disarm()

    def _arm(self) -> None:
        self._disarm()
        self._timer_at = self._due
        self._timer = self._clock.call_at(self._due, self._fire)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        self._timer_at = inf

    def _fire(self) -> None:
        self._timer = None
        self._timer_at = inf
        if self._clock.monotonic() < self._due:
            if self._due < inf:
                self._arm()
            return
        self._due = inf
        self._expired()
