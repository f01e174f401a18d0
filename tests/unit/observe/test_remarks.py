"""Which lines of the log are kept for people who ask later."""

import io

import structlog
from hypothesis import given
from hypothesis import strategies as st

from edgecore.observe.logs import configure_logging
from edgecore.observe.remarks import TEXT_LIMIT, Remarks


def _line(event: str, level: str = "warning", **values: object) -> dict[str, object]:
    return {"timestamp": "2026-01-01T00:00:00Z", "level": level, "logger": "edgehub", "event": event, **values}


def test_warnings_and_errors_are_kept_once_each_the_latest_last() -> None:
    remarks = Remarks()
    for number, event in enumerate(("link_lost", "frame_refused", "link_lost")):
        remarks.note(_line(event, number=number, exc_info=True))
    remarks.note(_line("cloud_connected", "info"))
    assert [(one["event"], one["count"], one["text"]) for one in remarks.view()] == [
        ("frame_refused", 1, "number=1"),
        ("link_lost", 2, "number=2"),
    ]


def test_the_one_silent_for_longest_is_forgotten() -> None:
    remarks = Remarks(kept=2)
    for event in ("a", "b", "a", "c"):
        remarks.note(_line(event))
    assert [one["event"] for one in remarks.view()] == ["a", "c"]


def test_what_was_raised_is_said_without_where() -> None:
    remarks = Remarks()
    error = ValueError("no room")
    try:
        raise error
    except ValueError:
        remarks.note(_line("a", "error", number=1, exc_info=True))
    remarks.note(_line("b", "error", exc_info=(ValueError, error, None)))
    assert [one["text"] for one in remarks.view()] == [
        "number=1 raised=ValueError: no room",
        "raised=ValueError: no room",
    ]


def test_a_value_that_cannot_be_shown_hurts_nobody() -> None:
    class Bad:
        def __str__(self) -> str:
            raise ValueError("no")

    remarks = Remarks()
    remarks.note(_line("odd", value=Bad()))
    assert remarks.view() == []


def test_what_is_logged_is_seen_with_its_secrets_masked() -> None:
    remarks, out = Remarks(), io.StringIO()
    configure_logging("warning", "json", out, also=remarks.note)
    structlog.get_logger("edgehub").error("join_refused", token="canary", url="https://cloud")
    structlog.get_logger("edgehub").info("not_shown")
    (one,) = remarks.view()
    assert (one["level"], one["logger"], one["text"]) == ("error", "edgehub", "token=*** url=https://cloud")
    assert one["at"] in out.getvalue()


@given(st.lists(st.tuples(st.sampled_from(["warning", "error", "info"]), st.text(), st.text())))
def test_what_is_kept_is_bounded(lines: list[tuple[str, str, str]]) -> None:
    remarks = Remarks(kept=3)
    for level, event, text in lines:
        remarks.note(_line(event, level, text=text))
    assert len(remarks.view()) <= 3
    assert all(len(one["text"]) <= TEXT_LIMIT for one in remarks.view())
