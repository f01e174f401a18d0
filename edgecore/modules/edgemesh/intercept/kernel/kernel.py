"""The kernel as one that forwards: the plane, its counters and the sweep of its flows, from start to stop."""

import asyncio
from collections.abc import Iterator
from typing import Any, Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from edgecore.clock import Clock
from edgecore.modules.edgemesh.intercept.kernel.conntrack import Conntrack
from edgecore.modules.edgemesh.intercept.kernel.counters import KernelCounters, ListCounters
from edgecore.modules.edgemesh.intercept.kernel.kernelplane import KernelPlane
from edgecore.modules.edgemesh.intercept.kernel.planes import Unable
from edgecore.modules.edgemesh.intercept.kernel.sweep import Sweep, Table
from edgecore.modules.edgemesh.intercept.rules.interception import Balanced, Spot, Spots
from edgecore.modules.edgemesh.upstream.upstreams import Upstreams


class Rules(Protocol):
    """See ``Ruleset``."""

    @property
    def applied(self) -> Spots | None:
        """What the kernel has; ``None``: nobody knows."""

    def balance(self, spot: Spot, balanced: Balanced | None) -> None:
        """Have the kernel balance new connections to ``spot``; ``None``: no more."""


class Kernel:
    """See the module. ``list_counters`` asks the keeper; ``unable`` says why no port is for the kernel, if so.

    ``plane`` is told the spots, ``figures`` is for ``MeshProxy.add_figures_of``.
    """

    def __init__(
        self,
        upstreams: Upstreams,
        rules: Rules,
        list_counters: ListCounters,
        clock: Clock,
        unable: Unable = "",
        *,
        conntrack: Table | None = None,
    ) -> None:
        self._sweep = Sweep(rules, conntrack or Conntrack(clock), clock)
        self.plane = KernelPlane(upstreams, rules, unable, self._sweep.changed)
        self._counters = KernelCounters(self.plane, list_counters, clock)
        self._sweep.tell = self._counters.tally.open_now
        self.figures = self._counters.figures
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Count, and sweep. To be called when there are rules, or will soon be."""
        if not self._tasks:
            for part, run in (("counters", self._counters.run), ("sweep", self._sweep.run)):
                self._tasks.append(asyncio.create_task(run(), name=f"edgemesh kernel {part}"))

    async def look(self) -> None:
        """Read the counters, and the table of connections, now. Raises ``InterceptError``."""
        await self._counters.look()
        await self._sweep.look()

    async def stop(self) -> None:
        """Follow nothing more. The rules stay as they are."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.plane.close()

    def status(self) -> dict[str, Any]:
        """Return what the kernel does, as a JSON object."""
        return {
            "ports": len(self.plane),
            "connections": self._counters.tally.connections,
            "open": self._counters.tally.open,
            "flows_ended": self._sweep.ended,
            "counters_unread": self._counters.failures,
            "connections_unread": self._sweep.failures,
        }

    def families(self) -> Iterator[Metric]:
        """Yield the metric families of the kernel plane; what each backend got is told with that of the proxy."""
        status = self.status()
        for name, text in _GAUGES.items():
            yield GaugeMetricFamily(f"edgecore_kernel_plane_{name}", text, value=status[name])
        for name, text in _COUNTERS.items():
            yield CounterMetricFamily(f"edgecore_kernel_plane_{name}", text, value=status[name])


_GAUGES = {
    "ports": "Ports that the kernel balances by itself.",
    "open": "Connections and flows of the kernel plane that were open at the last look.",
}
_COUNTERS = {
    "connections": "Connections and flows of datagrams that the kernel has sent to backends.",
    "flows_ended": "Flows of datagrams that were ended because their backend was none any more.",
    "counters_unread": "Readings of the kernel's counters that failed.",
    "connections_unread": "Looks at the kernel's table of connections that failed.",
}
