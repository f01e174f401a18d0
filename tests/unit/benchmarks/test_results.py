"""What follows from the rounds of a benchmark."""

import math
from types import ModuleType

import pytest
from growing import connections, edges, services
from rows.results import (
    Curve,
    Figure,
    Goal,
    Note,
    Skipped,
    at_least,
    at_most,
    line_of,
    meaning,
    number,
    ratio,
    results_of,
    slope,
    slope_of,
)


def figure(ours: list[float], peers: list[float], goal: Goal | None = None, *, less: bool = False) -> Figure:
    return Figure(case="c", unit="ms", ours=ours, peers=peers, peer="p", less=less, goal=goal)


@pytest.mark.parametrize(("less", "ratios"), [(False, [2.0, 0.5]), (True, [0.5, 2.0])])
def test_a_ratio_over_1_is_better_than_the_peer_whichever_way_is_better(less: bool, ratios: list[float]) -> None:
    assert figure([4, 1], [2, 2], less=less).ratios == ratios


def test_a_round_without_a_figure_has_no_ratio() -> None:
    assert figure([0, 2], [3, 1]).ratios == [2.0]


@pytest.mark.parametrize(
    ("goal", "reached"),
    [
        (ratio(2), "reached"),
        (ratio(3), "missed"),
        (ratio(3, acceptable=2), "acceptable"),
        (at_least(4), "reached"),
        (at_least(5), "missed"),
        (at_most(4), "reached"),
        (at_most(3), "missed"),
        (None, ""),
    ],
)
def test_a_goal_is_judged_by_the_median_of_what_it_is_about(goal: Goal | None, reached: str) -> None:
    assert figure([1, 4, 9], [2, 2, 2], goal).reached == reached


def test_a_goal_beside_a_peer_that_is_missing_is_not_judged() -> None:
    assert figure([1, 2], [], ratio(1)).reached == ""


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0, 2.0])
def test_the_slope_of_a_power_is_that_power(power: float) -> None:
    at = [10, 100, 1000]
    assert slope_of(at, [7 * one**power for one in at]) == pytest.approx(power)


def test_a_slope_needs_two_points() -> None:
    assert math.isnan(slope_of([1, 10], [0, 5]))


@pytest.mark.parametrize(
    ("power", "told"),
    [(0.02, "flat"), (0.5, "less than straight"), (0.98, "straight"), (1.5, "MORE than straight")],
)
def test_a_slope_is_told_in_words(power: float, told: str) -> None:
    assert meaning(power).startswith(f"{told}; ten times as many: ")


def test_a_curve_is_judged_by_its_slope_or_at_its_end() -> None:
    climbing = Curve(case="c", grows="pods", at=[1, 10], unit="s", ours=[[1], [10]], goal=slope(0.5))
    assert climbing.reached == "missed"
    climbing.goal = at_most(10)
    assert climbing.reached == "reached"


def test_what_was_told_comes_back_from_its_lines_but_for_one_that_was_cut_off() -> None:
    told = [
        figure([1, 2], [2, 3], ratio(1, acceptable=0.8), less=True),
        Curve(case="c", grows="pods", at=[1, 10], unit="s", ours=[[1], [10]]),
        Skipped(what="w", reason="r", advice="a"),
        Note(text="t"),
    ]
    text = b"".join(map(line_of, told))
    assert results_of(text) == told
    assert results_of(text[:-3]) == told[:-1]


@pytest.mark.parametrize(
    ("value", "text"), [(12345.6, "12,346"), (123.4, "123"), (12.34, "12.3"), (1.234, "1.23"), (0.0123, "0.012")]
)
def test_a_number_has_three_digits_that_count(value: float, text: str) -> None:
    assert number(value) == text


def test_a_square_that_hides_behind_what_never_changes_is_found_at_the_end_of_the_curve() -> None:
    told = Curve(case="start", grows="services", at=[10, 100, 1000, 10_000], unit="s", ours=[[1], [1], [1.6], [62]])
    told.goal = slope(1.1)
    assert told.slope < 1.1 < told.end_slope
    assert told.reached == "missed"


@pytest.mark.parametrize("part", [services, connections, edges])
def test_each_curve_of_growth_is_of_something_that_is_found(part: ModuleType) -> None:
    assert {field for field, *_ in part.CURVES} == set(part.Found._fields)
