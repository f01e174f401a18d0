"""Who asks, and how much of what is scarce each may have (pure).

A client is an IPv4 address, or an IPv6 /64: whoever has one address of such a network has them all.
"""

from collections import Counter
from collections.abc import Sequence
from ipaddress import IPv6Address


def client_of(host: str) -> str:
    """Return the client that an address belongs to. ``host`` is an IP address as sockets give it, zone and all."""
    if ":" not in host:
        return host
    address = IPv6Address(host.partition("%")[0])
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    if address.is_loopback:
        return str(address)
    return f"{IPv6Address(int(address) >> 64 << 64)}/64"


class Shares:
    """Places for many clients, ``limit`` in all.

    A client may have as many as are free: alone it gets half of all, two get a third each, and whoever comes next
    always finds some.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0
        self._by_client: dict[str, int] = {}

    def of(self, client: str) -> int:
        """Return how many places ``client`` has."""
        return self._by_client.get(client, 0)

    def take(self, client: str) -> bool:
        """Give ``client`` one more place; return False if it has its share."""
        mine = self._by_client.get(client, 0)
        if mine >= self.limit - self.taken:
            return False
        self._by_client[client] = mine + 1
        self.taken += 1
        return True

    def give_back(self, client: str) -> None:
        """Take one place of ``client`` back."""
        mine = self._by_client[client] - 1
        self.taken -= 1
        if mine:
            self._by_client[client] = mine
        else:
            del self._by_client[client]


def share_of_each(askers: Sequence[str], budget: int) -> int:
    """Return how many queries of each client are answered, where ``askers`` has the client of each query that waits.

    That is the largest number with which the answers stay within ``budget``, but at least one: who asks little is
    answered in full, and only who asks more than others is cut (max-min fairness).
    """
    asked = sorted(Counter(askers).values())
    left, share = budget, budget
    for index, count in enumerate(asked):
        share = left // (len(asked) - index)
        if count > share:
            break
        left -= count
        share = count
    return max(share, 1)
