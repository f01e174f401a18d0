"""The names of all services, and what each is asked for.

A service is asked for by its full name, ``<service>.<namespace>.svc.<domain>``, or by a short one:
``<service>.<namespace>.svc``, ``<service>.<namespace>`` and, in one namespace, ``<service>``. Short names are known
only as far as there is something at them, so that no name outside is hidden. A short name counts as a zone of its own,
so the SOA of its negative answers is its own too: that of the cluster domain would not be above the name (RFC 2308
section 3).
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import NamedTuple

from edgecore.errors import ConfigError
from edgecore.modules.edgemesh.dns.packets.labels import (
    Labels,
    fits,
    folded,
    is_within,
    plain_label,
    plain_name,
    wire,
    wire_bytes,
)
from edgecore.modules.edgemesh.dns.packets.packet import HEADER_BYTES, Query
from edgecore.modules.edgemesh.dns.packets.records import NAME_SERVER
from edgecore.modules.edgemesh.dns.zone.ready import ReadyAnswers
from edgecore.modules.edgemesh.dns.zone.reverse import ReverseZones
from edgecore.modules.edgemesh.dns.zone.search import SearchList
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.published import Published, PublishedPod, PublishedPort

NEGATIVE_TTL_S = 5
"""A service that was asked for before it came must not stay unknown for as long as a known one stays known."""
DEFAULT_NAMESPACE = "default"

_SVC = b"svc"
_VERSION = (b"dns-version",)
_PROTOCOLS = (b"_tcp", b"_udp", b"_sctp")


class Standing(Enum):
    """What a name is to us."""

    SERVICE = "service"
    ALIAS = "alias"
    """A service that stands for a name outside (type ExternalName)."""
    PORT = "port"
    """``_<port>._<protocol>.<service>…``: SRV (RFC 2782)."""
    POD = "pod"
    """``<hostname>.<service>…``."""
    POINTER = "pointer"
    """The name of an address that something has."""
    APEX = "apex"
    """The cluster domain, or a zone of addresses."""
    SERVER = "server"
    """What NS and SOA name: ``ns.dns.<domain>``."""
    VERSION = "version"
    """``dns-version.<domain>`` (Kubernetes DNS specification, section 2.2)."""
    EMPTY = "empty"
    """No records of its own, but names below it."""
    MISSING = "missing"
    OUTSIDE = "outside"


class Found(NamedTuple):
    """What is known of a name."""

    standing: Standing
    zone: Labels = ()
    """The zone that it is in, spelled as it was asked for."""
    is_reverse: bool = False
    """Whether that is a zone of addresses."""
    owner: Labels = ()
    """The service's name for targets: spelled as it was asked for if that was a full one, else the full one."""
    service: Published | None = None
    ports: tuple[PublishedPort, ...] = ()
    pods: tuple[PublishedPod, ...] = ()
    target: Labels = ()
    """What an alias or a pointer leads to."""


_OUTSIDE = Found(Standing.OUTSIDE)


class NameTable:
    """What is known of each service. Names that differ in case only are one name; the last ``set`` holds.

    ``domains``: more cluster domains. ``namespace``: where a name of one label is. ``hide_unready``: services that are
    not ready do not exist. ``ipv6_prefix``: a /96; AAAA is this with the IPv4 address behind it. ``search``: how the
    search lists of pods go on, if their first question is to be answered as their last one. Raises ``ConfigError`` for
    a domain that is none.
    """

    def __init__(
        self,
        cluster_domain: str = "cluster.local",
        ttl_s: int = 64,
        *,
        complete: bool = True,
        domains: Sequence[str] = (),
        namespace: str = DEFAULT_NAMESPACE,
        hide_unready: bool = False,
        ipv6_prefix: IPv6Network | None = None,
        search: SearchList | None = None,
    ) -> None:
        self.complete = complete
        """False while there may be services that are not set yet: then nobody may be told that a name is missing."""
        self.domains = tuple(dict.fromkeys(_domain(text) for text in (cluster_domain, *domains)))
        """The first one is that of the targets of answers."""
        self.version = 0
        """Another one whenever a name comes or goes; not when what it has is another."""
        self.ttl_s = ttl_s
        self.negative_ttl_s = min(ttl_s, NEGATIVE_TTL_S)
        self.search = search
        self.server_addresses: tuple[IPv4Address | IPv6Address, ...] = ()
        """Where we listen, for the server that NS names."""
        self.ready_answers = ReadyAnswers(ttl_s, self.negative_ttl_s, has_ipv6=ipv6_prefix is not None)
        self.ready = self.ready_answers.reply
        """``ready(packet)`` is the reply to a plain A or AAAA question, or ``None``: it takes a closer look."""
        self._by_length = sorted(self.domains, key=len, reverse=True)
        self._longest = max(self.domains, key=wire_bytes)
        self._namespace = namespace.encode().lower()
        self._hide_unready = hide_unready
        self._prefix = None if ipv6_prefix is None else int(ipv6_prefix.network_address)
        self._services: dict[bytes, Published] = {}  # by service.namespace: no label has a dot in it
        self._namespaces: dict[bytes, int] = {}
        self._reverse = ReverseZones(ipv6_prefix)

    def __len__(self) -> int:
        return len(self._services)

    def serve_pool(self, pool: IPv4Network) -> None:
        """Answer for the names of the addresses in ``pool``: nobody else knows them."""
        self._reverse.serve(pool)

    def set(self, service: Published) -> bool:
        """Answer for ``service`` with what this says, or, if its name cannot be asked for, not; return which.

        Ports and pods without a proper name are left out. Raises ``ValueError`` if its address is no IPv4 address.
        """
        if service.address is not None:
            IPv4Address(service.address)
        key = _key(service.key)
        if key is None:
            return False
        known = self._services.get(key)
        if known == service:
            return True
        if known is not None:
            self._withdraw(key, known)
        labels = _labels(key)
        has_room = fits((*labels, _SVC, *self._longest))
        is_served = has_room and (not service.external_name or plain_name(service.external_name) is not None)
        entered = self._proper(service, labels) if is_served else None
        if entered is not None:
            self._enter(key, labels, entered)
        if known is None or entered is None or self._below(known) != self._below(entered):
            self.version += 1
        return is_served

    def remove(self, service: ServiceKey) -> None:
        """Forget ``service``; does nothing if it is not known."""
        key = _key(service)
        known = self._services.get(key) if key is not None else None
        if key is not None and known is not None:
            self._withdraw(key, known)
            self.version += 1

    def find(self, labels: Labels) -> Found:
        """Return what the name ``labels``, in any case, is."""
        name = folded(labels)
        domain = self._domain_of(name)
        if domain is not None:
            return self._find_inside(name[: -len(domain)], labels, labels[-len(domain) :])
        reverse = self._reverse.find(name)
        if reverse is None:
            return self._find_short(name, labels)
        zone = labels[-len(reverse.zone) :]
        if reverse.owner is not None:
            target = (*reverse.owner.split(b"."), _SVC, *self.domains[0])
            return Found(Standing.POINTER, zone, is_reverse=True, target=target)
        if name == reverse.zone:
            return Found(Standing.APEX, zone, is_reverse=True)
        return Found(Standing.EMPTY if reverse.is_there else Standing.MISSING, zone, is_reverse=True)

    def first_of_search(self, labels: Labels, zone: Labels) -> bool:
        """Say whether a pod's search list may begin with ``labels``, a name of the cluster domain ``zone``."""
        name = folded(labels[: -len(zone)])
        return len(name) > 2 and name[-1] == _SVC and (name[-2] in self._namespaces or name[-2] == self._namespace)

    def negative(self, packet: bytes, query: Query, rcode: int, zone: Labels) -> bytes:
        """Return the reply that what ``query`` asks for does not exist in ``zone``, which is not one of addresses."""
        return self.ready_answers.negative(packet, query, rcode, query.end - 4 - wire_bytes(zone))

    def ipv6(self, address: IPv4Address) -> IPv6Address | None:
        """Return the IPv6 address that goes with ``address``."""
        return None if self._prefix is None else IPv6Address(self._prefix | int(address))

    def _domain_of(self, name: Labels) -> Labels | None:
        for domain in self._by_length:
            if is_within(name, domain):
                return domain
        return None

    def _find_inside(self, name: Labels, labels: Labels, zone: Labels) -> Found:
        match name:
            case ():
                return Found(Standing.APEX, zone)
            case (b"svc",) | (b"dns",):
                return Found(Standing.EMPTY, zone)
            case (namespace, b"svc") if namespace in self._namespaces:
                return Found(Standing.EMPTY, zone)
            case (*prefix, service, namespace, b"svc"):
                return self._find_below(tuple(prefix), b"%b.%b" % (service, namespace), labels[len(prefix) :], zone)
        if name == NAME_SERVER:
            return Found(Standing.SERVER, zone)
        return Found(Standing.VERSION if name == _VERSION else Standing.MISSING, zone)

    def _find_short(self, name: Labels, labels: Labels) -> Found:
        prefix: Labels
        match name:
            case (service,):
                prefix, key = (), b"%b.%b" % (service, self._namespace)
            case (*before, service, namespace, b"svc"):
                prefix, key = tuple(before), b"%b.%b" % (service, namespace)
            case (service, namespace):
                prefix, key = (), b"%b.%b" % (service, namespace)
            case (port, protocol, service) if protocol in _PROTOCOLS:
                prefix, key = (port, protocol), b"%b.%b" % (service, self._namespace)
            case (port, protocol, service, namespace) if protocol in _PROTOCOLS:
                prefix, key = (port, protocol), b"%b.%b" % (service, namespace)
            case _:
                return _OUTSIDE
        if key not in self._services:
            return _OUTSIDE
        owner = (*_labels(key), _SVC, *self.domains[0])
        found = self._find_below(prefix, key, owner, labels[len(prefix) :])
        is_known = found.standing not in (Standing.MISSING, Standing.EMPTY)
        return found if is_known or not prefix else _OUTSIDE

    def _find_below(self, prefix: Labels, key: bytes, owner: Labels, zone: Labels) -> Found:
        """Return what the service's name is with ``prefix`` before it."""
        service = self._services.get(key)
        if service is None or self._is_hidden(service) or (service.external_name and prefix):
            return Found(Standing.MISSING, zone)
        known = Found(Standing.SERVICE, zone, False, owner, service, service.ports, service.pods)
        match prefix:
            case ():
                target = plain_name(service.external_name) if service.external_name else None
                return known if target is None else known._replace(standing=Standing.ALIAS, target=target)
            case (protocol,) if any(_port_labels(port)[1] == protocol for port in service.ports):
                return Found(Standing.EMPTY, zone)
            case (hostname,):
                pods = tuple(pod for pod in service.pods if plain_label(pod.hostname) == hostname)
                return known._replace(standing=Standing.POD, pods=pods) if pods else Found(Standing.MISSING, zone)
            case (_, _):
                ports = tuple(port for port in service.ports if _port_labels(port) == prefix)
                return known._replace(standing=Standing.PORT, ports=ports) if ports else Found(Standing.MISSING, zone)
        return Found(Standing.MISSING, zone)

    def is_hidden(self, key: ServiceKey) -> bool:
        """Say whether there is such a service, whose names do not exist as it is not ready."""
        wire = _key(key)
        service = self._services.get(wire) if wire is not None else None
        return service is not None and self._is_hidden(service)

    def _is_hidden(self, service: Published) -> bool:
        return self._hide_unready and not service.is_ready and not service.external_name

    def _below(self, service: Published) -> tuple[object, ...]:
        """Return what decides which names below that of ``service`` are ours."""
        return service.ports, service.pods, self._is_hidden(service)

    def _proper(self, service: Published, labels: Labels) -> Published:
        """Return ``service`` with those ports and pods only that have a name that can be asked for."""
        room = (*labels, _SVC, *self._longest)
        pods = tuple(pod for pod in service.pods if _is_address(pod.address) and _has_room(room, pod.hostname))
        ports = tuple(port for port in service.ports if _has_room(room, f"_{port.protocol}", f"_{port.name}"))
        if len(pods) == len(service.pods) and len(ports) == len(service.ports):
            return service
        return service._replace(pods=pods, ports=ports)

    def _enter(self, key: bytes, labels: Labels, service: Published) -> None:
        self._services[key] = service
        self._namespaces[labels[1]] = self._namespaces.get(labels[1], 0) + 1
        hostnames = Counter(pod.hostname.lower().encode() for pod in service.pods)
        for names, address in _addresses(labels, service):
            self._reverse.set(address, key if names == labels else b".".join(names))
            is_single = names == labels or hostnames[names[0]] == 1
            if is_single and not service.external_name and not self._is_hidden(service):
                address_v6 = self.ipv6(address)
                ready_at = {}
                for name, zone_at in self._spellings(names):
                    if zone_at not in ready_at:
                        ready_at[zone_at] = self.ready_answers.of(address, address_v6, zone_at)
                    self.ready_answers.set(name, ready_at[zone_at])

    def _withdraw(self, key: bytes, service: Published) -> None:
        del self._services[key]
        labels = _labels(key)
        for names, address in _addresses(labels, service):
            for name, _ in self._spellings(names):
                self.ready_answers.remove(name)
            self._reverse.remove(address, b".".join(names))
        self._namespaces[labels[1]] -= 1
        if not self._namespaces[labels[1]]:
            del self._namespaces[labels[1]]

    def _spellings(self, labels: Labels) -> Iterator[tuple[bytes, int]]:
        """Yield each name of a service or pod, on the wire, with where in a packet its zone begins.

        A name is left out if it is one of another domain.
        """
        for domain in self.domains:
            full = (*labels, _SVC, *domain)
            if self._domain_of(full) == domain:
                yield wire(full), HEADER_BYTES + wire_bytes(full) - wire_bytes(domain)
        shorts: list[Labels] = [(*labels, _SVC)]
        if len(labels) == 2:
            shorts.append(labels)
            if labels[1] == self._namespace:
                shorts.append(labels[:1])
        zone_at = HEADER_BYTES + sum(len(label) + 1 for label in labels[:-2])
        yield from ((wire(short), zone_at) for short in shorts if self._domain_of(short) is None)


def _domain(text: str) -> Labels:
    labels = tuple(label.lower() for label in text.rstrip(".").encode().split(b"."))
    if not fits((b"hostmaster", *labels)):
        raise ConfigError(
            f"cannot serve cluster domain {text!r}: a label has 1 to 63 bytes, a name up to 255; "
            "name another in modules.edged.clusterDomain"
        )
    return labels


def _key(service: ServiceKey) -> bytes | None:
    """Return the name and the namespace as labels with a dot between them; ``None`` if they are none."""
    name, namespace = plain_label(service.name), plain_label(service.namespace)
    return None if name is None or namespace is None else b"%b.%b" % (name, namespace)


def _labels(key: bytes) -> Labels:
    return tuple(key.split(b"."))


def _addresses(labels: Labels, service: Published) -> Iterator[tuple[Labels, IPv4Address]]:
    """Yield what stands before ``svc`` in the names of the service and its pods, with the address."""
    if service.address is not None:
        yield labels, IPv4Address(service.address)
    for pod in service.pods:
        yield (pod.hostname.lower().encode(), *labels), IPv4Address(pod.address)


def _port_labels(port: PublishedPort) -> Labels:
    return f"_{port.name}".lower().encode(), f"_{port.protocol}".lower().encode()


def _has_room(below: Labels, *before: str) -> bool:
    labels = tuple(label for label in map(plain_label, before) if label is not None)
    return len(labels) == len(before) and fits((*labels, *below))


def _is_address(text: str) -> bool:
    try:
        IPv4Address(text)
    except ValueError:
        return False
    return True
