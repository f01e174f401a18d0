import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.edgemesh.upstream.balancing.consistenthash import ConsistentHash
from edgecore.modules.edgemesh.upstream.balancing.keys import key_of
from edgecore.modules.edgemesh.upstream.host import Host
from tests.support.upstreams import FixedAsking, asking, host


def new_hosts(number: int) -> tuple[Host, ...]:
    return tuple(host(f"10.0.0.{place}", 80) for place in range(1, number + 1))


def balancer_of(hosts: tuple[Host, ...], balance: float = 1.25, header: str = "") -> ConsistentHash:
    balancer = ConsistentHash(key_of("header" if header else "source", header), balance)
    balancer.replace(hosts)
    return balancer


def chosen_by(balancer: ConsistentHash, client: FixedAsking, tried: tuple[Host, ...] = ()) -> Host:
    found = balancer.choose(client, tried)
    assert found is not None
    return found


CLIENTS = [asking(f"10.1.{number // 250}.{number % 250}") for number in range(1000)]


def test_without_hosts_nothing_is_chosen() -> None:
    assert balancer_of(()).choose(CLIENTS[0]) is None


def test_a_client_has_the_same_host_each_time_and_in_every_process() -> None:
    hosts = new_hosts(5)
    one, other = balancer_of(hosts), balancer_of(new_hosts(5)[::-1])

    for client in CLIENTS[:50]:
        found = {chosen_by(balancer, client).endpoint for balancer in (one, other) for _ in range(3)}
        assert len(found) == 1


def test_clients_with_the_same_header_have_the_same_host_wherever_they_are() -> None:
    balancer = balancer_of(new_hosts(5), header="X-Tenant")
    found = [{chosen_by(balancer, asking(ip, {b"x-tenant": b"%d" % tenant})) for ip in "abc"} for tenant in range(20)]

    assert all(len(each) == 1 for each in found)
    assert len(set.union(*found)) > 1


def test_clients_without_the_header_go_by_their_address() -> None:
    by_header, by_source = balancer_of(new_hosts(5), header="X-Tenant"), balancer_of(new_hosts(5))

    assert all(
        chosen_by(by_header, client).endpoint == chosen_by(by_source, client).endpoint for client in CLIENTS[:50]
    )


def test_a_host_that_comes_takes_its_share_alone() -> None:
    hosts = new_hosts(5)
    balancer = balancer_of(hosts[:4])
    before = [chosen_by(balancer, client) for client in CLIENTS]
    balancer.replace(hosts)
    after = [chosen_by(balancer, client) for client in CLIENTS]

    moved = [is_now for was, is_now in zip(before, after, strict=True) if was is not is_now]
    assert set(moved) == {hosts[4]}
    assert 130 < len(moved) < 270  # a fifth, give or take a third


def test_what_was_tried_is_passed_over_for_the_next_on_the_ring() -> None:
    hosts = new_hosts(3)
    balancer = balancer_of(hosts)
    first = chosen_by(balancer, CLIENTS[0])
    second = chosen_by(balancer, CLIENTS[0], (first,))
    third = chosen_by(balancer, CLIENTS[0], (first, second))

    assert {first, second, third} == set(hosts)
    assert chosen_by(balancer, CLIENTS[0], hosts) is first


def test_a_key_that_everybody_asks_for_is_shared_once_its_host_is_busier_than_the_others() -> None:
    hosts = new_hosts(4)
    balancer = balancer_of(hosts)
    for _ in range(100):
        chosen_by(balancer, CLIENTS[0]).active += 1

    assert max(each.active for each in hosts) <= 1.25 * 25 + 1
    assert all(each.active for each in hosts)


def test_without_a_bound_a_key_stays_where_it_is() -> None:
    hosts = new_hosts(4)
    balancer = balancer_of(hosts, balance=0)
    for _ in range(100):
        chosen_by(balancer, CLIENTS[0]).active += 1

    assert sorted(each.active for each in hosts) == [0, 0, 0, 100]
    first = chosen_by(balancer, CLIENTS[0])
    assert chosen_by(balancer, CLIENTS[0], (first,)) is not first


def test_when_all_that_are_left_are_too_busy_one_of_them_is_chosen() -> None:
    hosts = new_hosts(3)
    balancer = balancer_of(hosts)
    first = chosen_by(balancer, CLIENTS[0])
    for each in hosts:
        each.active = 0 if each is first else 1000

    assert chosen_by(balancer, CLIENTS[0], (first,)) in set(hosts) - {first}


@given(
    st.integers(2, 12),
    st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=200),
    st.sampled_from((1.05, 1.25, 2.0)),
    st.randoms(use_true_random=False),
)
def test_no_host_is_ever_given_more_than_the_bound(
    number: int, steps: list[tuple[int, bool]], balance: float, rng: random.Random
) -> None:
    hosts = new_hosts(number)
    balancer = balancer_of(hosts, balance)
    for client, ends in steps:
        chosen = chosen_by(balancer, CLIENTS[client])
        chosen.active += 1
        assert chosen.active <= balance * sum(each.active for each in hosts) / number + 1
        if ends:
            rng.choice([each for each in hosts if each.active]).active -= 1


@pytest.mark.parametrize("number", [1, 2])
def test_the_ring_is_made_only_where_there_is_a_choice(number: int) -> None:
    balancer = balancer_of(new_hosts(number))
    assert balancer._ring is None
    chosen_by(balancer, CLIENTS[0])
    assert (balancer._ring is None) == (number == 1)
