"""Names, values and types of twins: what is taken, and the text that says why not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.devicetwin import values
from edgecore.modules.devicetwin.values import check_key, check_type, check_value

EVERY_CHARACTER = "azAZ09-_.,:/@#"


def test_the_texts_are_those_of_kubeedge() -> None:
    assert values.NOT_INT == "the value is not int"
    assert values.NOT_FLOAT == "the value is not float"
    assert values.NOT_BOOLEAN == "the bool value must be true or false"
    assert values.BAD_TYPE == "the value type is not allowed"
    assert values.BAD_BODY == "Unmarshal update request body failed, Please check the request"
    assert values.NO_TWIN == "Update twin error, the update request body not have key:twin"
    assert values.BAD_KEY == (
        "The key of twin must be only include upper or lowercase letter, number, english, and special letter "
        "- _ . , : / @ # and length of key under 128"
    )
    assert values.BAD_VALUE == (
        "The value of twin must be only include upper or lowercase letter, number, english, and special letter "
        "- _ . , : / @ # and length of key under 512"
    )


@pytest.mark.parametrize("key", [EVERY_CHARACTER, "a", "x" * 128])
def test_a_key_of_the_right_characters_is_taken(key: str) -> None:
    assert check_key(key) is None


@pytest.mark.parametrize("key", ["", "x" * 129, "a b", "ä", "a\n", "a$", "٣"])
def test_any_other_key_is_refused(key: str) -> None:
    assert check_key(key) == values.BAD_KEY


@pytest.mark.parametrize("value", ["", EVERY_CHARACTER, "x" * 512])
def test_a_value_of_the_right_characters_is_taken_and_the_empty_one(value: str) -> None:
    assert check_value(value) is None


@pytest.mark.parametrize("value", ["x" * 513, "a b", "1\n", "{}"])
def test_any_other_value_is_refused(value: str) -> None:
    assert check_value(value) == values.BAD_VALUE


@pytest.mark.parametrize(
    ("type_", "value"),
    [
        ("", "anything"),
        ("string", ""),
        ("deleted", "x"),
        ("boolean", "true"),
        ("boolean", "false"),
        *(("int", each) for each in ("0", "-1", "+7", "007", str(2**63 - 1), str(-(2**63)))),
        *(("float", each) for each in ("1", "-1.5", "+.5", "5.", "1e3", "1E-3", "1_0.5", "1e-999")),
        *(("float", each) for each in ("NaN", "inf", "-Infinity", "0x1p-2", "0X_1.8P+1")),
    ],
)
def test_a_value_of_its_type_is_taken(type_: str, value: str) -> None:
    assert check_type(type_, value) is None


@pytest.mark.parametrize(
    ("type_", "value", "text"),
    [
        *(("int", each, values.NOT_INT) for each in ("", "abc", "1.0", "1_0", " 1", "0x1", "--1", "٣", str(2**63))),
        *(("float", each, values.NOT_FLOAT) for each in ("", ".", "abc", "1e", " 1", "1e999", "+nan", "0x1", "1__0")),
        ("float", "0x1p99999", values.NOT_FLOAT),
        ("float", "infin", values.NOT_FLOAT),
        *(("boolean", each, values.NOT_BOOLEAN) for each in ("", "True", "1", "yes")),
        *((each, "x", values.BAD_TYPE) for each in ("Updated", "integer", "bytes", "String", "double")),
    ],
)
def test_any_other_value_is_told_as_kubeedge_does(type_: str, value: str, text: str) -> None:
    assert check_type(type_, value) == text


def test_a_number_of_a_million_digits_is_refused_at_once() -> None:
    assert check_type("int", "9" * 1_000_000) == values.NOT_INT
    assert check_type("float", "1" + "0" * 1_000_000) == values.NOT_FLOAT


@given(st.integers())
def test_an_int_is_what_fits_into_64_bits(number: int) -> None:
    assert (check_type("int", str(number)) is None) == (-(2**63) <= number < 2**63)


@given(st.floats())
def test_every_float_is_one(number: float) -> None:
    assert check_type("float", repr(number)) is None


@given(st.text(), st.sampled_from(["", "string", "int", "float", "boolean", "deleted"]) | st.text())
def test_every_value_is_taken_or_told(value: str, type_: str) -> None:
    texts = {None, values.NOT_INT, values.NOT_FLOAT, values.NOT_BOOLEAN, values.BAD_TYPE}
    assert check_type(type_, value) in texts
    assert check_key(value) in {None, values.BAD_KEY}
    assert check_value(value) in {None, values.BAD_VALUE}
