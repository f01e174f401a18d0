"""The access log of a worker: its lines, many at a time, for the node to write.

So one process alone writes the file and puts it aside, and what the disk does not take is counted in one place.
"""

from collections.abc import Sequence

from msgspec import Struct

from edgecore.clock import Clock
from edgecore.modules.edgemesh.proxy.accesslog.access import Served
from edgecore.modules.edgemesh.proxy.accesslog.accessline import LineMaker
from edgecore.modules.edgemesh.proxy.workers.orders import AccessLines
from edgecore.modules.edgemesh.workers.link import Link
from edgecore.modules.edgemesh.workers.relay import Relay


class RelayedAccess:
    """See the module. What is told while the node does not listen is dropped, and counted."""

    def __init__(self, link: Link[Struct], clock: Clock) -> None:
        self._clock = clock
        self._maker = LineMaker()
        self._relay = Relay(link, clock, self._news)
        self.stop = self._relay.stop

    def tell(self, served: Served) -> None:
        """See ``Tell``."""
        served.ended_ms = self._clock.now_ms()
        self._relay.take(served)

    def _news(self, taken: Sequence[Served], dropped: int) -> AccessLines:
        return AccessLines(self._maker.lines(taken), dropped)
