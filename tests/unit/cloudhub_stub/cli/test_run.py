"""What ``run`` says at its start."""

import pytest

from cloudhub_stub.cli.run import _as_dialled


@pytest.mark.parametrize(
    ("url", "advertised", "dialled"),
    [
        ("wss://127.0.0.1:10000", ["cloud.example"], "127.0.0.1:10000"),
        ("wss://0.0.0.0:10000", ["cloud.example", "192.0.2.1"], "cloud.example:10000"),
        ("https://[::]:10002", ["2001:db8::1"], "[2001:db8::1]:10002"),
        ("https://[::]:10002", [], "127.0.0.1:10002"),
    ],
)
def test_an_edge_is_told_an_address_that_it_can_dial(url: str, advertised: list[str], dialled: str) -> None:
    assert _as_dialled(url, advertised) == dialled
