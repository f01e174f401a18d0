"""The life of a Node object: registered, reporting, lost (pure; spec 9.2, 9.3).

Sources: ``kubeedge cloud/pkg/edgecontroller/controller/upstream.go:326-484@v1.3.1``, ``kubernetes
pkg/controller/nodelifecycle``, 1.17.

| Ready | set by | taints, NoSchedule and NoExecute |
| --- | --- | --- |
| absent | a new node | those it had |
| True | the edge | neither of the two |
| False | the edge | ``node.kubernetes.io/not-ready`` |
| Unknown | ``lost`` | ``node.kubernetes.io/unreachable`` |
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from cloudhub_stub.cluster.instants import rfc3339, unix_ms
from cloudhub_stub.cluster.kinds import NODE_KIND, Object
from cloudhub_stub.controllers.conditions import (
    FALSE,
    READY,
    TRUE,
    UNKNOWN,
    condition_of,
    is_ready,
    with_condition,
    with_status,
)
from cloudhub_stub.controllers.nodeshapes import ANNOTATED, EXTENSIONS, NODE, STATUS
from cloudhub_stub.controllers.shapes import in_any_case

NOT_READY_TAINT = "node.kubernetes.io/not-ready"
UNREACHABLE_TAINT = "node.kubernetes.io/unreachable"

HEARTBEAT_AGE_LIMIT_MS = 10_000
"""How far a heartbeat may be from now; others are replaced by now (``nodeUpdateFrequency`` of the Go cloud)."""

GPU_RESOURCE = "nvidia.com/gpu"
GPU_ANNOTATION = "huawei.com/gpu-status"

_EFFECTS = ("NoSchedule", "NoExecute")
_KUBELET_CONDITIONS = (READY, "MemoryPressure", "DiskPressure", "PIDPressure")


def registered(existing: Object | None, name: str, sent: Any) -> Object:
    """Return the Node object of an edge that registers with the Node ``sent``, which has no name.

    Of one that is there already nothing changes but that it gets the labels and annotations that it lacks, as a
    kubelet does (the Go cloud leaves it alone: a node that a manifest made never became an edge node), and the status
    if it has none; ``existing`` itself comes back when that is nothing. Raises ``ContentError``.
    """
    node: Object = NODE({} if sent is None else sent, "")
    if existing is None:
        identity = {"kind": NODE_KIND.name, "apiVersion": NODE_KIND.api_version}
        return {**identity, **node, "metadata": {"name": name, **node["metadata"]}}
    metadata = existing["metadata"]
    missing = {
        field: node["metadata"].get(field, {}) | (metadata.get(field) or {})
        for field in ("labels", "annotations")
        if node["metadata"].get(field, {}).keys() - (metadata.get(field) or {}).keys()
    }
    has_status = bool(existing.get("status")) or not node["status"]
    if not missing and has_status:
        return existing
    status = existing.get("status", {}) if has_status else node["status"]
    return {**existing, "metadata": {**metadata, **missing}, "status": status}


def status_taken(node: Object, request: Any, now_ms: int) -> Object:
    """Return ``node`` as it is after this NodeStatusRequest (UID, Status, ExtendResources; the uid says nothing: D2).

    The status is replaced, but for ``volumesAttached``; heartbeats that are too old become now, and the time of change
    of a condition whose status is the same stays. Extended resources become annotations. Raises ``ContentError``.
    """
    sent = in_any_case(request, ("Status", "ExtendResources"), "node status")
    status: Object = STATUS(sent.get("Status"), "Status")
    extensions = {} if sent.get("ExtendResources") is None else EXTENSIONS(sent["ExtendResources"], "ExtendResources")
    attached = node.get("status", {}).get("volumesAttached")
    conditions = [_heard(condition_of(node, each["type"]), each, now_ms) for each in status.get("conditions", [])]
    taken = {name: value for name, value in status.items() if name not in {"volumesAttached", "conditions"}}
    taken |= {"volumesAttached": attached} if attached else {}
    taken |= {"conditions": conditions} if conditions else {}
    changed = _with_annotations({**node, "status": taken}, _annotations(extensions))
    ready = condition_of(changed, READY)
    return changed if ready is None else _tainted(changed, _TAINT_BY_READY[ready["status"]], now_ms)


def annotated(node: Object, sent: Any) -> Object:
    """Return ``node`` with the annotations of the Node ``sent`` merged in, and nothing else of it.

    That is how an edge's update of its node is taken; ``node`` itself comes back when that changes nothing. Raises
    ``ContentError``.
    """
    return _with_annotations(node, ANNOTATED({} if sent is None else sent, "")["metadata"].get("annotations", {}))


def lost(node: Object, now_ms: int) -> Object:
    """Return ``node`` as it is when its edge has been silent for too long; ``node`` itself if it is so already."""
    conditions = node.get("status", {}).get("conditions")
    for kind in _KUBELET_CONDITIONS:
        held = condition_of(node, kind)
        if held is None and kind == READY:
            conditions = with_condition(conditions, _never_heard(node, now_ms))
        elif held is not None and held["status"] != UNKNOWN:
            conditions = with_condition(conditions, _silent(held, now_ms))
    changed = with_status(node, conditions=conditions)
    tainted = _tainted(changed, UNREACHABLE_TAINT, now_ms)
    return node if tainted == node else tainted


def became_ready(old: Object | None, new: Object) -> bool:
    """Say whether a node is ready that was not, or of which nothing was known: it gets the lists of 10.1 then."""
    return is_ready(new) and (old is None or not is_ready(old))


def lost_since_ms(node: Object) -> int | None:
    """Return since when, in Unix ms, a node is not ready; ``None`` for one that is, or does not say since when."""
    ready = condition_of(node, READY)
    if ready is None or ready["status"] == TRUE:
        return None
    return unix_ms(ready.get("lastTransitionTime") or "")


_TAINT_BY_READY = {TRUE: "", FALSE: NOT_READY_TAINT, UNKNOWN: UNREACHABLE_TAINT}


def _heard(before: Object | None, sent: Object, now_ms: int) -> Object:
    now = rfc3339(now_ms)
    times = {
        name: sent[name] if _is_fresh(sent[name], now_ms) else now
        for name in ("lastHeartbeatTime", "lastTransitionTime")
    }
    if before is not None and before["status"] == sent["status"] and before.get("lastTransitionTime"):
        times["lastTransitionTime"] = before["lastTransitionTime"]
    return {**sent, **times}


def _is_fresh(written: str | None, now_ms: int) -> bool:
    at_ms = unix_ms(written or "")
    return at_ms is not None and abs(now_ms - at_ms) <= HEARTBEAT_AGE_LIMIT_MS


def _silent(condition: Object, now_ms: int) -> Object:
    return {
        **condition,
        "status": UNKNOWN,
        "lastTransitionTime": rfc3339(now_ms),
        "reason": "NodeStatusUnknown",
        "message": "Kubelet stopped posting node status.",
    }


def _never_heard(node: Object, now_ms: int) -> Object:
    return {
        "type": READY,
        "status": UNKNOWN,
        "lastHeartbeatTime": node["metadata"].get("creationTimestamp"),
        "lastTransitionTime": rfc3339(now_ms),
        "reason": "NodeStatusNeverUpdated",
        "message": "Kubelet never posted node status.",
    }


def _tainted(node: Object, key: str, now_ms: int) -> Object:
    """Return ``node`` with the two taints of that key (empty: none), and without those of the other state."""
    spec = node.get("spec", {})
    taints = spec.get("taints") or []
    ours = {(NOT_READY_TAINT, effect) for effect in _EFFECTS} | {(UNREACHABLE_TAINT, effect) for effect in _EFFECTS}
    held = {(taint["key"], taint["effect"]) for taint in taints} & ours
    wanted = {(key, effect) for effect in _EFFECTS} if key else set()
    if held == wanted:
        return node
    kept = [taint for taint in taints if (taint["key"], taint["effect"]) not in ours - wanted]
    new = [
        {"key": key, "effect": effect, "timeAdded": rfc3339(now_ms)}
        for effect in _EFFECTS
        if (key, effect) in wanted - held
    ]
    rest = {name: value for name, value in spec.items() if name != "taints"}
    return {**node, "spec": {**rest, **({"taints": [*kept, *new]} if kept or new else {})}}


def _annotations(extensions: Mapping[str, list[Object]]) -> dict[str, str]:
    """Return the annotations that stand for extended resources: their list as JSON, by the resource's name."""
    found = {name: msgspec.json.encode(listing).decode() for name, listing in extensions.items()}
    if extensions.get(GPU_RESOURCE):
        units = [{"id": each.get("name", ""), "healthy": True} for each in extensions[GPU_RESOURCE]]
        found[GPU_ANNOTATION] = msgspec.json.encode(units).decode()
    return found


def _with_annotations(node: Object, added: Mapping[str, str]) -> Object:
    held = node["metadata"].get("annotations") or {}
    if added.items() <= held.items():
        return node
    return {**node, "metadata": {**node["metadata"], "annotations": {**held, **added}}}
