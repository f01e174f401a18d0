"""Addresses of the observation port."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.errors import ListenError
from edgecore.observe.server import join_address, split_address


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:10550", "127.0.0.1", 10550),
        ("0.0.0.0:0", "0.0.0.0", 0),
        ("[::1]:80", "::1", 80),
        ("localhost:1", "localhost", 1),
    ],
)
def test_an_address_is_host_and_port(text: str, host: str, port: int) -> None:
    assert split_address(text) == (host, port)
    assert join_address(host, port) == text


@pytest.mark.parametrize("text", ["", "127.0.0.1", ":80", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:65536", "[::1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ListenError, match="not of the form host:port"):
        split_address(text)


@given(st.text())
def test_any_text_is_an_address_or_refused(text: str) -> None:
    try:
        host, port = split_address(text)
    except ListenError:
        return
    assert host
    assert 0 <= port <= 65535
