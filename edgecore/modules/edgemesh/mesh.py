"""What follows from a change: the service table and the pool of fake IPs together, decided without a socket or a file.

``Mesh`` takes changes and returns what has happened, for the module to act on:

* ``AddressGiven``: the service has a new fake IP; it is to be stored, and only then to be made known.
* ``AddressKept``: the service has its fake IP back, from storage; it is to be made known.
* ``PortsChanged``: other ports are to be listened on.
* ``ServiceGone``: name and listeners are to go, the address is given back.
* ``PoolEmpty``: no fake IP is free for the service; it gets the first one that another gives back.
"""

from collections.abc import Iterable
from typing import NamedTuple

from edgecore.errors import PoolExhausted
from edgecore.kube import Service
from edgecore.modules.edgemesh.fakeip import FakeIpPool
from edgecore.modules.edgemesh.msgprocess import (
    Change,
    EndpointsChanged,
    EndpointsDeleted,
    PodsChanged,
    PodsDeleted,
    ServiceChanged,
    ServiceDeleted,
)
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.services import ServiceEntry, ServiceTable


class AddressGiven(NamedTuple):
    """A service has an address that is not stored yet."""

    entry: ServiceEntry
    address: str


class AddressKept(NamedTuple):
    """A service has the address that is stored for it."""

    entry: ServiceEntry
    address: str


class PortsChanged(NamedTuple):
    """A service is to be listened for on other ports."""

    entry: ServiceEntry


class ServiceGone(NamedTuple):
    """A service is gone; ``address`` is what it had."""

    entry: ServiceEntry
    address: str | None


class PoolEmpty(NamedTuple):
    """A service has to wait for an address."""

    entry: ServiceEntry
    text: str


Event = AddressGiven | AddressKept | PortsChanged | ServiceGone | PoolEmpty


class Mesh:
    """The table and the pool. ``now`` is in seconds of the monotonic clock."""

    def __init__(self, table: ServiceTable, pool: FakeIpPool) -> None:
        self.table = table
        self.pool = pool
        self._without_address: dict[ServiceKey, None] = {}  # in the order in which they asked
        self._stored: set[ServiceKey] = set()

    def apply(self, change: Change, now: float) -> tuple[Event, ...]:
        """Take over one change; return what has happened, in order."""
        match change:
            case ServiceChanged(key, service):
                return self._put(key, service, now)
            case ServiceDeleted(key):
                return self._remove(key, now)
            case PodsChanged(key, pods):
                self.table.set_pods(key, pods)
            case PodsDeleted(key):
                self.table.set_pods(key, None)
            case EndpointsChanged(key, endpoints):
                self.table.set_endpoints(key, endpoints)
            case EndpointsDeleted(key):
                self.table.set_endpoints(key, None)
        return ()

    def recovered(self, stored: Iterable[ServiceKey]) -> None:
        """Take note that the addresses of these services, in the pool already, are stored."""
        self._stored.update(stored)

    def _put(self, key: ServiceKey, service: Service, now: float) -> tuple[Event, ...]:
        known = self.table.get(key)
        ports = known.served_ports if known is not None else ()
        entry = self.table.put(key, service)
        if known is None:
            return (self._give_address(entry, now),)
        return (PortsChanged(entry),) if entry.served_ports != ports else ()

    def _give_address(self, entry: ServiceEntry, now: float) -> Event:
        try:
            address = self.pool.allocate(entry.key, now)
        except PoolExhausted as error:
            self._without_address[entry.key] = None
            return PoolEmpty(entry, str(error))
        self.table.set_address(entry.key, address)
        if entry.key in self._stored:
            self._stored.remove(entry.key)
            return AddressKept(entry, address)
        return AddressGiven(entry, address)

    def _remove(self, key: ServiceKey, now: float) -> tuple[Event, ...]:
        entry = self.table.remove(key)
        if entry is None:
            return ()
        self._without_address.pop(key, None)
        gone = ServiceGone(entry, self.pool.release(key, now))
        first = next(iter(self._without_address), None)
        waiting = self.table.get(first) if first is not None else None
        if gone.address is None or waiting is None:
            return (gone,)
        del self._without_address[waiting.key]
        return gone, self._give_address(waiting, now)
