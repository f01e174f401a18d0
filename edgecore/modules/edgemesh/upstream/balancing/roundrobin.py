"""Round robin (kubeedge ``lbStrategy: RoundRobin``): the hosts in turn."""

from collections.abc import Callable, Sequence
from itertools import cycle

from edgecore.modules.edgemesh.upstream.balancing.strategy import Asking, Cookieless
from edgecore.modules.edgemesh.upstream.host import Host


class RoundRobin(Cookieless):
    """Choosing is one call of a C iterator over a ready tuple, and creates nothing."""

    __slots__ = ("_last", "_next", "hosts")

    def __init__(self) -> None:
        self.hosts: tuple[Host, ...] = ()
        self._last: Host | None = None
        self._next: Callable[[], Host] = cycle(()).__next__

    def replace(self, hosts: tuple[Host, ...]) -> None:
        """See ``Strategy``. The turn goes on behind the host chosen last: many updates do not favour the first."""
        if hosts == self.hosts:
            return
        self.hosts = hosts
        start = hosts.index(self._last) + 1 if self._last in hosts else 0
        self._next = cycle(hosts[start:] + hosts[:start]).__next__

    def foretell(self) -> Host | None:
        """Return what ``choose`` will return next, if nobody asks meanwhile."""
        hosts = self.hosts
        if not hosts:
            return None
        return hosts[(hosts.index(self._last) + 1) % len(hosts)] if self._last in hosts else hosts[0]

    def choose(self, asking: Asking, tried: Sequence[Host] = ()) -> Host | None:
        """See ``Strategy``."""
        try:
            chosen = self._next()
            if tried:
                for _ in self.hosts:
                    if chosen not in tried:
                        break
                    chosen = self._next()
        except StopIteration:
            return None
        self._last = chosen
        return chosen
