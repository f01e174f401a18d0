"""Which name servers have their questions led to the node."""

import pytest

from edgecore.modules.edgemesh.dns.host.leading import SERVERS_LIMIT, Left, lead_names
from edgecore.modules.edgemesh.intercept.rules.interception import NameHijack
from edgecore.modules.edgemesh.names import Endpoint

ADDRESS = "169.254.96.16"
LISTENING = (("127.0.0.1", 10053), (ADDRESS, 53))
HERE = Endpoint(ADDRESS, 53)


def led(*servers, listening=LISTENING):
    return lead_names(servers, listening, ADDRESS)


def test_all_ipv4_servers_are_led_to_the_address_of_the_interface():
    found = led("10.0.0.53", "10.0.1.53")
    assert found.hijack == NameHijack(("10.0.0.53", "10.0.1.53"), HERE)
    assert (found.left, found.reason, found.text) == ((), "", "")


def test_a_stub_on_loopback_is_led_too():
    assert led("127.0.0.53").hijack == NameHijack(("127.0.0.53",), HERE)


def test_the_unspecified_address_means_loopback():
    assert led("0.0.0.0", "127.0.0.1").hijack == NameHijack(("127.0.0.1",), HERE)


def test_without_a_server_nothing_is_led():
    found = led()
    assert (found.hijack, found.reason) == (None, "no_server")


def test_ipv6_before_ipv4_is_said_and_the_rest_is_led():
    found = led("fd00::53", "10.0.0.53")
    assert found.hijack == NameHijack(("10.0.0.53",), HERE)
    assert (found.left, found.reason) == ((Left("fd00::53", "ipv6"),), "ipv6_first")
    assert found.text.startswith("programs ask fd00::53 first")


def test_ipv6_behind_ipv4_needs_no_word():
    found = led("10.0.0.53", "fd00::53")
    assert (found.left, found.reason) == ((Left("fd00::53", "ipv6"),), "")


def test_ipv6_alone_leads_nothing():
    found = led("fd00::53")
    assert (found.hijack, found.reason) == (None, "ipv6_only")


def test_our_own_listener_is_not_led():
    found = led(ADDRESS)
    assert (found.hijack, found.left, found.reason) == (None, (Left(ADDRESS, "ourselves"),), "ourselves")


def test_our_own_listener_on_a_wildcard_is_not_led():
    found = led(ADDRESS, "127.0.0.1", "10.0.0.53", listening=(("0.0.0.0", 53),))
    assert found.hijack == NameHijack(("10.0.0.53",), HERE)
    assert [one.server for one in found.left] == [ADDRESS, "127.0.0.1"]


def test_our_address_is_left_alone_whatever_has_port_53_there():
    assert led(ADDRESS, listening=((ADDRESS, 10053),)).reason == "ourselves"


@pytest.mark.parametrize(
    ("listening", "port"),
    [
        (((ADDRESS, 10053), (ADDRESS, 53)), 53),
        ((("0.0.0.0", 10053),), 10053),
        (((ADDRESS, 10053), ("0.0.0.0", 10054)), 10053),
        (((ADDRESS, 10053), ("0.0.0.0", 53)), 53),
    ],
)
def test_questions_are_led_to_port_53_before_others(listening, port):
    found = led("10.0.0.53", listening=listening)
    assert found.hijack is not None
    assert found.hijack.listener == Endpoint(ADDRESS, port)


def test_nothing_is_led_where_containers_do_not_reach_us():
    found = led("10.0.0.53", listening=(("127.0.0.1", 53), ("::", 53)))
    assert (found.hijack, found.reason) == (None, "not_listening")
    assert f"add {ADDRESS}:53" in found.text


def test_a_long_list_is_cut():
    servers = [f"10.0.0.{number}" for number in range(1, SERVERS_LIMIT + 2)]
    found = led(*servers)
    assert found.hijack is not None
    assert found.hijack.servers == tuple(servers[:-1])
    assert found.left == (Left(servers[-1], "too_many"),)
