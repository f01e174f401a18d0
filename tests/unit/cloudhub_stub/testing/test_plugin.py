"""What the marker ``edges`` may say."""

from typing import Any

import pytest

from cloudhub_stub.testing.plugin import wanted


@pytest.mark.parametrize(
    ("args", "edges"), [((0,), 0), ((2,), 2), (("north",), ("north",)), (("north", "south"), ("north", "south"))]
)
def test_a_number_or_names_are_what_is_wanted(args: tuple[Any, ...], edges: object) -> None:
    assert wanted(pytest.Mark("edges", args, {}, _ispytest=True)) == edges


@pytest.mark.parametrize(
    ("args", "keywords"), [((), {}), ((-1,), {}), ((1, 2), {}), (("north", 1), {}), ((1.5,), {}), ((1,), {"x": 1})]
)
def test_anything_else_is_wrong_usage_that_says_what_is_right(args: tuple[Any, ...], keywords: dict[str, Any]) -> None:
    with pytest.raises(pytest.UsageError, match=r"write @pytest.mark.edges\(2\)"):
        wanted(pytest.Mark("edges", args, keywords, _ispytest=True))
