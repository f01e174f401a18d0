"""One frame of a link as a value: what it says, and which kind of message it is."""

import json
from collections.abc import Callable, Container
from typing import Any, NamedTuple

import msgspec

Json = Any

KEEPALIVE = "keepalive"
REGISTRATION = "registration"
NODE_STATUS = "node status"
ACK = "acknowledgement"
ANSWER_ACK = "acknowledgement of an answer"
POD_STATUS = "pod status"
POD_END = "pod status of the end"
POD_STATUS_LIST = "pod status list"
POD_DELETE = "pod delete"
CONFIGMAP_QUERY = "edged configmap query"
SECRET_QUERY = "edged secret query"  # noqa: S105 - a kind of message
QUERY = "query"
TWIN = "twin"
BUS = "bus"
ERROR = "error"
TRANSPORT_PING = "transport ping"
TRANSPORT_ACK = "transport ack"
CLOUD_ANSWER = "answer of the cloud"
OTHER = "other"

PERIODIC = frozenset({KEEPALIVE, NODE_STATUS, POD_STATUS_LIST})
"""Kinds that are sent at a pace of their own: what they say is compared, not how many there are."""

TEXT_OF = "(text)"
"""The key below which the JSON of a content stands that is a text with JSON inside."""

_HEADER = {"msg_id": "", "parent_msg_id": "", "timestamp": 0, "resourceversion": "", "sync": False}
"""What a key means that is left out: Go leaves empty ones out, we write them all (T1 in docs/fidelity.md)."""

_ROUTE = ("source", "group", "operation", "resource")
_LIST_TYPES = ("servicelist", "endpointslist", "podlist")


class Frame(NamedTuple):
    """A message on the link, its header complete."""

    line: int
    """The line of its recording; of what our node sent, a running number."""
    text: str
    document: Json

    @property
    def id(self) -> str:
        """The id of the message."""
        return str(self.document["header"]["msg_id"])

    @property
    def parent(self) -> str:
        """The id of the message that it answers."""
        return str(self.document["header"]["parent_msg_id"])

    @property
    def route(self) -> tuple[str, str, str, str]:
        """Source, group, operation and resource."""
        route = self.document["route"]
        source, group = route.get("source", ""), route.get("group", "")
        return str(source), str(group), str(route.get("operation", "")), str(route.get("resource", ""))

    @property
    def resource(self) -> str:
        """What the message is about."""
        return str(self.document["route"].get("resource", ""))

    @property
    def is_list(self) -> bool:
        """Whether it is about a list, which a cloudcore sends beside its queue of objects."""
        return any(word in _LIST_TYPES for word in self.resource.split("/"))

    @property
    def short(self) -> str:
        """The frame in a line, for people."""
        source, group, operation, resource = self.route
        return f"line {self.line}: {source}|{group}|{operation}|{resource} {json.dumps(self.document['content'])[:80]}"


def read_frame(text: str, line: int) -> Frame:
    """Return the frame in ``text``; of what is no message, one of an empty route whose content is the text."""
    document = _loaded(text)
    if not isinstance(document, dict) or not all(isinstance(document.get(key), dict) for key in ("header", "route")):
        return Frame(line, text, {"header": dict(_HEADER), "route": dict.fromkeys(_ROUTE, ""), "content": text})
    content = document.get("content")
    if document["route"].get("source") == "twin" and isinstance(content, str):
        inside = _loaded(content)
        content = content if inside is None else {TEXT_OF: inside}
    return Frame(line, text, {**document, "content": content, "header": {**_HEADER, **document["header"]}})


def _loaded(text: str) -> Json:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        pass
    try:  # half of a surrogate pair, for one, which Go sends and Python reads
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def kind_of(frame: Frame, answers: Container[str] = ()) -> str:
    """Return the kind of an edge's message. ``answers`` holds the ids of what the cloud sent as answers."""
    if frame.route[2] == "response" and frame.parent:
        if frame.document["content"] == "ack":
            return TRANSPORT_ACK
        return ANSWER_ACK if frame.parent in answers else ACK
    kind = kind_of_route(*frame.route)
    return POD_END if kind == POD_STATUS and _phase(frame.document["content"]) in ("Succeeded", "Failed") else kind


def kind_of_route(source: str, group: str, operation: str, resource: str) -> str:
    """Return the kind of an edge's message that is no answer, as far as its route says it."""
    return next((kind for kind, is_one in _KINDS.items() if is_one(source, group, operation, resource)), OTHER)


def _phase(content: Json) -> str:
    status = content.get("Status") if isinstance(content, dict) else None
    return str(status.get("phase")) if isinstance(status, dict) else ""


_KINDS: dict[str, Callable[[str, str, str, str], bool]] = {
    TWIN: lambda source, group, operation, resource: source == "twin",
    BUS: lambda source, group, operation, resource: source == "bus",
    TRANSPORT_PING: lambda source, group, operation, resource: operation == "ping",
    ERROR: lambda source, group, operation, resource: operation == "error",
    KEEPALIVE: lambda source, group, operation, resource: operation == "keepalive",
    REGISTRATION: lambda source, group, operation, resource: operation == "insert" and "/nodestatus/" in resource,
    NODE_STATUS: lambda source, group, operation, resource: operation == "update" and "/nodestatus/" in resource,
    POD_STATUS: lambda source, group, operation, resource: operation == "update" and "/podstatus/" in resource,
    POD_STATUS_LIST: lambda source, group, operation, resource: resource.endswith("/podstatus"),
    POD_DELETE: lambda source, group, operation, resource: operation == "delete" and "/pod/" in resource,
    CONFIGMAP_QUERY: lambda source, group, operation, resource: operation == "query" and "/configmap/" in resource,
    SECRET_QUERY: lambda source, group, operation, resource: operation == "query" and "/secret/" in resource,
    QUERY: lambda source, group, operation, resource: operation == "query",
}
