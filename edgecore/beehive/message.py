"""``model.Message``: header, route, content (kubeedge BH/core/model/message.go:28-202@v1.3.1).

Messages are immutable: one message may lie in several mailboxes at once, and a tap may keep it. What Go does by setting
fields is done here by the functions below, each of which returns a new message.

``content`` is one of: ``None``; ``str``; ``bytes`` (travels as base64 text, as in Go); a JSON value (dict, list,
number, bool) or a ``msgspec.Struct``; or ``msgspec.Raw``, the JSON bytes of a message from the wire that nobody has
looked at yet.
"""

from typing import Any

import msgspec

from edgecore.beehive.gojson import marshal
from edgecore.beehive.resource import ERROR, RESPONSE
from edgecore.clock import Clock
from edgecore.errors import ContentError
from edgecore.ids import NewId


class Header(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """Who this message is, and which one it answers."""

    id: str = msgspec.field(default="", name="msg_id")
    parent_id: str = msgspec.field(default="", name="parent_msg_id")
    timestamp_ms: int = msgspec.field(default=0, name="timestamp")
    """Unix time in milliseconds."""
    resource_version: str = msgspec.field(default="", name="resourceversion")
    """``metadata.resourceVersion`` of the object in the content."""
    sync: bool = False
    """The sender waits for an answer in this process; never true on the wire."""


class Route(msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """Where from, to which group, and what is to be done with what. May be shared by many messages."""

    source: str = ""
    group: str = ""
    operation: str = ""
    resource: str = ""


class Message(msgspec.Struct, frozen=True, gc=False):
    """One message. (``gc=False``: contents are JSON values, which hold no cycles.)"""

    header: Header = Header()
    route: Route = Route()
    content: Any = None


def with_header(message: Message, message_id: str, parent_id: str, timestamp_ms: int) -> Message:
    """Return ``message`` with these three header fields (``BuildHeader``)."""
    header = message.header
    changed = Header(message_id, parent_id, timestamp_ms, header.resource_version, header.sync)
    return Message(changed, message.route, message.content)


def with_sender(message: Message, source: str, group: str) -> Message:
    """Return ``message`` with this source and group (``SetRoute``)."""
    return Message(
        message.header,
        Route(source, group, message.route.operation, message.route.resource),
        message.content,
    )


def with_content(message: Message, content: Any) -> Message:
    """Return ``message`` with this content (``FillBody``)."""
    return Message(message.header, message.route, content)


def with_id(message: Message, message_id: str) -> Message:
    """Return ``message`` under another id, all else unchanged (``UpdateID``)."""
    header = message.header
    return with_header(message, message_id, header.parent_id, header.timestamp_ms)


def with_sync(message: Message, sync: bool) -> Message:
    """Return ``message`` with this sync flag; the same object if it has it already."""
    header = message.header
    if header.sync is sync:
        return message
    changed = Header(header.id, header.parent_id, header.timestamp_ms, header.resource_version, sync)
    return Message(changed, message.route, message.content)


def response_to(request: Message, content: Any, new_id: NewId, clock: Clock) -> Message:
    """Return the answer to ``request`` (``NewRespByMessage``).

    Source and group are those of the request, not swapped: an acknowledgement of the edge carries
    ``edgecontroller`` and ``resource``.
    """
    route = request.route
    return Message(
        Header(new_id(), request.header.id, clock.now_ms()),
        Route(route.source, route.group, RESPONSE, route.resource),
        content,
    )


def error_to(request: Message, text: str, new_id: NewId, clock: Clock) -> Message:
    """Return the error answer to ``request`` (``NewErrorMessage``): resource and operation ``error``, nothing else.

    The parent is the request's own id, so that a waiting caller sees the error at once; Go takes the request's
    *parent* id, which matches nobody (bug B1).
    """
    return Message(
        Header(new_id(), request.header.id, clock.now_ms()),
        Route(operation=ERROR, resource=request.route.resource),
        text,
    )


def content_json(message: Message) -> bytes:
    """Return the content as JSON text (UTF-8), to the byte as Go writes it. Content from the wire passes unchanged.

    Raises ``ContentError`` where the content is no JSON value.
    """
    content = message.content
    if isinstance(content, msgspec.Raw):
        return bytes(content)
    try:
        return marshal(content)
    except (TypeError, ValueError, RecursionError, OverflowError) as error:
        raise ContentError(f"cannot encode content of {message.route.resource}: {error}") from error


def content_value(message: Message) -> Any:
    """Return the content as a JSON value, decoding it if it still lies there as bytes from the wire.

    Raises ``ContentError`` where those bytes are not JSON after all.
    """
    content = message.content
    if not isinstance(content, msgspec.Raw):
        return content
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ContentError(f"cannot decode content of {message.route.resource}: {error}") from error
