"""What the proxy asks: which service is meant, and to which of its pods the next request goes."""

from collections import Counter

from edgecore.modules.edgemesh.names import Endpoint, Refusal, ServiceKey
from edgecore.modules.edgemesh.services import Route, ServiceEntry, ServiceTable

DEFAULT_NAMESPACE = "default"


class ServiceDirectory:
    """Answers from the service table. ``cluster_domain`` is the cluster's DNS domain, such as ``cluster.local``."""

    def __init__(self, table: ServiceTable, cluster_domain: str) -> None:
        self._table = table
        self._suffix = ["svc", *cluster_domain.lower().strip(".").split(".")]

    def service_named(self, host: str, port: int) -> ServiceKey | Refusal:
        """Return the service that ``host`` means, in any case of letters.

        It may be written ``svc``, ``svc.ns``, ``svc.ns.svc``, ``svc.ns.svc.<cluster domain>``, with or without a dot at
        the end, or be a fake IP. ``port`` is for the text of the refusal; ``choose`` looks at it.
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
        name, *labels = host.lower().removesuffix(".").split(".")
        namespace, *suffix = labels or [DEFAULT_NAMESPACE]
        if suffix and suffix not in (self._suffix[:1], self._suffix):
            return None
        return ServiceKey(namespace, name)


def _without_backend(entry: ServiceEntry, route: Route) -> Refusal:
    port = route.port.port
    if not entry.pods:
        return _refusal(entry.key, port, "no_pods", "the service has no pods")
    found = ", ".join(f"{number} {reason}" for reason, number in Counter(b.reason for b in route.backends).items())
    if not any(pod.running for pod in entry.pods):
        return _refusal(entry.key, port, "no_running_pods", f"none of its pods runs ({found})")
    return _refusal(entry.key, port, "no_reachable_pods", f"none of its pods can be reached ({found})")


def _refusal(service: ServiceKey, port: int, reason: str, text: str) -> Refusal:
    return Refusal(503, reason, f"cannot reach service {service} port {port}: {text}")
