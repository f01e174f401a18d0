"""A message and its frame: one JSON document with every key, and a newline."""

import json

import msgspec
import pytest

from edgecore.beehive.frame import decode_frame, encode_frame
from edgecore.beehive.message import Header, Message, Route
from edgecore.errors import FrameError

MESSAGE = Message(Header("m", "p", 7, "9"), Route("edged", "meta", "update", "default/pod/x"), {"a": "<é>"})


def test_a_frame_is_the_document_with_every_key_and_a_newline() -> None:
    assert encode_frame(Message(Header("m", timestamp_ms=7), Route("edged"))) == (
        b'{"header":{"msg_id":"m","parent_msg_id":"","timestamp":7,"resourceversion":"","sync":false},'
        b'"route":{"source":"edged","group":"","operation":"","resource":""},"content":null}\n'
    )


def test_whether_somebody_waits_stays_in_the_process() -> None:
    waiting = msgspec.structs.replace(MESSAGE, header=Header("m", sync=True))
    assert json.loads(encode_frame(waiting))["header"]["sync"] is False


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b' \n{"header":'], ids=["nothing", "LF", "CRLF", "more"])
def test_what_stands_behind_the_document_does_not_matter(end: bytes) -> None:
    again = decode_frame(encode_frame(MESSAGE).rstrip() + end)
    assert (again.header, again.route) == (MESSAGE.header, MESSAGE.route)
    assert msgspec.json.decode(again.content) == {"a": "<é>"}


def test_content_that_is_no_json_is_a_frame_error() -> None:
    with pytest.raises(FrameError) as caught:
        encode_frame(Message(MESSAGE.header, MESSAGE.route, object()))
    assert caught.value.reason == "not_json"


def test_nobody_here_waits_for_an_answer_to_a_message_of_the_cloud() -> None:
    """Go clears the mark before it writes; a peer that does not must not be answered into a slot that nobody has."""
    assert decode_frame(b'{"header":{"msg_id":"m","sync":true}}').header.sync is False
