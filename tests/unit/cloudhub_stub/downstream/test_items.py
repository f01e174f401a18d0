"""The messages to nodes, one shape at a time; what was recorded is compared in the tests of fidelity."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cloudhub_stub.cluster.kinds import Object
from cloudhub_stub.downstream.items import (
    list_items,
    membership_item,
    object_item,
    podlist_item,
    stub_delete_item,
    synced_key,
    twin_item,
    unknown_pod_item,
    wire,
)
from cloudhub_stub.downstream.synced import LISTS, REMOVED
from cloudhub_stub.store.cluster import SyncedKey
from cluster.objects import config, endpoints, node, pod, service
from edgecore.beehive.message import Route, content_value


def versioned(obj: Object, version: str = "7") -> Object:
    return {**obj, "metadata": {**obj["metadata"], "resourceVersion": version}}


def content(item: Any) -> Any:
    return msgspec.json.decode(item.content)


DATA = Path(__file__).parents[3] / "data"


def recorded_deletes_of_the_unknown() -> list[dict[str, Any]]:
    """Return the recorded deletes without resource version: those of KubeEdge's SyncController."""
    files = (
        DATA / f"{name}.jsonl" for name in ("b2_deletes", "c_configmap_secret_pod", "e_disconnect_reconnect_resync")
    )
    lines = (json.loads(line) for file in files for line in file.read_text("utf-8").splitlines())
    messages = [json.loads(line["text"]) for line in lines if line.get("dir") == "cloud->edge" and "text" in line]
    deletes = [each for each in messages if each["route"]["operation"] == "delete"]
    return [each for each in deletes if "resourceversion" not in each["header"]]


def test_an_object_goes_without_kind_under_its_path_with_its_version() -> None:
    obj = versioned(config("c", k="v"))
    item = object_item(obj, "insert")
    assert item.route == Route("edgecontroller", "resource", "insert", "default/configmap/c")
    assert content(item) == wire(obj)
    assert not {"kind", "apiVersion"} & content(item).keys()
    assert (item.version, item.state, item.uid) == ("7", "7", "uid-c")
    assert item.key == synced_key(obj) == SyncedKey("configmap", "default", "c")


def test_a_message_of_an_item_has_id_time_and_version() -> None:
    message = object_item(versioned(config("c")), "update").message("m1", 1234)
    assert (message.header.id, message.header.parent_id, message.header.timestamp_ms) == ("m1", "", 1234)
    assert message.header.resource_version == "7"
    assert content_value(message)["metadata"]["name"] == "c"


@pytest.mark.parametrize(("operation", "sent"), [("insert", "update"), ("update", "update"), ("delete", "delete")])
def test_a_secret_is_never_inserted(operation: str, sent: str) -> None:
    assert object_item(versioned(config("s", "Secret")), operation).route.operation == sent


def test_after_a_delete_nothing_is_there() -> None:
    item = object_item(versioned(pod("p", "n")), "delete")
    assert (item.state, item.version) == (REMOVED, "7")
    assert content(item)["spec"]["nodeName"] == "n"


def test_an_object_without_namespace_has_none_in_its_key() -> None:
    assert synced_key(node("n")).namespace == ""


def test_what_is_gone_is_deleted_by_name_and_uid_without_a_version() -> None:
    item = stub_delete_item(SyncedKey("pod", "default", "p"), "u")
    assert item.route == Route("edgecontroller", "resource", "delete", "default/pod/p")
    metadata = {"name": "p", "namespace": "default", "uid": "u", "creationTimestamp": None}
    assert content(item) == {"metadata": metadata, "spec": {"containers": None}, "status": {}}
    assert (item.version, item.state) == ("", REMOVED)


@pytest.mark.parametrize("recorded", recorded_deletes_of_the_unknown(), ids=lambda each: each["route"]["resource"])
def test_what_is_gone_is_deleted_as_go_was_recorded_to_do_it(recorded: dict[str, Any]) -> None:
    namespace, kind, name = recorded["route"]["resource"].split("/")
    item = stub_delete_item(SyncedKey(kind, namespace, name), recorded["content"]["metadata"]["uid"])
    assert item.route == Route(**recorded["route"])
    assert content(item) == recorded["content"]


def test_all_types_whose_objects_go_alone_were_recorded_but_pods() -> None:
    kinds = {each["route"]["resource"].split("/")[1] for each in recorded_deletes_of_the_unknown()}
    assert kinds == {"service", "endpoints", "configmap", "secret"}


def test_an_unknown_pod_is_deleted_by_an_empty_pod() -> None:
    item = unknown_pod_item("kube-system", "p")
    assert item.route == Route("edgecontroller", "resource", "delete", "kube-system/pod/p")
    metadata = {"name": "p", "namespace": "kube-system", "creationTimestamp": None}
    assert content(item) == {"metadata": metadata, "spec": {"containers": None}, "status": {}}


@pytest.mark.parametrize("pods", [None, []])
def test_the_list_of_a_service_without_pods_is_null(pods: Any) -> None:
    assert content(podlist_item(service("web"), pods)) is None


def test_the_list_of_a_service_has_its_pods_without_kind_and_no_version() -> None:
    pods = [versioned(pod(name, "n")) for name in ("a", "b")]
    item = podlist_item(service("web"), pods)
    assert item.route == Route("edgecontroller", "resource", "update", "default/podlist/web")
    assert content(item) == [wire(each) for each in pods]
    assert (item.version, item.key.type) == ("", "podlist")


def test_the_state_of_a_list_is_another_one_with_other_pods_alone() -> None:
    def state(*pods: Object) -> str:
        return podlist_item(service("web"), pods).state

    first = versioned(pod("a", "n"))
    assert state(first) == state(dict(first))
    assert len({state(), state(first), state(versioned(pod("a", "n"), "8")), state(versioned(pod("b", "n")))}) == 4


def test_the_lists_of_everything_come_in_their_order_and_cover_what_is_in_them() -> None:
    services, held = [versioned(service("web"))], [versioned(endpoints("web"), "8")]
    lists = list_items(services, held, [podlist_item(services[0], None)])
    assert [item.route.resource for item in lists] == [
        "namespace/servicelist/service",
        "default/podlist/web",
        "namespace/endpointslist/endpoints",
    ]
    assert [item.covers for item in (lists[0], lists[2])] == [
        ((SyncedKey("service", "default", "web"), "uid-web", "7"),),
        ((SyncedKey("endpoints", "default", "web"), "uid-web", "8"),),
    ]
    assert {item.key.type for item in (lists[0], lists[2])} == {LISTS.type}
    assert lists[0].key != lists[2].key


def test_lists_of_nothing_are_empty_and_not_null() -> None:
    assert [content(item) for item in list_items([], [], [])] == [[], []]


def test_devices_are_told_to_the_twin_group() -> None:
    key = SyncedKey("device", "default", "led")
    assert membership_item(key, "u", "{}", {"a": 1}).route == Route("devicecontroller", "twin", "update", "membership")
    assert twin_item(key, "u", "{}", {"a": 1}).route == Route(
        "devicecontroller", "twin", "update", "device/led/twin/cloud_updated"
    )
    assert content(twin_item(key, "u", "{}", {"a": 1})) == {"a": 1}
