"""One line of a recording to an entry."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.errors import ContentError
from edgecore.recording.entries import KEYS, CloudFrame, ConnectionEvent, Direction, Entry, Http, Note
from edgecore.recording.lines import line_of, parse_entry
from edgecore.recording.packing.schemas import KEYS_OF
from entrystrategies import ENTRIES


def parse(**fields: object) -> Entry:
    return parse_entry(json.dumps({"t_ns": 5, **fields}).encode(), 7)


def test_a_text_is_a_frame_with_its_newline() -> None:
    entry = parse(link=1, dir="cloud->edge", text='{"a":1}\n')
    assert entry == CloudFrame(7, 5, Direction.TO_EDGE, 1, '{"a":1}\n')


def test_an_empty_text_is_a_frame_too() -> None:
    assert parse(link=1, dir="edge->cloud", text="") == CloudFrame(7, 5, Direction.TO_CLOUD, 1, "")


def test_an_http_head_has_the_bytes_of_its_body() -> None:
    entry = parse(link="https-1", dir="edge->cloud", http="GET / HTTP/1.1\r\n\r\n", body_hex="00ff")
    assert entry == Http(7, 5, Direction.TO_CLOUD, "https-1", "GET / HTTP/1.1\r\n\r\n", b"\x00\xff")


def test_an_http_head_without_body_has_an_empty_one() -> None:
    entry = parse(link=1, dir="edge->cloud", http="GET / HTTP/1.1\r\n\r\n")
    assert isinstance(entry, Http)
    assert entry.body == b""


def test_an_event_says_which_side_acted() -> None:
    entry = parse(link=5, dir="edge->cloud", event="open", tls="TLSv1.3")
    assert entry == ConnectionEvent(7, 5, Direction.TO_CLOUD, 5, "open", "TLSv1.3")


def test_a_note_needs_no_connection() -> None:
    assert parse(note="dig", out="NXDOMAIN") == Note(7, 5, "dig", "", "", "NXDOMAIN")


def test_an_unknown_key_is_passed_over() -> None:
    assert parse(note="dig", colour="red") == Note(7, 5, "dig", "", "", "")


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({}, "none of them"),
        ({"text": "a", "note": "b"}, "text and note"),
        ({"text": "a", "link": 1}, "text needs the keys dir and link"),
        ({"event": "eof", "dir": "edge->cloud"}, "event needs the keys dir and link"),
        ({"text": "a", "link": 1, "dir": "sideways"}, "sideways"),
        ({"text": "a", "link": 1.5, "dir": "cloud->edge"}, "link"),
        ({"text": 5, "link": 1, "dir": "cloud->edge"}, "text"),
        ({"event": "explode", "link": 1, "dir": "cloud->edge"}, "explode"),
        ({"http": "GET", "link": 1, "dir": "cloud->edge", "body_hex": "0"}, "body_hex"),
        ({"t_ns": "soon", "note": "x"}, "t_ns"),
    ],
)
def test_what_is_no_entry_is_refused_with_the_reason(fields: dict[str, object], complaint: str) -> None:
    with pytest.raises(ContentError, match="not an entry") as refusal:
        parse(**fields)
    assert complaint in str(refusal.value)


def test_a_missing_time_is_refused() -> None:
    with pytest.raises(ContentError, match="t_ns"):
        parse_entry(b'{"note":"x"}', 1)


@given(st.binary())
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    try:
        parse_entry(data, 1)
    except ContentError:
        return


@given(st.text(), st.integers(0, 2**62))
def test_any_text_comes_back_as_it_was_written(text: str, t_ns: int) -> None:
    line = json.dumps({"t_ns": t_ns, "link": 1, "dir": "cloud->edge", "text": text}).encode()
    assert parse_entry(line, 1) == CloudFrame(1, t_ns, Direction.TO_EDGE, 1, text)


@given(ENTRIES)
def test_any_entry_comes_back_from_its_line_identical(entry: Entry) -> None:
    line = line_of(entry)
    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert parse_entry(line, 3) == entry


@given(ENTRIES)
def test_every_key_of_a_line_is_in_its_schema(entry: Entry) -> None:
    kind = next(kind for kind, one in KEYS.items() if one is type(entry))
    assert set(json.loads(line_of(entry))) <= {"t_ns", "n", "causes"} | set(KEYS_OF[kind])


def test_a_session_of_a_later_version_is_refused() -> None:
    with pytest.raises(ContentError, match="session version 3; this program reads up to 2"):
        parse(session=3)
