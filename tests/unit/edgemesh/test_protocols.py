import pytest

from edgecore.kube import ServicePort
from edgecore.modules.edgemesh.protocols import handling_and_source, handling_of, is_of, transport_of, why_not_served

# X2: the Go code keeps ports as one text, cut at "-", "," and "|".


@pytest.mark.parametrize(
    ("name", "handling"),
    [
        ("http", "http"),
        ("http-0", "http"),
        ("http-a,b|c-d", "http"),
        ("ws-chat", "http"),
        ("http2-x", "bytes"),
        ("grpc", "bytes"),
        ("https", "bytes"),
        ("tls-1", "bytes"),
        ("tcp-0", "bytes"),
        ("mysql", "bytes"),
        ("", "sniff"),
        ("-http", "sniff"),
        ("httpx-0", "sniff"),
        ("HTTP-0", "sniff"),
        ("udp-0", "sniff"),
        ("web", "sniff"),
    ],
)
def test_the_name_of_a_port_up_to_its_first_hyphen_says_how_it_is_treated(name: str, handling: str) -> None:
    assert handling_of(ServicePort(name, "TCP", 80)) == handling


@pytest.mark.parametrize(
    ("app_protocol", "name", "handling"),
    [
        ("http", "tcp-0", "http"),
        ("kubernetes.io/ws", "", "http"),
        ("kubernetes.io/h2c", "http", "bytes"),
        ("kubernetes.io/wss", "http", "bytes"),
        ("HTTPS", "http", "bytes"),
        ("grpc", "http", "bytes"),
        ("example.com/own", "http-0", "http"),
        ("example.com/own", "own", "sniff"),
    ],
)
def test_the_app_protocol_wins_over_the_name_if_it_is_one_we_know(app_protocol: str, name: str, handling: str) -> None:
    assert handling_of(ServicePort(name, "TCP", 80, app_protocol=app_protocol)) == handling


@pytest.mark.parametrize("name", ["", "http", "udp-0", "dns"])
def test_udp_is_datagrams_whatever_it_is_called(name: str) -> None:
    port = ServicePort(name, "UDP", 53, app_protocol="http")

    assert (handling_of(port), transport_of(port), why_not_served(port)) == ("datagrams", "udp", "")


@pytest.mark.parametrize("name", ["", "http", "tcp-0", "x"])
def test_every_tcp_port_with_a_number_is_served(name: str) -> None:
    assert why_not_served(ServicePort(name, "TCP", 80)) == why_not_served(ServicePort(name, "", 80)) == ""


@pytest.mark.parametrize(
    ("protocol", "number", "reason"), [("SCTP", 80, "not_tcp_or_udp"), ("UDP", 0, "no_port_number")]
)
def test_a_port_that_cannot_be_served_says_why(protocol: str, number: int, reason: str) -> None:
    assert why_not_served(ServicePort("http", protocol, number)) == reason


def test_a_protocol_that_is_not_given_is_tcp() -> None:
    assert is_of("tcp", "")
    assert is_of("tcp", "TCP")
    assert is_of("udp", "UDP")
    assert not is_of("udp", "")
    assert not is_of("tcp", "UDP")


@pytest.mark.parametrize(
    ("port", "found"),
    [
        (ServicePort("http", "TCP", 80), ("http", "name")),
        (ServicePort("http", "TCP", 80, app_protocol="tls"), ("bytes", "appProtocol")),
        (ServicePort("http", "TCP", 80, app_protocol="unheard-of"), ("http", "name")),
        (ServicePort("web", "TCP", 80), ("sniff", "first_bytes")),
        (ServicePort("http", "UDP", 80), ("datagrams", "protocol")),
    ],
)
def test_how_a_port_is_treated_names_what_says_so(port: ServicePort, found: tuple[str, str]) -> None:
    assert handling_and_source(port) == found
