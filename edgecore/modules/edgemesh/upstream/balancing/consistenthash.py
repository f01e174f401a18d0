"""Consistent hash with bounded loads: a key has its host on a ring, as long as that is not busier than the others.

A host takes a request while it has fewer under way than ``balance`` times the average, with the new one counted in;
else the next host on the ring that does takes it (Mirrokni, Thorup, Zadimoghaddam 2016; haproxy's
``hash-balance-factor``). So one key that everybody asks for does not bring down one host. An idle host always takes it:
where little is under way, a key that comes twice at one time may get two hosts.
"""

from collections.abc import Sequence

from edgecore.modules.edgemesh.upstream.balancing.keys import KeyOf
from edgecore.modules.edgemesh.upstream.balancing.ring import Ring, place_of
from edgecore.modules.edgemesh.upstream.balancing.strategy import Asking, Cookieless
from edgecore.modules.edgemesh.upstream.host import Host


class ConsistentHash(Cookieless):
    """See the module. ``balance`` 0: no bound. The ring is made when it is first asked."""

    __slots__ = ("_balance", "_hosts", "_key_of", "_ring")

    def __init__(self, key_of: KeyOf, balance: float) -> None:
        self._hosts: tuple[Host, ...] = ()
        self._ring: Ring | None = None
        self._key_of = key_of
        self._balance = balance

    def replace(self, hosts: tuple[Host, ...]) -> None:
        """See ``Strategy``."""
        if hosts != self._hosts:
            self._hosts = hosts
            self._ring = None

    def choose(self, asking: Asking, tried: Sequence[Host] = ()) -> Host | None:
        """See ``Strategy``. All that are left being too busy, it is the first of them."""
        hosts = self._hosts
        if len(hosts) < 2:
            return hosts[0] if hosts else None
        ring = self._ring
        if ring is None:
            ring = self._ring = Ring(hosts)
        place = place_of(self._key_of(asking))
        if not tried:
            host = ring.first(place)
            if not host.active or not self._balance or host.active < self._bound():
                return host
        return self._choose_else(ring, place, tried)

    def _choose_else(self, ring: Ring, place: int, tried: Sequence[Host]) -> Host | None:
        if not self._balance:
            return ring.first_else(place, tried)
        bound = self._bound()
        spare: Host | None = None
        for host in ring.walk(place):
            if host not in tried:
                if host.active < bound:
                    return host
                spare = spare or host
        return spare or ring.first(place)

    def _bound(self) -> float:
        return self._balance * (sum([host.active for host in self._hosts]) + 1) / len(self._hosts)
