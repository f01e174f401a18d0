"""The outline of a line says the same as the entry."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.errors import ContentError
from edgecore.recording.entries import KEYS, CloudFrame, Direction, Entry, Note
from edgecore.recording.lines import line_of, parse_entry
from edgecore.recording.outline import Route, outline_of, outline_of_entry
from entrystrategies import ENTRIES

MESSAGE = '{"header":{},"route":{"source":"a","group":"b","operation":"c","resource":"d/e/f"},"content":[1]}'


@given(ENTRIES)
def test_an_outline_of_a_line_is_that_of_its_entry(entry: Entry) -> None:
    of_line, of_entry = outline_of(line_of(entry), 3), outline_of_entry(parse_entry(line_of(entry), 3))
    for name in ("t_ns", "n", "causes", "line", "kind", "dir", "link", "sender", "receiver"):
        assert getattr(of_line, name) == getattr(of_entry, name), name
    assert KEYS[of_line.kind] is type(entry)
    assert (of_line.note, of_line.mqtt) == (of_entry.note, of_entry.mqtt)
    assert of_line.route() == of_entry.route()


def test_the_route_of_a_message_is_read_without_its_content() -> None:
    frame = CloudFrame(1, 5, Direction.TO_EDGE, 1, MESSAGE)
    assert outline_of(line_of(frame), 1).route() == Route("a", "b", "c", "d/e/f")


@pytest.mark.parametrize(
    "text",
    [
        '{"route":{"source":"a","group":"b","operation":"c","resource":null},"content":1}',
        '{"route":{"source":"a","group":"b","operation":"c"},"content":"\\ud83d"}',
    ],
)
def test_what_go_sends_and_few_read_has_a_route(text: str) -> None:
    assert outline_of(line_of(CloudFrame(1, 5, Direction.TO_EDGE, 1, text)), 1).route() == Route("a", "b", "c")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"route":5}', "[" * 20_000])
def test_a_frame_that_is_no_message_has_no_route(text: str) -> None:
    assert outline_of(line_of(CloudFrame(1, 5, Direction.TO_EDGE, 1, text)), 1).route() is None


def test_a_text_that_is_none_has_no_route() -> None:
    assert outline_of(b'{"t_ns":1,"text":5}', 1).route() is None


@pytest.mark.parametrize("key", ["text", "bus", "commit", "dns", "http"])
def test_a_key_that_is_null_says_nothing(key: str) -> None:
    data = f'{{"t_ns":1,"{key}":null,"note":"a"}}'.encode()
    assert outline_of(data, 1).kind == "note"
    assert parse_entry(data, 1) == Note(1, 1, "a", "", "", "")


@pytest.mark.parametrize("data", [b"", b"{}", b'{"t_ns":1}', b'{"t_ns":"1","note":""}', b"\xff", b"[" * 20_000])
def test_what_is_no_entry_is_refused(data: bytes) -> None:
    with pytest.raises(ContentError, match="not an entry"):
        outline_of(data, 1)


@given(st.binary())
def test_no_bytes_raise_anything_else(data: bytes) -> None:
    with contextlib.suppress(ContentError):
        outline_of(data, 1).route()
