"""Which benchmarks a run takes."""

from pathlib import Path

import pytest
from story.areas import AREAS, areas_named

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"


def test_every_script_is_an_area_and_every_area_a_script() -> None:
    scripts = {path.stem for path in BENCHMARKS.glob("*.py")} - {"__main__"}
    assert {area.name for area in AREAS} == scripts


def test_all_areas_together_are_given_a_quarter_of_an_hour_and_quick_ones_four_minutes() -> None:
    assert sum(area.usual_s for area in AREAS) <= 15 * 60
    assert sum(area.quick_s for area in AREAS) <= 4 * 60


def test_areas_come_in_their_own_order_whatever_the_wish() -> None:
    first, second = AREAS[0], AREAS[1]
    assert areas_named([second.name, first.name]) == (first, second)
    assert areas_named(None) == AREAS


def test_a_name_that_no_area_has_is_refused() -> None:
    with pytest.raises(KeyError, match="dsn"):
        areas_named(["dsn"])
