"""Durations in words."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.timespans import duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.9, "59 s"), (60, "1 min"), (3600, "1 h"), (3661, "1 h 1 min"), (90000, "1 d 1 h"), (86460, "1 d")],
)
def test_a_duration_has_its_two_largest_units(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@given(st.integers(0, 10**9))
def test_any_duration_is_at_most_two_numbers(seconds: int) -> None:
    assert 1 <= len(duration(seconds).split()) // 2 <= 2
