"""How far something long is: one line on a terminal, from the first second on."""

import sys
from typing import TextIO

from edgecore.clock import Clock, SystemClock

_AFTER_S = 1.0
_EVERY_S = 0.2


class Meter:
    """Tells the share that is done; nothing where it writes to no terminal, nor of what is done within a second."""

    def __init__(self, what: str, out: TextIO | None = None, clock: Clock | None = None) -> None:
        self._what = what
        self._out = out or sys.stderr
        self._now = (clock or SystemClock()).monotonic
        self._next_at = self._now() + _AFTER_S
        self._is_shown = False

    def tell(self, done: int, everything: int) -> None:
        """Show that ``done`` of ``everything`` is done, in whatever unit both are."""
        if not self._out.isatty() or self._now() < self._next_at:
            return
        self._next_at = self._now() + _EVERY_S
        self._is_shown = True
        self._out.write(f"\r\x1b[K{self._what}: {100 * done // max(everything, 1)} %")
        self._out.flush()

    def end(self) -> None:
        """Take the line away."""
        if self._is_shown:
            self._out.write("\r\x1b[K")
            self._out.flush()
