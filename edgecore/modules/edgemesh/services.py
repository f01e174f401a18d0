"""The service table: each service with its fake IP, its pods, its endpoints, and for each port the way to its pods.

A pod that has a name of its own has an entry of its own too, below that of its service: like a service whose only pod
it is.

What is asked often is ready before it is asked: a port and its balancer are looked up, not computed. Ports
match exactly, by number; Go looks for the number as a piece of text (kubeedge
edgemesh/pkg/listener/listener.go:199-219@v1.3.1, bug X1) and forgets all but twenty services and pod lists
(edgemesh/pkg/cache/cache.go:5@v1.3.1, bug X4).

Pods and endpoints may come before their service. They wait for it, the newest ``MAX_WAITING`` of them.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from edgecore.kube import Endpoints, Pod, Service, ServicePort
from edgecore.modules.edgemesh.balancer import RoundRobin
from edgecore.modules.edgemesh.discovery import Backend, discover
from edgecore.modules.edgemesh.names import ServiceKey

MAX_WAITING = 4096
"""So many services may be known by their pods or endpoints alone."""


class Route(NamedTuple):
    """One port of a service and where it leads."""

    port: ServicePort
    not_served: str
    """Why nothing listens there, in a fixed snake_case word: ``external_name``, ``duplicate_port``, or a word of
    ``why_not_served``; empty if it is served."""
    backends: tuple[Backend, ...]
    balancer: RoundRobin


class Lease:
    """A fake IP from the moment it is given to an entry until it is taken back."""

    __slots__ = ("address", "is_stored")

    def __init__(self, address: str) -> None:
        self.address = address
        self.is_stored = False
        """Whether a restart would find it; before that nobody is told of it."""


class ServiceEntry:
    """What is known of one service, or of one pod that has a name. Only the table changes it."""

    __slots__ = ("by_port", "endpoints", "key", "lease", "named", "pods", "routes", "service")

    def __init__(self, key: ServiceKey) -> None:
        self.key = key
        self.service: Service | None = None
        self.lease: Lease | None = None
        self.named: dict[str, ServiceEntry] = {}
        """The entries of its pods that have names, by host name."""
        self.pods: tuple[Pod, ...] | None = None
        """``None`` as long as nobody has said."""
        self.endpoints: Endpoints | None = None
        self.routes: tuple[Route, ...] = ()
        """One for each port of the service, in its order."""
        self.by_port: dict[int, Route] = {}
        """The same by number; of several with one number, the one that is served."""

    @property
    def address(self) -> str | None:
        """The fake IP."""
        return self.lease.address if self.lease is not None else None

    @property
    def stored_address(self) -> str | None:
        """The fake IP, once it is stored."""
        return self.lease.address if self.lease is not None and self.lease.is_stored else None

    @property
    def is_external(self) -> bool:
        """Whether it is but another word for a name outside, and so has neither address nor pods."""
        return self.service is not None and self.service.is_external

    @property
    def served_ports(self) -> tuple[int, ...]:
        """The numbers of the ports that are to be listened on."""
        return tuple(number for number, route in self.by_port.items() if not route.not_served)


class ServiceTable:
    """All services by key and by fake IP."""

    def __init__(self) -> None:
        self.complete = True
        """False while there may be services that are not entered yet."""
        self._services: dict[ServiceKey, ServiceEntry] = {}
        self._named: dict[ServiceKey, ServiceEntry] = {}
        self._waiting: OrderedDict[ServiceKey, ServiceEntry] = OrderedDict()
        self._by_address: dict[str, ServiceEntry] = {}

    def __len__(self) -> int:
        return len(self._services)

    def __iter__(self) -> Iterator[ServiceEntry]:
        return iter(self._services.values())

    def get(self, key: ServiceKey) -> ServiceEntry | None:
        """Return the entry of a service or of a pod with a name; ``None`` if there is no such service or pod.

        A service that is known by its pods alone is none.
        """
        return self._services.get(key) or self._named.get(key)

    def at_address(self, address: str) -> ServiceEntry | None:
        """Return the service or pod whose fake IP is ``address``."""
        return self._by_address.get(address)

    def put(self, key: ServiceKey, service: Service) -> ServiceEntry:
        """Enter a service, or what it has become, and return its entry."""
        entry = self._services.get(key)
        if entry is None:
            entry = self._services[key] = self._waiting.pop(key) if key in self._waiting else ServiceEntry(key)
        if service != entry.service:
            entry.service = service
            _route(entry)
        return entry

    def set_address(self, key: ServiceKey, address: str) -> Lease:
        """Enter the fake IP of a service or pod that has none. The pool sees to it that no other has it."""
        entry = self._services.get(key) or self._named[key]
        entry.lease = Lease(address)
        self._by_address[address] = entry
        return entry.lease

    def unset_address(self, entry: ServiceEntry) -> None:
        """Enter that a service or pod has no fake IP any more."""
        if entry.lease is not None:
            del self._by_address[entry.lease.address]
            entry.lease = None

    def remove(self, key: ServiceKey) -> ServiceEntry | None:
        """Forget a service, its pods and its endpoints; return what was known if there was such a service."""
        self._waiting.pop(key, None)
        entry = self._services.pop(key, None)
        if entry is not None:
            self.name_pods(entry, {})
            self.unset_address(entry)
        return entry

    def name_pods(self, entry: ServiceEntry, pods: Mapping[str, tuple[Pod, ...]]) -> tuple[ServiceEntry, ...]:
        """Enter which pods of a service have names; return the entries of those whose names are gone.

        All take over the ports of the service.
        """
        gone = tuple(named for hostname, named in entry.named.items() if hostname not in pods)
        for named in gone:
            del self._named[named.key]
            self.unset_address(named)
        entry.named = {hostname: named for hostname, named in entry.named.items() if hostname in pods}
        for hostname, called_so in pods.items():
            if hostname not in entry.named:
                key = entry.key.pod(hostname)
                entry.named[hostname] = self._named[key] = ServiceEntry(key)
            named = entry.named[hostname]
            if (named.service, named.pods) != (entry.service, called_so):
                named.service, named.pods = entry.service, called_so
                _route(named)
        return gone

    def set_pods(self, key: ServiceKey, pods: tuple[Pod, ...] | None) -> None:
        """Enter the pods of a service; ``None``: they are not known any more."""
        entry = self._any(key)
        entry.pods = pods
        _route(entry)
        self._drop_if_empty(entry)

    def set_endpoints(self, key: ServiceKey, endpoints: Endpoints | None) -> None:
        """Enter the endpoints of a service; ``None``: it has none any more."""
        entry = self._any(key)
        entry.endpoints = endpoints
        self._drop_if_empty(entry)

    def _any(self, key: ServiceKey) -> ServiceEntry:
        """Return the entry of a service that is known or waited for."""
        entry = self._services.get(key) or self._waiting.get(key)
        if entry is None:
            entry = self._waiting[key] = ServiceEntry(key)
            if len(self._waiting) > MAX_WAITING:
                self._waiting.popitem(last=False)
        return entry

    def _drop_if_empty(self, entry: ServiceEntry) -> None:
        if entry.service is None and entry.pods is None and entry.endpoints is None:
            del self._waiting[entry.key]


def why_not_served(port: ServicePort) -> str:
    """Return why ``port`` is not served, as a fixed snake_case word; empty if it is.

    The name says the protocol: ``http``, or ``http-`` and anything.
    """
    if not port.port:
        return "no_port_number"
    if port.protocol not in ("TCP", ""):
        return "not_tcp"
    if not port.name:
        return "no_name"
    if port.name != "http" and not port.name.startswith("http-"):
        return "not_http"
    return ""


def _route(entry: ServiceEntry) -> None:
    """Work out the routes of ``entry`` anew; a port that stays keeps its balancer, and so its turn."""
    if entry.service is None:
        return
    routes = []
    by_port: dict[int, Route] = {}
    for port in entry.service.spec.ports:
        known = by_port.get(port.port)
        not_served = "external_name" if entry.is_external else why_not_served(port)
        if not not_served and known is not None and not known.not_served:
            not_served = "duplicate_port"
        route = _route_of(entry, port, not_served)
        routes.append(route)
        if known is None or (known.not_served and not not_served):
            by_port[port.port] = route
    entry.routes = tuple(routes)
    entry.by_port = by_port


def _route_of(entry: ServiceEntry, port: ServicePort, not_served: str) -> Route:
    if not_served:
        return Route(port, not_served, (), RoundRobin())
    before = entry.by_port.get(port.port)
    balancer = before.balancer if before is not None and not before.not_served else RoundRobin()
    backends = discover(port, entry.pods or ())
    balancer.replace(tuple(backend.endpoint for backend in backends if backend.endpoint is not None))
    return Route(port, not_served, backends, balancer)
