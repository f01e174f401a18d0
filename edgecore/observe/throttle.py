"""At most one report a second for each reason, however much there is to complain about."""

from collections.abc import Callable

from edgecore.clock import Clock, Timer

WINDOW_S = 1.0


class Throttle:
    """Passes the first complaint of a reason on at once, and what comes within a second of it as one, at its end.

    ``report(reason, peer, left_out, details)``: ``left_out`` complaints came since the last report beside this one.
    Reasons are fixed words, so the number of timers is bounded.
    """

    def __init__(self, clock: Clock, report: Callable[[str, str, int, str], object]) -> None:
        self._clock = clock
        self._report = report
        self._windows: dict[str, _Window] = {}
        self.counts: dict[str, int] = {}
        """Reason to the number of complaints, reported or not."""

    def complain(self, reason: str, peer: str, details: str = "") -> None:
        """Count one complaint; report it now or later."""
        self.counts[reason] = self.counts.get(reason, 0) + 1
        window = self._windows.get(reason)
        if window is None:
            self._report(reason, peer, 0, details)
            self._windows[reason] = _Window(self._timer(reason))
        else:
            window.held += 1
            window.latest = (peer, details)

    def close(self) -> None:
        """Report what is held back."""
        windows, self._windows = self._windows, {}
        for reason, window in windows.items():
            window.timer.cancel()
            self._report_held(reason, window)

    def _timer(self, reason: str) -> Timer:
        return self._clock.call_at(self._clock.monotonic() + WINDOW_S, lambda: self._end_window(reason))

    def _end_window(self, reason: str) -> None:
        window = self._windows.pop(reason)
        if self._report_held(reason, window):
            self._windows[reason] = _Window(self._timer(reason))

    def _report_held(self, reason: str, window: "_Window") -> bool:
        if window.held:
            peer, details = window.latest
            self._report(reason, peer, window.held - 1, details)
        return window.held > 0


class _Window:
    """A second in which a reason is not reported."""

    __slots__ = ("held", "latest", "timer")

    def __init__(self, timer: Timer) -> None:
        self.timer = timer
        self.held = 0
        self.latest = ("", "")
