"""Whatever the bytes: a message, or ``FrameError``; and what is a message survives writing and reading."""

import json
from pathlib import Path
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from edgecore.beehive.message import Header, Message, Route, content_json, content_value
from edgecore.beehive.wire import _decode_as_go, _depth, decode, encode
from edgecore.errors import ContentError, FrameError

SAMPLES = Path(__file__).parents[2] / "data" / "samples.json"
RECORDED = [sample["text"].encode() for sample in json.loads(SAMPLES.read_text()).values()]
REASONS = {"not_utf8", "too_deep", "malformed_json", "wrong_shape"}

_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
_headers = st.builds(
    Header, st.text(max_size=40), st.text(max_size=40), st.integers(-(2**63), 2**63 - 1), st.text(), st.booleans()
)
_routes = st.builds(Route, st.text(max_size=20), st.text(max_size=20), st.text(max_size=20), st.text())


def message_or_reason(data: bytes) -> Message | str:
    try:
        return decode(data)
    except FrameError as error:
        return error.reason


def read_or_refuse(data: bytes) -> None:
    """Read a frame and use what is read, as a module does."""
    message = message_or_reason(data)
    if isinstance(message, str):
        assert message in REASONS
        return
    again = decode(encode(message))
    assert (again.header, again.route) == (message.header, message.route)
    try:
        content = content_value(message)
    except ContentError:
        return  # a number beyond what a float holds
    assert content_value(again) == content


@given(st.binary(max_size=200))
@example(b"\x00")
@example(b"\xef\xbb\xbf{}")
@example(b'{"content":"\\ud83d"}')
def test_arbitrary_bytes_are_read_or_refused(data: bytes) -> None:
    read_or_refuse(data)


@given(
    st.lists(
        st.sampled_from(['{"header":', '{"route":', '"content":', '"msg_id":', '"sync":', *'{}[]",:\\ \n\0éu0dn-.e19']),
        max_size=40,
    )
)
def test_arbitrary_pieces_of_json_are_read_or_refused(pieces: list[str]) -> None:
    read_or_refuse("".join(pieces).encode())


@given(st.sampled_from(RECORDED), st.data())
def test_cut_recorded_frames_are_refused(frame: bytes, data: st.DataObject) -> None:
    document = frame.rstrip(b"\n")
    cut = data.draw(st.integers(0, len(document) - 1))
    assert message_or_reason(document[:cut]) in {"malformed_json", "not_utf8"}


@given(_headers, _routes, _values)
def test_message_written_and_read_is_the_same(header: Header, route: Route, content: Any) -> None:
    message = decode(encode(Message(header, route, content)))
    assert (message.header, message.route) == (header, route)
    assert content_value(message) == content


@given(_headers, _routes, _values)
def test_what_we_write_is_ascii_where_go_escapes(header: Header, route: Route, content: Any) -> None:
    text = encode(Message(header, route, content)).decode()
    assert not set(text) & set("<>&\u2028\u2029\n")


@given(_headers, _routes, _values)
def test_strict_way_and_go_way_read_the_same(header: Header, route: Route, content: Any) -> None:
    text = encode(Message(header, route, content)).decode()
    strict, as_go = decode(text), _decode_as_go(text)
    assert (strict.header, strict.route) == (as_go.header, as_go.route)
    assert content_value(strict) == content_value(as_go)


@given(_values, st.sampled_from([None, 1, 4]))
def test_content_keeps_its_text(content: Any, indent: int | None) -> None:
    text = json.dumps(content, indent=indent).encode()
    assert content_json(decode(b'{"content": %b }' % text)) == text


@given(_values)
def test_depth_is_that_of_the_value(value: Any) -> None:
    def depth(value: Any) -> int:
        if isinstance(value, dict | list):
            return 1 + max(map(depth, value.values() if isinstance(value, dict) else value), default=0)
        return 0

    assert _depth(json.dumps(value).encode()) == depth(value)
    assert _depth(json.dumps(value, ensure_ascii=False).encode()) == depth(value)
