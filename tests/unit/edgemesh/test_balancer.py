import pytest

from edgecore.modules.edgemesh.balancer import RoundRobin
from edgecore.modules.edgemesh.names import Endpoint

A, B, C = Endpoint("10.0.0.1", 1), Endpoint("10.0.0.2", 2), Endpoint("10.0.0.3", 3)


@pytest.fixture
def balancer() -> RoundRobin:
    return RoundRobin()


def test_without_endpoints_nothing_is_chosen(balancer: RoundRobin) -> None:
    assert balancer.choose() is None
    assert balancer.choose() is None


def test_endpoints_are_chosen_in_turn(balancer: RoundRobin) -> None:
    balancer.replace((A, B, C))

    assert [balancer.choose() for _ in range(7)] == [A, B, C, A, B, C, A]


def test_the_same_endpoints_again_do_not_disturb_the_turn(balancer: RoundRobin) -> None:
    balancer.replace((A, B, C))
    balancer.choose()

    balancer.replace((A, B, C))

    assert balancer.choose() == B


def test_after_an_endpoint_was_added_the_turn_goes_on(balancer: RoundRobin) -> None:
    balancer.replace((A, B))
    balancer.choose()

    balancer.replace((A, B, C))

    assert [balancer.choose() for _ in range(3)] == [B, C, A]


def test_after_the_endpoint_chosen_last_is_gone_the_turn_begins_anew(balancer: RoundRobin) -> None:
    balancer.replace((A, B, C))
    balancer.choose()

    balancer.replace((B, C))

    assert [balancer.choose() for _ in range(3)] == [B, C, B]


def test_many_replacements_do_not_favour_the_first_endpoint(balancer: RoundRobin) -> None:
    chosen = []
    for round_number in range(12):
        balancer.replace((A, B, C) if round_number % 2 else (A, B, C, Endpoint("10.0.0.4", round_number)))
        chosen.append(balancer.choose())

    assert min(chosen.count(endpoint) for endpoint in (A, B, C)) >= 2


def test_after_all_endpoints_are_gone_nothing_is_chosen(balancer: RoundRobin) -> None:
    balancer.replace((A,))
    balancer.choose()

    balancer.replace(())

    assert balancer.choose() is None


def test_an_endpoint_that_comes_after_none_was_there_is_chosen(balancer: RoundRobin) -> None:
    assert balancer.choose() is None

    balancer.replace((A,))

    assert balancer.choose() == A
