"""Who asks, and how much each may have."""

import pytest

from edgecore.modules.edgemesh.dns.listening.clients import Shares, client_of, share_of_each


@pytest.mark.parametrize(
    ("host", "client"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::1"),
    ],
)
def test_client_is_an_ipv4_address_or_a_64(host, client):
    assert client_of(host) == client


def taken(shares: Shares, client: str) -> int:
    while shares.take(client):
        pass
    return shares.of(client)


def test_client_alone_gets_half_and_those_who_come_later_find_places():
    shares = Shares(512)
    assert [taken(shares, client) for client in ("a", "b", "c")] == [256, 128, 64]


def test_two_who_ask_in_turn_get_a_third_each():
    shares = Shares(513)
    while shares.take("a") | shares.take("b"):
        pass
    assert (shares.of("a"), shares.of("b")) == (171, 171)


def test_place_that_is_given_back_can_be_taken_again():
    shares = Shares(2)
    assert shares.take("a")
    assert not shares.take("a")
    shares.give_back("a")
    assert (shares.taken, shares.of("a")) == (0, 0)
    assert shares.take("a")


def test_single_place_is_given():
    shares = Shares(1)
    assert shares.take("a")
    assert not shares.take("b")


@pytest.mark.parametrize(
    ("asked", "budget", "share"),
    [
        ({"flood": 1000, "one": 1}, 256, 255),
        ({"flood": 1000, "other flood": 1000, "ten": 10}, 256, 123),
        ({"a": 10, "b": 20}, 256, 20),
        ({"flood": 1000}, 256, 256),
        ({str(number): 1 for number in range(1000)}, 256, 1),
    ],
    ids=["flood", "two floods", "little", "alone", "more clients than answers"],
)
def test_who_asks_more_than_others_is_cut_and_who_asks_less_is_not(asked, budget, share):
    queries = [client for client, count in asked.items() for _ in range(count)]
    assert share_of_each(queries, budget) == share
