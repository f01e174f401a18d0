import pytest

from edgecore import kube
from edgecore.modules.edgemesh.discovery.addresses import is_reachable, listed
from edgecore.modules.edgemesh.names import Endpoint
from edgecore.modules.edgemesh.upstream.spec import Backend

HTTP = kube.ServicePort("http", "TCP", 80, 8080)


def subset(
    *ports: kube.EndpointPort, ready: tuple[str, ...] = ("10.1.0.1",), waiting: tuple[str, ...] = ()
) -> kube.EndpointSubset:
    return kube.EndpointSubset(
        tuple(kube.EndpointAddress(ip) for ip in ready), tuple(kube.EndpointAddress(ip) for ip in waiting), ports
    )


def test_an_address_is_reached_at_the_port_of_that_name_whatever_its_number() -> None:
    ports = (kube.EndpointPort("admin", "TCP", 81), kube.EndpointPort("http", "TCP", 9000))

    assert listed(HTTP, kube.Endpoints(subsets=(subset(*ports),))) == (Backend("10.1.0.1", Endpoint("10.1.0.1", 9000)),)


def test_a_port_without_a_name_is_the_port_without_a_name() -> None:
    endpoints = kube.Endpoints(subsets=(subset(kube.EndpointPort("", "TCP", 9000)),))

    assert listed(kube.ServicePort("", "", 80), endpoints)[0].endpoint == ("10.1.0.1", 9000)
    assert listed(HTTP, endpoints) == ()


def test_udp_and_tcp_are_told_apart() -> None:
    endpoints = kube.Endpoints(
        subsets=(subset(kube.EndpointPort("dns", "TCP", 53), kube.EndpointPort("dns", "UDP", 54)),)
    )

    assert listed(kube.ServicePort("dns", "UDP", 53), endpoints)[0].endpoint == ("10.1.0.1", 54)


def test_addresses_of_all_subsets_with_that_port_count_each_once() -> None:
    http = kube.EndpointPort("http", "TCP", 80)
    endpoints = kube.Endpoints(
        subsets=(
            subset(http),
            subset(kube.EndpointPort("x", "TCP", 1), ready=("10.1.0.9",)),
            subset(http, ready=("10.1.0.2", "10.1.0.1")),
        )
    )

    assert [(backend.pod, backend.reason) for backend in listed(HTTP, endpoints)] == [
        ("10.1.0.1", ""),
        ("10.1.0.2", ""),
        ("10.1.0.1", "same_endpoint"),
    ]


def test_addresses_that_are_not_ready_or_cannot_be_are_out() -> None:
    http = kube.EndpointPort("http", "TCP", 80)
    endpoints = kube.Endpoints(
        subsets=(subset(http, ready=("127.0.0.1", "nowhere", "fd00::1"), waiting=("10.1.0.2",)),)
    )

    assert [(backend.pod, backend.reason) for backend in listed(HTTP, endpoints)] == [
        ("127.0.0.1", "bad_address"),
        ("nowhere", "bad_address"),
        ("fd00::1", ""),
        ("10.1.0.2", "not_ready_endpoint"),
    ]


def test_an_address_of_a_pod_has_its_name_and_is_another_with_another_pod() -> None:
    address = kube.EndpointAddress("10.1.0.1", "", kube.TargetReference("Pod", "a", "u", "7"))
    endpoints = kube.Endpoints(subsets=(kube.EndpointSubset((address,), (), (kube.EndpointPort("http", "TCP", 80),)),))

    assert listed(HTTP, endpoints) == (Backend("a", Endpoint("10.1.0.1", 80), version="u"),)


def test_without_endpoints_there_is_nothing() -> None:
    assert listed(HTTP, None) == listed(HTTP, kube.Endpoints()) == ()


@pytest.mark.parametrize(
    "address",
    ["127.251.0.1", "::1", "0.0.0.0", "::", "224.0.0.1", "169.254.1.1", "fe80::1", "::ffff:127.0.0.1", "x"],
)
def test_addresses_where_nothing_can_be_behind_are_not_reachable(address: str) -> None:
    assert not is_reachable(address)
