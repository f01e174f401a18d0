"""The figures of ports and backends as metric families of Prometheus.

Each port with traffic, and each backend with traffic or left out, has series of its own, up to ``MAX_PORTS`` and
``MAX_BACKENDS``; what has some keeps them as long as it is there, so no series jumps. A port has a series for each
status (up to ``MAX_CODES``) and reason; a backend about twenty-five, most of them its histogram. Backends without
series count in those of their port all the same.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from edgecore.modules.edgemesh.proxy.figures.figures import HostFigures, PortFigures, cumulative
from edgecore.modules.edgemesh.upstream.spec import PortKey

MAX_PORTS = 1000
MAX_BACKENDS = 256
MAX_CODES = 32
"""The statuses that came first; further ones are the code ``other``."""
GONE = "gone"
"""The endpoint of what was counted at backends that are gone."""

_PORT = ("service", "port", "transport")
_BACKEND = (*_PORT, "pod", "endpoint")
Key = TypeVar("Key")
_Place = tuple[PortKey, str]


class PortFamilies:
    """Remembers who has series."""

    def __init__(self) -> None:
        self._ports: dict[PortKey, None] = {}
        self._backends: dict[_Place, None] = {}

    def read(self, with_traffic: Iterable[PortKey], figures: Mapping[PortKey, PortFigures]) -> Iterator[Metric]:
        """Yield the families. Of ``figures`` only those are looked at that have series."""
        busy = dict.fromkeys(with_traffic)
        self._ports = _chosen(self._ports, busy, MAX_PORTS)
        told = {key: figures[key] for key in self._ports}
        backends = {
            (key, endpoint): host
            for key in self._ports
            for endpoint, host in _hosts(told[key])
            if host.has_traffic or (key, endpoint) in self._backends
        }
        self._backends = _chosen(self._backends, backends, MAX_BACKENDS)
        yield from _port_families(told[key] for key in self._ports)
        yield from _backend_families((key, endpoint, backends[key, endpoint]) for key, endpoint in self._backends)
        left_out = GaugeMetricFamily(
            "edgecore_proxy_without_series", "Ports and backends with traffic beyond the limit.", labels=("what",)
        )
        left_out.add_metric(("ports",), len(busy) - len(self._ports))
        left_out.add_metric(("backends",), len(backends) - len(self._backends))
        yield left_out


def _hosts(figures: PortFigures) -> Iterator[tuple[str, HostFigures]]:
    yield from figures.hosts.items()
    yield GONE, figures.past


def _port_families(ports: Iterable[PortFigures]) -> tuple[Metric, ...]:
    requests = CounterMetricFamily(
        "edgecore_proxy_requests", "Requests by service port and status of the answer.", labels=(*_PORT, "code")
    )
    refused = CounterMetricFamily(
        "edgecore_proxy_refused", "Requests answered by the proxy itself, by reason.", labels=(*_PORT, "reason")
    )
    retries = CounterMetricFamily("edgecore_proxy_retries", "Requests that were tried again.", labels=_PORT)
    panicking = GaugeMetricFamily(
        "edgecore_proxy_panicking", "1: so few backends are well that all are used.", labels=_PORT
    )
    for figures in ports:
        labels = _port_labels(figures.key)
        for code, number in _codes(figures):
            requests.add_metric((*labels, code), number)
        for reason, number in figures.refused.items():
            refused.add_metric((*labels, reason), number)
        retries.add_metric(labels, figures.retries)
        panicking.add_metric(labels, int(figures.panicking > 0))
    return requests, refused, retries, panicking


def _backend_families(backends: Iterable[tuple[PortKey, str, HostFigures]]) -> tuple[Metric, ...]:
    requests = CounterMetricFamily(
        "edgecore_proxy_backend_requests", "Requests, connections and flows sent to a backend.", labels=_BACKEND
    )
    errors = CounterMetricFamily(
        "edgecore_proxy_backend_errors", "Of these, those that failed there, by reason.", labels=(*_BACKEND, "reason")
    )
    ejections = CounterMetricFamily(
        "edgecore_proxy_backend_ejections", "How often a backend was left out for its failures.", labels=_BACKEND
    )
    latency = HistogramMetricFamily(
        "edgecore_proxy_backend_first_byte_seconds", "Time until an answer of a backend began.", labels=_BACKEND
    )
    active = GaugeMetricFamily("edgecore_proxy_backend_active", "Requests under way at a backend.", labels=_BACKEND)
    connections = GaugeMetricFamily(
        "edgecore_proxy_backend_open_connections", "Connections to a backend, idle ones too.", labels=_BACKEND
    )
    is_in = GaugeMetricFamily(
        "edgecore_proxy_backend_in", "1: the backend is used; less: some processes leave it out.", labels=_BACKEND
    )
    for key, endpoint, host in backends:
        labels = (*_port_labels(key), host.pod, endpoint)
        requests.add_metric(labels, host.requests)
        for reason, number in host.errors.items():
            errors.add_metric((*labels, reason), number)
        latency.add_metric(labels, list(cumulative(host.latency)), host.latency_sum_s)
        ejections.add_metric(labels, host.ejections)
        if endpoint != GONE:
            active.add_metric(labels, host.active)
            connections.add_metric(labels, host.connections)
            is_in.add_metric(labels, 1 - host.out / max(1, host.judges))
    return requests, errors, ejections, latency, active, connections, is_in


def _chosen(before: dict[Key, None], now: Mapping[Key, object], most: int) -> dict[Key, None]:
    """Return those of ``before`` that are there, and as many others as there is room for."""
    return dict.fromkeys([*(key for key in before if key in now), *(key for key in now if key not in before)][:most])


def _codes(figures: PortFigures) -> Iterator[tuple[str, int]]:
    codes = list(figures.codes.items())
    yield from ((str(code), number) for code, number in codes[:MAX_CODES])
    if len(codes) > MAX_CODES:
        yield "other", sum(number for _, number in codes[MAX_CODES:])


def _port_labels(key: PortKey) -> tuple[str, str, str]:
    return str(key[0]), str(key[1]), key[2]
