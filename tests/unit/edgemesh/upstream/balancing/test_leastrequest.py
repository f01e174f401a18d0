import heapq
import random
from collections import Counter
from collections.abc import Mapping

import pytest

from edgecore.modules.edgemesh.upstream.balancing.latency import observe, observe_failure
from edgecore.modules.edgemesh.upstream.balancing.leastrequest import LeastRequest
from edgecore.modules.edgemesh.upstream.host import Host
from tests.support.upstreams import asking, host

ANYBODY = asking()


@pytest.fixture
def hosts() -> tuple[Host, ...]:
    return tuple(host("10.0.0.1", number) for number in range(1, 5))


def balancer_of(hosts: tuple[Host, ...]) -> LeastRequest:
    balancer = LeastRequest(random.Random(5))
    balancer.replace(hosts)
    return balancer


def run(hosts: tuple[Host, ...], seconds: Mapping[Host, float], *, clients: int, requests: int) -> Counter[Host]:
    """Have so many clients ask one request after the other, each as long as its host takes; count by host."""
    balancer = balancer_of(hosts)
    found: Counter[Host] = Counter()
    under_way: list[tuple[float, int, Host]] = []
    now = 0.0
    for number in range(requests):
        if len(under_way) == clients:
            now, _, done = heapq.heappop(under_way)
            done.active -= 1
            observe(done, seconds[done])
        chosen = balancer.choose(ANYBODY)
        assert chosen is not None
        chosen.active += 1
        found[chosen] += 1
        heapq.heappush(under_way, (now + seconds[chosen], number, chosen))
    return found


def test_without_hosts_nothing_is_chosen() -> None:
    assert balancer_of(()).choose(ANYBODY) is None


def test_the_only_host_is_chosen_however_it_does(hosts: tuple[Host, ...]) -> None:
    hosts[0].active, hosts[0].ewma_s = 1000, 1000.0
    assert balancer_of(hosts[:1]).choose(ANYBODY) is hosts[0]


def test_of_two_equally_quick_hosts_that_with_less_under_way_is_chosen(hosts: tuple[Host, ...]) -> None:
    one, other = hosts[:2]
    one.ewma_s = other.ewma_s = 0.1
    one.active, other.active = 3, 1
    assert balancer_of((one, other)).choose(ANYBODY) is other


def test_a_quick_host_is_chosen_although_more_is_under_way_there(hosts: tuple[Host, ...]) -> None:
    one, other = hosts[:2]
    one.ewma_s, one.active = 0.010, 3
    other.ewma_s, other.active = 0.100, 1
    assert balancer_of((one, other)).choose(ANYBODY) is one


def test_a_host_that_has_never_answered_gets_one_request_until_it_does(hosts: tuple[Host, ...]) -> None:
    new, known = hosts[:2]
    known.ewma_s, known.active = 0.1, 50
    balancer = balancer_of((new, known))

    assert balancer.choose(ANYBODY) is new
    new.active += 1
    assert [balancer.choose(ANYBODY) for _ in range(20)] == [known] * 20
    observe(new, 0.1)
    assert balancer.choose(ANYBODY) is new


@pytest.mark.parametrize("known_s", [0.0, 0.002])
def test_a_host_that_fails_at_once_is_tried_seldom_however_long_it_does(
    hosts: tuple[Host, ...], known_s: float
) -> None:
    failing = hosts[0]
    failing.ewma_s = known_s
    balancer = balancer_of(hosts)
    failed = 0
    for _ in range(10_000):
        chosen = balancer.choose(ANYBODY)
        assert chosen is not None
        if chosen is failing:
            failed += 1
            observe_failure(chosen)
        else:
            observe(chosen, 0.002)

    assert 20 < failed < 150  # a fair share is 2500


def test_a_host_that_comes_back_is_tried_once_at_once(hosts: tuple[Host, ...]) -> None:
    balancer = balancer_of(hosts)
    for each in hosts:
        observe(each, 0.01)
    observe_failure(hosts[0])
    balancer.replace(hosts[1:])
    balancer.replace(hosts)
    found = Counter(balancer.choose(ANYBODY) for _ in range(10))
    assert hosts[0] in found

    hosts[0].active = 1
    assert hosts[0] not in Counter(balancer.choose(ANYBODY) for _ in range(10))


def test_what_is_known_of_hosts_counts_from_the_first_choice(hosts: tuple[Host, ...]) -> None:
    hosts[0].ewma_s, hosts[1].ewma_s = 0.1, 0.2
    assert balancer_of(hosts[:2]).choose(ANYBODY) is hosts[0]


def test_hosts_of_which_nothing_is_known_get_the_same(hosts: tuple[Host, ...]) -> None:
    balancer = balancer_of(hosts)
    found = Counter(balancer.choose(ANYBODY) for _ in range(4000))

    assert all(abs(found[each] - 1000) < 120 for each in hosts)


def test_hosts_that_never_answer_a_byte_are_balanced_by_what_is_under_way(hosts: tuple[Host, ...]) -> None:
    balancer = balancer_of(hosts)
    for _ in range(400):
        chosen = balancer.choose(ANYBODY)
        assert chosen is not None
        chosen.active += 1

    assert max(each.active for each in hosts) - min(each.active for each in hosts) <= 5


@pytest.mark.parametrize("clients", [1, 4, 32])
def test_equally_quick_hosts_get_the_same(hosts: tuple[Host, ...], clients: int) -> None:
    found = run(hosts, dict.fromkeys(hosts, 0.01), clients=clients, requests=4000)

    assert all(abs(found[each] - 1000) < 120 for each in hosts)


@pytest.mark.parametrize("clients", [1, 32])
def test_a_host_ten_times_as_slow_gets_few_requests_but_is_not_forgotten(hosts: tuple[Host, ...], clients: int) -> None:
    found = run(hosts, {each: 0.1 if each is hosts[0] else 0.01 for each in hosts}, clients=clients, requests=8000)

    assert 20 < found[hosts[0]] < 1000  # a fair share is 2000
    assert min(found[each] for each in hosts[1:]) > 2000


def test_a_host_that_was_slow_once_is_soon_chosen_again(hosts: tuple[Host, ...]) -> None:
    one, other = hosts[:2]
    observe(one, 0.001)
    observe(other, 0.1)
    balancer = balancer_of((one, other))

    asked = 0
    while balancer.choose(ANYBODY) is not other:
        asked += 1
        observe(one, 0.001)

    assert 100 < asked < 300


def test_of_hosts_that_were_not_tried_the_better_one_is_chosen(hosts: tuple[Host, ...]) -> None:
    for each, active in zip(hosts, (0, 5, 3, 9), strict=True):
        each.ewma_s, each.active = 0.1, active
    balancer = balancer_of(hosts)

    chosen = [balancer.choose(ANYBODY, (hosts[0], hosts[3])) for _ in range(10)]

    assert chosen == [hosts[2]] * 10
    assert balancer.choose(ANYBODY, hosts[:3]) is hosts[3]
    assert balancer.choose(ANYBODY, hosts) in hosts
