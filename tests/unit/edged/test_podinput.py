"""What a message about a pod says, whatever it is."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.beehive.resource import EdgeResource
from edgecore.kube import Pod
from edgecore.modules.edged.podinput import MAX_CONTAINERS, Fault, read_pod, read_uid

P1 = EdgeResource("default", "pod", "p1")
PodJson = Callable[..., bytes]


def test_a_pod_is_read(pod_json: PodJson) -> None:
    pod = read_pod(P1, pod_json())
    assert isinstance(pod, Pod)
    assert pod.spec.containers[0].image == "nginx:1.17"


@pytest.mark.parametrize("data", [b"null", b"[]", b'"x"', b"7", b"", b"{", b'{"metadata":[]}', b'{"spec":7}'])
def test_what_is_no_pod_is_malformed(data: bytes) -> None:
    fault = read_pod(P1, data)
    assert isinstance(fault, Fault)
    assert fault.reason in ("pod_malformed", "pod_without_identity")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"name": ""}, "pod_without_identity"),
        ({"uid": ""}, "pod_without_identity"),
        ({"uid": None}, "pod_without_identity"),
        ({"uid": 7}, "pod_malformed"),
        ({"name": "other"}, "pod_misnamed"),
        ({"namespace": "other"}, "pod_misnamed"),
        ({"uid": "x" * 1000}, "pod_name_too_long"),
        ({"spec": {"containers": None}}, "pod_without_containers"),
        ({"spec": {"containers": []}}, "pod_without_containers"),
        ({"spec": {"containers": [{}]}}, "pod_without_containers"),
        ({"spec": {"containers": {}}}, "pod_malformed"),
        ({"spec": {"containers": [{"name": "c", "image": 7}]}}, "pod_malformed"),
        ({"spec": {"containers": [{"name": "c"}] * (MAX_CONTAINERS + 1)}}, "pod_too_large"),
        ({"spec": {"initContainers": [{"name": "c"}] * MAX_CONTAINERS}}, "pod_too_large"),
        ({"spec": {"initContainers": [{}]}}, "pod_without_containers"),
    ],
)
def test_a_pod_that_cannot_be_run_is_a_fault_of_a_fixed_name(
    pod_json: PodJson, changes: dict[str, Any], reason: str
) -> None:
    fault = read_pod(P1, pod_json(**changes))
    assert isinstance(fault, Fault)
    assert fault.reason == reason


def test_a_pod_that_is_to_go_needs_no_containers(pod_json: PodJson) -> None:
    data = pod_json(spec={"containers": None}, deletionTimestamp="2026-11-20T10:18:12Z")
    assert isinstance(read_pod(P1, data), Pod)


def test_a_name_that_fills_megabytes_is_refused(pod_json: PodJson) -> None:
    name = "x" * 1_000_000
    fault = read_pod(EdgeResource("default", "pod", name), pod_json(name))
    assert isinstance(fault, Fault)
    assert fault.reason == "pod_name_too_long"


def test_a_delete_may_name_the_pod_only() -> None:
    """As a cloud does that does not know the pod (spec 14.2)."""
    assert read_uid(b'{"metadata":{"name":"nginx","namespace":"default","creationTimestamp":null},"status":{}}') == ""


FIELDS = st.sampled_from(["metadata", "spec", "status", "name", "namespace", "uid", "containers", "deletionTimestamp"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.just("p1"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner),
)


@given(JSON.map(msgspec.json.encode) | st.binary())
def test_no_content_does_more_than_become_a_fault(data: bytes) -> None:
    pod = read_pod(P1, data)
    if isinstance(pod, Pod):
        assert (pod.metadata.name, bool(pod.metadata.uid)) == ("p1", True)
    else:
        assert pod.reason.replace("_", "").isalpha()
    assert isinstance(read_uid(data), str | Fault)
