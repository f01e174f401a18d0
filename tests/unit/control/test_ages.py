"""Ages and dates as kubectl shows them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.control.ages import age, date, duration, duration_ms, instant_ms, time_of_day, timestamp

M, H, D, Y = 60, 3600, 86400, 365 * 86400


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-2, "<invalid>"),
        (-1.9, "0s"),
        (-1, "0s"),
        (0, "0s"),
        (1.999, "1s"),
        (119, "119s"),
        (2 * M, "2m"),
        (2 * M + 1, "2m1s"),
        (9 * M + 59, "9m59s"),
        (10 * M + 59, "10m"),
        (3 * H - 1, "179m"),
        (3 * H, "3h"),
        (3 * H + 5 * M, "3h5m"),
        (8 * H - 1, "7h59m"),
        (8 * H + 59 * M, "8h"),
        (47 * H, "47h"),
        (48 * H, "2d"),
        (49 * H, "2d1h"),
        (8 * D - 1, "7d23h"),
        (8 * D + 5 * H, "8d"),
        (2 * Y - 1, "729d"),
        (2 * Y, "2y"),
        (2 * Y + 3 * D, "2y3d"),
        (8 * Y + 300 * D, "8y"),
    ],
)
def test_a_duration_is_shown_in_its_largest_units(seconds: float, text: str) -> None:
    assert duration(round(seconds * 1000)) == text


@pytest.mark.parametrize(
    "timestamp", [None, "", "soon", "2020-05-04", "2020-05-04T10:00:00", 5, "9999-99-99T00:00:00Z"]
)
def test_what_is_no_instant_has_an_unknown_age(timestamp: object) -> None:
    assert age(timestamp, 0) == "<unknown>"
    assert date(timestamp) == "<unknown>"


def test_an_age_is_the_time_since() -> None:
    assert age("1970-01-01T00:00:01Z", 6500) == "5s"
    assert age("1970-01-01T00:00:01.5+00:00", 6500) == "5s"


def test_a_date_is_written_out_in_utc() -> None:
    assert date("2020-05-04T12:00:00+02:00") == "Mon, 04 May 2020 10:00:00 +0000"


def test_a_time_of_day_has_milliseconds() -> None:
    assert time_of_day(1_589_000_000_123) == "04:53:20.123"
    assert time_of_day(1_589_000_000_000) == "04:53:20.000"


@given(st.datetimes(timezones=st.just(UTC)))
def test_every_instant_of_the_calendar_can_be_shown(instant: datetime) -> None:
    at_ms = instant_ms(instant.isoformat())
    assert at_ms is None or abs(at_ms - instant.timestamp() * 1000) <= 1
    assert date(instant.isoformat())


@given(st.text() | st.from_regex(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)", fullmatch=True))
def test_no_text_breaks_it(text: str) -> None:
    assert age(text, 0)
    assert date(text)


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("10m", 600), ("1h30m", 5400), ("2d", 172_800), ("1w", 604_800), ("0s", 0)]
)
def test_a_duration_is_read(text: str, seconds: int) -> None:
    assert duration_ms(text) == seconds * 1000


@pytest.mark.parametrize("text", ["", "10", "m", "-1m", "1.5h", "1y", "10m ", "\u0661m"])
def test_what_is_no_duration_is_an_error_with_examples(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration; write it as 90s, 10m, 1h30m"):
        duration_ms(text)


@pytest.mark.parametrize(
    ("at_ms", "text"), [(1_589_000_000_123, "2020-05-09T04:53:20.123Z"), (10**18, "1000000000000000000")]
)
def test_an_instant_is_written_as_rfc_3339_where_a_calendar_has_it(at_ms: int, text: str) -> None:
    assert timestamp(at_ms) == text
