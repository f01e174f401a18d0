"""What the proxy asks: which service is meant, and to which of its pods the next request goes."""

from collections import Counter
from collections.abc import Sequence

from edgecore.modules.edgemesh.names import Endpoint, Refusal, ServiceKey
from edgecore.modules.edgemesh.services import Route, ServiceEntry, ServiceTable

DEFAULT_NAMESPACE = "default"


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
        self._suffixes = [["svc"], *(["svc", *domain.lower().strip(".").split(".")] for domain in every)]

    def service_named(self, host: str, port: int) -> ServiceKey | Refusal:
        """Return the service that ``host`` means, in any case of letters.

        It may be written ``svc``, ``svc.ns``, ``svc.ns.svc``, ``svc.ns.svc.<cluster domain>``, with or without a dot at
        the end, or be a fake IP. In front of the last two there may be the host name of a pod that has a name of its
        own. ``port`` is for the text of the refusal; ``choose`` looks at it.
        """
        entry = self._table.at_address(host)
        if entry is not None:
            return entry.key
        key = self._key(host)
        if key is None or self._table.get(key) is None:
            reason, text = self._why_unknown("no service is called that")
            return Refusal(503, reason, f"cannot reach {host}:{port}: {text}")
        return key

    def choose(self, service: ServiceKey, port: int) -> Endpoint | Refusal:
        """Return the endpoint whose turn it is at ``port`` of ``service``; why there is none, if there is none."""
        entry = self._table.get(service)
        if entry is None:
            return _refusal(service, port, *self._why_unknown("there is no such service"))
        if entry.service is not None and entry.is_external:
            outside = entry.service.spec.external_name
            return _refusal(service, port, "external_name", f"it stands for a name outside; ask {outside} itself")
        route = entry.by_port.get(port)
        if route is None:
            return _refusal(service, port, "port_not_in_service", "the service has no such port")
        if route.not_served:
            return _refusal(service, port, "port_not_served", f"the port is not served ({route.not_served})")
        return route.balancer.choose() or _without_backend(entry, route)

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


def _without_backend(entry: ServiceEntry, route: Route) -> Refusal:
    port = route.port.port
    if not entry.pods:
        return _refusal(entry.key, port, "no_pods", "the service has no pods")
    found = ", ".join(f"{number} {reason}" for reason, number in Counter(b.reason for b in route.backends).items())
    if not any(pod.running for pod in entry.pods):
        return _refusal(entry.key, port, "no_running_pods", f"none of its pods runs ({found})")
    return _refusal(entry.key, port, "no_reachable_pods", f"none of its pods can be reached ({found})")


def _named(service: ServiceKey) -> str:
    return f"{'pod' if service.is_pod else 'service'} {service}"


def _refusal(service: ServiceKey, port: int, reason: str, text: str) -> Refusal:
    return Refusal(503, reason, f"cannot reach {_named(service)} port {port}: {text}")
