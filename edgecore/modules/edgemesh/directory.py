"""What the proxy asks: which service is meant, and what forwards for its ports.

An ExternalName stands for a name outside, or for that of another service, whose ports are meant then. It never leads to
ourselves: not in a circle of such names, and not to an address of this host, where the plain listener is.
"""

import ipaddress
from collections.abc import Sequence

from edgecore.modules.edgemesh.discovery.addresses import is_reachable
from edgecore.modules.edgemesh.discovery.pods import is_address
from edgecore.modules.edgemesh.names import Refusal, ServiceKey
from edgecore.modules.edgemesh.published import external_name
from edgecore.modules.edgemesh.services import ServiceTable
from edgecore.modules.edgemesh.upstream.spec import Transport
from edgecore.modules.edgemesh.upstream.upstream import Upstream

DEFAULT_NAMESPACE = "default"
MAX_ALIASES = 8
"""So many services of type ExternalName may lead one to the next."""


class ServiceDirectory:
    """Answers from the service table.

    ``cluster_domain`` is the cluster's DNS domain, such as ``cluster.local``, ``domains`` are more of them;
    ``namespace`` is that of a name of one label.
    """

    def __init__(
        self,
        table: ServiceTable,
        cluster_domain: str,
        *,
        domains: Sequence[str] = (),
        namespace: str = DEFAULT_NAMESPACE,
    ) -> None:
        self._table = table
        self._namespace = namespace
        every = (cluster_domain, *domains)
        self._domains = [["svc", *domain.lower().strip(".").split(".")] for domain in every]
        self._suffixes = [["svc"], *self._domains]

    def service_named(self, host: str, port: int) -> ServiceKey | Refusal:
        """Return the service that ``host`` means, in any case of letters.

        It may be written ``svc``, ``svc.ns``, ``svc.ns.svc``, ``svc.ns.svc.<cluster domain>``, with or without a dot at
        the end, or be a fake IP. In front of the last two there may be the host name of a pod that has a name of its
        own. ``port`` is for the text of the refusal; ``upstream`` looks at it.
        """
        entry = self._table.at_address(host)
        if entry is not None:
            return entry.key
        key = self._key(host)
        if key is None or self._table.get(key) is None:
            reason, text = self._why_unknown("no service is called that")
            return Refusal(503, reason, f"cannot reach {host}:{port}: {text}")
        return key

    def service_at(self, address: str) -> ServiceKey | None:
        """Return the service or pod whose fake IP is ``address``."""
        entry = self._table.at_address(address)
        return entry.key if entry is not None else None

    def upstream(self, service: ServiceKey, port: int, transport: Transport = "tcp") -> Upstream | Refusal:
        """Return what forwards for ``port`` of ``service``; why nothing does, if nothing does."""
        found = self._table.upstreams.get((service, port, transport))
        return found or self._otherwise(service, port, transport)

    def _otherwise(self, service: ServiceKey, port: int, transport: Transport) -> Upstream | Refusal:
        """Return what forwards for a port that is not ready made: one of an ExternalName."""
        found = self.stands_for(service, port)
        if isinstance(found, Refusal):
            return found
        key, name = found
        if not name:
            return self._table.upstreams.get((key, port, transport)) or self._why_not(key, port, transport)
        entry = self._table.get(key)
        if entry is None or entry.service is None:  # not by what stands_for has just found
            return _refusal(service, port, *self._why_unknown("there is no such service"))
        return self._table.externals.make(key, entry.service, name, port, transport)

    def stands_for(self, service: ServiceKey, port: int) -> tuple[ServiceKey, str] | Refusal:
        """Return what a service comes to, as ExternalNames lead from one to the next: the last, and the name outside.

        The name is empty where the last is none. A service that is no ExternalName comes to itself.
        """
        entry = self._table.get(service)
        for _ in range(MAX_ALIASES):
            if entry is None or entry.service is None or not entry.is_external:
                break
            name = external_name(entry.service)
            target = self._ours(name)
            if target is None:
                return self._why_not_outside(entry.key, name, port) or (entry.key, name)
            entry = self._table.get(target)
            if entry is None:
                why, text = self._why_unknown("there is no such service")
                return _refusal(service, port, why, f"it stands for {name}: {text}")
        else:
            return _refusal(service, port, "external_name_loop", "it stands for a name that leads back to it")
        return (entry.key if entry is not None else service), ""

    def _why_not_outside(self, key: ServiceKey, name: str, port: int) -> Refusal | None:
        if not name:
            return _refusal(key, port, "external_name_unusable", "it stands for a name that DNS could not find")
        if _is_this_host(name) or self._table.at_address(name) is not None:
            return _refusal(key, port, "external_name_loop", f"it stands for {name}, which is this host")
        if is_address(name) and not is_reachable(name):
            return _refusal(key, port, "external_name_unusable", f"it stands for {name}, which is not forwarded to")
        if not port:
            return _refusal(key, port, "port_not_in_service", "there is no port 0")
        return None

    def _ours(self, name: str) -> ServiceKey | None:
        """Return the service or pod that a name of DNS means, if it is one of ours."""
        match name.lower().split("."):
            case [name, namespace, *suffix] if suffix in self._domains:
                return ServiceKey(namespace, name)
            case [hostname, name, namespace, *suffix] if suffix in self._domains:
                return ServiceKey(namespace, name).pod(hostname)
        return None

    def _why_not(self, service: ServiceKey, port: int, transport: Transport) -> Refusal:
        entry = self._table.get(service)
        if entry is None:
            return _refusal(service, port, *self._why_unknown("there is no such service"))
        route = entry.by_port.get((port, transport))
        if route is None:
            return _refusal(service, port, "port_not_in_service", "the service has no such port")
        return _refusal(service, port, "port_not_served", f"the port is not served ({route.not_served})")

    def _why_unknown(self, text: str) -> tuple[str, str]:
        """Return reason and text for a service that the table does not have."""
        if self._table.complete:
            return "unknown_service", text
        return "not_recovered", "the node has just started and does not know all services yet; try again"

    def _key(self, host: str) -> ServiceKey | None:
        match host.lower().removesuffix(".").split("."):
            case [name]:
                return ServiceKey(self._namespace, name)
            case [name, namespace]:
                return ServiceKey(namespace, name)
            case [name, namespace, *suffix] if suffix in self._suffixes:
                return ServiceKey(namespace, name)
            case [hostname, name, namespace, *suffix] if suffix in self._suffixes:
                return ServiceKey(namespace, name).pod(hostname)
        return None


def _is_this_host(name: str) -> bool:
    if name.lower() == "localhost" or name.lower().endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return address.is_loopback or address.is_unspecified


def _named(service: ServiceKey) -> str:
    return f"{'pod' if service.is_pod else 'service'} {service}"


def _refusal(service: ServiceKey, port: int, reason: str, text: str) -> Refusal:
    return Refusal(503, reason, f"cannot reach {_named(service)} port {port}: {text}")
