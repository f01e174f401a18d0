"""What the stub says to the requests of an edge (``kubeedge cloud/pkg/edgecontroller/controller/upstream.go@v1.3.1``).

| resource type | operation | done | answer |
| --- | --- | --- | --- |
| nodestatus | insert | the node is registered, unless it was before | "OK" on ``<ns>/node/<node>`` |
| nodestatus | update | its status is replaced | "OK" on ``<ns>/node/<node>``, growing resource version |
| node | query | | the Node object, resource version |
| node | update | annotations are merged | "OK", resource version |
| an object's, see ``_QUERIED`` | query | | the object if the stub holds it, else silence, as from Go |
| podstatus | update | noted | |
| pod | delete | noted | |
| (an upload of a device) | response | noted | |

Everything else meets silence, for a reason that is counted. Go passes over the status of a node that it does not know;
the stub takes it, so that an edge lives on when the stub was restarted.
"""

from base64 import urlsafe_b64decode
from typing import Any, NamedTuple

from cloudhub_stub.delivery.journal import is_upload
from cloudhub_stub.nodes import Node, PodNote, Upload
from cloudhub_stub.objects import OBJECT_TYPES, Objects
from edgecore.beehive.message import Message, content_json, content_value
from edgecore.beehive.resource import (
    DELETE,
    GROUP_USER,
    INSERT,
    NODE,
    NODESTATUS,
    OK,
    POD,
    PODSTATUS,
    QUERY,
    TWIN,
    UPDATE,
    EdgeResource,
    parse_edge,
)
from edgecore.errors import ContentError

FAULTS = frozenset({"bad_content", "other_node", "bad_resource"})
"""The outcomes that are the edge's fault: counted as bad input."""

_LONGEST_TOPIC = 200
_LONGEST_NAME = 253
"""Of a Kubernetes object; what nodes say in longer words is not kept."""

_QUERIED = OBJECT_TYPES - {POD}
"""The objects that an edge may ask for: all that are sent one by one, but pods."""


class Reply(NamedTuple):
    """What is sent back; ids, time and the rest of the route are the sender's business."""

    content: Any
    resource: str
    resource_version: str = ""
    due_ack: bool = False
    """Whether the edge acknowledges this answer (objects that MetaManager stores)."""


class Answer(NamedTuple):
    """What became of a request: a fixed snake_case word, and a reply unless there is silence."""

    outcome: str
    reply: Reply | None = None


def answer(request: Message, node: Node, objects: Objects, now_ms: int) -> Answer:
    """Take in a request of ``node`` and say what it gets. Never raises, whatever the message."""
    route = request.route
    if route.source == TWIN:
        return Answer("device_not_answered")
    if is_upload(request):
        return _take_upload(request, node, now_ms)
    if route.group == GROUP_USER:
        return Answer("user_message_not_answered")  # of EventBus or ServiceBus: no resource path of this kind
    resource = parse_edge(route.resource)
    if resource is None:
        return Answer("bad_resource")
    try:
        return _decide(request, resource, node, objects, now_ms)
    except ContentError:
        return Answer("bad_content", _refusal(request, resource))


def _take_upload(request: Message, node: Node, now_ms: int) -> Answer:
    """Take what a device sent up; its topic is the resource, in base64url."""
    encoded = request.route.resource[: 2 * _LONGEST_TOPIC]
    try:
        topic = urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode(errors="replace")
    except ValueError:
        topic = encoded
    try:
        size_bytes = len(content_json(request))
    except ContentError:
        return Answer("bad_content")
    node.counters.uploads += 1
    node.uploads.append(Upload(topic[:_LONGEST_TOPIC], size_bytes, now_ms))
    return Answer("upload_taken")


def _refusal(request: Message, resource: EdgeResource) -> Reply | None:
    """Return the empty text, by which Go refuses a registration; everything else that is bad meets silence."""
    if (resource.type, request.route.operation) == (NODESTATUS, INSERT):
        return Reply("", _node_resource(resource))
    return None


def _decide(request: Message, resource: EdgeResource, node: Node, objects: Objects, now_ms: int) -> Answer:
    operation = request.route.operation
    if resource.type in {NODESTATUS, NODE}:
        if resource.name != node.name:
            return Answer("other_node")
        return _about_node(request, resource, node, objects, now_ms)
    if resource.type == PODSTATUS and operation == UPDATE:
        _note_statuses(request, resource, node)
        return Answer("pod_status_noted")
    if resource.type == POD and operation == DELETE and resource.name:
        node.forget_pod(resource)
        return Answer("pod_delete_noted")
    if operation == QUERY and resource.type in _QUERIED and resource.name:
        held = objects.get(resource)
        if held is None:
            return Answer("query_not_held")
        return Answer("query_answered", Reply(held.content, str(resource), held.resource_version, due_ack=True))
    return Answer("not_answered")


def _about_node(request: Message, resource: EdgeResource, node: Node, objects: Objects, now_ms: int) -> Answer:
    match resource.type, request.route.operation:
        case "nodestatus", "insert":
            _register(node, _object(content_value(request)))
            node.resource_version = objects.next_version()
            return Answer("node_registered", Reply(OK, _node_resource(resource)))
        case "nodestatus", "update":
            _take_status(node, _object(content_value(request)), now_ms)
            node.resource_version = objects.next_version()
            return Answer("node_status_taken", Reply(OK, _node_resource(resource), node.resource_version))
        case "node", "query" if node.resource_version:
            metadata = {**node.object["metadata"], "resourceVersion": node.resource_version}
            shown = {**node.object, "metadata": metadata}
            return Answer("node_query_answered", Reply(shown, _node_resource(resource), node.resource_version))
        case "node", "query":
            return Answer("query_not_held")
        case "node", "update":
            sent = _object(_object(content_value(request)).get("metadata"))
            kept = _object(node.object["metadata"].get("annotations"))
            node.object["metadata"]["annotations"] = kept | _object(sent.get("annotations"))
            node.resource_version = objects.next_version()
            return Answer("node_annotated", Reply(OK, _node_resource(resource), node.resource_version))
    return Answer("not_answered")


def _register(node: Node, sent: dict[str, Any]) -> None:
    """Make the Node object, once, as Go does; the name comes from the resource, the edge sends none."""
    if node.registered:
        return
    identity = {name: node.object["metadata"][name] for name in ("name", "selfLink", "uid", "creationTimestamp")}
    metadata = _object(sent.get("metadata")) | identity
    node.object = {"metadata": metadata, "spec": _object(sent.get("spec")), "status": _object(sent.get("status"))}
    node.registered = True


def _take_status(node: Node, sent: dict[str, Any], now_ms: int) -> None:
    """Take a NodeStatusRequest, whose keys are capitalised for want of tags in the Go struct."""
    status = _object(sent.get("Status"))
    node.object["status"] = status
    node.status_at_ms = now_ms
    conditions = status.get("conditions")
    node.ready = isinstance(conditions, list) and any(
        isinstance(each, dict) and each.get("type") == "Ready" and each.get("status") == "True" for each in conditions
    )


def _note_statuses(request: Message, resource: EdgeResource, node: Node) -> None:
    """Note one pod's status (the resource has a name) or all of a namespace (it has none)."""
    content = content_value(request)
    if resource.name:
        _note_status(_object(content), resource.namespace, resource.name, node)
        return
    if not isinstance(content, list):
        raise ContentError(f"cannot read {request.route.resource}: not a list")
    for each in content:
        entry = _object(each)
        _note_status(entry, resource.namespace, entry.get("Name"), node)


def _note_status(sent: dict[str, Any], namespace: str, name: Any, node: Node) -> None:
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME:
        raise ContentError("cannot note pod status: no name, or too long a one")
    phase = _text(_object(sent.get("Status")).get("phase"))
    node.note_pod(EdgeResource(namespace, POD, name), PodNote(_text(sent.get("UID")), phase))


def _node_resource(resource: EdgeResource) -> str:
    return str(EdgeResource(resource.namespace, NODE, resource.name))


def _object(value: Any) -> dict[str, Any]:
    """Return a JSON object, ``null`` and an absent field being the empty one; raises ``ContentError`` for the rest."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ContentError(f"cannot read content: expected an object, found {type(value).__name__}")
    return value


def _text(value: Any) -> str:
    return value[:_LONGEST_NAME] if isinstance(value, str) else ""
