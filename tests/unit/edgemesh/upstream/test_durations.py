import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.edgemesh.upstream.durations import duration_s


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5s", 5),
        ("1m30s", 90),
        ("250ms", 0.25),
        ("1.5h", 5400),
        ("1h1m1s", 3661),
        (".5s", 0.5),
        ("100us", 0.0001),
        ("100µs", 0.0001),
        ("5ns", 5e-9),
        ("5", 5),
        ("0.25", 0.25),
        ("0", 0),
        ("0s", 0),
    ],
)
def test_durations_are_read_as_go_writes_them_and_as_seconds(text: str, seconds: float) -> None:
    assert duration_s(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    ["", " ", "5 s", "-5s", "+5s", "5x", "s", "1m30", "5S", "1d", "inf", "nan", "1e3", "٣s", ".", "1..2s", "9" * 50],
)
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="it is no duration; write it as"):
        duration_s(text)


@given(st.integers(0, 1000), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_the_parts_of_a_duration_add_up(hours: int, minutes: int, seconds: int, ms: int) -> None:
    found = duration_s(f"{hours}h{minutes}m{seconds}s{ms}ms")
    assert found == pytest.approx(hours * 3600 + minutes * 60 + seconds + ms / 1000)


@given(st.text())
def test_no_text_does_more_than_be_refused(text: str) -> None:
    try:
        assert 0 <= duration_s(text) < float("inf")
    except ValueError as error:
        assert "no duration" in str(error)  # noqa: PT017 - both ends are fine
