"""The thread of a recording: it takes what waits, and has it written, here or by a process of its own."""

import threading
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import structlog

from edgecore.errors import RecordingError
from edgecore.recording.recorder.writing import SLOTS, Seen, Written

log = structlog.get_logger("recording")

BATCH = 1000
"""How many entries are handed on at once."""
_STEP_NS = 1_000_000_000
"""How far the clock of the wall must have been moved until the times of entries are."""


class Pen(Protocol):
    """Whatever writes batches, as ``Writing`` does."""

    def take(self, zero_ns: int, batch: Seen) -> Written:
        """Write a batch; return what has come of all of them."""

    def close(self) -> None:
        """Finish the file."""


class Scribe:
    """What the loop puts into ``waiting`` is written; each figure is set by one side and read by the other."""

    def __init__(self, path: Path, zero_ns: int) -> None:
        """``zero_ns`` is the Unix time of ``monotonic`` 0."""
        self.waiting: deque[Any] = deque()
        self.awake = threading.Event()
        self.over = False
        self.taken_bytes = 0
        self.written = Written()
        self.unwritten = 0
        """How many waited when the file could not be written any more."""
        self.failure = ""
        self._path = path
        self._zero_ns = zero_ns

    def at(self, now_ms: int, monotonic: float) -> None:
        """Set the time by the clock of the wall, where somebody has put that forward or back."""
        zero_ns = now_ms * 1_000_000 - int(monotonic * 1e9)
        if abs(zero_ns - self._zero_ns) > _STEP_NS:
            self._zero_ns = zero_ns

    def write_all(self, pen: Pen, ended: Callable[[], None]) -> None:
        """Write until ``over``, or until the file cannot be written; then call ``ended``."""
        batch: Seen = []
        try:
            is_over = False
            while not is_over:
                self.awake.wait()
                self.awake.clear()
                is_over = self.over
                batch = self._next()
                while batch or not self.written.entries:
                    self.written = pen.take(self._zero_ns, batch)
                    self.taken_bytes += sum(batch[1::SLOTS])
                    batch = self._next()
            pen.close()
        except Exception as error:
            self.failure = str(error)
            if not isinstance(error, RecordingError):
                log.exception("recording_thread_failed", path=str(self._path))
                self.failure = f"cannot write recording {self._path}: a fault of this program; see the log"
            self.unwritten = (len(batch) + len(self.waiting)) // SLOTS
            self.waiting.clear()
            _closed(pen)
        ended()

    @property
    def count(self) -> int:
        """How many entries wait."""
        return len(self.waiting) // SLOTS

    def _next(self) -> Seen:
        waiting = self.waiting
        return [waiting.popleft() for _ in range(min(BATCH * SLOTS, len(waiting)))]


def _closed(pen: Pen) -> None:
    try:
        pen.close()
    except RecordingError as error:
        log.debug("recording_not_closed", error=str(error))
