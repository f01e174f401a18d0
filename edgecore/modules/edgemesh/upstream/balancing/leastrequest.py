"""Least request: of two hosts taken at random, the one whose next answer is likely to come sooner.

What is expected of a host is its average time to the first byte (``latency.observe``), times what is under way there
and the request to come. Of two choices the better one is nearly as good as the best of all, and requests that come at
the same time, or to several processes, do not all run to the same host.

A host that was slow once must get the chance to show that it is not any more. So each time it is passed over, its
average fades by a fiftieth: one that is ten times as slow as the others gets about one request where they get a
hundred. No clock is read. A host that comes, or comes back after it was left out, is a new one: nothing is known of it,
and it gets one request, then none until it has answered that.
"""

import random
from collections.abc import Sequence

from edgecore.modules.edgemesh.upstream.balancing.strategy import Asking, Cookieless
from edgecore.modules.edgemesh.upstream.host import Host

_FADING = 0.98
_UNKNOWN_S = 1e6
"""Expected of a host that has requests under way and has never answered: it gets one, and no more until then."""


class LeastRequest(Cookieless):
    """See the module."""

    __slots__ = ("_hosts", "_random")

    def __init__(self, rng: random.Random) -> None:
        self._hosts: tuple[Host, ...] = ()
        self._random = rng.random

    def replace(self, hosts: tuple[Host, ...]) -> None:
        """See ``Strategy``."""
        before, self._hosts = self._hosts, hosts
        if before:
            for host in set(hosts).difference(before):
                host.ewma_s = 0.0

    def choose(self, asking: Asking, tried: Sequence[Host] = ()) -> Host | None:
        """See ``Strategy``."""
        hosts: Sequence[Host] = self._hosts
        if tried:
            hosts = [host for host in hosts if host not in tried] or hosts
        others = len(hosts) - 1
        if others < 1:
            return hosts[0] if hosts else None
        first, second = divmod(int(self._random() * (others * len(hosts))), others)  # a pair of two different ones
        return _better(hosts[first], hosts[second + (second >= first)])


def _better(one: Host, other: Host) -> Host:
    load, average = one.active, one.ewma_s
    cost = average * (load + 1) if average or not load else _UNKNOWN_S + load
    load, average = other.active, other.ewma_s
    other_cost = average * (load + 1) if average or not load else _UNKNOWN_S + load
    if cost <= other_cost:
        other.ewma_s *= _FADING
        return one
    one.ewma_s *= _FADING
    return other
