"""Addresses as settings spell them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.config.addresses import (
    HostPort,
    ListenAddress,
    ServerAddress,
    is_ip,
    listen_address,
    parse_host_port,
    parse_server,
    parse_subnet,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.2:10000", HostPort("192.0.2.2", 10000)),
        ("cloud.example:1", HostPort("cloud.example", 1)),
        ("cloud:65535", HostPort("cloud", 65535)),
        ("[2001:db8::1]:443", HostPort("2001:db8::1", 443)),
        ("127.0.0.1:0", HostPort("127.0.0.1", 0)),
    ],
)
def test_host_and_port_are_taken_apart(text: str, expected: HostPort) -> None:
    assert parse_host_port(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "host",
        "host:",
        ":80",
        "host:65536",
        "host:-1",
        "host:8o",
        "2001:db8::1:443",
        "[host]:80",
        "a b:80",
        "h:80\n",
        "-h:80",
        "h..x:80",
        "user@h:80",
        "[2001:db8::1%eth0]:80",
        "h:٣",
        "[::1]",
        "x" * 64 + ":80",
        "h/x:80",
    ],
)
def test_what_is_not_host_and_port_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"port|host|brackets"):
        parse_host_port(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.53", HostPort("192.0.2.53", 53)),
        ("192.0.2.53:5353", HostPort("192.0.2.53", 5353)),
        ("2001:db8::1", HostPort("2001:db8::1", 53)),
        ("[2001:db8::1]", HostPort("2001:db8::1", 53)),
        ("[2001:db8::1]:5353", HostPort("2001:db8::1", 5353)),
    ],
)
def test_a_missing_port_is_the_default_port(text: str, expected: HostPort) -> None:
    assert parse_host_port(text, 53) == expected


@given(st.ip_addresses(), st.integers(0, 65535))
def test_every_address_reads_back_as_it_is_written(address: object, port: int) -> None:
    written = HostPort(str(address), port)
    if is_ip(written.host):
        assert parse_host_port(str(written)) == written


@given(st.text())
def test_no_text_raises_anything_but_value_error(text: str) -> None:
    for parse in (parse_host_port, lambda t: parse_host_port(t, 53), lambda t: parse_server(t, "wss"), parse_subnet):
        try:
            parse(text)
        except ValueError:
            continue


def test_a_server_without_scheme_has_the_default_one() -> None:
    assert parse_server("192.0.2.2:10000", "wss") == ServerAddress("wss", "192.0.2.2", 10000)


def test_a_server_keeps_its_scheme_in_lower_case() -> None:
    assert parse_server("WS://[::1]:10000", "wss") == ServerAddress("ws", "::1", 10000)


def test_a_server_is_written_with_brackets_round_ipv6() -> None:
    assert str(ServerAddress("ws", "::1", 10000)) == "ws://[::1]:10000"


@pytest.mark.parametrize("text", ["ws://", "ws://h", "ws://h:0", "ws://h:80/path", "://h:80", "ws://ws://h:80"])
def test_a_server_that_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"port|host|brackets"):
        parse_server(text, "wss")


def test_auto_listens_at_the_first_free_port_from_the_given_one() -> None:
    assert listen_address("auto", HostPort("127.0.0.1", 10053)) == ListenAddress("127.0.0.1", 10053, next_free=True)


def test_a_named_listen_address_is_taken_exactly() -> None:
    auto = HostPort("127.0.0.1", 10053)
    assert listen_address("0.0.0.0:53", auto) == ListenAddress("0.0.0.0", 53, next_free=False)


def test_a_subnet_of_sixteen_bits_is_read() -> None:
    assert str(parse_subnet("9.251.0.0/16")) == "9.251.0.0/16"


@pytest.mark.parametrize(
    "text", ["", "9.251.0.0", "9.251.0.0/24", "9.251.0.1/16", "9.0.0.0/8", "2001:db8::/16", "x/16"]
)
def test_another_network_is_no_subnet(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_subnet(text)
