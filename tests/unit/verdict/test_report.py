"""Verdicts for people and for CI systems."""

import re
from collections import Counter
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from edgecore.verdict.checks import ABSENT
from edgecore.verdict.junit import junit
from edgecore.verdict.report import report
from edgecore.verdict.verdict import Difference, Verdict

EQUAL = Verdict(
    recording="a", compared=Counter(twin=2), equal=Counter(twin=1), explained=Counter(twin=1), used=Counter(B4=3)
)


def different(**change: object) -> Verdict:
    fields: dict[str, object] = {
        "kind": "pod status",
        "what": "edged update default/podstatus/web",
        "path": "content.Status.phase",
        "recorded": "Running",
        "ours": "Rotting",
        "recorded_entry": 12,
        "our_entry": 31,
    }
    one = Difference(**{**fields, **change})  # type: ignore[arg-type]
    return Verdict(
        recording="b", compared=Counter({"pod status": 1, "twin": 1}), equal=Counter(twin=1), differences=[one]
    )


def test_an_equal_verdict_says_what_was_compared_and_which_lines_were_used() -> None:
    assert report([EQUAL], colour=False) == (
        "a: equal\n  compared 2: 1 equal, 1 with known differences\n  known differences met: B4 ×3\n"  # noqa: RUF001
    )


def test_a_difference_is_told_with_its_field_and_the_entries_of_both_sides() -> None:
    assert report([different()], colour=False) == (
        "b: different\n"
        "  compared 2: 1 equal; 1 difference: pod status 1\n"
        "\n"
        "  1. pod status: edged update default/podstatus/web\n"
        "     entry 12 of the recording, entry 31 of the replay\n"
        "     content.Status.phase\n"
        '       - "Running"\n'
        '       + "Rotting"\n'
    )


def test_colours_mark_what_differs_in_a_value() -> None:
    text = report([different()], colour=True)
    assert '\x1b[31m"R\x1b[0m\x1b[31;7munn\x1b[0m\x1b[31ming"\x1b[0m' in text
    assert re.sub(r"\x1b\[[\d;]*m", "", text) == report([different()], colour=False)


def test_long_values_are_shown_around_what_differs() -> None:
    text = report(
        [different(recorded="x" * 5000 + "on" + "y" * 5000, ours="x" * 5000 + "off" + "y" * 5000)], colour=False
    )
    assert max(map(len, text.splitlines())) < 200
    assert re.search(r"x+ony+", text)
    assert re.search(r"x+offy+", text)


def test_what_is_absent_is_no_text() -> None:
    assert "       - (absent)\n" in report([different(recorded=ABSENT)], colour=False)


def test_more_differences_than_asked_for_are_counted() -> None:
    verdict = different()
    verdict.differences *= 30
    assert "  … and 28 more: pod status 28\n" in report([verdict], colour=False, limit=2)
    assert "more" not in report([verdict], colour=False, limit=None)


def test_what_was_not_compared_is_told_with_the_reason() -> None:
    assert "  not compared: 3 (why)\n" in report([Verdict(recording="x", passed_over=Counter(why=3))], colour=False)


def test_of_several_recordings_the_end_says_how_many_differ() -> None:
    assert report([EQUAL, different()], colour=False).endswith("\n\n1 of 2 recordings different\n")
    assert report([EQUAL, EQUAL], colour=False).endswith("\n\nall 2 equal\n")


@given(st.text(), st.text() | st.integers() | st.lists(st.text()))
def test_nothing_of_a_peer_moves_the_cursor_of_a_terminal(what: str, value: object) -> None:
    verdict = different(what=what, recorded=value)
    verdict.recording = what
    assert all(line.isprintable() for line in report([verdict], colour=False).split("\n"))


def test_junit_has_a_case_for_each_kind_and_a_failure_where_it_differs() -> None:
    root = ET.fromstring(junit([EQUAL, different()]))
    assert (root.get("tests"), root.get("failures")) == ("3", "1")
    cases = {(case.get("classname"), case.get("name")): case.find("failure") for case in root.iter("testcase")}
    assert [key for key, failure in cases.items() if failure is not None] == [("b", "pod status")]
    failure = cases["b", "pod status"]
    assert failure is not None
    assert failure.get("message") == "content.Status.phase of edged update default/podstatus/web"
    assert "recorded entry 12, our entry 31" in (failure.text or "")


@given(st.text(), st.text())
def test_junit_is_xml_whatever_a_peer_said(what: str, value: str) -> None:
    verdict = different(what=what, ours=value, kind=what)
    verdict.recording = value
    ET.fromstring(junit([verdict]))
