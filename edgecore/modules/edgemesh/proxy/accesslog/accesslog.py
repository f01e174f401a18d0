"""The access log: takes what is told of each request, and has a thread of its own write it, many lines at a time.

Whoever serves pays for one small value a request, and for turning many of them into bytes in one go. The disk makes
nobody wait: what it has not taken is held, up to ``MAX_UNWRITTEN_BYTES``, and what comes beyond that is dropped and
counted.
"""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import msgspec
import structlog
from prometheus_client.core import CounterMetricFamily, Metric

from edgecore.clock import Clock, Timer
from edgecore.modules.edgemesh.proxy.accesslog.access import Served
from edgecore.modules.edgemesh.proxy.accesslog.accessfile import AccessFile, AccessStream, Sink
from edgecore.modules.edgemesh.proxy.accesslog.accessline import LineMaker
from edgecore.observe.throttle import Throttle

log = structlog.get_logger("edgemesh.proxy")

BATCH_LINES = 250
"""So few that turning them into bytes keeps nobody waiting for long."""
BATCH_EVERY_S = 0.1
MAX_UNWRITTEN_BYTES = 4 * 1024 * 1024
STOP_S = 2.0
"""How long the end of the proxy waits for the disk."""

STANDARD_OUTPUT = "-"
NOT_WRITTEN, TOO_SLOW = "not_written", "too_slow"


class AccessSettings(msgspec.Struct, frozen=True):
    """Where lines go: a value, for the node and for its workers."""

    to: str
    """The path of a file, or ``-`` for standard output."""
    limit_bytes: int = 64 * 1024 * 1024
    """The size at which the file is rotated; 0: never."""
    keep: int = 3
    """So many old files are kept: the log takes ``limit_bytes`` so many times, and once more."""


def open_access_log(settings: AccessSettings, clock: Clock, *, rotates: bool = True) -> "AccessLog":
    """Return a log as the settings say; where several processes write a file, one of them ``rotates`` it."""
    if settings.to == STANDARD_OUTPUT:
        return AccessLog(AccessStream(1), clock)
    sink = AccessFile(
        Path(settings.to), clock.monotonic, limit_bytes=settings.limit_bytes, keep=settings.keep, rotates=rotates
    )
    return AccessLog(sink, clock)


class AccessLog:
    """See the module. To be used in the event loop. The thread begins with the first lines and ends with ``stop``."""

    def __init__(self, sink: Sink, clock: Clock) -> None:
        self._sink = sink
        self._clock = clock
        self._maker = LineMaker()
        self._lines: list[Served] = []
        self._timer: Timer | None = None
        self._batches: SimpleQueue[bytes | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._told = 0
        self._dropped = 0
        self._handed_bytes = 0
        self._taken_bytes = 0  # this and the next are the thread's
        self._lost = 0
        self._lost_before = 0
        self._failures = Throttle(clock, _log_failure)

    @property
    def dropped(self) -> dict[str, int]:
        """Lines that are not in the log, by reason: what could not be written; what came while too much waited."""
        return {NOT_WRITTEN: self._lost, TOO_SLOW: self._dropped}

    @property
    def unwritten_bytes(self) -> int:
        """What the thread has been given and is not done with."""
        return self._handed_bytes - self._taken_bytes

    def tell(self, served: Served) -> None:
        """See ``Tell``."""
        lines = self._lines
        served.ended_ms = self._clock.now_ms()
        lines.append(served)
        if self._timer is None:
            self._set_timer()
        elif len(lines) >= BATCH_LINES:
            self._hand_over()

    def status(self) -> dict[str, Any]:
        """Return the counts, and what is wrong if something is, as a JSON object."""
        return {"lines": self._told + len(self._lines), "dropped": self.dropped, "problem": self._sink.problem}

    def families(self) -> Iterator[Metric]:
        """Yield the metric families."""
        told = self._told + len(self._lines)
        yield CounterMetricFamily("edgecore_access_log_lines", "Lines for the access log, dropped or not.", value=told)
        dropped = CounterMetricFamily(
            "edgecore_access_log_dropped", "Lines that are not in the access log, by reason.", labels=("reason",)
        )
        for reason, number in self.dropped.items():
            dropped.add_metric((reason,), number)
        yield dropped

    async def stop(self) -> None:
        """Write what is left, and end the thread. A disk that takes longer than ``STOP_S`` is left to it."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._hand_over()
        thread, self._thread = self._thread, None
        if thread is not None:
            self._batches.put(None)
            await asyncio.get_running_loop().run_in_executor(None, thread.join, STOP_S)
        self._complain()
        self._failures.close()

    def _set_timer(self) -> None:
        self._timer = self._clock.call_at(self._clock.monotonic() + BATCH_EVERY_S, self._tick)

    def _tick(self) -> None:
        self._timer = None
        self._hand_over()
        self._complain()
        if self.unwritten_bytes:
            self._set_timer()

    def pass_on(self, batch: bytes, dropped: int) -> None:
        """Have lines of another process written, each with its end; ``dropped`` more were too many for it."""
        self._told += dropped
        self._dropped += dropped
        if self._has_room(batch.count(b"\n")):
            self._put(batch)
        if self._timer is None:
            self._set_timer()

    def _hand_over(self) -> None:
        lines = self._lines
        if lines and self._has_room(len(lines)):
            self._put(self._maker.lines(lines))
        lines.clear()

    def _has_room(self, lines: int) -> bool:
        """Count so many lines; return False if they are dropped."""
        self._told += lines
        if self.unwritten_bytes <= MAX_UNWRITTEN_BYTES:
            return True
        self._dropped += lines
        self._failures.complain(TOO_SLOW, "", f"{lines} lines are dropped: the disk, or the reader, is too slow")
        return False

    def _put(self, batch: bytes) -> None:
        self._handed_bytes += len(batch)
        self._batches.put(batch)
        if self._thread is None:
            self._thread = threading.Thread(target=self._write, name="access log", daemon=True)
            self._thread.start()

    def _write(self) -> None:
        """Write until there is nothing more to come: the thread."""
        while (batch := self._batches.get()) is not None:
            self._lost += self._sink.write(batch)
            self._taken_bytes += len(batch)
        self._sink.close()

    def _complain(self) -> None:
        lost, self._lost_before = self._lost - self._lost_before, self._lost
        if lost:
            self._failures.complain(NOT_WRITTEN, "", f"{lost} lines: {self._sink.problem}")


def _log_failure(reason: str, _peer: str, left_out: int, details: str) -> None:
    log.warning("access_log_failing", reason=reason, details=details, left_out=left_out)
