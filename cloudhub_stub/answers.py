"""What the stub does with the requests of an edge (``kubeedge cloud/pkg/edgecontroller/controller/upstream.go`` and
``cloud/pkg/devicecontroller/controller/upstream.go@v1.3.1``).

| resource type | operation | done | answer |
| --- | --- | --- | --- |
| nodestatus | insert | the Node is made, unless it is there; all is sent once more | "OK" on ``<ns>/node/<node>`` |
| nodestatus | update | its status is replaced | "OK" on ``<ns>/node/<node>``, resource version |
| node | query | | the Node object, resource version |
| node | update | annotations are merged | "OK", resource version |
| an object's, see ``_QUERIED`` | query | | the object; else silence, as from Go, or an error to our edge |
| podstatus | update | the pods' status; what has ended that was to go is gone | a ``delete`` for an unknown pod |
| pod | delete | the pod is gone | |
| (of DeviceTwin) | update | reported values, the state of the device | "OK" on ``twin``, if reports are confirmed |
| membership/detail | get | | the devices of the node, if they are told |
| (an upload of a device) | response, upload | noted | |

Everything else meets silence, for a reason that is counted. Go passes over the status of a node that it does not know;
the stub makes the Node then, so that an edge lives on when the stub lost its state.
"""

from typing import Any, NamedTuple

import msgspec

from cloudhub_stub.cluster.events import WARNING
from cloudhub_stub.cluster.kinds import DEVICE_KIND, KINDS, NODE_KIND, POD_KIND, Object, ObjectKey, key_of
from cloudhub_stub.cluster.limits import MAX_NODE_OBJECTS, MAX_STATUS_BYTES
from cloudhub_stub.cluster.writes import Create, Replace
from cloudhub_stub.controllers import nodes, podstatus
from cloudhub_stub.controllers.devicereports import (
    TWIN_REPORT,
    Disagreement,
    disagreements,
    report_of,
    reported,
    state_reported,
)
from cloudhub_stub.controllers.devices import detail, device_named, node_of
from cloudhub_stub.controlplane import ControlPlane
from cloudhub_stub.downstream.devices import device_key
from cloudhub_stub.downstream.items import wire
from cloudhub_stub.errors import ApiError
from cloudhub_stub.nodes import Node, PodNote
from cloudhub_stub.objects import OBJECT_TYPES, Objects
from cloudhub_stub.uploads import is_upload, upload_of
from edgecore.beehive.message import Message, content_value
from edgecore.beehive.resource import (
    DELETE,
    DEVICECONTROLLER,
    EDGECONTROLLER,
    ERROR,
    GET,
    GROUP_RESOURCE,
    GROUP_TWIN,
    GROUP_USER,
    INSERT,
    NODE,
    NODESTATUS,
    OK,
    POD,
    PODSTATUS,
    QUERY,
    RESPONSE,
    TWIN,
    UPDATE,
    EdgeResource,
    parse_edge,
)
from edgecore.errors import ContentError

FAULTS = frozenset({"bad_content", "other_node", "bad_resource"})
"""The outcomes that are the edge's fault: counted as bad input."""

REPORTS = frozenset({"pod_status_noted", "device_report_taken", "upload_taken"})
"""The outcomes of what is told and not asked: nobody waits for an answer."""

_HIGHEST_BELIEVED = 10**15
"""No stub hands out higher resource versions; what a node says of a higher one is none, and must not spoil ours."""

_LONGEST_NAME = 253
"""Of a Kubernetes object; what nodes say in longer words is not kept."""

_QUERIED = OBJECT_TYPES - {POD}
"""The objects that an edge may ask for: all that are sent one by one, but pods."""

_KIND_OF = {kind.wire_type: kind for kind in KINDS.values() if kind.wire_type}
_EDGE_LABELS = {"node-role.kubernetes.io/edge": "", "node-role.kubernetes.io/agent": ""}
"""What an edge says of itself when it registers, for one that did so long ago."""


class Reply(NamedTuple):
    """What is sent back; ids, time and the rest of the route are the sender's business."""

    content: Any
    resource: str
    resource_version: str = ""
    due_ack: bool = False
    """Whether the edge acknowledges this answer (objects that MetaManager stores)."""
    operation: str = RESPONSE
    once_stored: bool = False
    """Whether it goes when all that is known of the node is on disk: the edge will not ask again."""
    source: str = EDGECONTROLLER
    group: str = GROUP_RESOURCE


class Answer(NamedTuple):
    """What became of a request: a fixed snake_case word, and a reply unless there is silence."""

    outcome: str
    reply: Reply | None = None


class Manners(NamedTuple):
    """What a cloud of 1.3.1 does not do, and later ones do."""

    confirms_reports: bool = False
    """Whether a report of a device is answered (from 1.4 on)."""
    tells_devices: bool = False
    """Whether the question ``membership/detail``, which every edge asks when it connects, is answered."""


CONFIRMATION = Reply(OK, TWIN, once_stored=True, source=DEVICECONTROLLER, group=GROUP_TWIN)
"""What a report gets from a cloud that confirms it (``kubeedge
cloud/pkg/devicecontroller/controller/upstream.go@v1.4.0``)."""

LIKE_1_3 = Manners()
_DETAIL = "membership/detail"


def answer(
    request: Message,
    node: Node,
    plane: ControlPlane,
    objects: Objects,
    *,
    is_ours: bool,
    manners: Manners = LIKE_1_3,
) -> Answer:
    """Take in a request of ``node`` and say what it gets. Never raises, whatever the message.

    ``objects`` are those that were sent by hand; ``is_ours``: the edge understands that there is no such object.
    """
    return _Request(request, node, plane, objects, is_ours=is_ours, manners=manners).answer()


class _Request:
    def __init__(
        self,
        request: Message,
        node: Node,
        plane: ControlPlane,
        objects: Objects,
        *,
        is_ours: bool,
        manners: Manners,
    ) -> None:
        self._request = request
        self._node = node
        self._plane = plane
        self._objects = objects
        self._is_ours = is_ours
        self._manners = manners
        self._now_ms = plane.clock.now_ms()

    def answer(self) -> Answer:
        route = self._request.route
        if is_upload(self._request):
            return self._take_upload()
        if route.source != TWIN and route.group == GROUP_USER:
            return Answer("user_message_not_answered")  # of EventBus or ServiceBus: no resource path of this kind
        resource = parse_edge(route.resource)
        try:
            if route.source == TWIN:
                return self._about_device()
            if resource is None:
                return Answer("bad_resource")
            return self._decide(resource)
        except ContentError:
            return Answer("bad_content", None if resource is None else self._refusal(resource))
        except ApiError:
            return Answer("refused", None if resource is None else self._refusal(resource))

    def _take_upload(self) -> Answer:
        """Take what a device sent up."""
        try:
            upload = upload_of(self._request, self._now_ms)
        except ContentError:
            return Answer("bad_content")
        self._node.counters.uploads += 1
        self._node.uploads.append(upload)
        return Answer("upload_taken")

    def _refusal(self, resource: EdgeResource) -> Reply | None:
        """Return the empty text, by which Go refuses a registration; all else that is bad meets silence."""
        if (resource.type, self._request.route.operation) == (NODESTATUS, INSERT):
            return Reply("", _node_resource(resource))
        return None

    def _decide(self, resource: EdgeResource) -> Answer:
        operation = self._request.route.operation
        if resource.type in {NODESTATUS, NODE}:
            if resource.name != self._node.name:
                return Answer("other_node")
            return self._about_node(resource, operation)
        if resource.type == PODSTATUS and operation == UPDATE:
            return self._take_pod_statuses(resource)
        if resource.type == POD and operation == DELETE and resource.name:
            return self._remove_pod(resource)
        if operation == QUERY and resource.type in _QUERIED and resource.name:
            return self._find(resource)
        return Answer("not_answered")

    # Nodes.

    def _about_node(self, resource: EdgeResource, operation: str) -> Answer:
        name, registry = self._node.name, self._plane.registry
        existing = registry.get(ObjectKey(NODE_KIND.name, "", name))
        match resource.type, operation:
            case "nodestatus", "insert":
                self._write_node(existing, nodes.registered(existing, name, self._content()))
                self._plane.started_anew(name)
                return Answer("node_registered", Reply(OK, _node_resource(resource), once_stored=True))
            case "nodestatus", "update":
                before = existing or nodes.registered(None, name, {"metadata": {"labels": _EDGE_LABELS}})
                written = self._write_node(existing, nodes.status_taken(before, self._content(), self._now_ms))
                self._node.status_at_ms = self._now_ms
                self._plane.heard_of(name)
                return Answer("node_status_taken", Reply(OK, _node_resource(resource), _version(written)))
            case "node", "query" if existing is not None:
                reply = Reply(wire(existing), _node_resource(resource), _version(existing))
                return Answer("node_query_answered", reply)
            case "node", "query":
                return Answer("query_not_held")
            case "node", "update" if existing is not None:
                written = self._write_node(existing, nodes.annotated(existing, self._content()))
                return Answer("node_annotated", Reply(OK, _node_resource(resource), _version(written)))
        return Answer("not_answered")

    def _write_node(self, existing: Object | None, node: Object) -> Object:
        """Write a Node and return it. Raises ``ContentError`` where it is too large, ``ApiError`` where there are as
        many as may be."""
        _check_status({"metadata": node["metadata"], "status": node.get("status")})
        if existing is None and self._plane.registry.count(NODE_KIND.name) >= MAX_NODE_OBJECTS:
            raise ApiError(f"cannot register {self._node.name}: there are {MAX_NODE_OBJECTS} nodes, which is the limit")
        if node is not existing:
            self._plane.write(Create(node) if existing is None else Replace(node))
        return self._plane.registry.get(ObjectKey(NODE_KIND.name, "", self._node.name)) or node

    # Pods.

    def _take_pod_statuses(self, resource: EdgeResource) -> Answer:
        """Take one pod's status (the resource has a name) or all of a namespace (it has none)."""
        outcome = "pod_status_noted"
        for name, sent in podstatus.entries(self._content(), resource.name):
            if not self._take_pod_status(EdgeResource(resource.namespace, POD, name), sent):
                outcome = "pod_unknown"
        return Answer(outcome)

    def _take_pod_status(self, resource: EdgeResource, sent: Any) -> bool:
        """Take the status of one pod; return whether this node is to have it."""
        key = ObjectKey(POD_KIND.name, resource.namespace, resource.name)
        pod = self._plane.registry.get(key)
        is_here = pod is not None and pod["spec"].get("nodeName") == self._node.name
        if pod is None or not is_here:
            self._note_pod(resource, sent)
            if self._objects.get(resource) is None:
                self._plane.dispatch.unknown_pod(self._node.name, resource.namespace, resource.name)
                return False
            return True
        status = podstatus.status_taken(pod, sent, self._now_ms)
        if status is None:
            return True  # of an earlier pod of that name, which the node is about to replace
        _check_status(status)
        self._note_pod(resource, sent)
        uid = pod["metadata"]["uid"]
        if podstatus.is_over(self._plane.api.replace_status(key, status, uid=uid)):
            self._plane.api.delete(key, grace_s=0, uid=uid)
            self._node.forget_pod(resource)
        self._plane.kick()
        return True

    def _note_pod(self, resource: EdgeResource, sent: Any) -> None:
        """Keep the phase of a pod for the list of nodes."""
        entry = _object(sent)
        phase = _text(_object(entry.get("Status")).get("phase"))
        self._node.note_pod(resource, PodNote(_text(entry.get("UID")), phase))

    def _remove_pod(self, resource: EdgeResource) -> Answer:
        uid = _text(self._content())
        self._node.forget_pod(resource)
        key = ObjectKey(POD_KIND.name, resource.namespace, resource.name)
        pod = self._plane.registry.get(key)
        if pod is None or pod["spec"].get("nodeName") != self._node.name or pod["metadata"]["uid"] != uid:
            return Answer("pod_delete_noted")
        self._plane.api.delete(key, grace_s=0, uid=uid)
        self._plane.kick()
        return Answer("pod_deleted")

    # Everything else that is asked for or reported.

    def _find(self, resource: EdgeResource) -> Answer:
        kind = _KIND_OF[resource.type]
        namespace = resource.namespace if kind.namespaced else ""
        obj = self._plane.registry.get(ObjectKey(kind.name, namespace, resource.name))
        if obj is not None:
            self._plane.dispatch.asked(self._node.name, obj)
            return Answer(
                "query_answered", Reply(wire(obj), str(resource), _version(obj), due_ack=True, once_stored=True)
            )
        held = self._objects.get(resource)
        if held is not None:
            return Answer("query_answered", Reply(held.content, str(resource), held.resource_version, due_ack=True))
        if self._is_ours:
            text = f'{kind.plural} "{resource.name}" not found'
            return Answer("query_not_held", Reply(text, str(resource), operation=ERROR))
        return Answer("query_not_held")

    def _about_device(self) -> Answer:
        route = self._request.route
        if (route.resource, route.operation) == (_DETAIL, GET) and self._manners.tells_devices:
            return self._tell_devices()
        report = report_of(route.resource)
        if report is None or route.operation != UPDATE:
            return Answer("device_not_answered")
        devices = self._plane.registry.all_of(DEVICE_KIND.name)
        device = device_named(devices, report.device, self._node.name)
        if device is None:
            return Answer("device_unknown")
        is_twin = report.kind == TWIN_REPORT
        refused = disagreements(device, self._content()) if is_twin else []
        if is_twin:
            changed = reported(device, self._content(), self._now_ms)
        else:
            changed = state_reported(device, self._content())
        if changed is not None:
            self._plane.write(Replace(changed))
        self._heal(key_of(device), refused)
        return Answer("device_report_taken", CONFIRMATION if self._manners.confirms_reports else None)

    def _tell_devices(self) -> Answer:
        """Tell a node all the devices that it shall have; it lets go of all others."""
        mine = [each for each in self._plane.registry.all_of(DEVICE_KIND.name) if node_of(each) == self._node.name]
        content = detail(mine, self._plane.new_id(), self._now_ms)
        return Answer("devices_told", Reply(content, _DETAIL, source=DEVICECONTROLLER, group=GROUP_TWIN))

    def _heal(self, key: ObjectKey, found: list[Disagreement]) -> None:
        """Tell the edge once more what is desired, where it refused that because it knows a higher version of it: the
        stub began anew with another file."""
        device = self._plane.registry.get(key)
        for each in found:
            if each.edge_version:
                why = f"a program on MQTT at {self._node.name} has set {each.property}"
                way_out = "the node takes no desired value for it any more, until the device is deleted and added again"
                self._plane.events.note(key, WARNING, "DesiredRefused", f"{why}: {way_out}")
        versions = (each.cloud_version for each in found if not each.edge_version)
        newest = max((version for version in versions if version <= _HIGHEST_BELIEVED), default=0)
        if device is not None and newest > int(_version(device) or 0):
            self._plane.registry.note_version(str(newest))
            self._plane.registry.put(device)
            self._plane.owe(self._node.name, device_key(device))

    def _content(self) -> Any:
        return content_value(self._request)


def _check_status(status: Object) -> None:
    size = len(msgspec.json.encode(status))
    if size > MAX_STATUS_BYTES:
        raise ContentError(f"cannot take status: it has {size} bytes, must have at most {MAX_STATUS_BYTES}")


def _version(obj: Object) -> str:
    return str(obj["metadata"].get("resourceVersion", ""))


def _node_resource(resource: EdgeResource) -> str:
    return str(EdgeResource(resource.namespace, NODE, resource.name))


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return value[:_LONGEST_NAME] if isinstance(value, str) else ""
