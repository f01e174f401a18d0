"""How a soak judges whether something grows, and which lines of a log it lets pass."""

import random

import pytest

from soak.explained import EXPLAINED, findings
from soak.flatness import Bound, Sample, growths, slope


def judged(values: list[float], bound: Bound) -> bool:
    samples = [Sample(float(at), {"x": value}) for at, value in enumerate(values)]
    [growth] = growths(samples, {"x": bound})
    return growth.is_flat


def test_a_straight_line_has_its_slope() -> None:
    assert slope([(x, 3.0 * x + 1) for x in range(10)]) == pytest.approx(3.0)


def test_a_single_high_sample_does_not_move_the_slope() -> None:
    assert slope([(x, 1000.0 if x == 9 else 0.0) for x in range(10)]) == 0.0


def test_one_more_with_each_sample_is_growth() -> None:
    assert not judged([100.0 + at for at in range(60)], Bound(10))


def test_growth_under_noise_is_growth() -> None:
    numbers = random.Random(1)
    assert not judged([100.0 + at + numbers.uniform(-15, 15) for at in range(120)], Bound(20))


def test_noise_without_growth_is_flat() -> None:
    numbers = random.Random(1)
    assert judged([100.0 + numbers.uniform(-15, 15) for _ in range(120)], Bound(10))


def test_what_fills_during_the_warm_up_alone_is_flat() -> None:
    assert judged([float(min(at, 20)) for at in range(90)], Bound(1))


def test_what_shrinks_is_flat() -> None:
    assert judged([100.0 - at for at in range(60)], Bound(1))


def test_a_share_of_the_level_is_allowed_where_the_bound_says_so() -> None:
    values = [1000.0 + at / 10 for at in range(90)]
    assert judged(values, Bound(0, 0.01))
    assert not judged(values, Bound(0, 0.001))


def test_a_warning_that_nobody_explained_is_counted() -> None:
    line = {"level": "warning", "logger": "edgemesh", "event": "something_new", "reason": "why"}
    assert findings([line, line]) == {"warning edgemesh something_new reason=why": 2}


def test_an_explained_warning_and_what_is_no_warning_are_let_pass() -> None:
    lines = [{"level": "warning", "event": "cloud_lost"}, {"level": "info", "event": "something_new"}]
    assert not findings(lines)


def test_an_explained_event_with_other_values_is_counted() -> None:
    line = {"level": "warning", "event": "request_failed", "reason": "no_pods", "details": "service default/still-http"}
    assert findings([line])


def test_every_explanation_has_a_reason() -> None:
    assert all(len(each.reason) > 20 for each in EXPLAINED)
