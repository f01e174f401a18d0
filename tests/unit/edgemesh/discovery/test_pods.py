from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from edgecore import kube
from edgecore.modules.edgemesh.discovery.pods import Terms, discover
from edgecore.modules.edgemesh.discovery.standing import NotReady
from edgecore.modules.edgemesh.names import Endpoint
from edgecore.modules.edgemesh.upstream.spec import Backend

MakePod = Callable[..., kube.Pod]


def port(target: int | str, number: int = 8080) -> kube.ServicePort:
    return kube.ServicePort("http", "TCP", number, target)


def on_host_network(pod: kube.Pod) -> kube.Pod:
    return msgspec.structs.replace(pod, spec=msgspec.structs.replace(pod.spec, host_network=True))


def with_ports(pod: kube.Pod, *ports: kube.ContainerPort) -> kube.Pod:
    spec = msgspec.structs.replace(pod.spec, containers=(kube.Container("main", ports),))
    return msgspec.structs.replace(pod, spec=spec)


def with_status(pod: kube.Pod, **fields: Any) -> kube.Pod:
    return msgspec.structs.replace(pod, status=msgspec.structs.replace(pod.status, **fields))


def with_version(pod: kube.Pod, version: str) -> kube.Pod:
    return msgspec.structs.replace(pod, metadata=msgspec.structs.replace(pod.metadata, resource_version=version))


def test_a_running_pod_is_reached_at_its_own_host_ip_and_host_port(make_pod: MakePod) -> None:
    pod = make_pod("web-0", "10.0.0.1", (80, 8000))

    assert discover(port(80), [pod]) == (Backend("web-0", Endpoint("10.0.0.1", 8000), version="/0///"),)


# X8: the Go code takes hostPort and hostNetwork of the first pod for all of them, and fails on an empty list.


def test_pods_with_different_host_ports_are_each_reached_at_their_own(make_pod: MakePod) -> None:
    pods = [make_pod("web-0", "10.0.0.1", (80, 8000)), make_pod("web-1", "10.0.0.1", (80, 8001))]

    assert [backend.endpoint for backend in discover(port(80), pods)] == [("10.0.0.1", 8000), ("10.0.0.1", 8001)]


def test_a_pod_on_the_host_network_beside_one_that_is_not_is_reached_at_the_target_port(make_pod: MakePod) -> None:
    pods = [make_pod("web-0", "10.0.0.1", (80, 8000)), on_host_network(make_pod("web-1", "10.0.0.2"))]

    assert [backend.endpoint for backend in discover(port(80), pods)] == [("10.0.0.1", 8000), ("10.0.0.2", 80)]


def test_no_pods_give_no_backends() -> None:
    assert discover(port(80), []) == ()


# X9: in the Go code a named target port is 0.


def test_a_named_target_port_is_found_by_the_name_of_the_container_port(make_pod: MakePod) -> None:
    ports = (kube.ContainerPort("admin", "TCP", 81, 8001), kube.ContainerPort("web", "TCP", 80, 8000))
    pod = with_ports(make_pod("web-0", "10.0.0.1"), *ports)

    assert discover(port("web"), [pod])[0].endpoint == ("10.0.0.1", 8000)


def test_a_named_target_port_may_have_another_number_in_each_pod(make_pod: MakePod) -> None:
    pods = [
        with_ports(make_pod("web-0", "10.0.0.1"), kube.ContainerPort("web", "TCP", 80, 8000)),
        with_ports(make_pod("web-1", "10.0.0.2"), kube.ContainerPort("web", "TCP", 81, 8001)),
    ]

    assert [backend.endpoint for backend in discover(port("web"), pods)] == [("10.0.0.1", 8000), ("10.0.0.2", 8001)]


def test_a_named_target_port_on_the_host_network_is_the_container_port_of_that_name(make_pod: MakePod) -> None:
    pod = on_host_network(with_ports(make_pod("web-0", "10.0.0.1"), kube.ContainerPort("web", "TCP", 80)))

    assert discover(port("web"), [pod])[0].endpoint == ("10.0.0.1", 80)


def test_an_unknown_name_on_the_host_network_is_out(make_pod: MakePod) -> None:
    pod = on_host_network(with_ports(make_pod("web-0", "10.0.0.1"), kube.ContainerPort("web", "TCP", 80)))

    assert discover(port("nothing"), [pod]) == (Backend("web-0", None, "no_container_port"),)


@pytest.mark.parametrize("target", [0, ""])
def test_without_a_target_port_the_port_of_the_service_is_meant(make_pod: MakePod, target: int | str) -> None:
    pod = make_pod("web-0", "10.0.0.1", (8080, 9000))

    assert discover(port(target, number=8080), [pod])[0].endpoint == ("10.0.0.1", 9000)


def test_a_udp_container_port_of_the_same_number_is_not_taken(make_pod: MakePod) -> None:
    ports = (kube.ContainerPort("", "UDP", 80, 8000), kube.ContainerPort("", "TCP", 80, 8001))
    pod = with_ports(make_pod("web-0", "10.0.0.1"), *ports)

    assert discover(port(80), [pod])[0].endpoint == ("10.0.0.1", 8001)


def test_the_ports_of_all_containers_are_looked_at(make_pod: MakePod) -> None:
    pod = make_pod("web-0", "10.0.0.1")
    containers = (kube.Container("a"), kube.Container("b", (kube.ContainerPort("", "TCP", 80, 8000),)))
    pod = msgspec.structs.replace(pod, spec=msgspec.structs.replace(pod.spec, containers=containers))

    assert discover(port(80), [pod])[0].endpoint == ("10.0.0.1", 8000)


# X10: the Go code dials port 0 of a pod without hostPort.


def test_a_pod_without_host_port_is_out(make_pod: MakePod) -> None:
    assert discover(port(80), [make_pod("web-0", "10.0.0.1", (80, 0))]) == (Backend("web-0", None, "no_host_port"),)


def test_a_pod_that_does_not_declare_the_target_port_is_out(make_pod: MakePod) -> None:
    pod = make_pod("web-0", "10.0.0.1", (81, 8000))

    assert discover(port(80), [pod]) == (Backend("web-0", None, "no_container_port"),)


def test_a_pod_without_status_is_out(make_pod: MakePod) -> None:
    pod = msgspec.structs.replace(make_pod("web-0", "10.0.0.1", (80, 8000)), status=kube.PodStatus())

    assert discover(port(80), [pod]) == (Backend("web-0", None, "no_status"),)


@pytest.mark.parametrize("phase", ["Pending", "Succeeded", "Failed", "Unknown"])
def test_a_pod_that_does_not_run_is_out(make_pod: MakePod, phase: str) -> None:
    pod = with_status(make_pod("web-0", "10.0.0.1", (80, 8000)), phase=phase)

    assert discover(port(80), [pod]) == (Backend("web-0", None, "not_running"),)


def test_a_pod_that_is_told_to_go_is_out_although_it_runs(make_pod: MakePod) -> None:
    pod = make_pod("web-0", "10.0.0.1", (80, 8000))
    metadata = msgspec.structs.replace(pod.metadata, deletion_timestamp="2026-11-20T10:12:07Z")

    assert discover(port(80), [msgspec.structs.replace(pod, metadata=metadata)])[0].reason == "terminating"


def test_a_running_pod_without_host_ip_is_out(make_pod: MakePod) -> None:
    assert discover(port(80), [make_pod("web-0", "", (80, 8000))])[0].reason == "no_host_ip"


@pytest.mark.parametrize("host_ip", ["node-1", "10.0.0", "10.0.0.1:80"])
def test_a_pod_whose_host_ip_is_no_address_is_out(make_pod: MakePod, host_ip: str) -> None:
    assert discover(port(80), [make_pod("web-0", host_ip, (80, 8000))])[0].reason == "bad_host_ip"


@pytest.mark.parametrize(("status", "reason"), [("False", "not_ready"), ("True", ""), ("Unknown", ""), ("", "")])
def test_a_pod_is_out_if_it_is_said_not_to_be_ready(make_pod: MakePod, status: str, reason: str) -> None:
    pod = with_status(make_pod("web-0", "10.0.0.1", (80, 8000)), conditions=(kube.Condition("Ready", status),))

    assert discover(port(80), [pod])[0].reason == reason


def test_a_pod_that_only_stands_under_the_addresses_that_are_not_ready_is_out(make_pod: MakePod) -> None:
    pods = [make_pod(name, "10.0.0.1", (80, 8000 + number)) for number, name in enumerate("ab")]

    found = discover(port(80), pods, Terms(NotReady(frozenset("a"))))

    assert [backend.reason for backend in found] == ["not_ready_endpoint", ""]


def test_where_readiness_does_not_count_a_pod_that_is_not_ready_is_in(make_pod: MakePod) -> None:
    pod = with_status(make_pod("a", "10.0.0.1", (80, 8000)), conditions=(kube.Condition("Ready", "False"),))

    assert discover(port(80), [pod], Terms(readiness_counts=False))[0].endpoint == ("10.0.0.1", 8000)


def test_of_two_pods_at_one_endpoint_the_first_is_in(make_pod: MakePod) -> None:
    pods = [make_pod(name, "10.0.0.1", (80, 8000)) for name in "ab"]

    assert [backend.reason for backend in discover(port(80), pods)] == ["", "same_endpoint"]


def test_a_udp_port_is_reached_by_the_host_port_for_udp(make_pod: MakePod) -> None:
    ports = (kube.ContainerPort("", "TCP", 53, 8053), kube.ContainerPort("", "UDP", 53, 8054))
    pod = with_ports(make_pod("dns-0", "10.0.0.1"), *ports)

    assert discover(kube.ServicePort("dns", "UDP", 53), [pod])[0].endpoint == ("10.0.0.1", 8054)


def version_of(pod: kube.Pod) -> str:
    return discover(port(80), [pod])[0].version


def ready_since(pod: kube.Pod, ready: str, since: str | None) -> kube.Pod:
    return with_status(pod, conditions=(kube.Condition("Initialized", "True"), kube.Condition("Ready", ready, since)))


def restarted(pod: kube.Pod, *times: int) -> kube.Pod:
    return with_status(pod, container_statuses=tuple(map(kube.ContainerStatus, times)))


def test_a_pod_is_as_it_was_when_only_its_resource_version_or_other_fields_change(make_pod: MakePod) -> None:
    pod = make_pod("a", "10.0.0.1", (80, 8000))

    assert version_of(with_version(pod, "8")) == version_of(pod)
    assert version_of(with_status(pod, qos_class="Burstable")) == version_of(pod)
    assert version_of(with_status(pod, conditions=(kube.Condition("Initialized", "True", "x"),))) == version_of(pod)


def test_a_pod_that_is_another_or_lives_anew_has_another_version(make_pod: MakePod) -> None:
    pod = make_pod("a", "10.0.0.1", (80, 8000))
    metadata = msgspec.structs.replace(pod.metadata, uid="u-2")
    lives = [
        pod,
        msgspec.structs.replace(pod, metadata=metadata),
        restarted(pod, 1, 0),
        restarted(pod, 1, 1),
        with_status(pod, pod_ip="172.17.0.5"),
        ready_since(pod, "True", None),
        ready_since(pod, "Unknown", None),
        ready_since(pod, "True", "2026-01-01T00:00:00Z"),
        ready_since(pod, "True", "2026-01-01T00:00:01Z"),
    ]

    assert len({version_of(life) for life in lives}) == len(lives)


# Pods reached at their own addresses.


POD_ADDRESSES = Terms(pod_addresses=True)


@pytest.mark.parametrize("host_port", [0, 8000])
def test_a_pod_is_reached_at_its_own_address_where_the_user_allows_it(make_pod: MakePod, host_port: int) -> None:
    pod = with_status(make_pod("a", "", (80, host_port)), pod_ip="172.17.0.5")

    assert discover(port(80), [pod], POD_ADDRESSES)[0].endpoint == ("172.17.0.5", 80)


def test_at_its_own_address_a_pod_need_not_declare_its_port(make_pod: MakePod) -> None:
    pod = with_status(make_pod("a", "10.0.0.1"), pod_ip="fd00::5")

    assert discover(port(80), [pod], POD_ADDRESSES)[0].endpoint == ("fd00::5", 80)
    assert discover(port("web"), [pod], POD_ADDRESSES)[0].reason == "no_container_port"


def test_a_pod_without_an_address_of_its_own_is_reached_by_its_host_port(make_pod: MakePod) -> None:
    assert discover(port(80), [make_pod("a", "10.0.0.1", (80, 8000))], POD_ADDRESSES)[0].endpoint == ("10.0.0.1", 8000)


def test_a_pod_on_the_host_network_is_reached_at_the_address_of_the_host(make_pod: MakePod) -> None:
    pod = with_status(on_host_network(make_pod("a", "10.0.0.1")), pod_ip="10.0.0.9")

    assert discover(port(80), [pod], POD_ADDRESSES)[0].endpoint == ("10.0.0.1", 80)
