"""Which entries are meant by places and filters."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.errors import ContentError
from edgecore.recording.entries import (
    BusMessage,
    CloudFrame,
    ConnectionEvent,
    Direction,
    Entry,
    MqttDirection,
    MqttMessage,
    Note,
    SessionHead,
)
from edgecore.recording.lines import line_of
from edgecore.recording.outline import outline_of
from edgecore.recording.selection import Bound, Selection, parse_bound, parse_filter
from entrystrategies import ENTRIES

SECOND = 10**9
START = 1767323045 * SECOND  # 2026-01-02T03:04:05Z


def message(operation: str, resource: str, source: str = "edgecontroller") -> str:
    route = f'"source":"{source}","group":"resource","operation":"{operation}","resource":"{resource}"'
    return f'{{"header":{{"msg_id":"1"}},"route":{{{route}}},"content":"x"}}\n'


SESSION: tuple[Entry, ...] = (
    SessionHead(1, START, 2, n=1),
    ConnectionEvent(2, START + 1 * SECOND, Direction.TO_CLOUD, 1, "open", "", n=2),
    CloudFrame(3, START + 2 * SECOND, Direction.TO_EDGE, 1, message("insert", "default/service/a"), n=3),
    CloudFrame(4, START + 3 * SECOND, Direction.TO_CLOUD, 1, message("response", "default/service/a"), n=5),
    Note(5, START + 4 * SECOND, "delete the pod", "", "", "", n=6),
    BusMessage(6, START + 5 * SECOND, "edgehub", "edgemesh", message("update", "default/endpoints/a"), n=7),
    MqttMessage(7, START + 6 * SECOND, MqttDirection.IN, "external", "t", b"", n=8),
    Note(8, START + 7 * SECOND, "delete the node", "", "", "", n=9),
    CloudFrame(9, START + 8 * SECOND, Direction.TO_EDGE, 2, message("delete", "default/pod/p", "edged"), n=10),
    CloudFrame(10, START + 9 * SECOND, Direction.TO_EDGE, 2, "no message", n=11),
)


def lines_of(*filters: str, first: str = "", last: str = "") -> list[int]:
    """Return the lines that are meant but for the head's, after both ways to ask agreed."""
    selection = Selection(
        parse_bound(first) if first else None, parse_bound(last) if last else None, tuple(map(parse_filter, filters))
    )
    selector = selection.begin()
    fast = [one.line for one in SESSION if selector.takes_outline(outline_of(line_of(one), one.line))]
    assert [entry.line for entry in selection.select(SESSION)] == fast
    assert fast[0] == 1
    return fast[1:]


def test_nothing_asked_is_everything() -> None:
    assert lines_of() == list(range(2, 11))


@pytest.mark.parametrize(
    ("first", "last", "lines"),
    [
        ("4", "6", [4, 5, 6]),
        ("#5", "#7", [4, 5, 6]),
        ("+3", "+5", [4, 5, 6]),
        ("+2.5", "+5.999", [4, 5, 6]),
        ("2026-01-02T03:04:08Z", "2026-01-02T03:04:10.5", [4, 5, 6]),
        ("2026-01-02T04:04:08+01:00", "2026-01-02T03:04:10+00:00", [4, 5, 6]),
        ("note:pod", "6", [5, 6]),
        ("note:delete", "note:node", [5, 6, 7, 8]),
        ("", "note:delete", [2, 3, 4, 5]),
        ("", "+2", [2, 3]),
        ("note:pod", "+2", [5, 6, 7]),
        ("#6", "+1.5", [5, 6]),
        ("2026-01-02T03:04:08Z", "+1", [4, 5]),
        ("note:node", "note:delete", [8]),
        ("note:nothing such", "", []),
        ("99", "", []),
    ],
)
def test_a_part_is_from_and_until_a_place_both_included(first: str, last: str, lines: list[int]) -> None:
    assert lines_of(first=first, last=last) == lines


@pytest.mark.parametrize(
    ("filters", "lines"),
    [
        (["kind=frame"], [3, 4, 9, 10]),
        (["kind=text,notes"], [3, 4, 5, 8, 9, 10]),
        (["kind!=frames,bus,mqtt"], [2, 5, 8]),
        (["kind=frame", "direction=to-edge"], [3, 9, 10]),
        (["kind=frame", "direction=edge->cloud"], [4]),
        (["kind=frame", "operation=insert,delete"], [3, 9, 10]),
        (["kind=frame,bus", "operation!=insert"], [4, 6, 9, 10]),
        (["kind=frame,bus", "resource=default/*/a"], [3, 4, 6, 10]),
        (["kind=frame", "source=edged"], [9, 10]),
        (["kind=frame", "group=nothing"], [10]),
        (["link=2", "kind=frame,connection"], [9, 10]),
        (["kind=bus", "from=edgehub", "to=edge*"], [6]),
        (["kind=bus", "to=metamanager"], []),
        (["resource=default/pod/*"], [2, 5, 7, 8, 9, 10]),
    ],
)
def test_a_filter_asks_those_that_have_what_it_asks_for(filters: list[str], lines: list[int]) -> None:
    assert lines_of(*filters) == lines


def test_a_selector_knows_when_no_later_line_is_meant() -> None:
    selector = Selection(last=Bound("line", 2)).begin()
    assert [selector.takes(entry) for entry in SESSION[:3]] == [True, True, False]
    assert selector.is_over


@pytest.mark.parametrize("text", ["", "soon", "+", "+x", "#", "note:", "-1", "2026-13-01", "#1e3", "+1e400"])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(ContentError, match="cannot read place"):
        parse_bound(text)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "expected NAME=PATTERN"),
        ("operation", "expected NAME=PATTERN"),
        ("operation=,", "expected NAME=PATTERN"),
        ("colour=red", "no 'colour'"),
        ("kind=colour", "no kind 'colour'"),
        ("direction=up", "no direction 'up'"),
    ],
)
def test_what_is_no_filter_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ContentError, match="cannot read filter") as refusal:
        parse_filter(text)
    assert complaint in str(refusal.value)


@given(st.text())
def test_no_text_raises_anything_else(text: str) -> None:
    for parse in (parse_bound, parse_filter):
        with contextlib.suppress(ContentError):
            parse(text)


@given(st.lists(ENTRIES, max_size=5), st.sampled_from(["kind=frame", "direction!=to-edge", "to=a*", "link=1"]))
def test_lines_and_entries_are_judged_alike(entries: list[Entry], text: str) -> None:
    selection = Selection(filters=(parse_filter(text),))
    by_entry, by_line = selection.begin(), selection.begin()
    for entry in entries:
        assert by_entry.takes(entry) == by_line.takes_outline(outline_of(line_of(entry), entry.line))
