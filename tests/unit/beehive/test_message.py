"""Messages: each helper of the Go model, and content in its several forms."""

from typing import Any

import msgspec
import pytest

from edgecore.beehive.message import (
    Header,
    Message,
    Route,
    content_json,
    content_value,
    error_to,
    response_to,
    with_content,
    with_header,
    with_id,
    with_sender,
    with_sync,
)
from edgecore.clock import VirtualClock
from edgecore.errors import ContentError
from edgecore.ids import NewId

HEADER = Header("id", "parent", 1_589_000_000_000, "77", sync=True)
ROUTE = Route("edgecontroller", "resource", "update", "default/pod/nginx")
FULL = Message(HEADER, ROUTE, {"a": 1})


def test_raw_message_is_all_empty() -> None:
    assert Message() == Message(Header("", "", 0, "", sync=False), Route("", "", "", ""), None)


def test_with_header_overwrites_id_parent_and_time_only() -> None:
    assert with_header(FULL, "x", "y", 5) == Message(Header("x", "y", 5, "77", sync=True), ROUTE, {"a": 1})


def test_with_sender_keeps_operation_and_resource() -> None:
    assert with_sender(FULL, "s", "g") == Message(HEADER, Route("s", "g", "update", "default/pod/nginx"), {"a": 1})


def test_with_content_changes_nothing_else() -> None:
    assert with_content(FULL, "OK") == Message(HEADER, ROUTE, "OK")


def test_with_id_changes_nothing_else() -> None:
    header = Header("new", "parent", 1_589_000_000_000, "77", sync=True)
    assert with_id(FULL, "new") == Message(header, ROUTE, {"a": 1})


def test_with_sync_changes_nothing_else() -> None:
    header = Header("id", "parent", 1_589_000_000_000, "77", sync=False)
    assert with_sync(FULL, False) == Message(header, ROUTE, {"a": 1})


def test_with_sync_returns_the_same_message_if_it_has_that_flag() -> None:
    assert with_sync(FULL, True) is FULL


def test_response_copies_source_and_group_and_answers_the_request(ids: NewId, vclock: VirtualClock) -> None:
    response = response_to(FULL, "OK", ids, vclock)
    assert response.header == Header(response.header.id, "id", vclock.now_ms())
    assert response.header.id not in {"", "id"}
    assert response.route == Route("edgecontroller", "resource", "response", "default/pod/nginx")
    assert response.content == "OK"


def test_error_has_only_resource_and_operation_and_answers_the_request(ids: NewId, vclock: VirtualClock) -> None:
    error = error_to(FULL, "Something wrong", ids, vclock)
    assert error.header == Header(error.header.id, "id", vclock.now_ms())
    assert error.route == Route("", "", "error", "default/pod/nginx")
    assert error.content == "Something wrong"


def test_message_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        FULL.content = "other"  # type: ignore[misc]
    with pytest.raises(AttributeError):
        FULL.header.id = "other"  # type: ignore[misc]


class Status(msgspec.Struct):
    """A content of our own making."""

    phase: str


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (None, b"null"),
        ("OK", b'"OK"'),
        ('{"a":1}', b'"{\\"a\\":1}"'),
        (b'{"a":1}', b'"eyJhIjoxfQ=="'),
        ({"a": [1, 2.5, True, None]}, b'{"a":[1,2.5,true,null]}'),
        (Status("Running"), b'{"phase":"Running"}'),
        (msgspec.Raw(b'{ "kept" : 1.0 }'), b'{ "kept" : 1.0 }'),
    ],
)
def test_content_of_each_type_becomes_json(content: Any, text: bytes) -> None:
    assert content_json(Message(content=content)) == text


@pytest.mark.parametrize("content", [object(), {1j: 2}, {"a": {object()}}, "\ud800"])
def test_content_that_is_no_json_is_an_error_naming_the_resource(content: Any) -> None:
    with pytest.raises(ContentError, match=r"^cannot encode content of default/pod/nginx: "):
        content_json(with_content(FULL, content))


def test_content_from_the_wire_is_decoded_when_asked_for() -> None:
    assert content_value(Message(content=msgspec.Raw(b'{"a":[1,"\xc3\xa9"]}'))) == {"a": [1, "é"]}


def test_content_that_is_a_value_already_is_returned_as_it_is() -> None:
    assert content_value(FULL) is FULL.content
    assert content_value(Message(content="OK")) == "OK"


@pytest.mark.parametrize("raw", [b"", b"{", b"1e999", b"[1e-5,-1e400]", b'"\xff"', b"9" * 5000, b"[" * 100_000])
def test_content_that_cannot_be_decoded_is_an_error_naming_the_resource(raw: bytes) -> None:
    with pytest.raises(ContentError, match=r"^cannot decode content of default/pod/nginx: "):
        content_value(with_content(FULL, msgspec.Raw(raw)))
