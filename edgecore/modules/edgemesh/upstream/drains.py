"""Hosts that are no backends any more while something is under way there: it may end by itself, for a while."""

from edgecore.clock import Clock, Timer
from edgecore.modules.edgemesh.upstream.host import Host

LOOK_S = 1.0
"""How often it is seen whether a host is done with."""


class Drains:
    """The hosts that are leaving, of all ports. What they still count is entered in the ``past`` of their port."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._leaving: dict[Host, _Leaving] = {}

    def __len__(self) -> int:
        return len(self._leaving)

    def leave(self, host: Host, drain_s: float, past: Host) -> None:
        """Have ``host`` come to its end: idle connections now, the others in their time, at most ``drain_s``.

        That may be infinite; ``hurry`` ends it.
        """
        host.gone = True
        past.absorb(host)
        for user in list(host.users):
            user.drain()
        if drain_s <= 0:
            _abort(host)
        if host.users or host.active:
            now = self._clock.monotonic()
            self._leaving[host] = _Leaving(past, now + max(0.0, drain_s))
            self._look_again(host, now)

    def hurry(self, host: Host, drain_s: float) -> None:
        """Let what is under way at ``host``, which has left, last no longer than ``drain_s`` from now."""
        state = self._leaving.get(host)
        if state is None:
            return
        state.until = min(state.until, self._clock.monotonic() + max(0.0, drain_s))
        state.timer.cancel()
        self._look(host)

    def lasts(self, host: Host) -> bool:
        """Say whether something is under way at ``host``, which has left."""
        return host in self._leaving

    def close(self) -> None:
        """End at once what is still under way."""
        leaving, self._leaving = self._leaving, {}
        for host, state in leaving.items():
            state.timer.cancel()
            _abort(host)
            state.past.absorb(host)

    def _look(self, host: Host) -> None:
        state = self._leaving[host]
        now = self._clock.monotonic()
        state.past.absorb(host)
        if state.aborted or not (host.users or host.active):
            del self._leaving[host]
            return
        if now >= state.until:
            state.aborted = True
            _abort(host)
        self._look_again(host, now)

    def _look_again(self, host: Host, now: float) -> None:
        """See to ``host`` in a while; once more after it was aborted, for what was counted at that."""
        state = self._leaving[host]
        when = now + LOOK_S if state.aborted or state.until <= now else min(now + LOOK_S, state.until)
        state.timer = self._clock.call_at(when, lambda: self._look(host))


class _Leaving:
    """A host that leaves."""

    __slots__ = ("aborted", "past", "timer", "until")

    timer: Timer

    def __init__(self, past: Host, until: float) -> None:
        self.past = past
        self.until = until
        self.aborted = False


def _abort(host: Host) -> None:
    for user in list(host.users):
        user.abort()
