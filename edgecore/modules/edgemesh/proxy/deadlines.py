"""Moments at which something is too late, of many things: moved with each request, reached seldom, and no timer each.

They are kept in slots of ``STEP_S``, and each thing is looked at once its slot has passed: it is called up to so much
late. Moving a moment further away costs nothing; where it has got to is found out then.
"""

from math import inf
from typing import Protocol

import structlog

from edgecore.clock import Clock, Timer

log = structlog.get_logger("edgemesh.proxy")

STEP_S = 0.1


class Timed(Protocol):
    """Something that can be too late."""

    due: float
    """When, on the monotonic clock; infinite at first, then for ``Deadlines`` to write."""
    slot_at: float
    """When its slot begins; infinite at first, then for ``Deadlines`` to write."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing is done for it, so that it may be sent away for another one."""

    def expire(self) -> object:
        """Take note that it is too late."""

    def abort(self) -> object:
        """End at once."""


class Deadlines:
    """See the module. One timer is set as long as there is something in a slot."""

    __slots__ = ("_clock", "_slots", "_timer", "_timer_at")

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._slots: dict[int, set[Timed]] = {}
        self._timer: Timer | None = None
        self._timer_at = inf

    def move(self, timed: Timed, due: float) -> None:
        """Have ``timed`` be too late at ``due`` (never, if that is infinite), whatever was said before."""
        timed.due = due
        if due < timed.slot_at:
            self._enter(timed)

    def forget(self, timed: Timed) -> None:
        """Have ``timed`` never be too late."""
        timed.due = inf
        if timed.slot_at < inf:
            self._leave(timed)

    def everything(self) -> list[Timed]:
        """Return what may be too late some time."""
        return [timed for slot in self._slots.values() for timed in slot]

    def close(self) -> None:
        """Forget everything: no timer is left."""
        self._slots.clear()
        self._set_timer()

    def _enter(self, timed: Timed) -> None:
        if timed.slot_at < inf:
            self._leave(timed)
        number = int(timed.due / STEP_S)
        timed.slot_at = number * STEP_S
        slot = self._slots.get(number)
        if slot is not None:
            slot.add(timed)
            return
        self._slots[number] = {timed}
        if timed.slot_at + STEP_S < self._timer_at:
            self._set_timer()

    def _leave(self, timed: Timed) -> None:
        number = round(timed.slot_at / STEP_S)
        slot = self._slots.get(number)
        if slot is not None:
            slot.discard(timed)
            if not slot:  # else connections that have ended leave one for each step of the next hour
                del self._slots[number]
        timed.slot_at = inf

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._timer_at = (min(self._slots, default=inf) + 1) * STEP_S
        if self._slots:
            self._timer = self._clock.call_at(self._timer_at, self._look)

    def _look(self) -> None:
        now = self._timer_at
        for number in [number for number in self._slots if (number + 1) * STEP_S <= now]:
            for timed in self._slots.pop(number):
                timed.slot_at = inf
                if timed.due > now:
                    self.move(timed, timed.due)
                elif timed.due < inf:
                    timed.due = inf
                    _expire(timed)
        self._set_timer()


def _expire(timed: Timed) -> None:
    """Tell ``timed``. A mistake of one must not take the time limits of all others away."""
    try:
        timed.expire()
    except Exception:
        log.exception("expiry_failed")
