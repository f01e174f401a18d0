"""What nodes are owed, however little of it they were told."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.cluster.kinds import key_of
from cloudhub_stub.downstream.items import object_item, synced_key
from cloudhub_stub.downstream.synced import REMOVED
from cloudhub_stub.store.cluster import SyncedKey
from cluster.devices import device
from cluster.fed import FedCluster
from cluster.objects import config, endpoints, node, pod, service
from edgecore.clock import VirtualClock


@pytest.fixture
def edge(cluster: Any) -> Any:
    cluster.registry.put(node("edge"))
    cluster.arrived("edge", [item for _, item in cluster.fed()])
    return cluster


def test_a_node_that_has_everything_is_owed_nothing(edge: Any) -> None:
    edge.registry.put(service("web"))
    edge.registry.put(endpoints("web"))
    edge.registry.put(pod("p", "edge"))
    edge.arrived("edge", [item for _, item in edge.fed()])
    assert edge.owed("edge") == []


def test_a_node_that_was_away_is_owed_what_is_new(edge: Any) -> None:
    edge.registry.put(service("web"))
    edge.registry.put(endpoints("web"))
    edge.registry.put(pod("p", "edge"))
    edge.registry.put(device("led", node="edge", uid="u"))
    assert edge.owed("edge") == [
        "insert default/service/web",
        "insert default/endpoints/web",
        "update default/podlist/web",
        "insert default/pod/p",
        "update membership",
    ]


def test_a_node_that_was_away_is_owed_the_end_of_what_is_gone(edge: Any) -> None:
    held = [edge.registry.put(each) for each in (service("web"), pod("p", "edge"), config("c"))]
    edge.arrived("edge", [object_item(each, "insert") for each in held])
    for each in held:
        edge.registry.remove(key_of(each))
    assert edge.owed("edge") == [
        "delete default/service/web",
        "delete default/pod/p",
        "delete default/configmap/c",
    ]


def test_a_delete_without_the_object_has_its_name_and_uid_and_no_version(edge: Any) -> None:
    held = edge.registry.put(config("c"))
    edge.arrived("edge", [object_item(held, "insert")])
    edge.registry.remove(key_of(held))
    (item,) = edge.wanted.owed("edge")
    assert item.version == ""
    assert msgspec.json.decode(item.content) == {
        "metadata": {"name": "c", "namespace": "default", "uid": "uid-c", "creationTimestamp": None}
    }


def test_an_object_that_has_changed_is_owed_as_an_update(edge: Any) -> None:
    held = edge.registry.put(config("c"))
    edge.arrived("edge", [object_item(held, "insert")])
    edge.registry.put(config("c", k="new"))
    assert edge.owed("edge") == ["update default/configmap/c"]


def test_another_object_of_the_same_name_is_owed_behind_the_end_of_the_first(edge: Any) -> None:
    held = edge.registry.put(pod("p", "edge"))
    edge.arrived("edge", [object_item(held, "insert")])
    edge.registry.remove(key_of(held))
    edge.registry.put(pod("p", "edge", uid="another"))
    assert edge.owed("edge") == ["delete default/pod/p", "insert default/pod/p"]


def test_a_pod_of_another_node_now_is_owed_as_a_delete(edge: Any) -> None:
    held = edge.registry.put(pod("p", "edge"))
    edge.arrived("edge", [object_item(held, "insert")])
    edge.registry.put(pod("p", "other"))
    assert edge.owed("edge") == ["delete default/pod/p"]


def test_a_node_that_was_not_sent_the_lists_is_owed_no_services(cluster: Any) -> None:
    cluster.registry.put(node("edge", ready="False"))
    cluster.registry.put(service("web"))
    cluster.registry.put(pod("p", "edge"))
    assert cluster.owed("edge") == ["insert default/pod/p"]


def test_a_node_that_nobody_knows_is_owed_nothing(cluster: Any) -> None:
    cluster.registry.put(pod("p", "edge"))
    assert cluster.owed("edge") == []


def test_what_is_in_doubt_is_owed_as_an_update(edge: Any) -> None:
    held = edge.registry.put(pod("p", "edge"))
    item = object_item(held, "insert")
    edge.arrived("edge", [item])
    edge.synced.doubt("edge", item.key)
    assert edge.owed("edge") == ["update default/pod/p"]


def test_a_device_whose_wishes_have_changed_is_owed_all_of_them(edge: Any) -> None:
    edge.registry.put(device("led", node="edge", uid="u", desired={"power": "ON", "colour": "red"}))
    edge.arrived("edge", [item for _, item in edge.fed()])
    edge.registry.put(device("led", node="edge", uid="u", desired={"power": "OFF"}))
    (item,) = edge.wanted.owed("edge")
    twin = msgspec.json.decode(item.content)["twin"]
    assert twin["power"]["expected"]["value"] == "OFF"
    assert twin["colour"]["metadata"]["type"] == "deleted"


def test_a_list_of_pods_is_owed_that_is_as_before_but_was_another_in_between(edge: Any) -> None:
    web = edge.registry.put(service("web"))
    edge.registry.put(endpoints("web"))
    edge.arrived("edge", [item for _, item in edge.fed()])
    edge.arrived("edge", edge.wanted.owed("edge"))
    assert edge.owed("edge") == []
    edge.synced.sent("edge", synced_key(web)._replace(type="podlist"), "u", "something else")
    assert edge.owed("edge") == ["update default/podlist/web"]


def test_a_device_of_which_nobody_knows_what_it_was_is_owed_anew(edge: Any) -> None:
    edge.synced.sent("edge", SyncedKey("device", "default", "led"), "u", REMOVED)
    edge.registry.put(device("led", node="edge", uid="u2", desired={"power": "ON"}))
    for _, item in edge.fed():
        edge.synced.sent("edge", item.key, item.uid, item.state)
    removed, added = edge.wanted.owed("edge")
    assert msgspec.json.decode(removed.content)["removed_devices"][0]["id"] == "led"
    assert msgspec.json.decode(added.content)["added_devices"][0]["id"] == "led"


def test_a_device_that_is_gone_is_owed_as_removed(edge: Any) -> None:
    held = edge.registry.put(device("led", node="edge", uid="u"))
    edge.arrived("edge", [item for _, item in edge.fed()])
    edge.registry.remove(key_of(held))
    (item,) = edge.wanted.owed("edge")
    assert msgspec.json.decode(item.content)["removed_devices"][0]["id"] == "led"


def test_what_a_node_is_to_hold_is_what_was_sent(edge: Any) -> None:
    edge.registry.put(service("web"))
    edge.registry.put(endpoints("web"))
    edge.registry.put(pod("p", "edge"))
    edge.registry.put(config("unused"))
    assert sorted(edge.wanted.holds("edge")) == [
        "default/endpoints/web",
        "default/pod/p",
        "default/podlist/web",
        "default/service/web",
    ]


_OBJECTS = st.sampled_from(
    [
        service("web"),
        endpoints("web"),
        endpoints("web", "1.1.1.1"),
        pod("p", "edge", {"app": "web"}),
        pod("p", "edge", {"app": "web"}, uid="another"),
        pod("p", "other", {"app": "web"}),
        config("c", k="1"),
        config("c", k="2"),
        device("led", node="edge", uid="u", desired={"power": "ON"}),
        device("led", node="other", uid="u", desired={"power": "OFF"}),
    ]
)


@given(steps=st.lists(st.tuples(_OBJECTS, st.booleans(), st.sampled_from(["fed", "lost"]))))
def test_what_arrives_of_all_that_is_owed_leaves_nothing_owed(steps: list[Any]) -> None:
    count = iter(range(10**9))
    cluster = FedCluster(VirtualClock(), lambda: f"id-{next(count)}")
    cluster.registry.put(node("edge"))
    cluster.arrived("edge", [item for _, item in cluster.fed()])
    for obj, stays, fate in steps:
        if stays:
            cluster.registry.put(obj)
        elif cluster.registry.get(key_of(obj)) is not None:
            cluster.registry.remove(key_of(obj))
        sent = [item for nodes, item in cluster.fed() if "edge" in nodes]
        if fate == "fed":
            cluster.arrived("edge", sent)
    cluster.arrived("edge", cluster.wanted.owed("edge"))
    assert cluster.owed("edge") == []
    assert {key.type for key in cluster.synced.of("edge")} <= {
        *("lists", "service", "endpoints", "podlist", "pod", "configmap", "device")
    }
