"""What is told of resolving: for ``edgecore status`` and for Prometheus.

``figures`` are those of all processes that answer; the state of a server and its round trip are what the node itself
has seen of it.
"""

from collections.abc import Iterable
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from edgecore.addresses import join_address
from edgecore.modules.edgemesh.dns.resolver.health import State
from edgecore.modules.edgemesh.dns.resolver.resolver import Resolver
from edgecore.modules.edgemesh.dns.tally import Figures


def resolver_status(resolver: Resolver, figures: Figures) -> dict[str, Any]:
    """Return the servers and the cache, as JSON values."""
    now = figures["now"]
    return {
        "upstreams": [_server_status(resolver, zone, server, figures) for zone, server in resolver.all_servers()],
        "cache": {
            "entries": now["cache_entries"],
            "bytes": now["cache_bytes"],
            **figures["cache"],
            "questions": {outcome: count for outcome, count in figures["resolved"].items() if count},
        },
        "questions_in_flight": now["questions"],
        "replies_ignored": figures["replies"]["ignored"],
    }


def _server_status(resolver: Resolver, zone: str, server: tuple[str, int], figures: Figures) -> dict[str, Any]:
    health, address = resolver.upstream.health.of(server), join_address(*server)
    return {
        "address": address,
        "zone": zone or None,
        "state": health.state.value,
        "rtt_ms": None if health.rtt_s is None else round(health.rtt_s * 1000, 1),
        "queries": figures["upstream_queries"].get(address, 0),
        "answers": figures["upstream_answers"].get(address, 0),
        "failures": figures["upstream_failures"].get(address, 0),
    }


def resolver_families(resolver: Resolver, figures: Figures) -> Iterable[Metric]:
    """Yield the metric families."""
    now, cache = figures["now"], figures["cache"]
    resolved = CounterMetricFamily(
        "edgecore_dns_resolved", "Questions for names that are not ours, by how they were answered.", labels=["how"]
    )
    for how, count in figures["resolved"].items():
        resolved.add_metric([how], count)
    yield resolved
    yield CounterMetricFamily(
        "edgecore_dns_prefetches", "Answers asked for before they end.", value=cache["prefetches"]
    )
    yield GaugeMetricFamily("edgecore_dns_cache_entries", "Answers kept.", value=now["cache_entries"])
    yield GaugeMetricFamily("edgecore_dns_cache_bytes", "What they take, about.", value=now["cache_bytes"])
    yield CounterMetricFamily(
        "edgecore_dns_cache_evicted", "Answers that made room for others.", value=cache["evicted"]
    )
    yield from _server_families(resolver, figures)


def _server_families(resolver: Resolver, figures: Figures) -> Iterable[Metric]:
    queries = CounterMetricFamily("edgecore_dns_upstream_queries", "Queries to a name server.", labels=["server"])
    failures = CounterMetricFamily("edgecore_dns_upstream_failures", "Queries that got nothing.", labels=["server"])
    rtt = GaugeMetricFamily("edgecore_dns_upstream_rtt_seconds", "Its round trip, smoothed.", labels=["server"])
    is_up = GaugeMetricFamily("edgecore_dns_upstream_up", "0 if it is away.", labels=["server"])
    for server in dict.fromkeys(server for _, server in resolver.all_servers()):
        health = resolver.upstream.health.of(server)
        labels = [address := join_address(*server)]
        queries.add_metric(labels, figures["upstream_queries"].get(address, 0))
        failures.add_metric(labels, figures["upstream_failures"].get(address, 0))
        is_up.add_metric(labels, health.state is not State.AWAY)
        if health.rtt_s is not None:
            rtt.add_metric(labels, health.rtt_s)
    yield from (queries, failures, rtt, is_up)
