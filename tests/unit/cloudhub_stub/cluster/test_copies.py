"""Changed copies: what they hold, what they share with the original, and that the original stays."""

import copy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.cluster.copies import changed, filled, mapped, replaced, without_nulls


def test_replacing_a_value_leaves_the_original() -> None:
    original = {"a": 1, "b": 2}
    assert replaced(original, "a", 3) == {"a": 3, "b": 2}
    assert original == {"a": 1, "b": 2}


def test_replacing_a_value_by_itself_copies_nothing() -> None:
    original = {"a": [1]}
    assert replaced(original, "a", original["a"]) is original


def test_a_null_is_set_where_the_key_is_missing() -> None:
    assert replaced({}, "a", None) == {"a": None}


def test_what_is_not_there_is_not_changed() -> None:
    original: dict[str, Any] = {"b": 1}
    assert changed(original, "a", lambda _: 2) is original
    assert changed(original, "b", lambda value: value + 1) == {"b": 2}


def test_missing_keys_and_empty_texts_are_filled_and_others_stay() -> None:
    original = {"a": "", "b": 0, "c": "x"}
    assert filled(original, {"a": 1, "b": 2, "c": 3, "d": 4}) == {"a": 1, "b": 0, "c": "x", "d": 4}


def test_nothing_to_fill_copies_nothing() -> None:
    original = {"a": False}
    assert filled(original, {"a": True}) is original


def test_a_list_of_which_no_item_changes_is_the_same_list() -> None:
    original = [{}, {}]
    assert mapped(original, lambda item: item) is original
    assert mapped([1, 2], lambda item: item + 1) == [2, 3]


def test_nulls_go_at_any_depth_but_stay_as_items() -> None:
    assert without_nulls({"a": None, "b": [{"c": None, "d": 1}, None]}) == {"b": [{"d": 1}, None]}


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(0, 3) | st.sampled_from(["", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=12,
)


@given(_JSON)
def test_without_nulls_nothing_is_left_to_remove_and_the_original_stays(value: Any) -> None:
    before = copy.deepcopy(value)
    found = without_nulls(value)
    assert without_nulls(found) is found
    assert value == before
