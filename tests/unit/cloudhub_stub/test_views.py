"""What the stub shows of itself."""

from typing import Any

import msgspec

from cloudhub_stub.cloud import Cloud
from cloudhub_stub.nodes import PodNote
from cloudhub_stub.upgrade import Upgrade
from cloudhub_stub.views import metric_families, nodes_view
from edgecore.beehive.resource import EdgeResource
from edgecore.clock import VirtualClock
from edgecore.observe.metrics import Metrics


async def test_a_node_is_shown_with_its_session_pods_and_counters(
    cloud: Cloud, message: Any, vclock: VirtualClock
) -> None:
    node, _ = cloud.nodes.connect(Upgrade("edge-1", "p"))
    await cloud.delivery.accept(
        "edge-1", [message("insert", "default/pod/p", source="edgecontroller", group="resource")]
    )
    cloud.delivery.queue("edge-1").connect(None)
    cloud.delivery.queue("edge-1").take(0.0)
    node.note_pod(EdgeResource("default", "pod", "p"), PodNote("u", "Running"))
    node.counters.count("query_not_held")
    await vclock.advance(12.5)
    (view,) = nodes_view(cloud)
    assert (view["name"], view["connected"], view["connected_s"], view["unacknowledged"]) == ("edge-1", True, 12.5, 1)
    assert (view["queued"], view["epoch"], view["uploads"]) == (1, 1, 0)
    assert view["pods"] == {"default/p": "Running"}
    assert view["outcomes"] == {"query_not_held": 1}
    msgspec.json.encode(view)


def test_a_node_that_is_gone_is_still_shown(cloud: Cloud) -> None:
    _, session = cloud.nodes.connect(Upgrade("edge-1", "p"))
    cloud.nodes.disconnect(session)
    (view,) = nodes_view(cloud)
    assert (view["connected"], view["connected_s"], view["unacknowledged"]) == (False, None, 0)


async def test_the_metrics_count_by_node(cloud: Cloud, metrics: Metrics, message: Any) -> None:
    node, _ = cloud.nodes.connect(Upgrade("edge-1", "p"))
    node.counters.received = 3
    node.counters.count("node_status_taken")
    await cloud.delivery.accept(
        "edge-1", [message("insert", "default/pod/p", source="edgecontroller", group="resource")]
    )
    cloud.delivery.withdraw("edge-1", "m1")
    metrics.pull(lambda: metric_families(cloud))
    text = metrics.render().decode()
    assert "cloudhub_nodes_connected 1.0" in text
    assert 'cloudhub_messages_total{node="edge-1",what="received"} 3.0' in text
    ended = 'cloudhub_ledger_total{direction="cloud->edge",outcome="dropped",reason="withdrawn"} 1.0'
    assert ended in text
    assert 'cloudhub_queue_messages{node="edge-1"} 0.0' in text
    assert "cloudhub_ledger_unexplained 0.0" in text
    assert 'cloudhub_requests_total{node="edge-1",outcome="node_status_taken"} 1.0' in text
