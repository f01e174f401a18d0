"""Pods without a node are cleaned up; pods that wait for one are not."""

from typing import Any

from cloudhub_stub.cluster.kinds import Object, ObjectKey
from cloudhub_stub.cluster.writes import Delete
from cloudhub_stub.controllers.podgc import of_removed_node, plan

SCHEDULED = {"conditions": [{"type": "PodScheduled", "status": "True"}]}
UNSCHEDULABLE = {"conditions": [{"type": "PodScheduled", "status": "False"}]}
STARTED = {"phase": "Running", "startTime": "2020-05-09T04:53:20Z"}
GONE = Delete(ObjectKey("Pod", "default", "a"), "uid-a", 0)


def pod(node: str, status: dict[str, Any], **metadata: str) -> Object:
    return {
        "kind": "Pod",
        "metadata": {"name": "a", "namespace": "default", "uid": "uid-a", **metadata},
        "spec": {"nodeName": node} if node else {},
        "status": status,
    }


def has_node(name: str) -> bool:
    return name == "here"


def test_a_scheduled_pod_of_a_node_that_is_gone_goes() -> None:
    assert plan([pod("gone", SCHEDULED)], has_node) == [GONE]


def test_a_pod_that_an_edge_had_taken_on_goes_with_its_node() -> None:
    assert plan([pod("gone", STARTED)], has_node) == [GONE]


def test_a_pod_stays_on_a_node_that_is_there() -> None:
    assert plan([pod("here", STARTED), pod("here", SCHEDULED)], has_node) == []


def test_a_pod_bound_by_hand_waits_for_its_node() -> None:
    assert plan([pod("later", {"phase": "Pending"}), pod("later", UNSCHEDULABLE)], has_node) == []


def test_an_unbound_pod_that_shall_go_goes() -> None:
    assert plan([pod("", UNSCHEDULABLE, deletionTimestamp="2020-05-09T04:53:20Z")], has_node) == [GONE]


def test_an_unbound_pod_waits_for_the_scheduler() -> None:
    assert plan([pod("", UNSCHEDULABLE)], has_node) == []


def test_when_a_node_is_removed_all_its_pods_go() -> None:
    assert of_removed_node([pod("gone", {"phase": "Pending"})]) == [GONE]
