"""What is counted of all datagrams, beside what is counted where the port and the host are."""

from collections.abc import Iterator

import msgspec
from prometheus_client.core import CounterMetricFamily, Metric


class DatagramTally(msgspec.Struct):
    """Counts since the start."""

    flows: int = 0
    """Flows that were begun."""
    expired: int = 0
    """Those that ended by silence."""
    evicted: int = 0
    """Those that made room for others."""
    forwarded: int = 0
    """Datagrams of clients that were sent to a host."""
    replied: int = 0
    """Datagrams of hosts that were sent to a client."""
    dropped: dict[str, int] = {}
    """Reason, a fixed snake_case word, to the number of datagrams that went nowhere."""

    def add(self, other: "DatagramTally") -> None:
        """Count what ``other``, of another process, has counted as well."""
        self.flows += other.flows
        self.expired += other.expired
        self.evicted += other.evicted
        self.forwarded += other.forwarded
        self.replied += other.replied
        for reason, number in other.dropped.items():
            self.drop(reason, number)

    def drop(self, reason: str, datagrams: int = 1) -> None:
        """Count what could not be passed on."""
        self.dropped[reason] = self.dropped.get(reason, 0) + datagrams

    def families(self) -> Iterator[Metric]:
        """Yield the metric families."""
        ended = CounterMetricFamily(
            "edgecore_proxy_flows_forgotten", "Flows of datagrams ended by the proxy, by reason.", labels=("reason",)
        )
        ended.add_metric(("silent",), self.expired)
        ended.add_metric(("evicted",), self.evicted)
        passed = CounterMetricFamily(
            "edgecore_proxy_datagrams", "Datagrams that were passed on.", labels=("direction",)
        )
        passed.add_metric(("to_backend",), self.forwarded)
        passed.add_metric(("to_client",), self.replied)
        dropped = CounterMetricFamily(
            "edgecore_proxy_datagrams_dropped", "Datagrams that went nowhere, by reason.", labels=("reason",)
        )
        for reason, number in self.dropped.items():
            dropped.add_metric((reason,), number)
        yield from (
            CounterMetricFamily("edgecore_proxy_flows", "Flows of datagrams that were begun.", value=self.flows),
            ended,
            passed,
            dropped,
        )
