import sqlite3
from contextlib import closing

import pytest

from edgecore.store.shape import Shape, differences, expected_shape, is_of_another_program, shape_of

OURS = ("CREATE TABLE meta (key text NOT NULL PRIMARY KEY, value text)", "CREATE INDEX by_value ON meta (value)")


def found(*texts: str) -> Shape:
    with closing(sqlite3.connect(":memory:")) as connection:
        for text in texts:
            connection.execute(text)
        return shape_of(connection)


def test_indexes_are_no_part_of_what_is_expected() -> None:
    assert list(expected_shape(OURS)) == ["meta"]


@pytest.mark.parametrize(
    "texts",
    [
        OURS,
        ("CREATE TABLE Meta2 (x)", *OURS),
        ('CREATE TABLE "meta" ("KEY" varchar PRIMARY KEY, Value blob)',),
        ("CREATE TABLE meta (key PRIMARY KEY, value, more, most NOT NULL DEFAULT 1)",),
        (),
    ],
)
def test_tables_that_take_our_rows_do_not_differ(texts: tuple[str, ...]) -> None:
    assert list(differences(found(*texts), expected_shape(OURS))) == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("CREATE TABLE meta (key text PRIMARY KEY)", "meta has no column value"),
        ("CREATE TABLE meta (key, value)", "meta has another primary key"),
        ("CREATE TABLE meta (key, value, PRIMARY KEY (key, value))", "meta has another primary key"),
        ("CREATE VIEW meta AS SELECT 1 AS key, 2 AS value", "meta is no table"),
        ("CREATE TABLE meta (key PRIMARY KEY, value, x NOT NULL)", "meta wants a column x that we do not write"),
    ],
)
def test_a_table_that_does_not_take_our_rows_is_named_with_the_reason(text: str, why: str) -> None:
    assert list(differences(found(text), expected_shape(OURS))) == [why]


def test_a_file_is_of_another_program_if_it_has_tables_but_none_of_ours() -> None:
    expected = expected_shape(OURS)
    assert is_of_another_program(found("CREATE TABLE moz_places (x)"), expected)
    assert not is_of_another_program(found("CREATE TABLE moz_places (x)", *OURS), expected)
    assert not is_of_another_program(found(), expected)
    assert not is_of_another_program(found("CREATE TABLE moz_places (x)"), expected_shape(()))
