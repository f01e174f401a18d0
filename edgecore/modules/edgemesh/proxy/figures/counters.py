"""What the proxy counts, as plain integers; Prometheus pulls them when it asks."""

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec.structs import replace
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from edgecore.modules.edgemesh.proxy.figures.allports import AllPorts
from edgecore.modules.edgemesh.proxy.figures.portfamilies import PortFamilies
from edgecore.modules.edgemesh.proxy.figures.proxyfigures import Elsewhere, ProxyFigures, added
from edgecore.modules.edgemesh.upstream.upstream import Upstream


class Counters:
    """All numbers of one proxy; those of a port are kept where the port is."""

    def __init__(self, upstreams: Iterable[Upstream]) -> None:
        self._upstreams = upstreams
        self._port_families = PortFamilies()
        self._elsewhere: list[Elsewhere] = []
        self.connections = 0
        """Open connections of clients."""
        self.accepted = 0
        """Connections of clients since the start."""

    def add_figures_of(self, elsewhere: Elsewhere) -> None:
        """Add what others have counted wherever figures are told: other processes, the kernel."""
        self._elsewhere.append(elsewhere)

    def elsewhere(self) -> list[ProxyFigures]:
        """Return what others have counted."""
        return [figures for each in self._elsewhere for figures in each()]

    def ports(self) -> AllPorts:
        """Return what was counted at each port there is, in all processes together."""
        return AllPorts(self._upstreams, self.elsewhere())

    def numbers(self, own: ProxyFigures) -> ProxyFigures:
        """Return what all processes together have counted, but for the ports; ``own`` is of this one."""
        return added((own, *(replace(other, ports={}) for other in self.elsewhere())))

    def status(self) -> dict[str, Any]:
        """Return the requests of each service port, for people and scripts."""
        ports = self.ports()
        busy = ((key, ports[key]) for key in ports.with_traffic())
        return {
            f"{key[0]}:{key[1]}": {
                "codes": {str(status): number for status, number in sorted(figures.codes.items())},
                "endpoints": {endpoint: host.requests for endpoint, host in figures.hosts.items()},
            }
            for key, figures in busy
            if figures.codes
        }

    def families(self, own: ProxyFigures) -> Iterator[Metric]:
        """Yield the metric families; ``own`` is what this process has counted beside the ports."""
        numbers = self.numbers(own)
        ports = self.ports()
        yield from self._port_families.read(ports.with_traffic(), ports)
        failures = CounterMetricFamily(
            "edgecore_proxy_errors", "Requests and connections that went wrong, by reason.", labels=("reason",)
        )
        for reason, number in numbers.errors.items():
            failures.add_metric((reason,), number)
        accepted = CounterMetricFamily("edgecore_proxy_connections", "Connections of clients.", value=numbers.accepted)
        open_now = GaugeMetricFamily(
            "edgecore_proxy_open_connections", "Connections of clients that are open.", value=numbers.connections
        )
        idle = GaugeMetricFamily(
            "edgecore_proxy_idle_backend_connections",
            "Connections to backends kept for reuse.",
            value=numbers.idle_backends,
        )
        yield from (failures, accepted, open_now, idle)
        yield from numbers.datagrams.families()
