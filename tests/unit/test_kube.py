import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecore import kube
from edgecore.beehive import wire
from edgecore.beehive.message import content_json
from edgecore.errors import ContentError
from edgecore.recording.entries import CloudFrame, Direction
from edgecore.recording.reader import read_entries

DATA = Path(__file__).parents[1] / "data"

DECODERS = [
    kube.decode_service,
    kube.decode_pod,
    kube.decode_services,
    kube.decode_pods,
    kube.decode_endpoints,
    kube.decode_endpoints_list,
]


def recorded(resource: str) -> bytes:
    """Return the content of the last recorded message of the cloud about ``resource``."""
    frames = (
        entry for entry in read_entries(DATA / "b_services_endpoints_pods.jsonl") if isinstance(entry, CloudFrame)
    )
    messages = [wire.decode(frame.text) for frame in frames if frame.direction is Direction.TO_EDGE]
    return [content_json(message) for message in messages if message.route.resource == resource][-1]


def test_a_recorded_service_has_its_ports_and_selector() -> None:
    service = kube.decode_service(recorded("default/service/nginx-svc"))

    assert service.key == ("default", "nginx-svc")
    assert service.metadata.resource_version == "120"
    assert service.spec.ports == (
        kube.ServicePort("http-0", "TCP", 12345, 80),
        kube.ServicePort("http-1", "TCP", 12346, 81),
    )
    assert service.spec.selector == {"app": "nginx"}
    assert (service.spec.type, service.spec.cluster_ip) == ("ClusterIP", "10.254.17.205")


def test_a_recorded_service_of_type_external_name_has_its_name_and_no_ports() -> None:
    service = kube.decode_service(recorded("default/service/ext-svc"))

    assert (service.spec.type, service.spec.external_name) == ("ExternalName", "a.test")
    assert service.spec.ports == ()


def test_a_named_target_port_stays_a_name() -> None:
    service = kube.decode_service(recorded("default/service/named-svc"))

    assert service.spec.ports[0].target_port == "web"


def test_recorded_pods_say_where_they_run() -> None:
    first, second = kube.decode_pods(recorded("default/podlist/nginx-svc"))

    assert isinstance(first, kube.Pod)
    assert isinstance(second, kube.Pod)
    assert (first.metadata.name, first.spec.node_name, first.status.host_ip) == ("nginx-0", "edge-node1", "10.66.0.2")
    assert first.container_ports == (kube.ContainerPort(container_port=80, host_port=8000),)
    assert first.running
    assert not first.terminating
    assert first.ready == "True"
    assert second.status.host_ip == "10.66.0.1"
    assert (first.spec.containers[0].image, first.status.qos_class) == ("nginx:1.17", "BestEffort")


def test_recorded_endpoints_count_their_ready_addresses() -> None:
    endpoints = kube.decode_endpoints(recorded("default/endpoints/nginx-svc"))

    assert endpoints.key == ("default", "nginx-svc")
    assert endpoints.ready_addresses == 2


def test_a_pod_with_a_deletion_timestamp_is_terminating() -> None:
    (pod,) = kube.decode_pods(b'[{"metadata":{"deletionTimestamp":"2026-11-20T10:12:07Z"}}]')

    assert isinstance(pod, kube.Pod)
    assert pod.terminating


def test_a_container_says_what_it_asks_for_as_text_or_number() -> None:
    resources = '{"requests":{"cpu":"500m"},"limits":{"cpu":1}}'
    pod = kube.decode_pod(f'{{"spec":{{"containers":[{{"name":"a","resources":{resources}}}]}}}}'.encode())
    assert pod.spec.containers[0].resources == kube.Resources({"cpu": "500m"}, {"cpu": 1})


def test_a_pod_of_another_phase_does_not_run() -> None:
    (pod,) = kube.decode_pods(b'[{"status":{"phase":"Pending"}}]')

    assert isinstance(pod, kube.Pod)
    assert not pod.running


def test_absent_fields_have_their_defaults() -> None:
    port = kube.decode_service(b'{"spec":{"ports":[{}]}}').spec.ports[0]

    assert port == kube.ServicePort(name="", protocol="TCP", port=0, target_port=0)


def test_null_fields_have_their_defaults() -> None:
    data = (
        b'{"metadata":{"name":"a","namespace":null,"deletionTimestamp":null},'
        b'"spec":{"ports":[{"name":null,"protocol":null,"port":1,"targetPort":null}],"selector":null},"status":null}'
    )

    service = kube.decode_service(data)

    assert service.key == ("", "a")
    assert service.spec.ports == (kube.ServicePort(port=1),)
    assert service.spec.selector == {}


def test_null_in_place_of_every_part_of_a_pod_is_an_empty_pod() -> None:
    assert kube.decode_pods(b'[{"metadata":null,"spec":null,"status":null}]') == (kube.Pod(),)


def test_unknown_fields_are_passed_over() -> None:
    assert kube.decode_service(b'{"kind":"Service","metadata":{"labels":{"a":[1]}},"x":[{}]}') == kube.Service()


@pytest.mark.parametrize("decode", [kube.decode_services, kube.decode_pods, kube.decode_endpoints_list])
def test_a_null_list_is_empty(decode: Any) -> None:
    assert decode(b"null") == ()


def test_one_malformed_element_of_a_list_leaves_the_others() -> None:
    good, bad, last = kube.decode_pods(b'[{"metadata":{"name":"a"}},{"status":{"hostIP":1}},{"metadata":{"name":"b"}}]')

    assert isinstance(good, kube.Pod)
    assert isinstance(bad, ContentError)
    assert isinstance(last, kube.Pod)
    assert "Pod 1 of the list" in str(bad)
    assert "$.status.hostIP" in str(bad)


def test_one_null_element_of_a_list_leaves_the_others() -> None:
    bad, good = kube.decode_services(b'[null,{"metadata":{"name":"a"}}]')

    assert isinstance(bad, ContentError)
    assert isinstance(good, kube.Service)


@pytest.mark.parametrize(
    ("data", "path"),
    [
        (b'{"spec":{"ports":[{"port":"80"}]}}', "$.spec.ports[0].port"),
        (b'{"spec":{"ports":[{"port":65536}]}}', "$.spec.ports[0].port"),
        (b'{"spec":{"ports":[{"port":-1}]}}', "$.spec.ports[0].port"),
        (b'{"spec":{"ports":[{"targetPort":1.5}]}}', "$.spec.ports[0].targetPort"),
        (b'{"spec":{"ports":{}}}', "$.spec.ports"),
        (b'{"spec":{"selector":[]}}', "$.spec.selector"),
        (b'{"metadata":{"name":5}}', "$.metadata.name"),
        (b'{"metadata":{"name":5,"namespace":null}}', "$.metadata.name"),
    ],
)
def test_a_field_of_the_wrong_shape_is_named_by_its_path(data: bytes, path: str) -> None:
    with pytest.raises(ContentError) as raised:
        kube.decode_service(data)

    assert str(raised.value).startswith("cannot decode Service: ")
    assert f"`{path}`" in str(raised.value)


@pytest.mark.parametrize(
    "data",
    [b"", b"null", b"[]", b'"text"', b"{", b'{"metadata":{"name":"\xff"}}', b'{"metadata":{"name":"\\ud800"}}'],
)
def test_what_is_no_object_is_a_content_error(data: bytes) -> None:
    with pytest.raises(ContentError):
        kube.decode_service(data)


@pytest.mark.parametrize("data", [b"", b"{}", b"[", b"3"])
def test_what_is_no_list_is_a_content_error(data: bytes) -> None:
    with pytest.raises(ContentError, match="cannot decode list of Pod"):
        kube.decode_pods(data)


def test_nesting_without_end_is_a_content_error() -> None:
    with pytest.raises(ContentError):
        kube.decode_service(b'{"metadata":' + b"[" * 100_000 + b"]" * 100_000 + b"}")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["metadata", "spec", "status", "name", "ports", "port"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("decode", DECODERS)
@given(value=JSON)
@settings(max_examples=50)
def test_no_value_raises_anything_but_a_content_error(decode: Any, value: Any) -> None:
    with contextlib.suppress(ContentError):
        decode(json.dumps(value).encode())


@pytest.mark.parametrize("decode", DECODERS)
@given(data=st.binary(max_size=40))
@settings(max_examples=50)
def test_no_bytes_raise_anything_but_a_content_error(decode: Any, data: bytes) -> None:
    with contextlib.suppress(ContentError):
        decode(data)


def test_of_the_annotations_of_a_service_only_those_of_the_mesh_are_kept() -> None:
    service = kube.decode_service(
        b'{"metadata": {"name": "web", "annotations": {"edgemesh.kubeedge.io/retries": "1", "last-applied": "{...}"}}}'
    )

    assert service.metadata.annotations == {"edgemesh.kubeedge.io/retries": "1"}
    assert kube.decode_service(b'{"metadata": {"annotations": null}}').metadata.annotations == {}


def test_a_pod_says_how_often_its_containers_were_started_again_and_since_when_it_is_ready() -> None:
    status = {
        "podIP": "172.17.0.5",
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}],
        "containerStatuses": [{"name": "a", "restartCount": 2}, {"name": "b"}, {"name": "c", "restartCount": 1}],
    }
    pod = kube.decode_pod(json.dumps({"metadata": {"uid": "u"}, "status": status}).encode())

    assert pod.life == "u/3/172.17.0.5/True/2026-01-01T00:00:00Z"
    assert kube.decode_pod(b'{"status":{"conditions":[{"type":"Ready","lastTransitionTime":null}]}}').life == "/0///"
