"""What lies in a node's queue: one message as it will be written, and what decides how it is sent (pure)."""

from enum import Enum
from typing import NamedTuple

import msgspec

from cloudhub_stub.session import is_due_ack
from edgecore.beehive.frame import encode_frame
from edgecore.beehive.message import Message, content_value
from edgecore.beehive.resource import (
    DELETE,
    EDGECONTROLLER,
    ENDPOINTSLIST,
    GROUP_RESOURCE,
    NODE,
    OK,
    PODLIST,
    RESPONSE,
    SERVICELIST,
    parse_edge,
)
from edgecore.errors import ContentError

_STATE_LISTS = frozenset({PODLIST, SERVICELIST, ENDPOINTSLIST})
"""Lists that say everything about their resource, so that the newest is enough."""
_OK_JSON = msgspec.Raw(b'"OK"')
_LARGEST_VERSION_DIGITS = 20


class Lane(Enum):
    """How a message is sent (``kubeedge cloud/pkg/cloudhub/channelq/channelq.go:166-191@v1.3.1``)."""

    ACK = "ack"
    """One at a time, again and again until the edge acknowledges it."""
    LIST = "list"
    """Once in each session, without waiting for the one before."""


class Parcel(NamedTuple):
    """One message to one node."""

    id: str
    group: str
    operation: str
    resource: str
    version: str
    data: bytes
    """The frame: the same bytes each time."""
    lane: Lane
    key: str
    """Messages with the same key are about the same thing; empty for one that stands for itself."""
    is_ending: bool
    """Go's idea of a delete: the operation, or an object with a deletion timestamp."""
    due_ack: bool
    """Whether an edge acknowledges it."""
    lasting: bool
    """It waits for the next session; else it answers a request of this one and ends with it."""
    durable: bool
    """It has a row in the store."""

    @property
    def is_delete(self) -> bool:
        """Whether the object is to be removed."""
        return self.operation == DELETE


def parcel_of(message: Message, *, data: bytes | None = None, lasting: bool = True, durable: bool = False) -> Parcel:
    """Return the parcel of ``message``; ``data`` are its bytes where they exist already.

    Raises ``FrameError`` where its content is no JSON value.
    """
    header, route = message.header, message.route
    lane = _lane(message)
    return Parcel(
        header.id,
        route.group,
        route.operation,
        route.resource,
        header.resource_version,
        encode_frame(message) if data is None else data,
        lane,
        _key(message, lane) if lasting else "",
        route.operation == DELETE or _has_deletion_timestamp(message),
        lane is Lane.ACK or is_due_ack(message),
        lasting,
        durable,
    )


def is_older(version: str, than: str) -> bool:
    """Whether one resource version comes before another; false where either is no number (nobody can tell)."""
    return _is_number(version) and _is_number(than) and int(version) < int(than)


def _is_number(version: str) -> bool:
    return version.isascii() and version.isdigit() and len(version) <= _LARGEST_VERSION_DIGITS


def _lane(message: Message) -> Lane:
    route = message.route
    if _is_list(message):
        return Lane.LIST
    # What no edge acknowledges would only stand in the way of the others.
    is_object_answer = route.group == GROUP_RESOURCE and route.operation == RESPONSE
    return Lane.ACK if is_object_answer or is_due_ack(message) else Lane.LIST


def _is_list(message: Message) -> bool:
    """Whether Go would send it without waiting; by the resource's type, where Go looks for pieces of text (H12)."""
    route = message.route
    resource = parse_edge(route.resource)
    if resource is not None and resource.type in _STATE_LISTS:
        return True
    if route.resource == "membership" or _is_twin_update(route.resource):
        return True
    if route.operation == RESPONSE and message.content in (OK, _OK_JSON, ""):
        return True
    return route.source == EDGECONTROLLER and resource is not None and resource.type == NODE


def _is_twin_update(resource: str) -> bool:
    parts = resource.split("/")
    return len(parts) == 4 and parts[0] == "device" and parts[2:] == ["twin", "cloud_updated"]


def _key(message: Message, lane: Lane) -> str:
    if lane is Lane.ACK:
        return message.route.resource
    resource = parse_edge(message.route.resource)
    # Of twins and membership each message tells a change, so none can stand for another.
    return message.route.resource if resource is not None and resource.type in _STATE_LISTS else ""


def _has_deletion_timestamp(message: Message) -> bool:
    content = message.content
    if isinstance(content, msgspec.Raw) and b"deletionTimestamp" not in bytes(content):
        return False
    try:
        value = content_value(message)
    except ContentError:
        return False
    metadata = value.get("metadata") if isinstance(value, dict) else None
    return isinstance(metadata, dict) and metadata.get("deletionTimestamp") is not None
