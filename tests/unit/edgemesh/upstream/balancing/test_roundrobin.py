import pytest

from edgecore.modules.edgemesh.upstream.balancing.roundrobin import RoundRobin
from tests.support.upstreams import asking, host

A, B, C = host("10.0.0.1", 1), host("10.0.0.2", 2), host("10.0.0.3", 3)
ANYBODY = asking()


@pytest.fixture
def balancer() -> RoundRobin:
    return RoundRobin()


def test_without_endpoints_nothing_is_chosen(balancer: RoundRobin) -> None:
    assert balancer.choose(ANYBODY) is None
    assert balancer.choose(ANYBODY) is None


def test_endpoints_are_chosen_in_turn(balancer: RoundRobin) -> None:
    balancer.replace((A, B, C))

    assert [balancer.choose(ANYBODY) for _ in range(7)] == [A, B, C, A, B, C, A]


def test_the_same_endpoints_again_do_not_disturb_the_turn(balancer: RoundRobin) -> None:
    balancer.replace((A, B, C))
    balancer.choose(ANYBODY)

    balancer.replace((A, B, C))

    assert balancer.choose(ANYBODY) == B


def test_after_an_endpoint_was_added_the_turn_goes_on(balancer: RoundRobin) -> None:
    balancer.replace((A, B))
    balancer.choose(ANYBODY)

    balancer.replace((A, B, C))

    assert [balancer.choose(ANYBODY) for _ in range(3)] == [B, C, A]


def test_after_the_endpoint_chosen_last_is_gone_the_turn_begins_anew(balancer: RoundRobin) -> None:
    balancer.replace((A, B, C))
    balancer.choose(ANYBODY)

    balancer.replace((B, C))

    assert [balancer.choose(ANYBODY) for _ in range(3)] == [B, C, B]


def test_many_replacements_do_not_favour_the_first_endpoint(balancer: RoundRobin) -> None:
    chosen = []
    for round_number in range(12):
        balancer.replace((A, B, C) if round_number % 2 else (A, B, C, host("10.0.0.4", round_number)))
        chosen.append(balancer.choose(ANYBODY))

    assert min(chosen.count(endpoint) for endpoint in (A, B, C)) >= 2


def test_after_all_endpoints_are_gone_nothing_is_chosen(balancer: RoundRobin) -> None:
    balancer.replace((A,))
    balancer.choose(ANYBODY)

    balancer.replace(())

    assert balancer.choose(ANYBODY) is None


def test_an_endpoint_that_comes_after_none_was_there_is_chosen(balancer: RoundRobin) -> None:
    assert balancer.choose(ANYBODY) is None

    balancer.replace((A,))

    assert balancer.choose(ANYBODY) == A


def test_what_was_tried_is_passed_over_as_long_as_there_is_another(balancer: RoundRobin) -> None:
    balancer.replace((A, B, C))

    assert [balancer.choose(ANYBODY, (A,)) for _ in range(4)] == [B, C, B, C]
    assert balancer.choose(ANYBODY, (A, B, C)) is not None


def test_the_next_one_can_be_told_without_taking_the_turn(balancer: RoundRobin) -> None:
    assert balancer.foretell() is None
    for hosts in ((A, B, C), (B, C), (A, C), (C,), (A, B, C)):
        balancer.replace(hosts)
        for _ in range(4):
            told = [balancer.foretell(), balancer.foretell()]
            assert told == [balancer.choose(ANYBODY)] * 2
