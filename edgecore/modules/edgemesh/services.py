"""The service table: each service with its fake IP, its pods, its endpoints, and for each port the way to its pods.

A pod that has a name of its own has an entry of its own too, below that of its service: like a service whose only pod
it is.

What is asked often is ready before it is asked: a port and its upstream are looked up, not computed. Ports
match exactly, by number; Go looks for the number as a piece of text (kubeedge
edgemesh/pkg/listener/listener.go:199-219@v1.3.1, bug X1) and forgets all but twenty services and pod lists
(edgemesh/pkg/cache/cache.go:5@v1.3.1, bug X4).

A pod is as the last pod list says, or as this node's newer word of it (``nodepods``). A service without a selector has
no pods, whatever a list says: what its Endpoints say is behind it.

Pods and endpoints may come before their service. They wait for it, the newest ``MAX_WAITING`` of them.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from edgecore.kube import Endpoints, Pod, Service, ServicePort
from edgecore.modules.edgemesh.discovery.addresses import listed
from edgecore.modules.edgemesh.discovery.pods import Terms, discover
from edgecore.modules.edgemesh.discovery.standing import NOBODY, not_ready
from edgecore.modules.edgemesh.externals import ExternalPorts
from edgecore.modules.edgemesh.names import PodKey, ServiceKey
from edgecore.modules.edgemesh.nodepods import NodePods
from edgecore.modules.edgemesh.portplan import PlannedPort, plan_ports
from edgecore.modules.edgemesh.upstream.policy import Policy
from edgecore.modules.edgemesh.upstream.spec import Backend, PortSpec, Transport
from edgecore.modules.edgemesh.upstream.upstream import Upstream
from edgecore.modules.edgemesh.upstream.upstreams import Upstreams

MAX_WAITING = 4096
"""So many services may be known by their pods or endpoints alone."""

_NO_ENDPOINTS = "the service has no selector, and no Endpoints say where this port is"


class Route(NamedTuple):
    """One port of a service and where it leads."""

    plan: PlannedPort
    backends: tuple[Backend, ...]
    """Every pod, whether it is in or out."""
    upstream: Upstream | None
    """What forwards for it; ``None`` if it is not served."""

    @property
    def port(self) -> ServicePort:
        """The port, as the service says it."""
        return self.plan.port

    @property
    def not_served(self) -> str:
        """See ``PlannedPort``."""
        return self.plan.not_served

    @property
    def transport(self) -> Transport:
        """What its connections are made of."""
        return self.plan.transport


class Lease:
    """A fake IP from the moment it is given to an entry until it is taken back."""

    __slots__ = ("address", "is_stored")

    def __init__(self, address: str) -> None:
        self.address = address
        self.is_stored = False
        """Whether a restart would find it; before that nobody is told of it."""


class ServiceEntry:
    """What is known of one service, or of one pod that has a name. Only the table changes it."""

    __slots__ = (
        "by_port",
        "endpoints",
        "key",
        "lease",
        "listed",
        "named",
        "plan",
        "pods",
        "routes",
        "service",
        "terms",
    )

    def __init__(self, key: ServiceKey) -> None:
        self.key = key
        self.service: Service | None = None
        self.lease: Lease | None = None
        self.named: dict[str, ServiceEntry] = {}
        """The entries of its pods that have names, by host name."""
        self.listed: tuple[Pod, ...] | None = None
        """Its pods as the last list says; ``None`` as long as nobody has said."""
        self.pods: tuple[Pod, ...] | None = None
        """The same, each by the newest word of it."""
        self.endpoints: Endpoints | None = None
        self.terms = Terms()
        self.plan: tuple[PlannedPort, ...] = ()
        self.routes: tuple[Route, ...] = ()
        """One for each port of the service, in its order."""
        self.by_port: dict[tuple[int, Transport], Route] = {}
        """The same by number and transport; of several with both in common, the one that is served."""

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
    def selected_pods(self) -> tuple[Pod, ...]:
        """The pods that are behind it: none where it selects none."""
        return self.pods or () if self.service is not None and self.service.selects_pods else ()

    @property
    def served_ports(self) -> tuple[tuple[int, Transport], ...]:
        """The ports that are to be listened on."""
        return tuple(port for port, route in self.by_port.items() if not route.not_served)


class ServiceTable:
    """All services by key and by fake IP. The ports that are served are put into ``upstreams``.

    ``defaults`` is the policy of ports of which nobody says anything else. With ``pod_addresses`` pods are reached at
    their own addresses.
    """

    def __init__(self, upstreams: Upstreams, defaults: Policy = Policy(), *, pod_addresses: bool = False) -> None:  # noqa: B008 - a value
        self.upstreams = upstreams
        self.externals = ExternalPorts(upstreams, defaults)
        self._defaults = defaults
        self._pod_addresses = pod_addresses
        self._node_pods = NodePods()
        self._listing: dict[PodKey, set[ServiceKey]] = {}  # which services list a pod
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
            entry.plan = plan_ports(service, self._defaults)
            self._set_terms(entry)
            self.externals.forget(key)
            self._route(entry)
        return entry

    def go_by(self, defaults: Policy) -> None:
        """Have another policy for ports of which nobody says anything else; a port that stays keeps its upstream."""
        self._defaults = defaults
        self.externals.go_by(defaults)
        for entry in self._services.values():
            if entry.service is not None:
                entry.plan = plan_ports(entry.service, defaults)
                self._route(entry)
                for named in entry.named.values():
                    named.plan = entry.plan
                    self._route(named)

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
        waiting = self._waiting.pop(key, None)
        if waiting is not None:
            self._list(waiting, None)
        entry = self._services.pop(key, None)
        if entry is not None:
            self.name_pods(entry, {})
            self.unset_address(entry)
            self._unroute(entry)
            self.externals.forget(key)
            self._list(entry, None)
        return entry

    def name_pods(self, entry: ServiceEntry, pods: Mapping[str, tuple[Pod, ...]]) -> tuple[ServiceEntry, ...]:
        """Enter which pods of a service have names; return the entries of those whose names are gone.

        All take over the ports of the service.
        """
        gone = tuple(named for hostname, named in entry.named.items() if hostname not in pods)
        for named in gone:
            del self._named[named.key]
            self.unset_address(named)
            self._unroute(named)
        entry.named = {hostname: named for hostname, named in entry.named.items() if hostname in pods}
        for hostname, called_so in pods.items():
            if hostname not in entry.named:
                key = entry.key.pod(hostname)
                entry.named[hostname] = self._named[key] = ServiceEntry(key)
            named = entry.named[hostname]
            if (named.service, named.pods, named.terms) != (entry.service, called_so, entry.terms):
                named.service, named.pods, named.terms, named.plan = entry.service, called_so, entry.terms, entry.plan
                self._route(named)
        return gone

    def set_pods(self, key: ServiceKey, pods: tuple[Pod, ...] | None) -> None:
        """Enter the pods of a service; ``None``: they are not known any more."""
        entry = self._any(key)
        self._list(entry, pods)
        self._route(entry)
        self._drop_if_empty(entry)

    def set_endpoints(self, key: ServiceKey, endpoints: Endpoints | None) -> bool:
        """Enter the endpoints of a service; ``None``: it has none any more. Return whether it matters."""
        entry = self._any(key)
        entry.endpoints = endpoints
        matters = self._set_terms(entry) or (entry.service is not None and not entry.service.selects_pods)
        if matters:
            self._route(entry)
        self._drop_if_empty(entry)
        return matters

    def set_node_pod(self, key: PodKey, pod: Pod, *, is_inserted: bool = False) -> None:
        """Enter a pod of this node. Whoever lists it (``listing``) is routed anew if that is news."""
        if self._node_pods.put(key, pod, is_inserted=is_inserted):
            self._renew(key)

    def remove_node_pod(self, key: PodKey, uid: str, version: int) -> None:
        """Enter that a pod of this node is deleted; see ``NodePods.remove``."""
        if self._node_pods.remove(key, uid, version):
            self._renew(key)

    def listing(self, key: PodKey) -> tuple[ServiceKey, ...]:
        """Return the services whose pod list has the pod, by name."""
        return tuple(sorted(self._listing.get(key, ())))

    def _renew(self, key: PodKey) -> None:
        for service in self.listing(key):
            entry = self._any(service)
            entry.pods = self._by_newest_word(entry)
            self._route(entry)

    def _by_newest_word(self, entry: ServiceEntry) -> tuple[Pod, ...] | None:
        if not entry.listed or not len(self._node_pods):
            return entry.listed
        return tuple(self._node_pods.newest(entry.key.namespace, pod) for pod in entry.listed)

    def _list(self, entry: ServiceEntry, pods: tuple[Pod, ...] | None) -> None:
        """Enter the pod list of a service, and which pods are in it."""
        namespace = entry.key.namespace
        before = {PodKey(namespace, pod.metadata.name) for pod in entry.listed or ()}
        entry.listed = pods
        now = {PodKey(namespace, pod.metadata.name) for pod in pods or ()}
        for key in before - now:
            listing = self._listing[key]
            listing.discard(entry.key)
            if not listing:
                del self._listing[key]
        for key in now - before:
            self._listing.setdefault(key, set()).add(entry.key)
        entry.pods = self._by_newest_word(entry)

    def _set_terms(self, entry: ServiceEntry) -> bool:
        """Work out what holds for all pods of a service; return whether that is news."""
        counts = entry.service is None or not entry.service.spec.publish_not_ready_addresses
        terms = Terms(not_ready(entry.endpoints) if counts else NOBODY, counts, self._pod_addresses)
        is_news = terms != entry.terms
        entry.terms = terms
        return is_news

    def _any(self, key: ServiceKey) -> ServiceEntry:
        """Return the entry of a service that is known or waited for."""
        entry = self._services.get(key) or self._waiting.get(key)
        if entry is None:
            entry = self._waiting[key] = ServiceEntry(key)
            if len(self._waiting) > MAX_WAITING:
                self._list(self._waiting.popitem(last=False)[1], None)
        return entry

    def _drop_if_empty(self, entry: ServiceEntry) -> None:
        if entry.service is None and entry.pods is None and entry.endpoints is None:
            del self._waiting[entry.key]

    def _route(self, entry: ServiceEntry) -> None:
        """Work out the routes of ``entry`` anew; a port that stays keeps its upstream."""
        if entry.service is None:
            return
        routes = []
        by_port: dict[tuple[int, Transport], Route] = {}
        for planned in entry.plan:
            route = self._route_of(entry, planned)
            routes.append(route)
            place = (planned.port.port, planned.transport)
            if place not in by_port or by_port[place].not_served:
                by_port[place] = route
        before, entry.by_port = entry.by_port, by_port
        entry.routes = tuple(routes)
        for number, transport in before:
            route_now = by_port.get((number, transport))
            if route_now is None or route_now.not_served:
                self.upstreams.remove((entry.key, number, transport))

    def _route_of(self, entry: ServiceEntry, planned: PlannedPort) -> Route:
        service, port = entry.service, planned.port
        if planned.not_served or service is None:
            return Route(planned, (), None)
        if service.selects_pods:
            backends = discover(port, entry.pods or (), entry.terms)
            spec = PortSpec(entry.key, port.port, planned.transport, planned.handling, backends, planned.policy)
        else:
            backends = listed(port, entry.endpoints)
            empty = ("no_endpoints", _NO_ENDPOINTS)
            spec = PortSpec(entry.key, port.port, planned.transport, planned.handling, backends, planned.policy, *empty)
        return Route(planned, backends, self.upstreams.put(spec))

    def _unroute(self, entry: ServiceEntry) -> None:
        """Forward for a service or a pod no more."""
        for number, transport in entry.by_port:
            self.upstreams.remove((entry.key, number, transport))
