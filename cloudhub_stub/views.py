"""What the stub shows of itself, as pure values: nodes as JSON for the commands, metric families for Prometheus."""

from collections.abc import Iterable
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from cloudhub_stub.cloud import Cloud
from cloudhub_stub.nodes import Node


def node_view(node: Node, now: float) -> dict[str, Any]:
    """Return one node for people and scripts; ``now`` is ``monotonic`` seconds."""
    session = node.session
    counters = node.counters
    return {
        "name": node.name,
        "project": node.project,
        "connected": session is not None,
        "connected_s": None if session is None else round(now - session.started_at, 3),
        "unacknowledged": 0 if session is None else len(session.unacknowledged),
        "registered": node.registered,
        "ready": node.ready,
        "status_at_ms": node.status_at_ms,
        "pods": {f"{pod.namespace}/{pod.name}": note.phase for pod, note in sorted(node.pods.items())},
        "connections": counters.connections,
        "received": counters.received,
        "sent": counters.sent,
        "acknowledged": counters.acknowledged,
        "keepalives": counters.keepalives,
        "malformed": counters.malformed,
        "outcomes": dict(sorted(counters.outcomes.items())),
    }


def nodes_view(cloud: Cloud) -> list[dict[str, Any]]:
    """Return all nodes by name."""
    now = cloud.clock.monotonic()
    return [node_view(node, now) for node in cloud.nodes.known()]


def metric_families(cloud: Cloud) -> Iterable[Metric]:
    """Return what Prometheus scrapes."""
    nodes = cloud.nodes.known()
    connected = GaugeMetricFamily("cloudhub_nodes_connected", "Nodes that are connected now.")
    connected.add_metric((), len(cloud.nodes.connected()))
    objects = GaugeMetricFamily("cloudhub_objects_held", "Objects that the stub holds of the cluster.")
    objects.add_metric((), len(cloud.objects))
    messages = CounterMetricFamily(
        "cloudhub_messages", "Messages of a node, by what happened to them.", labels=("node", "what")
    )
    outcomes = CounterMetricFamily(
        "cloudhub_requests",
        "Requests of a node by outcome, ignored messages by reason.",
        labels=("node", "outcome"),
    )
    for node in nodes:
        counters = node.counters
        messages.add_metric((node.name, "received"), counters.received)
        messages.add_metric((node.name, "sent"), counters.sent)
        messages.add_metric((node.name, "acknowledged"), counters.acknowledged)
        messages.add_metric((node.name, "keepalive"), counters.keepalives)
        messages.add_metric((node.name, "malformed"), counters.malformed)
        for outcome, count in counters.outcomes.items():
            outcomes.add_metric((node.name, outcome), count)
    return connected, objects, messages, outcomes
