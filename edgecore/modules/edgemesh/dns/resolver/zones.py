"""Which upstream servers are for which names: the longest zone that a name is in wins (pure)."""

from collections.abc import Mapping, Sequence

from edgecore.modules.edgemesh.dns.resolver.exchange import Server


class Zones:
    """``servers``: zone, such as ``corp.example``, to its servers."""

    def __init__(self, servers: Mapping[str, Sequence[Server]]) -> None:
        self._by_wire = {_wire(zone): (zone, tuple(addresses)) for zone, addresses in servers.items()}

    @property
    def all(self) -> tuple[tuple[str, tuple[Server, ...]], ...]:
        """Every zone with its servers."""
        return tuple(self._by_wire.values())

    def find(self, name: bytes) -> tuple[str, tuple[Server, ...]] | None:
        """Return the zone of ``name``, in wire form and lower case, and its servers; ``None``: it is in none."""
        if not self._by_wire:
            return None
        at = 0
        while at < len(name):
            found = self._by_wire.get(name[at:])
            if found is not None:
                return found
            at += 1 + name[at]
        return None


def _wire(zone: str) -> bytes:
    labels = [label.lower().encode() for label in zone.split(".") if label]
    return b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
