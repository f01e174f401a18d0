"""The arithmetic of updates: how many pods go and come."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.controllers.replicas import Replica, replica_of
from cloudhub_stub.controllers.rollout import Bounds, bounds_of, paused, recreating, rolling
from workloads import START_MS, as_ready, pod


def some(prefix: str, count: int, *, ready: int | None = None) -> list[Replica]:
    """Return that many pods of the template ``prefix``; by default all are ready."""
    pods = [pod(f"{prefix}{number}", node="n", labels={"pod-template-hash": prefix}) for number in range(count)]
    ready = count if ready is None else ready
    states = [as_ready(each, START_MS) if number < ready else each for number, each in enumerate(pods)]
    return [replica_of(each, 0, START_MS) for each in states]


def removed(steps: Any) -> list[str]:
    return [each.pod["metadata"]["name"] for each in steps.remove]


def bounds(replicas: int, surge: int | str, unavailable: int | str) -> Bounds:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable}}
    return bounds_of({"replicas": replicas, "strategy": strategy})


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "expected"),
    [
        (10, "25%", "25%", (10, 3, 2)),
        (1, "25%", "25%", (1, 1, 0)),
        (3, 0, 0, (3, 0, 1)),
        (3, "0%", "10%", (3, 0, 1)),
        (0, 0, 0, (0, 0, 0)),
        (2, 5, 5, (2, 5, 2)),
        (4, "100%", "100%", (4, 4, 4)),
    ],
)
def test_surge_is_rounded_up_and_unavailable_down(
    replicas: int, surge: Any, unavailable: Any, expected: tuple[int, ...]
) -> None:
    assert bounds(replicas, surge, unavailable) == expected


def test_a_strategy_that_is_not_said_is_a_quarter_of_each() -> None:
    assert bounds_of({"replicas": 8}) == (8, 2, 2)


def test_recreate_has_no_surge_and_nothing_may_be_unavailable() -> None:
    assert bounds_of({"replicas": 8, "strategy": {"type": "Recreate"}}) == (8, 0, 0)


def test_without_old_pods_the_number_is_kept() -> None:
    assert rolling(some("new", 1), [], Bounds(3, 1, 0)) == ([], 2)
    assert removed(rolling(some("new", 3, ready=2), [], Bounds(2, 1, 0))) == ["new2"]


def test_new_pods_come_as_far_as_the_surge_goes() -> None:
    assert rolling([], some("old", 3), Bounds(3, 1, 0)) == ([], 1)


def test_an_old_pod_goes_when_a_new_one_is_available() -> None:
    assert removed(rolling(some("new", 1, ready=0), some("old", 3), Bounds(3, 1, 0))) == []
    assert removed(rolling(some("new", 1), some("old", 3), Bounds(3, 1, 0))) == ["old0"]


def test_without_surge_an_old_pod_goes_first() -> None:
    steps = rolling([], some("old", 3), Bounds(3, 0, 1))
    assert (removed(steps), steps.add) == (["old0"], 1)


def test_old_pods_that_are_broken_go_first() -> None:
    assert removed(rolling([], some("old", 4, ready=3), Bounds(4, 0, 1))) == ["old3"]


def test_at_a_smaller_number_in_an_update_new_pods_that_wait_give_way() -> None:
    steps = rolling(some("new", 5, ready=0), some("old", 5), Bounds(2, 1, 0))
    assert removed(steps) == ["new0", "new1", "new2", "old0", "old1", "old2", "new3"]
    assert steps.add == 0


def test_recreating_removes_all_old_pods_and_adds_none() -> None:
    steps = recreating(some("new", 1), some("old", 2), Bounds(3, 0, 0), still_there=False)
    assert (removed(steps), steps.add) == (["old0", "old1"], 0)


def test_recreating_waits_for_old_pods_that_still_run() -> None:
    assert recreating([], [], Bounds(3, 0, 0), still_there=True) == ([], 0)
    assert recreating([], [], Bounds(3, 0, 0), still_there=False) == ([], 3)


def test_recreating_keeps_the_number_of_new_pods() -> None:
    assert removed(recreating(some("new", 3, ready=2), [], Bounds(2, 0, 0), still_there=False)) == ["new2"]


def test_paused_with_pods_of_one_template_the_number_is_exact() -> None:
    assert removed(paused(some("old", 3), Bounds(2, 1, 0))) == ["old0"]
    assert paused(some("old", 1), Bounds(2, 1, 0)) == ([], 1)


def test_paused_in_the_midst_of_an_update_the_surge_stays() -> None:
    assert paused([*some("old", 2), *some("new", 1)], Bounds(2, 1, 0)) == ([], 0)


_SOME = st.tuples(st.integers(0, 8), st.integers(0, 8)).map(sorted)
_BOUNDS = st.builds(
    bounds,
    st.integers(0, 8),
    st.one_of(st.integers(0, 8), st.sampled_from(["0%", "25%", "100%"])),
    st.one_of(st.integers(0, 8), st.sampled_from(["0%", "25%", "100%"])),
)


def available(replicas: Sequence[Replica], without: Sequence[Replica] = ()) -> int:
    return sum(each.available for each in replicas if each not in without)


@given(_SOME, _SOME, _BOUNDS)
def test_an_update_never_takes_more_than_it_may_nor_makes_more(new: Any, old: Any, limits: Bounds) -> None:
    pods = [*some("new", new[1], ready=new[0]), *some("old", old[1], ready=old[0])]
    steps = rolling(pods[: new[1]], pods[new[1] :], limits)
    least = min(available(pods), limits.replicas - limits.unavailable)
    assert available(pods, steps.remove) >= least
    assert len(pods) - len(steps.remove) + steps.add <= limits.replicas + limits.surge
    assert len(steps.remove) == len({each.pod["metadata"]["name"] for each in steps.remove})


@given(_SOME, _SOME, _BOUNDS)
def test_when_all_new_pods_are_available_an_update_goes_on_until_it_is_done(new: Any, old: Any, limits: Bounds) -> None:
    fresh, stale = some("new", new[1]), some("old", old[1], ready=old[0])
    steps = rolling(fresh, stale, limits)
    assert bool(steps.remove or steps.add) == (bool(stale) or len(fresh) != limits.replicas)
