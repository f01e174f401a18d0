"""Endpoints: which pods are in them, in which form, and when they are written."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.cluster.kinds import Object, ObjectKey
from cloudhub_stub.cluster.writes import Create, Delete, Replace
from cloudhub_stub.controllers.endpoints import HEADLESS_LABEL, LAST_APPLIED, plan, subsets

RECORDING = Path(__file__).parents[3] / "data/b_services_endpoints_pods.jsonl"
HTTP = {"name": "http-0", "port": 12345, "protocol": "TCP", "targetPort": 80}
KEY = ObjectKey("Endpoints", "default", "web")


def service(*ports: Object, labels: dict[str, str] | None = None, **spec: Any) -> Object:
    return {
        "kind": "Service",
        "metadata": {"name": "web", "namespace": "default", **({"labels": labels} if labels else {})},
        "spec": {"selector": {"app": "web"}, "clusterIP": "10.254.0.1", "ports": list(ports or (HTTP,)), **spec},
    }


def pod(
    name: str = "a",
    ip: str = "10.0.0.1",
    *,
    ready: bool = True,
    phase: str = "Running",
    dying: bool = False,
    **spec: Any,
) -> Object:
    return {
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": "default",
            "uid": f"uid-{name}",
            "resourceVersion": "7",
            **({"deletionTimestamp": "2020-05-09T04:53:20Z"} if dying else {}),
        },
        "spec": {"nodeName": "edge", "containers": [{"name": "c"}], **spec},
        "status": {
            "phase": phase,
            "conditions": [{"type": "Ready", "status": str(ready)}],
            **({"podIP": ip} if ip else {}),
        },
    }


def address(name: str = "a", ip: str = "10.0.0.1") -> Object:
    ref = {"kind": "Pod", "namespace": "default", "name": name, "uid": f"uid-{name}"}
    return {"ip": ip, "nodeName": "edge", "targetRef": ref}


def port(number: int, name: str = "", protocol: str = "TCP") -> Object:
    return {**({"name": name} if name else {}), "port": number, "protocol": protocol}


def endpoints(*found: Object, labels: dict[str, str] | None = None, **metadata: Any) -> Object:
    head = {"name": "web", "namespace": "default", "uid": "uid-web", "resourceVersion": "5", **metadata}
    return {
        "kind": "Endpoints",
        "apiVersion": "v1",
        "metadata": {**head, **({"labels": labels} if labels else {})},
        **({"subsets": list(found)} if found else {}),
    }


def recorded(operation: str, resource: str, version: str) -> Object:
    for line in RECORDING.read_text().splitlines():
        message = json.loads(json.loads(line).get("text", "{}"))
        route, head = message.get("route", {}), message.get("header", {})
        if (route.get("operation"), route.get("resource"), head.get("resourceversion")) == (
            operation,
            resource,
            version,
        ):
            return dict(message["content"])
    raise AssertionError(f"{resource} {version} is not recorded")


def test_the_subsets_are_those_that_were_recorded() -> None:
    found = subsets(
        recorded("insert", "default/service/nginx-svc", "104"), [recorded("update", "default/pod/nginx-0", "113")]
    )
    assert found == recorded("update", "default/endpoints/nginx-svc", "117")["subsets"]


def test_a_ready_pod_is_an_address() -> None:
    assert subsets(service(), [pod()]) == [{"addresses": [address()], "ports": [port(80, "http-0")]}]


def test_an_unready_pod_is_an_address_that_is_not_ready() -> None:
    assert subsets(service(), [pod(ready=False)]) == [{"notReadyAddresses": [address()], "ports": [port(80, "http-0")]}]


@pytest.mark.parametrize("out", [pod(ip=""), pod(phase="Succeeded"), pod(phase="Failed", ready=False), pod(dying=True)])
def test_a_pod_that_is_going_or_gone_or_without_address_is_out(out: Object) -> None:
    assert subsets(service(), [out]) == []


def test_ready_and_unready_pods_share_a_subset() -> None:
    found = subsets(service(), [pod("b", "10.0.0.2", ready=False), pod("a", "10.0.0.1")])
    assert found == [
        {
            "addresses": [address("a", "10.0.0.1")],
            "notReadyAddresses": [address("b", "10.0.0.2")],
            "ports": [port(80, "http-0")],
        }
    ]


def test_unready_and_terminating_pods_are_published_where_the_service_says_so() -> None:
    wanted = service(publishNotReadyAddresses=True)
    found = subsets(wanted, [pod("a", "10.0.0.1", ready=False), pod("b", "10.0.0.2", dying=True)])
    assert found[0]["addresses"] == [address("a", "10.0.0.1"), address("b", "10.0.0.2")]


def test_addresses_are_in_the_order_of_their_text_and_then_of_the_uid() -> None:
    pods = [pod("c", "10.0.0.2"), pod("b", "10.0.0.10"), pod("a", "10.0.0.2")]
    assert [each["targetRef"]["name"] for each in subsets(service(), pods)[0]["addresses"]] == ["b", "a", "c"]


def test_a_target_port_left_out_is_the_port() -> None:
    assert subsets(service({"port": 8080}), [pod()])[0]["ports"] == [port(8080)]


def test_ports_of_the_same_pods_are_in_one_subset_by_name_and_number() -> None:
    wanted = service(
        {"name": "b", "port": 2, "targetPort": 20},
        {"name": "a", "port": 1, "targetPort": 30},
        {"name": "a", "port": 3, "targetPort": 10, "protocol": "UDP"},
    )
    assert [each["ports"] for each in subsets(wanted, [pod()])] == [
        [port(10, "a", "UDP"), port(30, "a"), port(20, "b")]
    ]


def test_a_named_port_is_looked_up_in_each_pod() -> None:
    wanted = service({"name": "http-0", "port": 80, "targetPort": "web"})
    pods = [
        pod(name, f"10.0.0.{number}", containers=[{"name": "c", "ports": [{"name": "web", "containerPort": number}]}])
        for name, number in (("a", 2), ("b", 1), ("c", 2))
    ]
    found = subsets(wanted, [*pods, pod("d", "10.0.0.3")])
    assert [(each["ports"][0]["port"], len(each["addresses"])) for each in found] == [(1, 1), (2, 2)]


def test_a_named_port_is_one_of_the_same_protocol() -> None:
    ports = [{"name": "dns", "containerPort": 53}, {"name": "dns", "containerPort": 5353, "protocol": "UDP"}]
    wanted = service({"port": 53, "targetPort": "dns", "protocol": "UDP"})
    assert subsets(wanted, [pod(containers=[{"name": "c", "ports": ports}])])[0]["ports"] == [port(5353, "", "UDP")]


def test_two_pods_of_one_host_network_are_two_addresses() -> None:
    found = subsets(service(), [pod("a", "10.66.0.2"), pod("b", "10.66.0.2")])
    assert len(found[0]["addresses"]) == 2


def test_a_host_name_is_in_the_address_where_the_subdomain_is_the_service() -> None:
    found = subsets(service(clusterIP="None"), [pod(hostname="db-0", subdomain="web")])
    assert found[0]["addresses"][0] == {"ip": "10.0.0.1", "hostname": "db-0", **address()}
    assert "hostname" not in subsets(service(), [pod(hostname="db-0", subdomain="x")])[0]["addresses"][0]


def test_a_headless_service_needs_no_ports() -> None:
    wanted = service(clusterIP="None") | {"spec": {"selector": {"app": "web"}, "clusterIP": "None"}}
    assert subsets(wanted, [pod()]) == [{"addresses": [address()]}]


def test_any_other_service_without_ports_has_no_subsets() -> None:
    wanted = service() | {"spec": {"selector": {"app": "web"}, "clusterIP": "10.254.0.1"}}
    assert subsets(wanted, [pod()]) == []


def test_a_new_service_gets_endpoints_at_once() -> None:
    assert plan(service(), None, []) == [
        Create({"kind": "Endpoints", "apiVersion": "v1", "metadata": {"name": "web", "namespace": "default"}})
    ]


def test_endpoints_carry_the_labels_of_their_service() -> None:
    (write,) = plan(service(labels={"app": "web"}, clusterIP="None"), None, [])
    assert isinstance(write, Create)
    assert write.object["metadata"]["labels"] == {"app": "web", HEADLESS_LABEL: ""}


def test_endpoints_as_they_should_be_are_left_alone() -> None:
    wanted = service(labels={"app": "web"})
    held = endpoints(*subsets(wanted, [pod()]), labels={"app": "web"}, annotations={"x": "1"})
    assert plan(wanted, held, [pod()]) == []
    assert plan(service(), endpoints(), []) == []


def test_a_pod_that_became_ready_is_written() -> None:
    held = endpoints(annotations={"x": "1"})
    (write,) = plan(service(), held, [pod()])
    assert write == Replace({**held, "subsets": subsets(service(), [pod()])})


def test_the_last_pod_takes_the_subsets_with_it() -> None:
    assert plan(service(), endpoints(*subsets(service(), [pod()])), []) == [Replace(endpoints())]


def test_labels_follow_those_of_the_service() -> None:
    assert plan(service(labels={"a": "1"}), endpoints(labels={"b": "2"}), []) == [Replace(endpoints(labels={"a": "1"}))]
    assert plan(service(), endpoints(labels={"b": "2"}), []) == [Replace(endpoints())]


@pytest.mark.parametrize("spec", [{"selector": {}}, {"selector": None}, {"type": "ExternalName"}])
def test_endpoints_of_a_service_that_selects_nothing_are_the_users(spec: Object) -> None:
    assert plan(service(**spec), None, [pod()]) == []
    assert plan(service(**spec), endpoints({"addresses": [{"ip": "10.66.0.1"}]}), [pod()]) == []


def test_endpoints_go_with_their_service() -> None:
    assert plan(None, endpoints(*subsets(service(), [pod()])), []) == [Delete(KEY, "uid-web")]
    assert plan(None, endpoints(), []) == [Delete(KEY, "uid-web")]


@pytest.mark.parametrize(
    "held",
    [
        endpoints(annotations={LAST_APPLIED: "{}\n"}),
        endpoints({"addresses": [{"ip": "10.66.0.1"}], "ports": [port(80)]}),
        endpoints({"notReadyAddresses": [{"ip": "10.66.0.1", "targetRef": None}]}),
    ],
)
def test_endpoints_that_a_user_made_stay_without_a_service(held: Object) -> None:
    assert plan(None, held, []) == []


def test_where_there_is_neither_service_nor_endpoints_there_is_nothing_to_do() -> None:
    assert plan(None, None, []) == []


PODS = st.lists(
    st.builds(
        pod,
        st.sampled_from("abcdef"),
        st.sampled_from(["10.0.0.1", "10.0.0.2", ""]),
        ready=st.booleans(),
        phase=st.sampled_from(["Running", "Failed"]),
        dying=st.booleans(),
        containers=st.sampled_from(
            [[{"name": "c"}], [{"name": "c", "ports": [{"name": "web", "containerPort": 8000}]}]],
        ),
    ),
    unique_by=lambda each: each["metadata"]["name"],
)


@given(PODS, st.randoms(use_true_random=False))
def test_the_order_of_the_pods_is_all_one(pods: list[Object], random: Any) -> None:
    wanted = service(HTTP, {"name": "web", "port": 1, "targetPort": "web"})
    shuffled = random.sample(pods, len(pods))
    assert subsets(wanted, pods) == subsets(wanted, shuffled)


@given(PODS)
def test_every_pod_and_port_is_there_once(pods: list[Object]) -> None:
    wanted = service(HTTP, {"name": "web", "port": 1, "targetPort": "web"})
    found = [
        (each["targetRef"]["name"], each_port["name"], kind)
        for subset in subsets(wanted, pods)
        for kind in ("addresses", "notReadyAddresses")
        for each in subset.get(kind, ())
        for each_port in subset["ports"]
    ]
    here = [each for each in pods if each["status"].get("podIP") and each["status"]["phase"] == "Running"]
    here = [each for each in here if "deletionTimestamp" not in each["metadata"]]
    assert sorted(found) == sorted(
        (
            each["metadata"]["name"],
            name,
            "addresses" if each["status"]["conditions"][0]["status"] == "True" else "notReadyAddresses",
        )
        for each in here
        for name in ("http-0", *(("web",) if "ports" in each["spec"]["containers"][0] else ()))
    )


@given(PODS, PODS)
def test_after_one_write_there_is_nothing_more_to_write(before: list[Object], after: list[Object]) -> None:
    (created,) = plan(service(), None, before)
    assert not isinstance(created, Delete)
    held = {**created.object, "metadata": {**created.object["metadata"], "uid": "u", "resourceVersion": "1"}}
    for write in plan(service(), held, after):
        assert isinstance(write, Replace)
        held = write.object
    assert plan(service(), held, after) == []
