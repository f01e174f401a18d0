"""The names as the mesh tells them, for this process and the others that answer: in order, and again for a new one."""

from collections.abc import Callable, Iterator
from ipaddress import IPv4Network

from msgspec import Struct

from edgecore.modules.edgemesh.dns.zone.nametable import NameTable
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.published import Published


class NameSet(Struct, frozen=True, tag="set"):
    """``NameTable.set``."""

    service: Published


class NameRemoved(Struct, frozen=True, tag="remove"):
    """``NameTable.remove``."""

    service: ServiceKey


class NamesComplete(Struct, frozen=True, tag="complete"):
    """``NameTable.complete``."""

    complete: bool


class PoolServed(Struct, frozen=True, tag="pool"):
    """``NameTable.serve_pool``."""

    pool: str


Told = NameSet | NameRemoved | NamesComplete | PoolServed
"""What changes in a table of names."""


def tell(names: NameTable, told: Told) -> bool:
    """Do in ``names`` what was told; return False if a name has no room there. Raises ``ValueError``."""
    match told:
        case NameSet(service):
            return names.set(service)
        case NameRemoved(service):
            names.remove(service)
        case NamesComplete(complete):
            names.complete = complete
        case PoolServed(pool):
            names.serve_pool(IPv4Network(pool))
    return True


class Feed:
    """Takes what the mesh says of names to the table of this process, and to whom ``follow`` names."""

    def __init__(self, names: NameTable) -> None:
        self._names = names
        self._services: dict[ServiceKey, Published] = {}
        self._pools: list[str] = []
        self._followers: list[Callable[[Told], object]] = []

    @property
    def complete(self) -> bool:
        """False while there may be services that are not set yet."""
        return self._names.complete

    @complete.setter
    def complete(self, complete: bool) -> None:
        self._tell(NamesComplete(complete))

    def set(self, service: Published) -> bool:
        """See ``NameTable.set``."""
        key = _folded(service.key)
        is_known = self._tell(NameSet(service))
        self._services.pop(key, None)
        if is_known:
            self._services[key] = service
        return is_known

    def remove(self, service: ServiceKey) -> None:
        """See ``NameTable.remove``."""
        self._services.pop(_folded(service), None)
        self._tell(NameRemoved(service))

    def serve_pool(self, pool: IPv4Network) -> None:
        """See ``NameTable.serve_pool``."""
        self._pools.append(str(pool))
        self._tell(PoolServed(str(pool)))

    def everything(self) -> Iterator[Told]:
        """Yield what makes a new table the same as ours."""
        yield NamesComplete(False)
        yield from map(PoolServed, self._pools)
        yield from map(NameSet, self._services.values())
        yield NamesComplete(self.complete)

    def follow(self, follower: Callable[[Told], object]) -> None:
        """Have ``follower`` told of each change from now on."""
        self._followers.append(follower)

    def unfollow(self, follower: Callable[[Told], object]) -> None:
        """Have it told no more."""
        self._followers.remove(follower)

    def _tell(self, told: Told) -> bool:
        is_known = tell(self._names, told)
        for follower in tuple(self._followers):
            follower(told)
        return is_known


def _folded(service: ServiceKey) -> ServiceKey:
    return ServiceKey(service.namespace.lower(), service.name.lower())
