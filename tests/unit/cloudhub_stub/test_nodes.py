"""The nodes that the stub knows."""

from typing import Any

import pytest

from cloudhub_stub.cloud import Cloud
from cloudhub_stub.errors import NoSuchNode
from cloudhub_stub.nodes import MAX_PODS, PodNote
from cloudhub_stub.upgrade import Upgrade
from edgecore.beehive.resource import EdgeResource


def test_a_node_keeps_what_it_told_over_connections(cloud: Cloud) -> None:
    node, session = cloud.nodes.connect(Upgrade("edge-1", "p"))
    node.note_pod(EdgeResource("default", "pod", "p"), PodNote("u", "Running"))
    assert cloud.nodes.disconnect(session)
    again, later = cloud.nodes.connect(Upgrade("edge-1", "q"))
    assert again is node
    assert (len(again.pods), again.project, again.counters.connections) == (1, "q", 2)
    assert later.epoch > session.epoch


def test_the_end_of_a_replaced_session_leaves_the_new_one_alone(cloud: Cloud) -> None:
    node, old = cloud.nodes.connect(Upgrade("edge-1", ""))
    _, new = cloud.nodes.connect(Upgrade("edge-1", ""))
    assert not cloud.nodes.disconnect(old)
    assert node.session is new
    assert cloud.nodes.connected() == [node]


def test_known_nodes_are_sorted_connected_or_not(cloud: Cloud) -> None:
    _, session = cloud.nodes.connect(Upgrade("b", ""))
    cloud.nodes.connect(Upgrade("a", ""))
    cloud.nodes.disconnect(session)
    assert [node.name for node in cloud.nodes.known()] == ["a", "b"]
    assert [node.name for node in cloud.nodes.connected()] == ["a"]


def test_a_new_node_takes_the_place_of_one_that_is_gone(cloud: Cloud) -> None:
    sessions = {name: cloud.nodes.connect(Upgrade(name, ""))[1] for name in ("a", "b", "c")}
    cloud.nodes.disconnect(sessions["b"])
    cloud.nodes.connect(Upgrade("d", ""))
    assert [node.name for node in cloud.nodes.known()] == ["a", "c", "d"]


def test_more_nodes_than_allowed_are_refused_but_old_ones_come_back(cloud: Cloud) -> None:
    for name in ("a", "b", "c"):
        cloud.nodes.connect(Upgrade(name, ""))
    with pytest.raises(NoSuchNode, match="cannot connect d: 3 nodes are connected"):
        cloud.nodes.connect(Upgrade("d", ""))
    cloud.nodes.connect(Upgrade("a", ""))


def test_h1_a_faithful_hub_lets_the_node_in_and_ignores_all(make_cloud: Any) -> None:
    nodes = make_cloud(faithful=True, max_nodes=2).nodes
    nodes.connect(Upgrade("a", ""))
    assert not nodes.ignores_all
    _, session = nodes.connect(Upgrade("b", ""))
    assert nodes.ignores_all
    nodes.connect(Upgrade("c", ""))
    nodes.disconnect(session)
    assert nodes.ignores_all
    nodes.disconnect(nodes.get("c").session)
    assert not nodes.ignores_all


def test_h1_by_default_as_many_nodes_as_may_be_are_heard(make_cloud: Any) -> None:
    nodes = make_cloud(max_nodes=2).nodes
    for name in ("a", "b", "a"):
        nodes.connect(Upgrade(name, ""))
    assert not nodes.ignores_all


def test_the_oldest_pod_note_goes_beyond_the_limit(cloud: Cloud) -> None:
    node, _ = cloud.nodes.connect(Upgrade("edge-1", ""))
    for number in range(MAX_PODS + 1):
        node.note_pod(EdgeResource("default", "pod", str(number)), PodNote("u", "Running"))
    assert len(node.pods) == MAX_PODS
    assert EdgeResource("default", "pod", "0") not in node.pods
