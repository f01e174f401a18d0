"""Random (kubeedge ``lbStrategy: Random``): any host, each as likely as the other."""

import random
from collections.abc import Sequence

from edgecore.modules.edgemesh.upstream.balancing.strategy import Asking, Cookieless
from edgecore.modules.edgemesh.upstream.host import Host


class RandomChoice(Cookieless):
    """See the module."""

    __slots__ = ("_hosts", "_random")

    def __init__(self, rng: random.Random) -> None:
        self._hosts: tuple[Host, ...] = ()
        self._random = rng.random

    def replace(self, hosts: tuple[Host, ...]) -> None:
        """See ``Strategy``."""
        self._hosts = hosts

    def choose(self, asking: Asking, tried: Sequence[Host] = ()) -> Host | None:
        """See ``Strategy``."""
        hosts: Sequence[Host] = self._hosts
        if tried:
            hosts = [host for host in hosts if host not in tried] or hosts
        if not hosts:
            return None
        return hosts[int(self._random() * len(hosts))]
