"""What the API takes of what a user hands in."""

from typing import Any

import pytest

from cloudhub_stub.cluster.admission import admitted, for_update, named, with_reported
from cloudhub_stub.errors import Invalid
from edgecore.ids import NewId

ON_EDGE = {"matchExpressions": [{"key": "", "operator": "In", "values": ["edge"]}]}


def configmap(**metadata: Any) -> dict[str, Any]:
    return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": metadata}


def node(**metadata: Any) -> dict[str, Any]:
    return {"kind": "Node", "apiVersion": "v1", "metadata": {"name": "x", **metadata}}


def device(*twins: dict[str, Any], **status: Any) -> dict[str, Any]:
    return {
        "kind": "Device",
        "apiVersion": "devices.kubeedge.io/v1alpha1",
        "metadata": {"name": "led", "namespace": "default"},
        "spec": {"deviceModelRef": {"name": "m"}, "nodeSelector": {"nodeSelectorTerms": [ON_EDGE]}},
        "status": {"twins": list(twins), **status},
    }


@pytest.mark.parametrize("namespace", [{}, {"namespace": ""}, {"namespace": None}])
def test_a_kind_with_namespaces_lands_in_default(namespace: dict[str, Any]) -> None:
    assert admitted(configmap(name="c", **namespace))["metadata"] == {"name": "c", "namespace": "default"}


@pytest.mark.parametrize("namespace", [{}, {"namespace": ""}])
def test_a_kind_without_namespaces_is_in_none(namespace: dict[str, Any]) -> None:
    assert admitted(node(**namespace))["metadata"] == {"name": "x"}


def test_what_the_api_writes_is_not_taken_from_users() -> None:
    found = admitted(configmap(name="c", uid="u", resourceVersion="7", creationTimestamp=None, labels={"a": "b"}))
    assert found["metadata"] == {"name": "c", "namespace": "default", "labels": {"a": "b"}}


def test_the_status_is_not_taken_from_users_and_may_be_anything() -> None:
    assert "status" not in admitted({**configmap(name="c"), "status": 7})


def test_the_status_of_a_node_counts_where_it_is_new_alone() -> None:
    found = admitted({**node(), "status": {"phase": "Running"}})
    assert found["status"] == {"phase": "Running"}
    assert "status" not in for_update(found)


def test_the_twins_of_a_device_count_always() -> None:
    wanted = device({"propertyName": "power", "desired": {"value": "ON", "metadata": {"type": "string"}}})
    assert for_update(admitted(wanted))["status"] == wanted["status"]


@pytest.mark.parametrize("obj", [None, 7, [], {}, {"kind": []}, {"kind": "Pod"}, {"metadata": 7}, configmap()])
def test_what_is_no_object_is_refused(obj: Any) -> None:
    with pytest.raises(Invalid):
        admitted(obj)


def test_a_name_to_be_generated_is_none() -> None:
    with pytest.raises(Invalid, match=r"metadata\.name: .*generateName"):
        admitted(configmap(generateName="c-"))


def test_a_name_is_generated_where_there_is_none(ids: NewId) -> None:
    first, second = (named(configmap(generateName="c-"), ids)["metadata"] for _ in range(2))
    assert first["name"] != second["name"]
    assert first["name"].startswith("c-")
    assert first["generateName"] == "c-"


@pytest.mark.parametrize("obj", [None, {}, configmap(), configmap(name="c", generateName="d-")])
def test_otherwise_no_name_is_generated(obj: Any, ids: NewId) -> None:
    assert named(obj, ids) is obj


def test_a_beginning_of_a_name_that_is_no_text_is_refused(ids: NewId) -> None:
    with pytest.raises(Invalid, match=r"metadata\.generateName"):
        named(configmap(generateName=7), ids)


def test_what_a_node_reported_of_a_twin_stays() -> None:
    reported = {"value": "OFF", "metadata": {"timestamp": "1"}}
    old = device({"propertyName": "power", "reported": reported}, {"propertyName": "gone", "reported": reported})
    new = device({"propertyName": "power", "reported": {"value": "?"}}, {"propertyName": "new", "reported": {}})
    assert with_reported(new, old)["status"]["twins"] == [
        {"propertyName": "power", "reported": reported},
        {"propertyName": "new", "reported": {}},
    ]


def test_a_device_without_reports_is_taken_as_it_is() -> None:
    new = device({"propertyName": "power"})
    assert with_reported(new, device()) is new


def test_other_kinds_report_nothing() -> None:
    assert with_reported(node(), node()) == node()
