"""Instants, as Kubernetes writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.cluster.instants import is_zero, rfc3339, unix_ms


def test_milliseconds_are_cut_off() -> None:
    assert rfc3339(1_589_000_000_999) == "2020-05-09T04:53:20Z"


@pytest.mark.parametrize(
    "text",
    ["2020-05-09T04:53:20.5Z", "2020-05-09T04:53:20.500000001Z", "2020-05-09T06:53:20.5+02:00"],
)
def test_fractions_and_zones_are_read(text: str) -> None:
    assert unix_ms(text) == 1_589_000_000_500


@pytest.mark.parametrize(
    "text",
    [
        "",
        "now",
        "2020-05-09",
        "2020-W19-6",
        "2020-13-09T04:53:20Z",
        "2020-05-09T04:53:60Z",
        "2020-05-09T04:53:20",
        "2020-05-09T04:53:20+99:00",
        "9999-12-31T23:59:59-23:00",
        "0001-01-01T00:00:00Z",
        "\uff12\uff10\uff12\uff10-05-09T04:53:20Z",
        "2020-05-09T04:53:20Z\n",
    ],
)
def test_what_is_no_instant_or_means_that_none_is_known_is_none(text: str) -> None:
    assert unix_ms(text) is None


def test_the_zero_instant_of_go_is_known() -> None:
    assert is_zero("0001-01-01T00:00:00Z")
    assert not is_zero("2020-05-09T04:53:20Z")


@given(st.integers(-60_000_000_000_000, 250_000_000_000_000))
def test_what_was_written_is_read_to_the_second(at_ms: int) -> None:
    assert unix_ms(rfc3339(at_ms)) == at_ms // 1000 * 1000


@given(st.text())
def test_any_text_is_read_without_an_exception(text: str) -> None:
    unix_ms(text)


@given(st.from_regex(r"[09][0-9]{3}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:59:59[+-][0-2][0-9]:00", fullmatch=True))
def test_whatever_is_read_can_be_written(text: str) -> None:
    at_ms = unix_ms(text)
    assert at_ms is None or unix_ms(rfc3339(at_ms)) == at_ms
