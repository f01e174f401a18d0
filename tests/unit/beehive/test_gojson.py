"""JSON text to the byte as Go writes it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.beehive.gojson import escaped, marshal

TEXTS = st.text(
    alphabet=st.sampled_from('ab\\"/<>&\b\f\n\r\t\0\x1f\x7fé\u2027\u2028\u2029\u202a😀 ')
    | st.characters(exclude_categories=("Cs",))
)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("<a & b>", r"\u003ca \u0026 b\u003e"),
        ("\u2028\u2029", r"\u2028\u2029"),
        ("\b\f\n\r\t\x01", r"\u0008\u000c\n\r\t\u0001"),
        ("a\\b\\f", r"a\\b\\f"),
        ("\\\b", r"\\\u0008"),
        ("é/\x7f", "é/\x7f"),
    ],
)
def test_characters_are_escaped_as_by_go(text: str, written: str) -> None:
    assert marshal(text).decode() == f'"{written}"'


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
        lambda each: st.lists(each, max_size=3) | st.dictionaries(TEXTS, each, max_size=3),
    )
)
def test_the_value_stays_what_it_is(value: object) -> None:
    assert json.loads(marshal(value)) == value
    assert escaped(marshal(value)) == marshal(value)
