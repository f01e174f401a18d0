"""``host:port`` as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.addresses import join_address, split_address


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:10550", "127.0.0.1", 10550),
        ("0.0.0.0:0", "0.0.0.0", 0),
        ("[::1]:80", "::1", 80),
        ("localhost:65535", "localhost", 65535),
    ],
)
def test_an_address_is_host_and_port(text: str, host: str, port: int) -> None:
    assert split_address(text) == (host, port)
    assert join_address(host, port) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the host is missing"),
        (":80", "the host is missing"),
        ("127.0.0.1", "the host is missing"),
        ("127.0.0.1:", "the port is not a number from 0 to 65535"),
        ("127.0.0.1:http", "the port is not a number from 0 to 65535"),
        ("127.0.0.1:65536", "the port is not a number from 0 to 65535"),
        ("127.0.0.1:-1", "the port is not a number from 0 to 65535"),
        ("127.0.0.1:٣", "the port is not a number from 0 to 65535"),
        ("127.0.0.1:80\n", "the port is not a number from 0 to 65535"),
        ("::1:80", "an IPv6 address stands in brackets"),
        ("[::1", "an IPv6 address stands in brackets"),
    ],
)
def test_what_is_no_address_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=f"^{reason}$"):
        split_address(text)


@given(st.text())
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        host, port = split_address(text)
    except ValueError:
        return
    assert host
    assert 0 <= port <= 65535


@given(st.one_of(st.ip_addresses().map(str), st.just("localhost")), st.integers(0, 65535))
def test_every_address_reads_back_as_it_is_written(host: str, port: int) -> None:
    assert split_address(join_address(host, port)) == (host, port)
