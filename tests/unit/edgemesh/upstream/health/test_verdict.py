import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.edgemesh.upstream.health.verdict import Verdict


@pytest.mark.parametrize(
    ("results", "rise", "fall", "verdicts"),
    [
        ("+", 1, 3, "+"),
        ("---", 1, 3, "??-"),
        ("-+--", 1, 3, "?+++"),
        ("+--+---", 1, 3, "++++++-"),
        ("---+-++", 2, 3, "??----+"),
        ("-", 1, 1, "-"),
    ],
)
def test_as_many_results_in_a_row_as_rise_and_fall_say_turn_the_verdict(
    results: str, rise: int, fall: int, verdicts: str
) -> None:
    verdict, found = Verdict(), ""
    for result in results:
        before = verdict.well
        assert verdict.enter(result == "+", rise, fall) == (verdict.well is not before)
        found += {None: "?", True: "+", False: "-"}[verdict.well]

    assert found == verdicts


@given(st.lists(st.booleans(), max_size=40), st.integers(1, 5), st.integers(1, 5))
def test_a_verdict_agrees_with_the_last_row_that_was_long_enough(results: list[bool], rise: int, fall: int) -> None:
    verdict = Verdict()
    for result in results:
        verdict.enter(result, rise, fall)

    expected = None
    for end in range(len(results) + 1):
        if results[:end][-rise:] == [True] * rise:
            expected = True
        if results[:end][-fall:] == [False] * fall:
            expected = False
    assert verdict.well is expected
