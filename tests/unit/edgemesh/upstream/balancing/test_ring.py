from collections import Counter

import pytest

from edgecore.modules.edgemesh.upstream.balancing.ring import Ring, place_of
from tests.support.upstreams import host

HOSTS = tuple(host(f"10.0.0.{number}", 8080) for number in range(1, 12))
KEYS = [place_of(f"client {number}".encode()) for number in range(20_000)]


def test_places_are_the_same_in_every_process() -> None:
    ring = Ring(HOSTS)

    found = [HOSTS.index(ring.first(place_of(b"%d" % key))) for key in range(10)]
    assert found == [8, 10, 6, 7, 6, 7, 0, 4, 4, 1]


def test_a_key_has_the_same_host_whatever_the_order_of_the_hosts() -> None:
    one, other = Ring(HOSTS), Ring(HOSTS[::-1])

    assert all(one.first(key) is other.first(key) for key in KEYS[:2000])


@pytest.mark.parametrize("number", [2, 5, 10])
def test_each_host_has_about_the_same_share(number: int) -> None:
    ring = Ring(HOSTS[:number])
    found = Counter(ring.first(key) for key in KEYS)

    assert len(found) == number
    assert all(0.75 < found[each] * number / len(KEYS) < 1.25 for each in found)  # three times 8 % either way


@pytest.mark.parametrize("number", [1, 2, 5, 10])
def test_a_host_that_comes_takes_its_share_and_moves_no_key_between_the_others(number: int) -> None:
    before, after = Ring(HOSTS[:number]), Ring(HOSTS[: number + 1])
    moved = [after.first(key) for key in KEYS if after.first(key) is not before.first(key)]

    assert set(moved) == {HOSTS[number]}
    assert 0.75 < len(moved) * (number + 1) / len(KEYS) < 1.25


def test_a_host_that_goes_moves_its_own_keys_alone_and_to_all_others() -> None:
    before, after = Ring(HOSTS), Ring(HOSTS[1:])
    moved = [(before.first(key), after.first(key)) for key in KEYS if after.first(key) is not before.first(key)]

    assert {was for was, _ in moved} == {HOSTS[0]}
    assert {is_now for _, is_now in moved} == set(HOSTS[1:])


def test_a_walk_begins_at_the_keys_host_and_passes_each_host_once() -> None:
    ring = Ring(HOSTS)
    for key in KEYS[:50]:
        walked = list(ring.walk(key))
        assert walked[0] is ring.first(key)
        assert len(walked) == len(HOSTS)
        assert set(walked) == set(HOSTS)


@pytest.mark.parametrize("place", [0, 2**64 - 1])
def test_behind_the_last_place_comes_the_first(place: int) -> None:
    ring = Ring(HOSTS)

    assert ring.first(place) is next(ring.walk(place))
    assert ring.first(0) is ring.first(2**64 - 1)


def test_of_those_that_were_not_tried_the_next_is_chosen() -> None:
    ring = Ring(HOSTS)
    walked = list(ring.walk(KEYS[0]))

    assert ring.first_else(KEYS[0], walked[:1]) is walked[1]
    assert ring.first_else(KEYS[0], walked[1:]) is walked[0]
    assert ring.first_else(KEYS[0], walked) is walked[0]
