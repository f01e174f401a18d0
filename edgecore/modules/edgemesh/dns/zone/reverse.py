"""Names of addresses: ``2.0.251.127.in-addr.arpa`` and, where there is a prefix, its like in ``ip6.arpa`` (pure).

Two zones are ours: that of the pool of fake IPs, and that of the IPv6 prefix. An address outside is somebody else's.
"""

from collections import Counter
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Network
from typing import NamedTuple

from edgecore.modules.edgemesh.dns.packets.labels import Labels, is_within

_IN_ADDR = (b"in-addr", b"arpa")
_IP6 = (b"ip6", b"arpa")
_NIBBLES = b"0123456789abcdef"
_ADDRESS_BITS = 32


class Reversed(NamedTuple):
    """What a name in one of the zones is."""

    zone: Labels
    owner: bytes | None = None
    """Whose address it is."""
    is_there: bool = False
    """Whether it has an owner, or names below it that have one."""


class ReverseZones:
    """Which address has which owner. Setting and removing one takes constant time."""

    def __init__(self, prefix: IPv6Network | None = None) -> None:
        self._prefix = None if prefix is None else _prefix_zone(prefix)
        self._pool: Labels | None = None
        self._owners: dict[int, bytes] = {}
        # How many addresses begin with these bits: (bits left out, the others).
        self._below: Counter[tuple[int, int]] = Counter()
        self._steps = range(4, _ADDRESS_BITS, 4) if prefix is not None else range(8, _ADDRESS_BITS, 8)

    def serve(self, pool: IPv4Network) -> None:
        """Answer for the addresses of ``pool``, whose prefix is one of whole bytes."""
        self._pool = _pool_zone(pool)

    def set(self, address: IPv4Address, owner: bytes) -> None:
        """Let ``address`` be that of ``owner``."""
        number = int(address)
        if number not in self._owners:
            self._below.update(self._beginnings(number))
        self._owners[number] = owner

    def remove(self, address: IPv4Address, owner: bytes) -> None:
        """Forget ``address``, unless it has another owner by now."""
        number = int(address)
        if self._owners.get(number) != owner:
            return
        del self._owners[number]
        for beginning in self._beginnings(number):
            self._below[beginning] -= 1
            if not self._below[beginning]:
                del self._below[beginning]

    def find(self, name: Labels) -> Reversed | None:
        """Return what ``name``, in small letters, is; ``None``: it is in neither zone."""
        if self._pool is not None and is_within(name, self._pool):
            return self._look(self._pool, _number(name[: -len(_IN_ADDR)], 8))
        if self._prefix is not None and is_within(name, self._prefix):
            return self._look(self._prefix, _number(name[: -len(self._prefix)], 4))
        return None

    def _look(self, zone: Labels, found: tuple[int, int] | None) -> Reversed:
        if found is None:
            return Reversed(zone)
        missing, beginning = found
        if missing:
            return Reversed(zone, is_there=missing == _ADDRESS_BITS or (missing, beginning) in self._below)
        owner = self._owners.get(beginning)
        return Reversed(zone, owner, owner is not None)

    def _beginnings(self, number: int) -> Iterator[tuple[int, int]]:
        return ((step, number >> step) for step in self._steps)


def _number(labels: Labels, bits: int) -> tuple[int, int] | None:
    """Read the labels of an address from the right; return how many bits are missing, and those that are there."""
    if len(labels) * bits > _ADDRESS_BITS:
        return None
    number = 0
    for label in reversed(labels):
        value = _octet(label) if bits == 8 else _nibble(label)
        if value is None:
            return None
        number = number << bits | value
    return _ADDRESS_BITS - len(labels) * bits, number


def _octet(label: bytes) -> int | None:
    """Return the number that a label of RFC 1035 section 3.5 says."""
    if len(label) > 3 or not label.isdigit() or (label[:1] == b"0" and len(label) > 1):
        return None
    value = int(label)
    return value if value < 256 else None


def _nibble(label: bytes) -> int | None:
    value = _NIBBLES.find(label) if len(label) == 1 else -1
    return value if value >= 0 else None


def _pool_zone(pool: IPv4Network) -> Labels:
    octets = pool.network_address.packed[: pool.prefixlen // 8]
    return (*(b"%d" % octet for octet in reversed(octets)), *_IN_ADDR)


def _prefix_zone(prefix: IPv6Network) -> Labels:
    nibbles = prefix.network_address.packed.hex()[: prefix.prefixlen // 4]
    return (*(nibble.encode() for nibble in reversed(nibbles)), *_IP6)
