import random
from collections import Counter

import pytest

from edgecore.modules.edgemesh.upstream.balancing.randomchoice import RandomChoice
from tests.support.upstreams import asking, host

HOSTS = tuple(host("10.0.0.1", number) for number in range(1, 11))
ANYBODY = asking()


@pytest.fixture
def balancer() -> RandomChoice:
    balancer = RandomChoice(random.Random(3))
    balancer.replace(HOSTS)
    return balancer


def test_without_hosts_nothing_is_chosen() -> None:
    assert RandomChoice(random.Random(3)).choose(ANYBODY) is None


def test_every_host_is_as_likely_as_the_others(balancer: RandomChoice) -> None:
    found = Counter(balancer.choose(ANYBODY) for _ in range(10_000))

    chi_square = sum((found[host] - 1000) ** 2 / 1000 for host in HOSTS)
    assert chi_square < 27.9  # 9 degrees of freedom: once in a thousand seeds it is more


def test_of_those_that_were_not_tried_every_one_is_as_likely_as_the_others(balancer: RandomChoice) -> None:
    found = Counter(balancer.choose(ANYBODY, HOSTS[:8]) for _ in range(1000))

    assert set(found) == set(HOSTS[8:])
    assert abs(found[HOSTS[8]] - 500) < 60


def test_when_all_were_tried_one_of_them_is_chosen(balancer: RandomChoice) -> None:
    assert balancer.choose(ANYBODY, HOSTS) in HOSTS


def test_the_same_random_numbers_choose_the_same_hosts(balancer: RandomChoice) -> None:
    other = RandomChoice(random.Random(3))
    other.replace(HOSTS)

    assert [balancer.choose(ANYBODY) for _ in range(20)] == [other.choose(ANYBODY) for _ in range(20)]
