from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgecore.beehive.message import Header, Message, Route
from edgecore.modules.edgemesh.msgprocess import (
    EndpointsChanged,
    EndpointsDeleted,
    PodChanged,
    PodDeleted,
    PodsChanged,
    PodsDeleted,
    Rejected,
    ServiceChanged,
    ServiceDeleted,
    process,
)
from edgecore.modules.edgemesh.names import PodKey, ServiceKey

Make = Callable[..., Message]

WEB = ServiceKey("default", "web")
SERVICE = {"metadata": {"namespace": "default", "name": "web"}, "spec": {"ports": [{"name": "http", "port": 80}]}}
OTHER = {"metadata": {"namespace": "prod", "name": "api"}}
POD = {"metadata": {"name": "web-0"}, "status": {"phase": "Running"}}
MALFORMED = {"metadata": {"namespace": "default", "name": 7}}


@pytest.mark.parametrize("operation", ["insert", "update"])
def test_a_service_inserted_or_updated_has_changed(make_message: Make, operation: str) -> None:
    (change,) = process(make_message(operation, "default/service/web", SERVICE))

    assert isinstance(change, ServiceChanged)
    assert change.key == WEB
    assert change.service.spec.ports[0].port == 80


@pytest.mark.parametrize("content", [None, "stub", [], {"metadata": {"name": "else"}}, SERVICE])
def test_a_service_delete_goes_by_the_resource_whatever_the_content(make_message: Make, content: Any) -> None:
    assert process(make_message("delete", "default/service/web", content)) == (ServiceDeleted(WEB),)


def test_a_service_without_ports_is_accepted(make_message: Make) -> None:
    content = {"metadata": {"namespace": "default", "name": "web"}, "spec": {"ports": None}}

    (change,) = process(make_message("insert", "default/service/web", content))

    assert isinstance(change, ServiceChanged)
    assert change.service.spec.ports == ()


def test_a_service_with_a_nameless_port_is_accepted(make_message: Make) -> None:
    content = SERVICE | {"spec": {"ports": [{"port": 9000}]}}

    (change,) = process(make_message("insert", "default/service/web", content))

    assert isinstance(change, ServiceChanged)


@pytest.mark.parametrize("operation", ["insert", "update"])
def test_a_service_list_changes_each_service(make_message: Make, operation: str) -> None:
    changes = process(make_message(operation, "namespace/servicelist/service", [SERVICE, OTHER]))

    assert [change.key for change in changes if isinstance(change, ServiceChanged)] == [WEB, ("prod", "api")]


def test_a_service_list_deleted_deletes_each_service_it_names(make_message: Make) -> None:
    changes = process(make_message("delete", "namespace/servicelist/service", [SERVICE, OTHER]))

    assert changes == (ServiceDeleted(WEB), ServiceDeleted(ServiceKey("prod", "api")))


@pytest.mark.parametrize("operation", ["insert", "update", "delete"])
@pytest.mark.parametrize("resource", ["namespace/servicelist/service", "namespace/endpointslist/endpoints"])
def test_a_list_of_null_changes_nothing(make_message: Make, operation: str, resource: str) -> None:
    assert process(make_message(operation, resource)) == ()


def test_a_malformed_element_of_a_service_list_is_rejected_alone(make_message: Make) -> None:
    first, second, third = process(
        make_message("update", "namespace/servicelist/service", [SERVICE, MALFORMED, OTHER]),
    )

    assert isinstance(first, ServiceChanged)
    assert isinstance(second, Rejected)
    assert isinstance(third, ServiceChanged)
    assert second.reason == "bad_content"
    assert "Service 1 of the list" in second.text
    assert "$.metadata.name" in second.text


def test_an_element_without_a_namespace_is_rejected_alone(make_message: Make) -> None:
    first, second = process(
        make_message("update", "namespace/servicelist/service", [{"metadata": {"name": "web"}}, SERVICE]),
    )

    assert isinstance(first, Rejected)
    assert isinstance(second, ServiceChanged)


@pytest.mark.parametrize("operation", ["insert", "update"])
def test_endpoints_inserted_or_updated_have_changed(make_message: Make, operation: str) -> None:
    content = SERVICE | {"subsets": [{"addresses": [{"ip": "10.0.0.1"}]}]}

    (change,) = process(make_message(operation, "default/endpoints/web", content))

    assert isinstance(change, EndpointsChanged)
    assert (change.key, change.endpoints.ready_addresses) == (WEB, 1)


def test_an_endpoints_delete_goes_by_the_resource(make_message: Make) -> None:
    assert process(make_message("delete", "default/endpoints/web", "stub")) == (EndpointsDeleted(WEB),)


@pytest.mark.parametrize(
    ("operation", "kind"), [("insert", EndpointsChanged), ("update", EndpointsChanged), ("delete", EndpointsDeleted)]
)
def test_an_endpoints_list_goes_element_by_element(make_message: Make, operation: str, kind: type) -> None:
    changes = process(make_message(operation, "namespace/endpointslist/endpoints", [SERVICE, MALFORMED, OTHER]))

    assert [type(change) for change in changes] == [kind, Rejected, kind]


@pytest.mark.parametrize("operation", ["insert", "update"])
def test_a_pod_list_replaces_the_pods(make_message: Make, operation: str) -> None:
    (change,) = process(make_message(operation, "default/podlist/web", [POD]))

    assert isinstance(change, PodsChanged)
    assert change.key == WEB
    assert [pod.metadata.name for pod in change.pods] == ["web-0"]


def test_a_pod_list_of_null_says_that_there_are_no_pods(make_message: Make) -> None:
    assert process(make_message("update", "default/podlist/web")) == (PodsChanged(WEB, ()),)


def test_a_pod_list_deleted_forgets_the_pods(make_message: Make) -> None:
    assert process(make_message("delete", "default/podlist/web")) == (PodsDeleted(WEB),)


def test_a_malformed_pod_is_rejected_alone(make_message: Make) -> None:
    changed, rejected = process(make_message("update", "default/podlist/web", [{"status": 3}, POD]))

    assert isinstance(changed, PodsChanged)
    assert len(changed.pods) == 1
    assert isinstance(rejected, Rejected)
    assert "$.status" in rejected.text


@pytest.mark.parametrize("pod", [{}, {"status": None}, {"spec": {"containers": [{"ports": [{"containerPort": 80}]}]}}])
def test_a_pod_without_status_or_host_port_is_no_bad_input(make_message: Make, pod: Any) -> None:
    (change,) = process(make_message("update", "default/podlist/web", [pod]))

    assert isinstance(change, PodsChanged)


@pytest.mark.parametrize(
    ("operation", "resource", "content", "reason"),
    [
        ("insert", "x", SERVICE, "bad_resource"),
        ("insert", "", SERVICE, "bad_resource"),
        ("insert", "a/b/c/d/e", SERVICE, "bad_resource"),
        ("insert", "default/gadget/web", SERVICE, "unknown_resource"),
        ("insert", "default/pod/web", OTHER, "bad_content"),
        ("update", "default/pod/web", {"metadata": {"name": "web", "namespace": "default"}, "spec": 3}, "bad_content"),
        ("patch", "default/service/web", SERVICE, "unknown_operation"),
        ("response", "default/service/web", SERVICE, "unknown_operation"),
        ("insert", "default/service", SERVICE, "bad_content"),
        ("insert", "default/service/Web", SERVICE, "bad_content"),
        ("delete", "default/service/a b", None, "bad_content"),
        ("delete", "default/service/web\n", None, "bad_content"),
        ("delete", f"default/service/{'a' * 64}", None, "bad_content"),
        ("delete", "/service/web", None, "bad_content"),
        ("update", "default/podlist/-web", None, "bad_content"),
        ("insert", "default/service/web", None, "bad_content"),
        ("insert", "default/service/web", "text", "bad_content"),
        ("insert", "default/service/web", [SERVICE], "bad_content"),
        ("insert", "default/service/web", OTHER, "bad_content"),
        ("insert", "default/service/web", {}, "bad_content"),
        ("insert", "default/endpoints/web", OTHER, "bad_content"),
        ("update", "default/podlist/web", {"items": []}, "bad_content"),
        ("update", "namespace/servicelist/service", {"items": []}, "bad_content"),
    ],
)
def test_what_cannot_be_used_is_rejected_with_its_reason(
    make_message: Make, operation: str, resource: str, content: Any, reason: str
) -> None:
    (change,) = process(make_message(operation, resource, content))

    assert isinstance(change, Rejected)
    assert change.reason == reason
    assert change.text


def test_content_that_is_no_json_value_is_rejected() -> None:
    message = Message(Header("1"), Route("x", "resource", "insert", "default/service/web"), {1: object()})

    (change,) = process(message)

    assert isinstance(change, Rejected)


def test_content_made_in_this_process_is_taken_as_it_is() -> None:
    message = Message(Header("1"), Route("x", "resource", "insert", "default/service/web"), SERVICE)

    (change,) = process(message)

    assert isinstance(change, ServiceChanged)


NODE_POD = {"metadata": {"namespace": "default", "name": "web-0.x", "uid": "u", "resourceVersion": "17"}}


@pytest.mark.parametrize("operation", ["insert", "update"])
def test_a_pod_of_the_node_is_taken_by_its_own_name(make_message: Make, operation: str) -> None:
    (change,) = process(make_message(operation, "default/pod/web-0.x", NODE_POD))

    assert isinstance(change, PodChanged)
    assert change.key == ("default", "web-0.x")
    assert change.pod.metadata.version == 17


@pytest.mark.parametrize(
    ("content", "uid", "version"),
    [(NODE_POD, "u", 17), ("u", "u", -1), (None, "", -1), ({}, "", -1), ([], "", -1), ({"spec": 3}, "", -1)],
)
def test_the_delete_of_a_pod_says_which_as_far_as_it_knows(
    make_message: Make, content: Any, uid: str, version: int
) -> None:
    assert process(make_message("delete", "default/pod/web-0", content)) == (
        PodDeleted(PodKey("default", "web-0"), uid, version),
    )


@given(
    operation=st.sampled_from(["insert", "update", "delete", "query", ""]),
    resource=st.sampled_from(
        [
            "a/service/b",
            "namespace/servicelist/service",
            "a/podlist/b",
            "a/endpoints/b",
            "namespace/endpointslist/x",
            "a/pod/b",
        ]
    )
    | st.text(max_size=20),
    content=st.recursive(
        st.none() | st.integers() | st.text(max_size=4),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["metadata", "name", "spec"]), inner, max_size=3)
        ),
        max_leaves=8,
    ),
)
@settings(max_examples=200)
def test_no_message_raises(operation: str, resource: str, content: Any) -> None:
    process(Message(Header("1"), Route("x", "resource", operation, resource), content))
