"""Readers: what they take, what they leave out, and how they refuse."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.controllers.shapes import (
    Reader,
    flag,
    in_any_case,
    instant,
    listed,
    mapped,
    quantity,
    record,
    text,
    whole,
    word,
)
from edgecore.errors import ContentError

PERSON = record({"name": text, "age": whole, "tags": listed(text)}, {"name": ""})

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["name", "age", "tags", "x"]), inner),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("reader", "value"),
    [
        (text, 1),
        (flag, "true"),
        (flag, 1),
        (whole, True),
        (whole, 1.0),
        (whole, 2**63),
        (instant, "yesterday"),
        (instant, 0),
        (quantity, "-1"),
        (quantity, "1e999"),
        (quantity, "1 Mi"),
        (quantity, True),
        (quantity, float("inf")),
        (quantity, "x" * 100_000),
        (word("a", "b"), "c"),
        (listed(text), {}),
        (mapped(text), []),
        (PERSON, "x"),
        (PERSON, None),
    ],
)
def test_a_value_of_another_type_is_refused_by_its_path(reader: Reader, value: Any) -> None:
    with pytest.raises(ContentError, match=r"^cannot read a\.b: expected .{1,80}$"):
        reader(value, "a.b")


@pytest.mark.parametrize("reader", [whole, quantity], ids=["whole", "quantity"])
def test_a_number_that_python_would_not_print_is_refused(reader: Reader) -> None:
    with pytest.raises(ContentError, match="found a number"):
        reader(10**5000, "a")


@pytest.mark.parametrize("value", ["2", "100m", "24005Mi", "1.5Gi", "1e3", "12E", "0"])
def test_a_quantity_stays_as_it_is_written(value: str) -> None:
    assert quantity(value, "") == value


@pytest.mark.parametrize(("value", "written"), [(2, "2"), (1.5, "1.5")])
def test_a_quantity_may_be_a_number(value: float, written: str) -> None:
    assert quantity(value, "") == written


def test_an_instant_is_brought_to_utc_and_whole_seconds() -> None:
    assert instant("2020-05-09T06:53:20.9+02:00", "") == "2020-05-09T04:53:20Z"


@pytest.mark.parametrize("value", ["", "0001-01-01T00:00:00Z"])
def test_the_zero_instant_of_go_is_none(value: str) -> None:
    assert instant(value, "") is None


def test_a_record_keeps_what_it_knows_in_its_own_order() -> None:
    assert list(PERSON({"age": 3, "shoe": 44, "name": "a"}, "").items()) == [("name", "a"), ("age", 3)]


def test_null_is_as_if_it_were_not_there() -> None:
    assert PERSON({"name": None, "age": None}, "") == {"name": ""}


def test_the_path_leads_to_the_place_inside() -> None:
    with pytest.raises(ContentError, match=r"cannot read people\[1\]\.tags\[0\]: expected a text, found a list"):
        listed(PERSON)([{}, {"tags": [[]]}], "people")


def test_the_path_names_the_key_of_a_map() -> None:
    with pytest.raises(ContentError, match=r"cannot read capacity\[cpu\]: expected a quantity, found 'many'"):
        mapped(quantity)({"cpu": "many"}, "capacity")


def test_fields_are_found_in_any_case_and_the_last_one_counts() -> None:
    assert in_any_case({"uid": 1, "STATUS": 2, "Uid": 3, "more": 4}, ("UID", "Status"), "") == {"UID": 3, "Status": 2}


@given(JSON)
def test_whatever_comes_is_read_or_refused(value: Any) -> None:
    try:
        read = PERSON(value, "")
    except ContentError:
        return
    assert PERSON(read, "") == read
