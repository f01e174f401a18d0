"""What was done to the recorded cluster, by its notes, done to ours: the objects are those of the recorded messages."""

import json
import re
from collections.abc import Callable, Iterator
from functools import cached_property, partial
from typing import Any

from cloudhub_stub.cluster.instants import unix_ms
from cloudhub_stub.cluster.kinds import KINDS, Object, ObjectKey
from cloudhub_stub.controlplane import ControlPlane
from cloudhub_stub.errors import NotFound
from edgecore.recording.frames import Frame
from edgecore.recording.session import Recording

CLUSTER_BORN_MS = 1_795_168_984_000
"""When the objects were made that were there at the beginning."""
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_KIND_OF = {kind.wire_type: kind for kind in KINDS.values() if kind.wire_type} | {"device": KINDS["Device"]}
_BY_SERVER = {
    "uid",
    "resourceVersion",
    "selfLink",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
}
_TOLERATIONS = [
    {"key": f"node.kubernetes.io/{word}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
    for word in ("not-ready", "unreachable")
]
_POD_DEFAULTS = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "securityContext": {},
    "schedulerName": "default-scheduler",
    "tolerations": _TOLERATIONS,
    "priority": 0,
    "enableServiceLinks": True,
}
_CONTAINER_DEFAULTS = {
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
    "imagePullPolicy": "IfNotPresent",
}
_SERVICE_DEFAULTS = {"type": "ClusterIP", "sessionAffinity": "None"}


class Found:
    """The objects in the messages of a recording."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self.begun_ns = recording.entries[0].t_ns

    @cached_property
    def objects(self) -> dict[tuple[str, str], Object]:
        """The whole objects, by resource as it is sent and version, as the API returns them."""
        found = {}
        for resource, content in self._contents():
            kind = _KIND_OF[resource.split("/")[1]]
            obj = {"kind": kind.name, "apiVersion": kind.api_version, **content}
            found[resource, content["metadata"].get("resourceVersion", "")] = obj
        return found

    @cached_property
    def contents(self) -> list[Frame]:
        """The messages about devices."""
        return [frame for frame in self._recording.cloud if frame.route[0] == "devicecontroller"]

    def of(self, *types: str, namespace: str = "") -> list[Object]:
        """Return the first states of all objects of these types, by age."""
        first: dict[str, Object] = {}
        for (resource, version), obj in sorted(self.objects.items(), key=lambda one: int(one[0][1] or 0)):
            is_meant = resource.split("/")[1] in types and resource.startswith(namespace)
            if version and is_meant:
                first.setdefault(resource, obj)
        return list(first.values())

    def _contents(self) -> Iterator[tuple[str, Object]]:
        for frame in self._recording.cloud:
            content = frame.document["content"]
            namespace, _, name = (*frame.resource.split("/"), "", "")[:3]
            match frame.resource.split("/"):
                case [_, "servicelist" | "endpointslist" as word, _]:
                    yield from ((_resource(each, word.removesuffix("list")), each) for each in content)
                case [_, "podlist", _]:
                    yield from ((_resource(each, "pod"), each) for each in content or ())
                case [_, word, _] if word in _KIND_OF and word != "node" and isinstance(content, dict):
                    yield f"{namespace}/{word}/{name}", content


def _resource(obj: Object, word: str) -> str:
    return f"{obj['metadata']['namespace']}/{word}/{obj['metadata']['name']}"


def as_written(obj: Object) -> Object:
    """Return an object as a user wrote it: what the API server writes or fills in is left to ours."""
    metadata = {key: value for key, value in obj["metadata"].items() if key not in _BY_SERVER}
    written = {key: value for key, value in obj.items() if key != "status"} | {"metadata": metadata}
    if obj["kind"] == "Pod":
        written["spec"] = _pod_spec(obj["spec"])
    elif obj["kind"] == "Service":
        spec = _without(obj["spec"], _SERVICE_DEFAULTS)
        ports = {"ports": [_without(each, {"protocol": "TCP"}) for each in spec["ports"]]} if "ports" in spec else {}
        written["spec"] = spec | ports
    return written


def _pod_spec(spec: dict[str, Any]) -> dict[str, Any]:
    written = _without(spec, _POD_DEFAULTS)
    written["containers"] = [_container(each, spec) for each in spec["containers"]]
    if "volumes" in spec:
        written["volumes"] = [
            {
                key: _without(value, {"defaultMode": 420}) if isinstance(value, dict) else value
                for key, value in each.items()
            }
            for each in spec["volumes"]
        ]
    return written


def _container(container: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    written = _without(container, _CONTAINER_DEFAULTS)
    host_port = ("hostPort",) if spec.get("hostNetwork") else ()
    ports = [
        {key: value for key, value in _without(port, {"protocol": "TCP"}).items() if key not in host_port}
        for port in container.get("ports", ())
    ]
    return written | ({"ports": ports} if ports else {})


def _without(values: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if key not in defaults or defaults[key] != value}


class Deeds:
    """What a user did; each method belongs to one note, see ``DEEDS``."""

    def __init__(
        self, plane: ControlPlane, found: Found, uids: dict[str, str], *, are_endpoints_ours: bool = False
    ) -> None:
        """``uids`` has for each recorded uid ours; ``are_endpoints_ours``: a controller makes them."""
        self.are_endpoints_ours = are_endpoints_ours
        self.plane = plane
        self.found = found
        self.uids = uids

    def create(self, resource: str, version: int | str) -> None:
        """Create the object of that version."""
        if self._is_ours(resource):
            return
        self._create(self.found.objects[resource, str(version)])

    def create_all(self, *types: str, namespace: str = "") -> None:
        """Create all objects of these types as they first were, oldest first."""
        for obj in self.found.of(*types, namespace=namespace):
            if self.plane.registry.get(_key(obj)) is None and not self._is_ours(_resource(obj, obj["kind"].lower())):
                self._create(obj)

    def replace(self, resource: str, version: int | str) -> None:
        """Write the object as it is in that version."""
        if self._is_ours(resource):
            return
        self.plane.api.replace(self._written(self.found.objects[resource, str(version)]))

    def delete(self, resource: str, grace_s: int | None = None) -> None:
        """Delete an object, unless it is gone already."""
        namespace, word, name = resource.split("/")
        try:
            self.plane.api.delete(ObjectKey(_KIND_OF[word].name, namespace, name), grace_s=grace_s)
        except NotFound:
            assert word == "endpoints"

    def create_running(self, resource: str, version: int | str) -> None:
        """Create a pod with the status that somebody wrote who is not its node."""
        pod = self.found.objects[resource, str(version)]
        self._create(pod)
        self.plane.api.replace_status(_key(pod), pod["status"])

    def create_node(self, name: str, labels: dict[str, str]) -> None:
        """Create a node that is ready, and not connected."""
        self.plane.api.create({"kind": "Node", "apiVersion": "v1", "metadata": {"name": name, "labels": labels}})
        ready = {"conditions": [{"type": "Ready", "status": "True"}]}
        self.plane.api.replace_status(ObjectKey("Node", "", name), ready)

    def _create(self, recorded: Object) -> None:
        created = self.plane.api.create(self._written(recorded))
        self.uids[recorded["metadata"]["uid"]] = created["metadata"]["uid"]

    def _is_ours(self, resource: str) -> bool:
        return self.are_endpoints_ours and "/endpoints/" in resource and not resource.endswith("/kubernetes")

    def _written(self, recorded: Object) -> Object:
        written: Object = json.loads(with_our_uids(json.dumps(as_written(recorded)), self.uids))
        return written


def with_our_uids(text: str, uids: dict[str, str]) -> str:
    """Return a text with the uids that ours gave, where it has the recorded ones."""
    return _UUID.sub(lambda found: uids.get(found[0], found[0]), text)


def _key(obj: Object) -> ObjectKey:
    metadata = obj["metadata"]
    return ObjectKey(obj["kind"], metadata.get("namespace", ""), metadata["name"])


def _device(do: Deeds, place: int, name: str, status: str = "added_devices") -> Object:
    content = do.found.contents[place].document["content"]
    twins = content[status][0]["twin"] if status else content["twin"]
    values = [
        {
            "propertyName": key,
            "desired": {"value": twin["expected"]["value"], "metadata": {"type": twin["metadata"]["type"]}},
        }
        for key, twin in twins.items()
    ]
    term = {"matchExpressions": [{"key": "", "operator": "In", "values": ["edge-node1"]}]}
    return {
        "kind": "Device",
        "apiVersion": "devices.kubeedge.io/v1alpha1",
        "metadata": {"name": name, "namespace": "default", "labels": {"description": "LEDLight", "model": "led-light"}},
        "spec": {"deviceModelRef": {"name": "led-light"}, "nodeSelector": {"nodeSelectorTerms": [term]}},
        "status": {"twins": values},
    }


def _configuration(do: Deeds) -> None:
    do.create(CM1, 311)
    do.create(S1, 312)


def _model(do: Deeds) -> None:
    metadata = {"name": "led-light", "namespace": "default"}
    properties = [{"name": "power-status", "type": {"string": {"accessMode": "ReadWrite", "defaultValue": "OFF"}}}]
    do.plane.api.create(
        {
            "kind": "DeviceModel",
            "apiVersion": "devices.kubeedge.io/v1alpha1",
            "metadata": metadata,
            "spec": {"properties": properties},
        }
    )


def _devices_end(do: Deeds) -> None:
    do.delete("default/device/led-2")
    do.plane.api.delete(ObjectKey("DeviceModel", "default", "led-light"))


def _while_cut(do: Deeds) -> None:
    do.create("default/service/new-svc", 424)
    do.create("default/endpoints/new-svc", 425)
    do.replace("default/service/pre-svc", 426)
    do.delete("kube-system/service/sys-svc")
    do.create("default/pod/pnew", 430)


def _cleanup(do: Deeds) -> None:
    do.delete("default/pod/pnew", grace_s=0)
    do.delete("default/service/new-svc")
    do.delete("default/service/pre-svc")


_KIND_OF["device"] = KINDS["Device"]

Deed = Callable[[Deeds], object]


def timed(recording: str, found: Found) -> list[tuple[int, Deed]]:
    """Return what was done without a note, and when, in Unix milliseconds; 0 for the first moment of the recording."""
    if recording == "a_connect_first_sync":
        return [
            (CLUSTER_BORN_MS, lambda do: do.create("default/service/kubernetes", 42)),
            (CLUSTER_BORN_MS, lambda do: do.create("default/endpoints/kubernetes", 44)),
        ]
    if recording == "e_disconnect_reconnect_resync":
        return [
            (0, lambda do: do.create("default/service/pre-svc", 416)),
            (0, lambda do: do.create("default/endpoints/pre-svc", 417)),
        ]
    if recording == "f_burst_1000_services_3000_pods":
        made = [*found.of("pod", namespace="bulk"), *found.of("service", "endpoints", namespace="bulk")]
        begun_ms = -(-found.begun_ns // 1_000_000)
        deeds = [(_made_ms(each, begun_ms), partial(_make, each)) for each in made]
        return [(deeds[0][0], lambda do: do.create_node("cloud-node", {})), *deeds]
    return []


def _made_ms(obj: Object, begun_ms: int) -> int:
    """Return when an object was made; but for pods, not before the recording began."""
    made_ms = unix_ms(obj["metadata"]["creationTimestamp"]) or 0
    return made_ms if obj["kind"] == "Pod" else max(made_ms, begun_ms)


def _make(obj: Object, do: Deeds) -> None:
    version = obj["metadata"]["resourceVersion"]
    if obj["kind"] == "Pod":
        do.create_running(_resource(obj, "pod"), version)
    else:
        do.create(_resource(obj, obj["kind"].lower()), version)


SVC, ENDPOINTS = "default/service/nginx-svc", "default/endpoints/nginx-svc"
POD0, POD1 = "default/pod/nginx-0", "default/pod/nginx-1"
WEB, WEB2, WEB_ENDPOINTS = "default/service/web-svc", "default/service/web2-svc", "default/endpoints/web-svc"
CM1, S1 = "default/configmap/cm1", "default/secret/s1"

DEEDS: dict[str, dict[str, Deed]] = {
    "b_services_endpoints_pods": {
        "create service nginx-svc": lambda do: do.create(SVC, 104),
        "create endpoints nginx-svc": lambda do: do.create(ENDPOINTS, 107),
        "create pod nginx-0": lambda do: do.create(POD0, 110),
        "update endpoints with nginx-0": lambda do: do.replace(ENDPOINTS, 117),
        "PUT same endpoints again": lambda do: do.replace(ENDPOINTS, 119),
        "update service: add port": lambda do: do.replace(SVC, 120),
        "second node": lambda do: do.create_node("edge-node2", {"node-role.kubernetes.io/edge": ""}),
        "pod nginx-1 on edge-node2": lambda do: do.create_running(POD1, 128),
        "update endpoints with both": lambda do: do.replace(ENDPOINTS, 129),
        "other services": lambda do: do.create_all("service"),
        "endpoints for these": lambda do: do.create_all("endpoints"),
    },
    "b2_deletes": {
        "delete endpoints of nginx-svc": lambda do: do.delete(ENDPOINTS),
        "re-create endpoints": lambda do: do.create(ENDPOINTS, 252),
        "delete pod nginx-0": lambda do: do.delete(POD0),
        "delete pod nginx-1": lambda do: do.delete(POD1, grace_s=0),
        "endpoints without addresses": lambda do: do.replace(ENDPOINTS, 268),
        "delete service nginx-svc": lambda do: do.delete(SVC),
        "delete endpoints nginx-svc": lambda do: do.delete(ENDPOINTS),
    },
    "b3_service_endpoints_delete": {
        "create service web-svc": lambda do: do.create(WEB, 281),
        "create endpoints web-svc again": lambda do: do.create(WEB_ENDPOINTS, 290),
        "create endpoints web-svc": lambda do: do.create(WEB_ENDPOINTS, 284),
        "delete endpoints web-svc only": lambda do: do.delete(WEB_ENDPOINTS),
        "delete service web-svc": lambda do: do.delete(WEB),
        "create service web2-svc": lambda do: do.create(WEB2, 300),
        "delete web2-svc": lambda do: do.delete(WEB2),
    },
    "c_configmap_secret_pod": {
        "create configmap cm1, secret s1": _configuration,
        "create pod p1": lambda do: do.create("default/pod/p1", 314),
        "update configmap cm1": lambda do: do.replace(CM1, 334),
        "update secret s1": lambda do: do.replace(S1, 336),
        "update pod p1 labels": lambda do: do.replace("default/pod/p1", 339),
        "pod p2 refers": lambda do: do.create("default/pod/p2", 342),
        "delete configmap cm1": lambda do: do.delete(CM1),
        "delete secret s1": lambda do: do.delete(S1),
        "delete pod p1": lambda do: do.delete("default/pod/p1"),
        "force delete p2": lambda do: do.delete("default/pod/p2", grace_s=0),
        "static hostNetwork pod": lambda do: do.create("default/pod/hn", 365),
        "delete hn": lambda do: do.delete("default/pod/hn", grace_s=1),
    },
    "d_devices_twins": {
        "create device model led-light": _model,
        "create device led-1": lambda do: do.plane.api.create(_device(do, 0, "led-1")),
        "cloud: change desired": lambda do: do.plane.api.replace(_device(do, 1, "led-1", "")),
        "second device": lambda do: do.plane.api.create(_device(do, 2, "led-2")),
        "delete device led-1": lambda do: do.delete("default/device/led-1"),
        "delete device led-2": _devices_end,
    },
    "e_disconnect_reconnect_resync": {"while cut": _while_cut, "cleanup": _cleanup},
}
"""By recording, what was done at a note that begins with these words; the first that fits."""
