"""What a mirrored message is: its wire JSON, short where it is long, without secrets."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.beehive import wire
from edgecore.beehive.message import Header, Message, Route
from edgecore.beehive.switchboard import Passage
from edgecore.errors import FrameError
from edgecore.modules.eventbus.mirror.payload import mirrored
from edgecore.recording.entries import BusMessage

ROUTE = Route("edgecontroller", "resource", "insert", "default/secret/s")


def passage(content: Any) -> Passage:
    return Passage(0.0, "websocket", "metaManager", Message(Header("1", "0", 5), ROUTE, content))


def test_the_payload_is_the_message_of_the_wire() -> None:
    said = mirrored(passage({"a": 1}), 1000, None)

    assert wire.decode(said.payload).route == ROUTE
    assert said.is_whole


@pytest.mark.parametrize("content", ["x" * 2000, b"x" * 2000, msgspec.Raw(b'"' + b"x" * 2000 + b'"'), ["x" * 2000]])
def test_a_message_that_is_too_long_is_told_in_short(content: Any) -> None:
    payload, is_whole = mirrored(passage(content), 1000, None)

    said = msgspec.json.decode(payload)
    assert not is_whole
    assert said["truncated"] is True
    assert said["bytes"] >= 2000
    assert said["content"] is None
    assert said["route"]["resource"] == "default/secret/s"
    assert said["header"]["msg_id"] == "1"


def test_what_redacts_sees_the_message_and_has_the_last_word() -> None:
    seen: list[BusMessage] = []

    def redact(entry: BusMessage) -> BusMessage:
        seen.append(entry)
        return msgspec.structs.replace(entry, text="{}")

    assert mirrored(passage("secret"), 1000, redact).payload == b"{}"
    assert (seen[0].sender, seen[0].receiver) == ("websocket", "metaManager")
    assert "secret" in seen[0].text


def test_content_that_is_no_json_is_refused() -> None:
    with pytest.raises(FrameError):
        mirrored(passage(object()), 1000, None)


@given(st.binary(max_size=200), st.integers(0, 300))
def test_no_payload_is_much_longer_than_it_may_be(content: bytes, longest: int) -> None:
    assert len(mirrored(passage(content), longest, None).payload) <= max(longest, 300)
