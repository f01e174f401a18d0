"""What makes the proxy of one process, as values: so that it can be told to another process."""

from dataclasses import replace

from msgspec import Struct

from edgecore.modules.edgemesh.proxy.limits import ProxyLimits
from edgecore.modules.edgemesh.proxy.options import ProxyOptions

LEAST = 32
"""What one process has of each limit, however many there are."""


class ProxyRecipe(Struct, frozen=True, kw_only=True):
    """``limits`` are those of all ``processes`` together, as far as each has enough."""

    limits: ProxyLimits = ProxyLimits()
    options: ProxyOptions = ProxyOptions()
    processes: int = 1
    access_log: bool = False
    """Whether the node wants lines of it."""

    @property
    def share(self) -> ProxyLimits:
        """The limits of one process. The system spreads clients over them by chance."""
        limits = self.limits
        return replace(
            limits,
            max_connections=self._share(limits.max_connections),
            max_flows=self._share(limits.max_flows),
            max_idle_backends=self._share(limits.max_idle_backends),
        )

    def _share(self, limit: int) -> int:
        return min(limit, max(-(-limit // self.processes), LEAST))
