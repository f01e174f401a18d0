import pytest

from edgecore.modules.edgemesh.upstream.balancing.keys import digest_of, key_of
from edgecore.modules.edgemesh.upstream.policy import HashBy
from tests.support.upstreams import asking

CLIENT = asking("10.1.1.1", {b"x-user": b"ann"}, {b"id": b"7", b"edgemesh-affinity": b"ab"})


@pytest.mark.parametrize(
    ("by", "name", "key"),
    [
        ("source", "", b"10.1.1.1"),
        ("header", "x-user", b"ann"),
        ("header", "X-User", b"ann"),
        ("cookie", "id", b"7"),
        ("cookie", "", b"ab"),
        ("header", "x-other", b"10.1.1.1"),
        ("cookie", "other", b"10.1.1.1"),
        ("header", "", b"10.1.1.1"),
    ],
)
def test_a_client_goes_by_its_key_and_without_one_by_its_address(by: HashBy, name: str, key: bytes) -> None:
    assert key_of(by, name)(CLIENT) == key


def test_a_digest_is_the_same_in_every_process() -> None:
    assert digest_of(b"10.0.0.1:80").hex() == "10baba142dbc806b"
