"""What the API writes into metadata."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.cluster.kinds import ObjectKey
from cloudhub_stub.cluster.metadata import (
    NAME_LETTERS,
    carried_over,
    fresh,
    generated_name,
    next_generation,
    resource_name,
    self_link,
)


def deployment(**metadata: Any) -> dict[str, Any]:
    return {"kind": "Deployment", "metadata": {"name": "web", "namespace": "default", **metadata}, "spec": {"a": 1}}


@pytest.mark.parametrize(
    ("key", "link"),
    [
        (ObjectKey("Pod", "default", "x"), "/api/v1/namespaces/default/pods/x"),
        (ObjectKey("Node", "", "x"), "/api/v1/nodes/x"),
        (ObjectKey("Deployment", "shop", "x"), "/apis/apps/v1/namespaces/shop/deployments/x"),
        (ObjectKey("VolumeAttachment", "", "x"), "/apis/storage.k8s.io/v1/volumeattachments/x"),
        (
            ObjectKey("DeviceModel", "default", "x"),
            "/apis/devices.kubeedge.io/v1alpha1/namespaces/default/devicemodels/x",
        ),
    ],
)
def test_a_link_is_the_path_in_the_api(key: ObjectKey, link: str) -> None:
    assert self_link(key) == link


@pytest.mark.parametrize(
    ("kind", "name"), [("Pod", 'pods "x"'), ("Deployment", 'deployments.apps "x"'), ("Job", 'Job "x"')]
)
def test_errors_call_an_object_by_its_resource(kind: str, name: str) -> None:
    assert resource_name(ObjectKey(kind, "default", "x")) == name


def test_a_new_object_gets_its_metadata_in_the_order_of_the_api_server() -> None:
    new = fresh({"kind": "Pod", "metadata": {"labels": {}, "namespace": "default", "name": "x"}}, "u1", 1_000)
    assert list(new["metadata"].items()) == [
        ("name", "x"),
        ("namespace", "default"),
        ("selfLink", "/api/v1/namespaces/default/pods/x"),
        ("uid", "u1"),
        ("resourceVersion", ""),
        ("creationTimestamp", "1970-01-01T00:00:01Z"),
        ("labels", {}),
    ]


def test_a_new_object_takes_nothing_from_an_exported_one() -> None:
    exported = deployment(uid="old", generation=7, deletionTimestamp="x", managedFields=[], selfLink="/x")
    metadata = fresh(exported, "new", 0)["metadata"]
    assert (metadata["uid"], metadata["generation"]) == ("new", 1)
    assert not {"deletionTimestamp", "managedFields"} & metadata.keys()


def test_only_a_deployment_has_a_generation() -> None:
    assert "generation" not in fresh({"kind": "Pod", "metadata": {"name": "x", "namespace": "a"}}, "u", 0)["metadata"]


def test_what_the_api_wrote_is_carried_over_and_what_the_user_wrote_is_not() -> None:
    old = deployment(uid="u", resourceVersion="7", generation=2, labels={"a": "b"})
    new = carried_over(deployment(uid="forged", creationTimestamp="forged", annotations={"c": "d"}), old)
    expected = deployment(uid="u", resourceVersion="7", generation=2, annotations={"c": "d"})
    assert new == expected


def test_another_spec_is_another_generation() -> None:
    old = deployment(generation=2)
    assert next_generation({**old, "spec": {"a": 2}}, old)["metadata"]["generation"] == 3


def test_another_status_is_the_same_generation() -> None:
    old = deployment(generation=2)
    assert next_generation({**old, "status": {"replicas": 1}}, old)["metadata"]["generation"] == 2


@given(prefix=st.text("abc-", max_size=80), seed=st.text())
def test_a_generated_name_fits_and_repeats(prefix: str, seed: str) -> None:
    name = generated_name(prefix, seed)
    assert name == generated_name(prefix, seed)
    assert len(name) <= 63
    assert prefix.startswith(name[:-5])
    assert set(name[-5:]) <= set(NAME_LETTERS)
