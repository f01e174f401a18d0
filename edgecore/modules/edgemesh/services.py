"""The service table: each service with its fake IP, its pods, its endpoints, and for each port the way to its pods.

What is asked often is ready before it is asked: a port and its balancer are looked up, not computed. Ports
match exactly, by number; Go looks for the number as a piece of text (kubeedge
edgemesh/pkg/listener/listener.go:199-219@v1.3.1, bug X1) and forgets all but twenty services and pod lists
(edgemesh/pkg/cache/cache.go:5@v1.3.1, bug X4).

Pods and endpoints may come before their service. They wait for it, the newest ``MAX_WAITING`` of them.
"""

from collections import OrderedDict
from collections.abc import Iterator
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
    """Why nothing listens there: a fixed snake_case word of ``why_not_served``; empty if it is served."""
    backends: tuple[Backend, ...]
    balancer: RoundRobin


class ServiceEntry:
    """What is known of one service. Only the table changes it."""

    __slots__ = ("address", "by_port", "endpoints", "key", "pods", "routes", "service")

    def __init__(self, key: ServiceKey) -> None:
        self.key = key
        self.service: Service | None = None
        self.address: str | None = None
        self.pods: tuple[Pod, ...] | None = None
        """``None`` as long as nobody has said."""
        self.endpoints: Endpoints | None = None
        self.routes: tuple[Route, ...] = ()
        """One for each port of the service, in its order."""
        self.by_port: dict[int, Route] = {}
        """The same by number; of several with one number, the one that is served."""

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
        self._waiting: OrderedDict[ServiceKey, ServiceEntry] = OrderedDict()
        self._by_address: dict[str, ServiceEntry] = {}

    def __len__(self) -> int:
        return len(self._services)

    def __iter__(self) -> Iterator[ServiceEntry]:
        return iter(self._services.values())

    def get(self, key: ServiceKey) -> ServiceEntry | None:
        """Return the service's entry; ``None`` if there is no such service, even if its pods are known."""
        return self._services.get(key)

    def at_address(self, address: str) -> ServiceEntry | None:
        """Return the service whose fake IP is ``address``."""
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

    def set_address(self, key: ServiceKey, address: str) -> None:
        """Enter the fake IP of a service that has none. The pool sees to it that no other has it."""
        entry = self._services[key]
        entry.address = address
        self._by_address[address] = entry

    def remove(self, key: ServiceKey) -> ServiceEntry | None:
        """Forget a service, its pods and its endpoints; return what was known if there was such a service."""
        self._waiting.pop(key, None)
        entry = self._services.pop(key, None)
        if entry is not None and entry.address is not None:
            del self._by_address[entry.address]
        return entry

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
        not_served = why_not_served(port)
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
