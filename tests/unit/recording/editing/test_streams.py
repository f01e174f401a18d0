"""Lines on their way from one file to another."""

from pathlib import Path

import pytest

from edgecore.errors import ContentError
from edgecore.recording.editing.streams import changed, selected, upgraded, with_keys
from edgecore.recording.entries import BusMessage, Entry, Note, SessionHead
from edgecore.recording.lines import line_of, parse_entry
from edgecore.recording.selection import Selection, parse_bound

PATH = Path("r.jsonl")
ODD = b'{"note" : "a" ,"t_ns":1, "colour":"red"}\n'


def test_what_is_selected_stays_to_the_byte() -> None:
    assert list(selected(PATH, [(1, ODD), (2, ODD)], Selection())) == [ODD, ODD]


def test_nothing_is_read_behind_the_last_line_that_is_meant() -> None:
    lines = iter([(number, ODD) for number in range(1, 9)])
    assert len(list(selected(PATH, lines, Selection(last=parse_bound("2"))))) == 2
    assert next(lines)[0] == 4


def test_a_line_that_is_no_entry_is_named() -> None:
    with pytest.raises(ContentError, match=r"cannot read recording r\.jsonl: line 2: not an entry"):
        list(selected(PATH, [(1, ODD), (2, b"{}\n")], Selection()))
    with pytest.raises(ContentError, match=r"cannot read recording r\.jsonl: line 2: not an entry"):
        list(changed(PATH, [(1, ODD), (2, b"{}\n")], lambda entry: entry))


def test_version_1_becomes_version_2_with_a_head_and_numbers() -> None:
    lines = list(upgraded(PATH, [(1, ODD), (3, line_of(Note(3, 5, "b", "", "", "")))]))
    assert [parse_entry(line, 0) for line in lines] == [
        SessionHead(0, 1, 2, n=1),
        Note(0, 1, "a", "", "", "", n=2),
        Note(0, 5, "b", "", "", "", n=3),
    ]
    assert b'"colour":"red"' in lines[1]


def test_version_2_is_upgraded_to_itself() -> None:
    entries: list[Entry] = [SessionHead(1, 1, 2, "p", n=1), BusMessage(2, 2, "a", "b", "{}", n=7, causes=(4,))]
    lines = [line_of(entry) for entry in entries]
    assert list(upgraded(PATH, enumerate(lines, 1))) == lines


def test_other_keys_stay_to_the_byte_when_one_is_replaced() -> None:
    assert with_keys(b'{"a":1.0,"b": "\\u00e9" ,"c":2}\n', {"c": [1], "a": None}) == b'{"b":"\\u00e9","c":[1]}\n'
