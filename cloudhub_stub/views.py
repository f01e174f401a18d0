"""What the stub shows of itself, as pure values: nodes as JSON for the commands, metric families for Prometheus."""

from collections.abc import Iterable
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from cloudhub_stub.cloud import Cloud
from cloudhub_stub.cluster.kinds import NODE_KIND, Object, ObjectKey
from cloudhub_stub.controllers.conditions import is_ready
from cloudhub_stub.delivery.queue import NodeQueue
from cloudhub_stub.nodes import Node
from cloudhub_stub.uploads import Upload


def node_view(node: Node, obj: Object | None, queue: NodeQueue | None, now: float) -> dict[str, Any]:
    """Return one node for people and scripts; ``obj`` is its Node object, ``now`` is ``monotonic`` seconds."""
    session = node.session
    counters = node.counters
    return {
        "name": node.name,
        "project": node.project,
        "connected": session is not None,
        "connected_s": None if session is None else round(now - session.started_at, 3),
        "epoch": None if session is None else session.epoch,
        "unacknowledged": 0 if queue is None else queue.unacknowledged,
        "queued": 0 if queue is None else queue.lasting,
        "queued_bytes": 0 if queue is None else queue.held_bytes,
        "given_up": 0 if queue is None else queue.given_up,
        "registered": obj is not None,
        "ready": obj is not None and is_ready(obj),
        "status_at_ms": node.status_at_ms,
        "pods": {f"{pod.namespace}/{pod.name}": note.phase for pod, note in sorted(node.pods.items())},
        "connections": counters.connections,
        "received": counters.received,
        "sent": counters.sent,
        "acknowledged": counters.acknowledged,
        "keepalives": counters.keepalives,
        "malformed": counters.malformed,
        "uploads": counters.uploads,
        "latest_uploads": [_without_content(upload) for upload in node.uploads],
        "outcomes": dict(sorted(counters.outcomes.items())),
    }


def uploads_view(node: Node) -> list[dict[str, Any]]:
    """Return what devices of a node sent up last, oldest first, with its beginning."""
    return [upload._asdict() for upload in node.uploads]


def _without_content(upload: Upload) -> dict[str, Any]:
    return {name: value for name, value in upload._asdict().items() if name != "shown"}


def nodes_view(cloud: Cloud) -> list[dict[str, Any]]:
    """Return all nodes by name."""
    now = cloud.clock.monotonic()
    queues = cloud.delivery.queues()
    registry = cloud.plane.registry
    return [
        node_view(node, registry.get(ObjectKey(NODE_KIND.name, "", node.name)), queues.get(node.name), now)
        for node in cloud.nodes.known()
    ]


def queues_view(cloud: Cloud) -> dict[str, Any]:
    """Return what lies in the queues, and what became of it; with the nodes that are not known by a connection yet."""
    queues = cloud.delivery.queues()
    return {
        "waiting": {name: queue.lasting for name, queue in sorted(queues.items()) if queue.lasting},
        "given_up": cloud.delivery.given_up,
        "refused": cloud.delivery.refused,
    }


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
    return connected, objects, messages, outcomes, *_delivery_families(cloud)


def _delivery_families(cloud: Cloud) -> Iterable[Metric]:
    ledger = CounterMetricFamily(
        "cloudhub_ledger", "Messages by how they ended.", labels=("direction", "outcome", "reason")
    )
    for key, count in cloud.ledger.counts().items():
        ledger.add_metric(key, count)
    unexplained = GaugeMetricFamily("cloudhub_ledger_unexplained", "Messages that nobody can account for.")
    unexplained.add_metric((), cloud.ledger.unexplained)
    depth = GaugeMetricFamily("cloudhub_queue_messages", "Messages on their way to a node.", labels=("node",))
    for name, queue in cloud.delivery.queues().items():
        depth.add_metric((name,), queue.lasting)
    ends = CounterMetricFamily(
        "cloudhub_queue_failures",
        "Messages that were not acknowledged in time, or found a full queue.",
        labels=("what",),
    )
    ends.add_metric(("given_up",), cloud.delivery.given_up)
    ends.add_metric(("refused",), cloud.delivery.refused)
    return ledger, unexplained, depth, ends
