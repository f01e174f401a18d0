"""Hosts on a ring (consistent hashing): a key belongs to the first host behind its place.

Each host stands at 160 places, which follow from its endpoint alone. So every process has the same ring, and when one
of n hosts comes or goes, about one key in n changes its host, and no key moves between two that stay. The share of a
host differs from the average by some 8 %. Places and hosts are one array of 64-bit numbers: 1.3 KB and 40 us a host.
"""

from array import array
from bisect import bisect
from collections.abc import Iterator, Sequence
from hashlib import shake_128
from struct import Struct

from edgecore.modules.edgemesh.upstream.balancing.keys import digest_of
from edgecore.modules.edgemesh.upstream.host import Host

_PLACES = Struct("<160Q")
_INDEX = (1 << 20) - 1
"""The low bits of each number say whose place it is, the others where it is."""


def place_of(key: bytes) -> int:
    """Return where on the ring a key is."""
    return int.from_bytes(digest_of(key), "little")


class Ring:
    """See the module. ``hosts`` are one at least."""

    __slots__ = ("_hosts", "_places")

    def __init__(self, hosts: tuple[Host, ...]) -> None:
        self._hosts = hosts
        places: list[int] = []
        for index, host in enumerate(hosts):
            drawn = _PLACES.unpack(shake_128(str(host.endpoint).encode()).digest(_PLACES.size))
            places += [place & ~_INDEX | index for place in drawn]
        places.sort()
        self._places = array("Q", places)

    def first(self, place: int) -> Host:
        """Return the host behind ``place``."""
        places = self._places
        found = bisect(places, place)
        return self._hosts[places[found if found < len(places) else 0] & _INDEX]

    def walk(self, place: int) -> Iterator[Host]:
        """Yield all hosts in the order in which they stand behind ``place``, each once."""
        places, hosts = self._places, self._hosts
        start = bisect(places, place)
        seen: set[int] = set()
        for number in range(start, start + len(places)):
            index = places[number % len(places)] & _INDEX
            if index not in seen:
                seen.add(index)
                yield hosts[index]
                if len(seen) == len(hosts):
                    return

    def first_else(self, place: int, tried: Sequence[Host]) -> Host:
        """Return the first host behind ``place`` that is not one of ``tried``; the first of all if all are."""
        return next((host for host in self.walk(place) if host not in tried), None) or self.first(place)
