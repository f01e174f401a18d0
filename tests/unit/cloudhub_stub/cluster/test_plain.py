"""Plain JSON: what goes over the wire, and where what does not stands."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.cluster.plain import MAX_DEPTH, refuse_unplain
from cloudhub_stub.errors import Invalid


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"a": value}
    return value


@pytest.mark.parametrize("value", [None, True, -(2**63), 2**64 - 1, 1.5, "é\U0001f600", [], {"a": [{}]}, nested(64)])
def test_what_is_json_is_taken(value: Any) -> None:
    refuse_unplain(value)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"a": [1, float("inf")]}, "a[1]: it is inf, which JSON does not have"),
        ([{"b": -(2**63) - 1}], "[0].b: it is a number of more than 64 bits"),
        ({"a": {"b": "\udc00"}}, "a.b: it holds half a character"),
        ({"a": {"\udc00": 1}}, "a: a key holds half a character"),
        ({"a": {None: 1}}, "a: the key None is not text"),
        ({"a": {1, 2}}, "a: it is {1, 2}, which JSON does not have"),
        (b"x", "it is b'x'"),
    ],
)
def test_what_is_not_is_told_where_it_stands(value: Any, said: str) -> None:
    with pytest.raises(Invalid) as raised:
        refuse_unplain(value)
    assert str(raised.value).startswith(said)


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 5000])
def test_depth_is_bounded(depth: int) -> None:
    with pytest.raises(Invalid, match="nested deeper than 64 levels"):
        refuse_unplain(nested(depth))


def test_a_long_key_is_shown_by_its_beginning() -> None:
    with pytest.raises(Invalid) as raised:
        refuse_unplain({"k" * 1000: {"b": float("nan")}})
    assert len(str(raised.value)) < 150


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=[])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(_JSON)
def test_what_is_taken_can_be_encoded_and_comes_back(value: Any) -> None:
    try:
        refuse_unplain(value)
    except Invalid:
        return
    assert json.loads(json.dumps(value, ensure_ascii=False, allow_nan=False).encode()) == value
