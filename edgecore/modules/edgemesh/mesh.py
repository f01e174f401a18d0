"""What follows from a change: the service table and the pool of fake IPs together, decided without a socket or a file.

``Mesh`` takes changes and returns what has to be done outside, for the module to do in this order:

* ``AddressGiven``: a service or a pod has a new fake IP; it is to be stored, and then ``stored`` to be called.
* ``NamesChanged``: DNS is to be told something else of a service, or to forget it.
* ``PortsChanged``: other ports are to be listened on.
* ``AddressReturned``: a fake IP is given back; that is to be stored.
* ``PoolEmpty``: no fake IP is free; the first one that another gives back is given.

A change is followed up by comparing what the service has become with what was said of it before, so nothing is said
twice, and what a change costs depends on its service alone.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from edgecore.errors import PoolExhausted
from edgecore.modules.edgemesh.fakeip import FakeIpPool
from edgecore.modules.edgemesh.msgprocess import (
    Change,
    EndpointsChanged,
    EndpointsDeleted,
    Keyed,
    PodChanged,
    PodDeleted,
    PodsChanged,
    PodsDeleted,
    Rejected,
    ServiceChanged,
    ServiceDeleted,
)
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.podnames import named_pods
from edgecore.modules.edgemesh.published import Published, publish
from edgecore.modules.edgemesh.services import Lease, ServiceEntry, ServiceTable
from edgecore.modules.edgemesh.upstream.spec import Transport


class AddressGiven(NamedTuple):
    """A service or a pod has an address that is not stored yet."""

    entry: ServiceEntry
    lease: Lease


class NamesChanged(NamedTuple):
    """What DNS answers for a service changes."""

    key: ServiceKey
    before: Published | None
    """``None``: it has not been told of the service."""
    now: Published | None
    """``None``: it is to forget it."""


class PortsChanged(NamedTuple):
    """A service or a pod is to be listened for at these ports of its address, and no others."""

    key: ServiceKey
    address: str
    ports: tuple[tuple[int, Transport], ...]


class AddressReturned(NamedTuple):
    """A service or a pod has given its address back."""

    key: ServiceKey
    address: str


class PoolEmpty(NamedTuple):
    """A service or a pod has to wait for an address."""

    key: ServiceKey
    text: str


Event = AddressGiven | NamesChanged | PortsChanged | AddressReturned | PoolEmpty


class Mesh:
    """The table and the pool. ``now`` is in seconds of the monotonic clock."""

    def __init__(self, table: ServiceTable, pool: FakeIpPool) -> None:
        self.table = table
        self.pool = pool
        self._without_address: dict[ServiceKey, ServiceEntry] = {}  # in the order in which they asked
        self._recovered: set[ServiceKey] = set()
        self._told: dict[ServiceKey, Published] = {}
        self._listening: dict[ServiceKey, PortsChanged] = {}

    def apply(self, change: Change, now: float) -> tuple[Event, ...]:
        """Take over one change; return what is to be done, in order."""
        match change:
            case ServiceDeleted(key):
                entry = self.table.get(key)
                return tuple(self._end(entry, now)) if entry is not None else self._forget(key)
            case ServiceChanged(key, service):
                self.table.put(key, service)
            case PodsChanged(key, pods):
                self.table.set_pods(key, pods)
            case PodsDeleted(key):
                self.table.set_pods(key, None)
            case EndpointsChanged(key, endpoints):
                if not self.table.set_endpoints(key, endpoints):
                    return ()
            case EndpointsDeleted(key):
                if not self.table.set_endpoints(key, None):
                    return ()
            case PodChanged(pod_key, pod, is_inserted):
                self.table.set_node_pod(pod_key, pod, is_inserted=is_inserted)
            case PodDeleted(pod_key, uid, version):
                self.table.remove_node_pod(pod_key, uid, version)
            case Rejected():
                return ()
        entries = filter(None, map(self.table.get, self.concerned(change)))
        return tuple(event for entry in entries for event in self._follow(entry, now))

    def concerned(self, change: Keyed) -> tuple[ServiceKey, ...]:
        """Return the services that ``change`` is about: of a pod of this node, those that list it."""
        return self.table.listing(change.key) if isinstance(change, PodChanged | PodDeleted) else (change.key,)

    def stored(self, entry: ServiceEntry, lease: Lease) -> tuple[Event, ...]:
        """Take note that an address is stored, unless it was given back meanwhile; return what is to be done now."""
        if entry.lease is not lease:
            return ()
        lease.is_stored = True
        service = self.table.get(entry.key.service)
        told = self._tell(service) if service is not None else ()
        return (*told, *self._listen(entry))

    def recovered(self, stored: Iterable[ServiceKey]) -> None:
        """Take note that the addresses of these services and pods, in the pool already, are stored."""
        self._recovered.update(stored)

    def _follow(self, entry: ServiceEntry, now: float) -> Iterator[Event]:
        """Have everything be as a service, which was changed, says."""
        pods = named_pods(entry.service, entry.selected_pods) if entry.service is not None else {}
        gone = self.table.name_pods(entry, pods)
        if not entry.is_external:
            yield from self._give_address(entry, now)
        for pod in entry.named.values():
            yield from self._give_address(pod, now)
        yield from self._tell(entry)
        for one in (entry, *entry.named.values(), *gone):
            yield from self._listen(one)
        yield from self._take_addresses((*gone, entry) if entry.is_external else gone, now)

    def _end(self, entry: ServiceEntry, now: float) -> Iterator[Event]:
        """Take a service and its pods out of everything."""
        gone = (entry, *entry.named.values())
        self.table.remove(entry.key)
        before = self._told.pop(entry.key, None)
        if before is not None:
            yield NamesChanged(entry.key, before, None)
        for one in gone:
            yield from self._listen(one)
        yield from self._take_addresses(gone, now)

    def _give_address(self, entry: ServiceEntry, now: float) -> Iterator[Event]:
        """Give an address to ``entry`` if it has none.

        A pod takes its old one: when a pod takes the place of another, there may be a moment with neither.
        """
        key = entry.key
        if entry.lease is not None or key in self._without_address:
            return
        try:
            address = (self.pool.take_back(key) if key.is_pod else None) or self.pool.allocate(key, now)
        except PoolExhausted as error:
            self._without_address[key] = entry
            yield PoolEmpty(key, str(error))
            return
        lease = self.table.set_address(key, address)
        if key in self._recovered:
            self._recovered.remove(key)
            lease.is_stored = True
        else:
            yield AddressGiven(entry, lease)

    def _take_addresses(self, entries: Sequence[ServiceEntry], now: float) -> Iterator[Event]:
        """Take the addresses of ``entries`` back, and give them to the first that wait for one."""
        for entry in entries:
            self._without_address.pop(entry.key, None)
            self.table.unset_address(entry)
        for entry in entries:
            address = self.pool.release(entry.key, now)
            if address is None:
                continue
            yield AddressReturned(entry.key, address)
            waiting = next(iter(self._without_address), None)
            if waiting is not None:
                yield from self._give_address(self._without_address.pop(waiting), now)

    def _tell(self, entry: ServiceEntry) -> Iterator[Event]:
        """Tell DNS what is new of a service. While its address is being stored, what was said before holds."""
        before, now = self._told.get(entry.key), publish(entry)
        if now == before or (now is None and entry.lease is not None):
            return
        if now is None:
            del self._told[entry.key]
        else:
            self._told[entry.key] = now
        yield NamesChanged(entry.key, before, now)

    def _listen(self, entry: ServiceEntry) -> Iterator[Event]:
        """Have a service or a pod listened for where it is to be."""
        key, address = entry.key, entry.stored_address
        before = self._listening.get(key)
        ports = entry.served_ports if self.table.get(key) is entry else ()
        if address is not None and ports:
            now = PortsChanged(key, address, ports)
            self._listening[key] = now
            if now != before:
                yield now
        elif before is not None:
            del self._listening[key]
            yield before._replace(ports=())

    def _forget(self, key: ServiceKey) -> tuple[Event, ...]:
        """Forget the pods and endpoints of a service that is none."""
        self.table.remove(key)
        return ()
