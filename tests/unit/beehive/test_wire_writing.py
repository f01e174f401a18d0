"""What we write: exact text, every key always."""

import json
from typing import Any

import msgspec
import pytest

from edgecore.beehive.message import Header, Message, Route, with_content
from edgecore.beehive.wire import encode
from edgecore.errors import FrameError

FULL = Message(
    Header("id", "parent", 1_589_000_000_123, "77"),
    Route("edgecontroller", "resource", "update", "default/pod/nginx"),
)


def content_of(message: Message) -> str:
    """Return the text of the content, the last part of the document."""
    text = encode(message).decode()
    return text[text.index('"content":') + len('"content":') : -1]


def test_empty_message_has_every_key_in_order() -> None:
    assert encode(Message()) == (
        b'{"header":{"msg_id":"","parent_msg_id":"","timestamp":0,"resourceversion":"","sync":false},'
        b'"route":{"source":"","group":"","operation":"","resource":""},"content":null}'
    )


def test_full_message_is_written_without_spaces_and_without_a_newline() -> None:
    assert encode(with_content(FULL, {"b": 1, "a": [True]})) == (
        b'{"header":{"msg_id":"id","parent_msg_id":"parent","timestamp":1589000000123,"resourceversion":"77","sync":false},'
        b'"route":{"source":"edgecontroller","group":"resource","operation":"update","resource":"default/pod/nginx"},'
        b'"content":{"b":1,"a":[true]}}'
    )


def test_sync_flag_is_written_as_it_is() -> None:
    assert b'"sync":true}' in encode(Message(Header(sync=True)))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, "null"),
        ("OK", '"OK"'),
        ('{"a":1}', r'"{\"a\":1}"'),  # a string stays a string, even if it holds JSON
        (b'{"a":1}', '"eyJhIjoxfQ=="'),
        (b"", '""'),
        (b"\xff\xfe\xfb", '"//77"'),  # the standard alphabet of base64
        ("<a>&\u2028é", r'"\u003ca\u003e\u0026\u2028é"'),
        ("\u2029", r'"\u2029"'),
        ({"<k>": "&"}, r'{"\u003ck\u003e":"\u0026"}'),
        ("\u2027\u202a\U0001f600", '"\u2027\u202a\U0001f600"'),
        ('tab\tnewline\nquote"slash/back\\', r'"tab\tnewline\nquote\"slash/back\\"'),
        ("\x01", r'"\u0001"'),
        ([1, 2.5, -3, True, None, 2**53 + 1], "[1,2.5,-3,true,null,9007199254740993]"),
        ([], "[]"),
    ],
)
def test_content_is_written_as_go_writes_it(content: Any, text: str) -> None:
    assert content_of(Message(content=content)) == text


def test_escapes_are_written_in_header_and_route_as_well() -> None:
    message = Message(Header("<id>"), Route(resource="a&b\u2028"))
    assert rb'"msg_id":"\u003cid\u003e"' in encode(message)
    assert rb'"resource":"a\u0026b\u2028"' in encode(message)


def test_untouched_content_from_the_wire_keeps_its_bytes() -> None:
    raw = '{ "z":1.0,\n"a" : [ 1e2,"\\u00e9é" ] }'
    assert content_of(Message(content=msgspec.Raw(raw.encode()))) == raw


def test_untouched_content_is_escaped_where_another_sender_was_not_as_careful() -> None:
    assert (
        content_of(Message(content=msgspec.Raw(b'"<b>&\xe2\x80\xa9\\u003c"'))) == r'"\u003cb\u003e\u0026\u2029\u003c"'
    )


class Status(msgspec.Struct, omit_defaults=True):
    """A content of our own making."""

    phase: str = ""
    ready: bool = False


def test_struct_is_written_as_an_object_by_its_own_rules() -> None:
    assert content_of(Message(content=Status("Running"))) == '{"phase":"Running"}'


def test_what_is_written_is_one_json_document() -> None:
    document = json.loads(encode(with_content(FULL, {"a": "<\u2028"})))
    assert list(document) == ["header", "route", "content"]
    assert document["content"] == {"a": "<\u2028"}


@pytest.mark.parametrize("content", [object(), {"a": {1, 2}, "b": object()}, "\ud800", {1j: 1}])
def test_content_that_is_no_json_is_refused(content: Any) -> None:
    with pytest.raises(FrameError) as caught:
        encode(with_content(FULL, content))
    assert caught.value.reason == "not_json"
    assert "content of default/pod/nginx" in str(caught.value)


def test_content_without_end_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(FrameError):
        encode(Message(content=endless))
