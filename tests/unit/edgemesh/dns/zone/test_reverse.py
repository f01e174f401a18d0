"""Names of addresses."""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.edgemesh.dns.packets.labels import Labels
from edgecore.modules.edgemesh.dns.zone.reverse import Reversed, ReverseZones

POOL = IPv4Network("127.251.0.0/16")
PREFIX = IPv6Network("fd00:ec::/96")
POOL_ZONE = (b"251", b"127", b"in-addr", b"arpa")
ADDRESS = IPv4Address("127.251.1.2")


def labels(name: str) -> Labels:
    return tuple(name.encode().split(b"."))


def zones(prefix: IPv6Network | None = None) -> ReverseZones:
    reverse = ReverseZones(prefix)
    reverse.serve(POOL)
    reverse.set(ADDRESS, b"web.default")
    return reverse


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("2.1.251.127.in-addr.arpa", Reversed(POOL_ZONE, b"web.default", True)),
        ("3.1.251.127.in-addr.arpa", Reversed(POOL_ZONE)),
        ("1.251.127.in-addr.arpa", Reversed(POOL_ZONE, None, True)),
        ("2.251.127.in-addr.arpa", Reversed(POOL_ZONE)),
        ("251.127.in-addr.arpa", Reversed(POOL_ZONE, None, True)),
        ("a.2.1.251.127.in-addr.arpa", Reversed(POOL_ZONE)),
        ("02.1.251.127.in-addr.arpa", Reversed(POOL_ZONE)),
        ("256.1.251.127.in-addr.arpa", Reversed(POOL_ZONE)),
        ("x.1.251.127.in-addr.arpa", Reversed(POOL_ZONE)),
        ("127.in-addr.arpa", None),
        ("2.1.252.127.in-addr.arpa", None),
        ("in-addr.arpa", None),
        ("ip6.arpa", None),
    ],
)
def test_name_of_an_address_is_what_the_pool_makes_of_it(name, expected):
    assert zones().find(labels(name)) == expected


def test_without_a_pool_every_address_is_somebody_else_s():
    reverse = ReverseZones()
    reverse.set(ADDRESS, b"web.default")
    assert reverse.find(labels("2.1.251.127.in-addr.arpa")) is None


def test_address_behind_the_prefix_is_found_by_its_nibbles():
    name = labels(IPv6Address("fd00:ec::7ffb:102").reverse_pointer)
    found = zones(PREFIX).find(name)
    assert found is not None
    assert found.owner == b"web.default"
    assert len(found.zone) == 24 + 2


@pytest.mark.parametrize("nibbles", range(24, 32))
def test_every_part_of_an_address_behind_the_prefix_is_there_and_another_is_not(nibbles):
    name = labels(IPv6Address("fd00:ec::7ffb:102").reverse_pointer)[32 - nibbles :]
    found = zones(PREFIX).find(name)
    assert found is not None
    assert (found.owner, found.is_there) == (None, True)
    if nibbles > 24:
        other = zones(PREFIX).find((b"f" if name[0] != b"f" else b"e", *name[1:]))
        assert other is not None
        assert not other.is_there


@pytest.mark.parametrize("nibble", [b"g", b"10", b"\xff"])
def test_what_is_no_nibble_is_no_address(nibble):
    name = labels(IPv6Address("fd00:ec::7ffb:102").reverse_pointer)
    assert zones(PREFIX).find((nibble, *name[1:])) == Reversed(name[8:])


def test_address_that_another_has_by_now_stays_with_it():
    reverse = zones()
    reverse.set(ADDRESS, b"db.prod")
    reverse.remove(ADDRESS, b"web.default")
    found = reverse.find(labels("2.1.251.127.in-addr.arpa"))
    assert found is not None
    assert found.owner == b"db.prod"


@given(st.lists(st.integers(0, 0xFFFF), unique=True, max_size=8))
def test_nothing_is_left_of_addresses_that_are_removed(numbers):
    reverse = ReverseZones(PREFIX)
    reverse.serve(POOL)
    for number in numbers:
        reverse.set(POOL[number], b"x.y")
    for number in numbers:
        reverse.remove(POOL[number], b"x.y")
        reverse.remove(POOL[number], b"x.y")
    for number in numbers:
        name = labels(POOL[number].reverse_pointer)
        assert reverse.find(name) == reverse.find(name[1:]) == Reversed(POOL_ZONE)


@given(st.lists(st.binary(min_size=1, max_size=4), max_size=40))
def test_any_labels_in_a_zone_are_something(name):
    assert zones(PREFIX).find((*name, *POOL_ZONE)) is not None
