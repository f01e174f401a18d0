"""Cells under each other."""

from hypothesis import given
from hypothesis import strategies as st

from edgecore.control.columns import Columns, aligned, one_line

CELL = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


def test_columns_are_three_apart_and_six_wide_at_least() -> None:
    assert Columns().lines([["A", "LONG NAME", "X"], ["b", "c", "d"]]) == [
        "A     LONG NAME   X",
        "b     c           d",
    ]


def test_what_comes_later_is_aligned_with_what_was_there() -> None:
    columns = Columns()
    columns.lines([["a-long-name", "x"]])
    assert columns.lines([["b", "y"]]) == ["b             y"]


def test_a_wider_cell_widens_what_follows_it() -> None:
    columns = Columns()
    columns.lines([["a", "x"]])
    columns.lines([["a-long-name", "x"]])
    assert columns.lines([["b", "y"]]) == ["b             y"]


def test_a_block_ends_where_a_line_has_no_such_cell() -> None:
    rows = [("Name:", "x"), ("Labels:", "a=b"), ("", "c=d"), ("Title:",), ("  A very long one:", "y")]
    assert aligned(rows).split("\n") == [
        "Name:    x",
        "Labels:  a=b",
        "         c=d",
        "Title:",
        "  A very long one:  y",
    ]


def test_nothing_is_no_line() -> None:
    assert aligned([]) == ""
    assert Columns().lines([]) == []


def test_what_would_move_the_cursor_is_escaped() -> None:
    assert one_line("a\x1b[2Jb\nc\u2028é") == r"a\x1b[2Jb\nc\u2028é"


@given(st.lists(st.lists(CELL, min_size=1, max_size=4), max_size=8))
def test_each_row_is_one_line_with_all_its_cells_in_order(rows: list[list[str]]) -> None:
    for lines in (aligned(rows).split("\n") if rows else [], Columns().lines(rows)):
        assert len(lines) == len(rows)
        for line, row in zip(lines, rows, strict=True):
            place = 0
            for cell in filter(str.strip, row):
                place = line.index(one_line(cell).rstrip(), place) + len(one_line(cell).rstrip())
