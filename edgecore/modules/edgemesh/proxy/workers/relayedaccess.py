"""The access log of a worker: its lines, many at a time, for the node to write.

So one process alone writes the file and puts it aside, and what the disk does not take is counted in one place.
"""

from msgspec import Struct

from edgecore.clock import Clock, Timer
from edgecore.modules.edgemesh.proxy.accesslog.access import Served
from edgecore.modules.edgemesh.proxy.accesslog.accessline import LineMaker
from edgecore.modules.edgemesh.proxy.accesslog.accesslog import BATCH_EVERY_S, BATCH_LINES
from edgecore.modules.edgemesh.proxy.workers.orders import AccessLines
from edgecore.modules.edgemesh.workers.link import UNHEARD_LIMIT_BYTES, Link


class RelayedAccess:
    """See the module. What is told while the node does not listen is dropped, and counted."""

    def __init__(self, link: Link[Struct], clock: Clock) -> None:
        self._link = link
        self._clock = clock
        self._maker = LineMaker()
        self._lines: list[Served] = []
        self._dropped = 0
        self._timer: Timer | None = None

    def tell(self, served: Served) -> None:
        """See ``Tell``."""
        served.ended_ms = self._clock.now_ms()
        self._lines.append(served)
        if self._timer is None:
            self._timer = self._clock.call_at(self._clock.monotonic() + BATCH_EVERY_S, self._tick)
        elif len(self._lines) >= BATCH_LINES:
            self._send()

    def stop(self) -> None:
        """Send what is left."""
        if self._timer is not None:
            self._timer.cancel()
            self._tick()

    def _tick(self) -> None:
        self._timer = None
        self._send()

    def _send(self) -> None:
        lines = self._lines
        if self._link.unsent_bytes > UNHEARD_LIMIT_BYTES:
            self._dropped += len(lines)
        elif lines:
            self._link.tell(AccessLines(self._maker.lines(lines), self._dropped))
            self._dropped = 0
        lines.clear()
