"""Words of YAML without quotes: what they are to kubectl."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.cluster.scalars import value_of_word


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("", None),
        ("~", None),
        ("null", None),
        ("true", True),
        ("yes", True),
        ("On", True),
        ("y", True),
        ("no", False),
        ("OFF", False),
        ("0", 0),
        ("-12", -12),
        ("+1", 1),
        ("1_000", 1000),
        ("010", 8),
        ("0o10", 8),
        ("0644", 420),
        ("0x1F", 31),
        ("0b101", 5),
        ("-0x1", -1),
        ("18446744073709551615", 2**64 - 1),
        ("1.5", 1.5),
        (".5", 0.5),
        ("1e+3", 1000.0),
    ],
)
def test_a_word_is_null_a_boolean_or_a_number(word: str, value: Any) -> None:
    found = value_of_word(word)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    "word",
    [
        "nginx",
        "2020-01-01",
        "2020-01-01T10:00:00Z",
        "12:30",
        "1.2.3",
        "1e3",
        "1.",
        "64Mi",
        "100m",
        "-",
        ".",
        "+",
        "0x",
        "0b2",
        "yEs",
        "nULL",
        "10.0.0.1",
        "0x_",
        "=",
    ],
)
def test_any_other_word_is_text(word: str) -> None:
    assert value_of_word(word) == word


@pytest.mark.parametrize(
    "word", ["18446744073709551616", "-9223372036854775809", "9" * 5000, "1.5e+999", ".inf", ".NaN"]
)
def test_a_number_that_json_readers_cannot_hold_is_refused(word: str) -> None:
    with pytest.raises(ValueError, match="number"):
        value_of_word(word)


@given(st.text(alphabet="0123456789abcdefxo_+-.eEinfNAybtrul~:", max_size=12))
def test_every_word_has_a_value_or_is_refused(word: str) -> None:
    try:
        found = value_of_word(word)
    except ValueError as error:
        assert "number" in str(error)  # noqa: PT017 - most words are taken
        return
    assert found is None or isinstance(found, bool | int | float | str)
