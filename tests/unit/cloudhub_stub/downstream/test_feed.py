"""Each row of the table of what is sent, and what is not."""

from typing import Any

import msgspec
import pytest

from cloudhub_stub.cluster.kinds import ObjectKey, key_of
from cloudhub_stub.store.cluster import SyncedKey
from cluster.devices import device
from cluster.objects import config, endpoints, node, pod, service


@pytest.fixture
def edges(cluster: Any) -> Any:
    for name in ("edge-a", "edge-b"):
        cluster.registry.put(node(name, ready="False"))
    cluster.fed()
    return cluster


def changed(obj: Any, **fields: Any) -> Any:
    return {**obj, **fields}


def with_metadata(obj: Any, **fields: Any) -> Any:
    return {**obj, "metadata": {**obj["metadata"], **fields}}


def test_a_new_pod_of_a_node_is_inserted_there(edges: Any) -> None:
    edges.registry.put(pod("p", "edge-a"))
    assert edges.lines() == ["edge-a: insert default/pod/p"]


def test_a_pod_without_node_goes_nowhere(edges: Any) -> None:
    edges.registry.put(pod("p"))
    assert edges.lines() == []


def test_a_pod_of_a_node_that_is_not_of_the_edge_goes_nowhere(edges: Any) -> None:
    edges.registry.put(node("master", labels={}))
    edges.registry.put(pod("p", "master"))
    assert edges.lines() == []


def test_a_pod_that_is_bound_is_an_update_for_its_node(edges: Any) -> None:
    edges.registry.put(pod("p"))
    edges.registry.put(pod("p", "edge-a"))
    assert edges.lines() == ["edge-a: update default/pod/p"]


def test_a_new_pod_that_is_going_already_is_an_update(edges: Any) -> None:
    edges.registry.put(pod("p", "edge-a", deletionTimestamp="2026-11-20T10:00:00Z"))
    assert edges.lines() == ["edge-a: update default/pod/p"]


@pytest.mark.parametrize("fields", [{"labels": {"a": "b"}}, {"deletionTimestamp": "2026-11-20T10:00:00Z"}])
def test_a_pod_with_new_metadata_is_updated(edges: Any, fields: Any) -> None:
    first = edges.registry.put(pod("p", "edge-a"))
    edges.fed()
    edges.registry.put(with_metadata(first, **fields))
    assert edges.lines() == ["edge-a: update default/pod/p"]


def test_a_pod_with_a_new_spec_is_updated(edges: Any) -> None:
    edges.registry.put(pod("p", "edge-a"))
    edges.registry.put(pod("p", "edge-a", spec={"restartPolicy": "Never"}))
    assert edges.lines() == ["edge-a: insert default/pod/p", "edge-a: update default/pod/p"]


def test_a_pod_with_a_new_status_waits(edges: Any) -> None:
    first = edges.registry.put(pod("p", "edge-a"))
    edges.fed()
    edges.registry.put(changed(first, status={"phase": "Running"}))
    assert edges.lines() == []
    assert [(name, key.name) for name, key in edges.feed.stale] == [("edge-a", "p")]


def test_a_removed_pod_is_deleted_at_its_node(edges: Any) -> None:
    edges.registry.put(pod("p", "edge-a"))
    edges.fed()
    edges.registry.remove(ObjectKey("Pod", "default", "p"))
    ((nodes, item),) = edges.fed()
    assert (nodes, item.route.operation, item.version) == (["edge-a"], "delete", "4")


def test_services_go_to_every_node_of_the_edge(edges: Any) -> None:
    edges.registry.put(service("web"))
    edges.registry.put(service("web", labels={"a": "b"}))
    edges.registry.remove(ObjectKey("Service", "default", "web"))
    assert edges.lines() == [f"edge-a,edge-b: {verb} default/service/web" for verb in ("insert", "update", "delete")]


def test_endpoints_bring_the_list_of_pods_behind_them(edges: Any) -> None:
    edges.registry.put(service("web"))
    edges.registry.put(endpoints("web"))
    assert edges.lines()[1:] == [
        "edge-a,edge-b: insert default/endpoints/web",
        "edge-a,edge-b: update default/podlist/web",
    ]


def test_endpoints_without_service_bring_no_list(edges: Any) -> None:
    edges.registry.put(endpoints("web"))
    assert edges.lines() == ["edge-a,edge-b: insert default/endpoints/web"]


def test_removed_endpoints_bring_no_list(edges: Any) -> None:
    edges.registry.put(service("web"))
    first = edges.registry.put(endpoints("web"))
    edges.fed()
    edges.registry.remove(key_of(first))
    assert edges.lines() == ["edge-a,edge-b: delete default/endpoints/web"]


def test_endpoints_with_new_annotations_only_wait(edges: Any) -> None:
    edges.registry.put(endpoints("web", "1.1.1.1"))
    edges.fed()
    edges.registry.put(endpoints("web", "1.1.1.1", annotations={"a": "b"}))
    assert edges.lines() == []
    assert {name for name, _ in edges.feed.stale} == {"edge-a", "edge-b"}


def test_the_list_of_a_service_without_pods_is_null(edges: Any) -> None:
    edges.registry.put(service("web"))
    edges.registry.put(endpoints("web"))
    assert bytes(edges.fed()[-1][1].content) == b"null"


def test_the_list_has_the_pods_of_all_nodes_without_kind(edges: Any) -> None:
    edges.registry.put(service("web"))
    for name, where in (("p1", "edge-a"), ("p2", "edge-b"), ("p3", "")):
        edges.registry.put(pod(name, where, {"app": "web"}))
    edges.registry.put(endpoints("web", "1.1.1.1"))
    pods = msgspec.json.decode(edges.fed()[-1][1].content)
    assert [each["metadata"]["name"] for each in pods] == ["p1", "p2", "p3"]
    assert not {"kind", "apiVersion"} & pods[0].keys()


def test_a_removed_pod_leaves_the_list_of_its_service(edges: Any) -> None:
    edges.registry.put(service("web"))
    edges.registry.put(endpoints("web", "1.1.1.1"))
    last = edges.registry.put(pod("p", "edge-a", {"app": "web"}))
    edges.fed()
    edges.registry.remove(key_of(last))
    assert edges.lines() == ["edge-a: delete default/pod/p", "edge-a,edge-b: update default/podlist/web"]


@pytest.mark.parametrize(("kind", "verb"), [("ConfigMap", "insert"), ("Secret", "update")])
def test_configuration_goes_to_the_nodes_whose_pods_use_it(edges: Any, kind: str, verb: str) -> None:
    used = {"configMapRef" if kind == "ConfigMap" else "secretRef": {"name": "c"}}
    edges.registry.put(pod("p", "edge-b", spec={"containers": [{"name": "c", "image": "i", "envFrom": [used]}]}))
    edges.fed()
    edges.registry.put(config("c", kind, k="v"))
    assert edges.lines() == [f"edge-b: {verb} default/{kind.lower()}/c"]


def test_configuration_that_no_pod_uses_goes_nowhere(edges: Any) -> None:
    edges.registry.put(config("c"))
    assert edges.lines() == [": insert default/configmap/c"]


def test_configuration_goes_where_it_was_asked_for(edges: Any) -> None:
    held = edges.registry.put(config("c"))
    (_, item) = edges.fed()[0]
    edges.arrived("edge-a", [item])
    edges.registry.put(changed(held, data={"k": "new"}))
    edges.registry.remove(key_of(held))
    assert edges.lines() == ["edge-a: update default/configmap/c", "edge-a: delete default/configmap/c"]


def test_a_pod_that_is_gone_uses_nothing(edges: Any) -> None:
    used = {"containers": [{"name": "c", "image": "i", "envFrom": [{"configMapRef": {"name": "c"}}]}]}
    last = edges.registry.put(pod("p", "edge-b", spec=used))
    edges.registry.remove(key_of(last))
    edges.fed()
    edges.registry.put(config("c"))
    assert edges.lines() == [": insert default/configmap/c"]


def test_a_node_that_becomes_ready_gets_the_lists_of_everything(edges: Any) -> None:
    edges.registry.put(service("web"))
    edges.registry.put(endpoints("web"))
    edges.fed()
    edges.registry.put(node("edge-a"))
    assert edges.lines() == [
        "edge-a: update namespace/servicelist/service",
        "edge-a: update default/podlist/web",
        "edge-a: update namespace/endpointslist/endpoints",
    ]


def test_a_node_that_stays_ready_gets_the_lists_once(edges: Any) -> None:
    edges.registry.put(node("edge-a"))
    edges.arrived("edge-a", [item for _, item in edges.fed()])
    edges.registry.put(node("edge-a"))
    assert edges.lines() == []


def test_a_node_that_was_not_sent_the_lists_gets_them_though_it_was_ready(edges: Any) -> None:
    edges.registry.put(node("edge-a"))
    edges.fed()
    edges.registry.put(node("edge-a"))
    assert len(edges.lines()) == 2


def test_the_lists_of_an_empty_cluster_are_empty_and_not_null(edges: Any) -> None:
    edges.registry.put(node("edge-a"))
    assert [bytes(item.content) for _, item in edges.fed()] == [b"[]", b"[]"]


def test_a_node_that_is_removed_is_told_of_its_pods_and_has_what_it_has(edges: Any) -> None:
    held = SyncedKey("service", "default", "x")
    edges.synced.has("edge-a", held, "u", "1")
    edges.synced.has("edge-a", SyncedKey("pod", "default", "p"), "u", "1")
    edges.registry.remove(ObjectKey("Node", "", "edge-a"))
    edges.arrived("edge-a", [item for _, item in edges.fed()])
    assert list(edges.synced.of("edge-a")) == [held]
    edges.registry.put(service("web"))
    assert edges.lines() == ["edge-b: insert default/service/web"]


def test_a_device_comes_moves_changes_and_goes(edges: Any) -> None:
    edges.registry.put(device("led", node="edge-a", uid="u", desired={"power": "ON"}))
    edges.registry.put(device("led", node="edge-a", uid="u", desired={"power": "OFF"}))
    edges.registry.put(device("led", node="edge-b", uid="u", desired={"power": "OFF"}))
    edges.registry.remove(ObjectKey("Device", "default", "led"))
    assert edges.lines() == [
        "edge-a: update membership",
        "edge-a: update device/led/twin/cloud_updated",
        "edge-a: update membership",
        "edge-b: update membership",
        "edge-b: update membership",
    ]


def test_a_reported_value_is_sent_to_nobody(edges: Any) -> None:
    held = edges.registry.put(device("led", node="edge-a", uid="u", desired={"power": "ON"}))
    edges.fed()
    edges.registry.put(with_metadata(held, annotations={"a": "b"}))
    assert edges.lines() == []
