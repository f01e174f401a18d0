"""What the proxy counts, as plain integers; Prometheus pulls them when it asks."""

from collections.abc import Iterator
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from edgecore.modules.edgemesh.names import Endpoint, ServiceKey

MAX_PORTS = 4096
"""Service ports counted apart. Clients of the plain listener may ask for any port: the rest is counted as one."""
MAX_ENDPOINTS = 256
"""Endpoints counted apart for one service port. Pods come and go: the one that came first is forgotten."""

OTHERS = (ServiceKey("", "others"), 0)


class PortCounters:
    """Requests to one port of one service."""

    __slots__ = ("codes", "endpoints")

    def __init__(self) -> None:
        self.codes: dict[int, int] = {}
        """HTTP status, of the backend's answers and of our own, to the number of requests."""
        self.endpoints: dict[Endpoint, int] = {}
        """Endpoint to the number of requests that were sent there."""

    def answered(self, status: int) -> None:
        """Count a request by the status of its answer."""
        self.codes[status] = self.codes.get(status, 0) + 1

    def sent_to(self, endpoint: Endpoint) -> None:
        """Count a request by where it went."""
        self.endpoints[endpoint] = self.endpoints.get(endpoint, 0) + 1
        if len(self.endpoints) > MAX_ENDPOINTS:
            del self.endpoints[next(iter(self.endpoints))]


class Counters:
    """All numbers of one proxy."""

    def __init__(self) -> None:
        self.ports: dict[tuple[ServiceKey, int], PortCounters] = {}
        self.connections = 0
        """Open connections of clients."""
        self.accepted = 0
        """Connections of clients since the start."""

    def of(self, service: ServiceKey, port: int) -> PortCounters:
        """Return the counters of one port of one service."""
        found = self.ports.get((service, port))
        if found is None:
            key = (service, port) if len(self.ports) < MAX_PORTS else OTHERS
            found = self.ports.setdefault(key, PortCounters())
        return found

    def status(self) -> dict[str, Any]:
        """Return the requests of each service port, for people and scripts."""
        return {
            f"{service}:{port}": {
                "codes": {str(status): number for status, number in sorted(counters.codes.items())},
                "endpoints": {str(endpoint): number for endpoint, number in counters.endpoints.items()},
            }
            for (service, port), counters in self.ports.items()
        }

    def families(self, errors: dict[str, int], idle_backends: int) -> Iterator[Metric]:
        """Yield the metric families."""
        requests = CounterMetricFamily(
            "edgecore_proxy_requests",
            "Requests by service port and status of the answer.",
            labels=("service", "port", "code"),
        )
        backends = CounterMetricFamily(
            "edgecore_proxy_backend_requests",
            "Requests by service port and the endpoint they were sent to.",
            labels=("service", "port", "endpoint"),
        )
        for (service, port), counters in self.ports.items():
            for status, number in counters.codes.items():
                requests.add_metric((str(service), str(port), str(status)), number)
            for endpoint, number in counters.endpoints.items():
                backends.add_metric((str(service), str(port), str(endpoint)), number)
        failures = CounterMetricFamily(
            "edgecore_proxy_errors", "Requests and connections that went wrong, by reason.", labels=("reason",)
        )
        for reason, number in errors.items():
            failures.add_metric((reason,), number)
        accepted = CounterMetricFamily("edgecore_proxy_connections", "Connections of clients.", value=self.accepted)
        open_now = GaugeMetricFamily(
            "edgecore_proxy_open_connections", "Connections of clients that are open.", value=self.connections
        )
        idle = GaugeMetricFamily(
            "edgecore_proxy_idle_backend_connections", "Connections to backends kept for reuse.", value=idle_backends
        )
        yield from (requests, backends, failures, accepted, open_now, idle)
