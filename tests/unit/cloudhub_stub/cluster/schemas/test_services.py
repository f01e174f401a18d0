"""Services and Endpoints: ports, addresses, types."""

from typing import Any

import pytest

from manifests_of_all_kinds import refusal, valid


def service(*ports: dict[str, Any], **spec: Any) -> str:
    return refusal(valid("Service", spec={"ports": list(ports), **spec}))


@pytest.mark.parametrize(
    ("ports", "said"),
    [
        ([], "spec.ports: it is missing"),
        ([{}], "spec.ports[0].port: it is missing"),
        ([{"port": 0}], "spec.ports[0].port: it is 0; it can be 1 to 65535"),
        ([{"port": "80"}], "spec.ports[0].port: it is the text '80'; it must be a whole number (leave out"),
        ([{"port": 80, "protocol": "HTTP"}], "spec.ports[0].protocol: it is 'HTTP'; it can be TCP, UDP, SCTP"),
        ([{"port": 80, "targetPort": "80"}], "spec.ports[0].targetPort: it is '80'"),
        ([{"port": 80, "targetPort": 70000}], "spec.ports[0].targetPort: it is 70000"),
        (
            [{"port": 80, "targetport": 80}],
            "spec.ports[0].targetport: there is no such field, did you mean targetPort?",
        ),
        ([{"port": 80, "name": "Http"}], "spec.ports[0].name: it is 'Http'"),
        ([{"port": 80, "name": "a"}, {"port": 81}], "spec.ports[1].name: it is missing, which all of several"),
        ([{"port": 80, "name": "a"}, {"port": 81, "name": "a"}], "spec.ports[1].name: 'a' is the name of another"),
        ([{"port": 80, "name": "a"}, {"port": 80, "name": "b"}], "spec.ports[1].port: 80/TCP is another port alr"),
    ],
)
def test_wrong_ports_are_named_by_their_field(ports: list[dict[str, Any]], said: str) -> None:
    assert service(*ports).startswith(said)


def test_one_number_is_two_ports_of_two_protocols() -> None:
    assert service({"port": 53, "name": "a"}, {"port": 53, "name": "b", "protocol": "UDP"}) == ""


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ({"type": "Headless"}, "spec.type: it is 'Headless'; it can be ClusterIP, NodePort, LoadBalancer, ExternalN"),
        ({"clusterIP": "none"}, "spec.clusterIP: it is 'none', which is no IP address"),
        ({"clusterIP": None, "type": "ExternalName"}, "spec.externalName: it is missing"),
        ({"clusterIP": "10.0.0.1", "type": "ExternalName"}, "spec.clusterIP: a service of type ExternalName has none"),
        ({"clusterIP": "None", "type": "NodePort"}, "spec.clusterIP: it is None, but a service of type NodePort"),
        ({"selector": {"matchLabels": {"a": "b"}}}, "spec.selector[matchLabels]: it is a mapping; it must be text"),
        ({"selectors": {}}, "spec.selectors: there is no such field, did you mean selector?"),
        ({"sessionAffinity": "Client"}, "spec.sessionAffinity: it is 'Client'; it can be None, ClientIP"),
        ({"publishNotReadyAddresses": "yes"}, "spec.publishNotReadyAddresses: it is the text 'yes'"),
        ({"externalIPs": ["x"]}, "spec.externalIPs[0]: it is 'x'"),
    ],
)
def test_a_wrong_service_is_named_by_its_field(spec: dict[str, Any], said: str) -> None:
    assert service({"port": 80}, **spec).startswith(said)


@pytest.mark.parametrize(
    "spec",
    [
        {"clusterIP": "None"},
        {"type": "ExternalName", "externalName": "a.test"},
        {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30080}]},
        {"clusterIP": "", "ports": [{"port": 80, "targetPort": 0}]},
        {"clusterIP": "10.254.0.1", "ports": [{"port": 80, "targetPort": ""}], "clusterIPs": ["10.254.0.1"]},
    ],
)
def test_the_types_of_services_are_taken(spec: dict[str, Any]) -> None:
    assert refusal(valid("Service", spec=spec)) == ""


@pytest.mark.parametrize(
    ("subset", "said"),
    [
        ({}, ": it has neither addresses nor notReadyAddresses"),
        ({"addresses": []}, ": it has neither"),
        ({"addresses": [{}]}, ".addresses[0].ip: it is missing"),
        ({"addresses": [{"ip": "host"}]}, ".addresses[0].ip: it is 'host', which is no IP address"),
        ({"addresses": [{"ip": "1.1.1.1"}], "ports": [{}]}, ".ports[0].port: it is missing"),
        (
            {"addresses": [{"ip": "1.1.1.1"}], "ports": [{"port": 1}, {"port": 2}]},
            ".ports[0].name: it is missing, which all of several ports need",
        ),
    ],
)
def test_a_wrong_subset_is_named_by_its_field(subset: dict[str, Any], said: str) -> None:
    assert refusal(valid("Endpoints", subsets=[subset])).startswith(f"subsets[0]{said}")


def test_endpoints_may_have_no_subsets() -> None:
    assert refusal(valid("Endpoints", subsets=None)) == ""
