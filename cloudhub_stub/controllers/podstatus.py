"""Taking in what an edge says of its pods (pure; ``kubeedge .../controller/upstream.go@v1.3.1``, spec 9.4).

The status is replaced as a whole, as by the Go cloud, which differs in this: it takes the status of an older pod of
that name for the new one's.
"""

from typing import Any

from cloudhub_stub.cluster.instants import rfc3339
from cloudhub_stub.cluster.kinds import Object
from cloudhub_stub.controllers.conditions import condition_of
from cloudhub_stub.controllers.shapes import flag, in_any_case, instant, listed, record, text, whole, word
from edgecore.errors import ContentError

_LONGEST_NAME = 253

_STATE = record(
    {
        "waiting": record({"reason": text, "message": text}),
        "running": record({"startedAt": instant}, {"startedAt": None}),
        "terminated": record(
            {
                "exitCode": whole,
                "signal": whole,
                "reason": text,
                "message": text,
                "startedAt": instant,
                "finishedAt": instant,
                "containerID": text,
            },
            {"exitCode": 0, "startedAt": None, "finishedAt": None},
        ),
    }
)
_CONTAINERS = listed(
    record(
        {
            "name": text,
            "state": _STATE,
            "lastState": _STATE,
            "ready": flag,
            "restartCount": whole,
            "image": text,
            "imageID": text,
            "containerID": text,
            "started": flag,
        },
        {"name": "", "state": {}, "lastState": {}, "ready": False, "restartCount": 0, "image": "", "imageID": ""},
    )
)
_CONDITIONS = listed(
    record(
        {
            "type": text,
            "status": text,
            "lastProbeTime": instant,
            "lastTransitionTime": instant,
            "reason": text,
            "message": text,
        },
        {"type": "", "status": "", "lastProbeTime": None, "lastTransitionTime": None},
    )
)
_FIELDS = {
    "phase": word("Pending", "Running", "Succeeded", "Failed", "Unknown"),
    "conditions": _CONDITIONS,
    "message": text,
    "reason": text,
    "nominatedNodeName": text,
    "hostIP": text,
    "podIP": text,
    "podIPs": listed(record({"ip": text}, {"ip": ""})),
    "startTime": instant,
    "initContainerStatuses": _CONTAINERS,
    "containerStatuses": _CONTAINERS,
    "qosClass": text,
    "ephemeralContainerStatuses": _CONTAINERS,
}
_STATUS = record(_FIELDS)

_DATED_HERE = frozenset({"Ready", "Initialized"})
"""The conditions whose time of change is when the cloud heard of it; the Go edge sends ``null`` or its own time."""


def entries(content: Any, name: str) -> list[tuple[str, Any]]:
    """Return pod name and request of each pod in a podstatus message.

    ``name`` is that in the resource, whose content is one request; without it the content is a list of them, and
    each says itself whose it is. Raises ``ContentError``; what is inside a request is not looked at yet.
    """
    if name:
        return [(_named(name, "name"), content)]
    if not isinstance(content, list):
        raise ContentError("cannot read pod statuses: expected a list")
    return [
        (_named(in_any_case(each, ("Name",), f"[{index}]").get("Name"), f"[{index}].Name"), each)
        for index, each in enumerate(content)
    ]


def status_taken(pod: Object, request: Any, now_ms: int) -> Object | None:
    """Return the status that ``pod`` has now that an edge has sent this PodStatusRequest (UID, Name, Status).

    ``None`` when the request speaks of another pod of that name, by its uid: the edge shall be told that this one is
    gone. Start time, and the time of change of a condition whose status is the same, stay as they are. Raises
    ``ContentError`` with the path of what has the wrong shape.
    """
    sent = in_any_case(request, ("UID", "Status"), "pod status")
    uid = sent.get("UID")
    if uid is not None and text(uid, "UID") not in {"", pod["metadata"]["uid"]}:
        return None
    status = _STATUS(sent.get("Status"), "Status")
    before: Object = pod.get("status", {})
    taken = {
        **status,
        "phase": status.get("phase", before.get("phase", "Pending")),
        "conditions": _conditions(pod, status.get("conditions", []), now_ms),
        "startTime": before.get("startTime") or status.get("startTime") or rfc3339(now_ms),
        **_ips(status),
        **_sorted_containers(pod, status),
    }
    return {name: taken[name] for name in _FIELDS if taken.get(name)}


def is_over(pod: Object) -> bool:
    """Say whether a pod that shall be deleted runs no more, so that the object can go without grace."""
    status = pod.get("status", {})
    if "deletionTimestamp" not in pod["metadata"] or status.get("phase") not in {"Succeeded", "Failed"}:
        return False
    states = [each["state"] for each in status.get("containerStatuses") or ()]
    return all("terminated" in state or "waiting" in state for state in states)


def _named(name: Any, path: str) -> str:
    found = text(name, path)
    if not 0 < len(found) <= _LONGEST_NAME:
        raise ContentError(f"cannot read {path}: a pod's name has 1 to {_LONGEST_NAME} characters")
    return found


def _conditions(pod: Object, sent: list[Object], now_ms: int) -> list[Object]:
    taken = [_condition(condition_of(pod, each["type"]), each, now_ms) for each in sent]
    scheduled = condition_of(pod, "PodScheduled")
    if scheduled is not None and all(each["type"] != "PodScheduled" for each in taken):
        taken.append(scheduled)  # the scheduler's word, which an edge that refuses a pod does not repeat
    return taken


def _condition(before: Object | None, sent: Object, now_ms: int) -> Object:
    now = rfc3339(now_ms)
    if before is not None and before["status"] == sent["status"]:
        since = before.get("lastTransitionTime")
    elif sent["type"] in _DATED_HERE:
        since = now
    else:
        since = sent["lastTransitionTime"] or (None if before is None else now)
    return {**sent, "lastTransitionTime": since}


def _ips(status: Object) -> Object:
    """Return ``podIP`` and ``podIPs`` in agreement, as the API server makes them: the former one decides."""
    several = [each["ip"] for each in status.get("podIPs", []) if each["ip"]]
    first = status.get("podIP") or next(iter(several), "")
    if several[:1] != [first]:
        several = [first] if first else []
    return {"podIP": first, "podIPs": [{"ip": ip} for ip in several]}


def _sorted_containers(pod: Object, status: Object) -> Object:
    """Return the containers' statuses in an order of their own: by name; of init containers that of the spec."""
    order = {each["name"]: index for index, each in enumerate(pod["spec"].get("initContainers") or ())}
    init = status.get("initContainerStatuses", [])
    return {
        "containerStatuses": sorted(status.get("containerStatuses", []), key=lambda each: str(each["name"])),
        "initContainerStatuses": sorted(init, key=lambda each: order.get(each["name"], len(order))),
    }
