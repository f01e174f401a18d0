"""Quantities: the forms that Kubernetes takes, their size, and that nothing else is taken."""

from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cloudhub_stub.cluster.quantities import MAX_AMOUNT, amount, canonical, milli, whole
from cloudhub_stub.errors import Invalid


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("0", 0),
        ("2", 2),
        ("+2", 2),
        ("-2", -2),
        ("0.5", Fraction(1, 2)),
        (".5", Fraction(1, 2)),
        ("5.", 5),
        ("100m", Fraction(1, 10)),
        ("3u", Fraction(3, 10**6)),
        ("3n", Fraction(3, 10**9)),
        ("1k", 1000),
        ("1Ki", 1024),
        ("64Mi", 64 * 1024**2),
        ("1.5Gi", 1536 * 1024**2),
        ("2E", 2 * 10**18),
        ("1e3", 1000),
        ("1E3", 1000),
        ("1.5e-1", Fraction(15, 100)),
        (2, 2),
        (0.5, Fraction(1, 2)),
    ],
)
def test_each_form_has_its_size(text: str | float, units: int | Fraction) -> None:
    assert amount(text) == units


@pytest.mark.parametrize(
    "text", ["", " 1", "1 ", "1K", "1ki", "1mi", "e3", "1e", "1e1.5", ".", "--1", "1.2.3", "٣", "x"]
)
def test_another_form_is_no_quantity(text: str) -> None:
    with pytest.raises(Invalid, match="is no quantity"):
        amount(text)


@pytest.mark.parametrize("value", [True, float("nan"), float("inf"), "1" * 5000])
def test_what_is_no_number_or_endless_is_no_quantity(value: str | float) -> None:
    with pytest.raises(Invalid):
        amount(value)


def test_a_larger_amount_than_fits_counts_as_the_largest() -> None:
    assert amount("1e999") == amount("16Ei") == MAX_AMOUNT


@pytest.mark.parametrize(("text", "expected"), [("1", 1000), ("0.1m", 1), ("-0.1m", -1), ("1n", 1), ("0", 0)])
def test_thousandths_are_rounded_away_from_zero(text: str, expected: int) -> None:
    assert milli(text) == expected


def test_units_are_rounded_away_from_zero() -> None:
    assert (whole("1500m"), whole("2"), whole("-100m")) == (2, 2, -1)


@given(st.text() | st.from_regex(r"[+-]?[0-9.]{1,5}[eEinumkKMGTP]{0,2}[+-]?[0-9]{0,4}", fullmatch=True))
@example("1e-999")
def test_any_text_is_a_bounded_amount_or_invalid(text: str) -> None:
    try:
        found = amount(text)
    except Invalid:
        return
    assert abs(found) <= MAX_AMOUNT


@given(st.integers(-(10**15), 10**15))
def test_a_whole_number_is_itself(number: int) -> None:
    assert whole(str(number)) == number
    assert milli(number) == number * 1000


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("0", "0"),
        ("0Mi", "0"),
        ("2", "2"),
        (2, "2"),
        (0.5, "500m"),
        ("0.5", "500m"),
        ("1000m", "1"),
        ("1500", "1500"),
        ("2000", "2k"),
        ("64Mi", "64Mi"),
        ("1.5Gi", "1536Mi"),
        ("1024Mi", "1Gi"),
        ("1Ki", "1Ki"),
        ("0.5Ki", "512"),
        ("12e6", "12e6"),
        ("1500e-3", "1500e-3"),
        ("2E", "2E"),
        ("0.1n", "1n"),
        ("-1000m", "-1"),
    ],
)
def test_an_amount_is_written_as_kubernetes_does(text: str | float, written: str) -> None:
    assert canonical(text) == written


@given(st.from_regex(r"[0-9]{1,6}(\.[0-9]{1,3})?(m|k|M|Ki|Mi|Gi|e3|e-3)?", fullmatch=True))
def test_writing_an_amount_again_changes_neither_text_nor_size(text: str) -> None:
    written = canonical(text)
    assert canonical(written) == written
    assert amount(written) == amount(text)
