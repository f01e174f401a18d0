"""Where a call may go."""

import pytest

from edgecore.modules.servicebus.places import Places

ANY_PORT = Places({}, only_targets=False)
TARGETS = {8080: ("192.0.2.20", 80), 9000: ("::1", 9000)}


def test_a_port_stands_for_loopback() -> None:
    assert [ANY_PORT.find(port) for port in ("1", "8080", "65535")] == [
        "127.0.0.1:1",
        "127.0.0.1:8080",
        "127.0.0.1:65535",
    ]


def test_a_port_that_the_configuration_names_stands_for_its_place() -> None:
    places = Places(TARGETS, only_targets=False)
    assert [places.find(port) for port in ("8080", "9000", "81")] == ["192.0.2.20:80", "[::1]:9000", "127.0.0.1:81"]


def test_with_only_targets_no_other_port_may_be_called() -> None:
    places = Places(TARGETS, only_targets=True)
    assert [places.find(port) for port in ("8080", "81")] == ["192.0.2.20:80", None]


@pytest.mark.parametrize(
    "port", ["", "0", "65536", "-1", "+80", "80 ", "http", "192.0.2.1", "\u0668\u0660", "9" * 5000]
)
def test_what_is_no_port_stands_for_nothing(port: str) -> None:
    assert ANY_PORT.find(port) is None
