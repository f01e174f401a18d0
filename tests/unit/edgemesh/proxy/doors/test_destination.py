"""Which service a connection means: by its listener, or by where it was on its way to."""

import socket

import pytest

from edgecore.modules.edgemesh.names import Endpoint, ServiceKey
from edgecore.modules.edgemesh.proxy.doors.destination import DoorDestination, Meant, OriginalDestination, endpoint_of

NGINX = ServiceKey("default", "nginx")
FAKE_IPS = {"9.251.1.2": NGINX, "fd00::1": NGINX}

SOCKADDR_IN = bytes.fromhex("0200 1f90 09fb0102 0000000000000000")
SOCKADDR_IN6 = bytes.fromhex("0a00 1f90 00000000 fd00 0000000000000000 000000000001 00000000")


@pytest.fixture
def client():
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock


def test_all_that_come_in_by_a_door_mean_its_service(client) -> None:
    destination = DoorDestination(NGINX, Endpoint("9.251.1.2", 80))
    assert destination.fixed == destination.of(client) == Meant(NGINX, Endpoint("9.251.1.2", 80))


@pytest.mark.parametrize("address", [Endpoint("9.251.1.2", 8080), Endpoint("fd00::1", 53)])
def test_connection_that_was_led_here_means_the_service_it_was_for(client, address) -> None:
    destination = OriginalDestination(FAKE_IPS.get, lambda sock: address)
    assert destination.fixed is None
    assert destination.of(client) == Meant(NGINX, address)


def test_connection_that_was_for_nobody_means_nothing(client) -> None:
    assert OriginalDestination(FAKE_IPS.get, lambda sock: Endpoint("9.251.9.9", 80)).of(client) is None


def test_connection_that_was_not_led_means_the_address_where_it_came_in(client) -> None:
    local = {"127.0.0.1": NGINX}
    meant = OriginalDestination(local.get).of(client)  # the system knows of no other address
    assert meant == Meant(NGINX, Endpoint(*client.getsockname()))


def test_connection_that_is_gone_means_nothing() -> None:
    sock = socket.socket()
    sock.close()
    assert OriginalDestination(FAKE_IPS.get).of(sock) is None


@pytest.mark.parametrize(
    ("sockaddr", "endpoint"), [(SOCKADDR_IN, Endpoint("9.251.1.2", 8080)), (SOCKADDR_IN6, Endpoint("fd00::1", 8080))]
)
def test_socket_address_of_the_system_is_read(sockaddr: bytes, endpoint: Endpoint) -> None:
    assert endpoint_of(sockaddr) == endpoint


def test_socket_address_that_is_cut_off_is_an_error() -> None:
    with pytest.raises(ValueError, match="15 bytes"):
        endpoint_of(SOCKADDR_IN[:15])
