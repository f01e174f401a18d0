"""What the node says of a pod, as the Go edgecore does (pure; spec 9.4 and 14.1, Kubernetes API core/v1 PodStatus).

``request`` builds a PodStatusRequest; ``remembered`` reads one that was stored before a restart.
"""

from typing import Any, NamedTuple

import msgspec

from edgecore.errors import ContentError
from edgecore.kube import Pod
from edgecore.modules.edged.runtime import Containers, ContainerState

Json = dict[str, Any]

PENDING = "Pending"
RUNNING = "Running"
SUCCEEDED = "Succeeded"
FAILED = "Failed"


class Refusal(NamedTuple):
    """Why the node does not run a pod: a word as Kubernetes has it, and a text for people."""

    reason: str
    message: str


class Observed(NamedTuple):
    """All that goes into the status of a pod. ``started_at`` (RFC 3339) is when the node took the pod on."""

    pod: Pod
    containers: Containers
    host_ip: str
    pod_ip: str
    started_at: str
    refusal: Refusal | None = None


class Remembered(NamedTuple):
    """A stored PodStatusRequest: the JSON value, and what is needed of it to go on after a restart."""

    request: Json
    uid: str
    phase: str
    pod_ip: str
    started_at: str
    containers: Containers


def phase_of(containers: Containers) -> str:
    """Return the phase of a pod with these containers, as the kubelet finds it."""
    states = {container.state for container in containers}
    if "waiting" in states or not states:
        return PENDING
    if "running" in states:
        return RUNNING
    return SUCCEEDED if all(container.exit_code == 0 for container in containers) else FAILED


def request(seen: Observed) -> Json:
    """Return the PodStatusRequest. Its three keys are capitalised, as Go writes them."""
    metadata = seen.pod.metadata
    return {"UID": metadata.uid, "Name": metadata.name, "Status": _status(seen)}


def _status(seen: Observed) -> Json:
    if seen.refusal is not None:
        reason, message = seen.refusal
        return _filled({"phase": FAILED, "message": message, "reason": reason, "startTime": seen.started_at})
    return _filled(
        {
            "phase": phase_of(seen.containers),
            "conditions": _conditions(seen),
            "hostIP": seen.host_ip,
            "podIP": seen.pod_ip,
            "podIPs": [{"ip": seen.pod_ip}] if seen.pod_ip else [],
            "startTime": seen.started_at,
            "containerStatuses": list(map(_container_status, seen.containers)),
            "qosClass": seen.pod.status.qos_class or _qos_class(seen.pod),
        }
    )


def _filled(fields: Json) -> Json:
    """Return the fields that are there: of a Go struct those that are empty are left out (``omitempty``).

    The Go edgecore compares the text of a status with that of the row (``process.go:116-125@v1.3.1``), and so do we:
    what is said here is said in the order of the Go structs.
    """
    return {name: value for name, value in fields.items() if value}


def _conditions(seen: Observed) -> list[Json]:
    completed = phase_of(seen.containers) == SUCCEEDED
    initialized = _condition("Initialized", True, seen.started_at, "PodCompleted" if completed else "")
    return [initialized, _ready(seen), _condition("PodScheduled", True, None)]


def _ready(seen: Observed) -> Json:
    phase = phase_of(seen.containers)
    since = max(max(each.started_at, each.finished_at) for each in seen.containers) or seen.started_at
    if phase == SUCCEEDED:
        return _condition("Ready", False, since, "PodCompleted")
    unready = [each.name for each in seen.containers if each.state != "running"]
    if unready:
        text = f"containers with unready status: [{' '.join(unready)}]"
        return _condition("Ready", False, since, "ContainersNotReady", text)
    return _condition("Ready", True, since)


def _condition(kind: str, holds: bool, since: str | None, reason: str = "", message: str = "") -> Json:
    return {
        "type": kind,
        "status": "True" if holds else "False",
        "lastProbeTime": None,
        "lastTransitionTime": since,
        **_filled({"reason": reason, "message": message}),
    }


def _container_status(container: ContainerState) -> Json:
    running = container.state == "running"
    return {
        "name": container.name,
        "state": {container.state: _state(container)},
        "lastState": {},
        "ready": running,
        "restartCount": container.restarts,
        "image": container.image,
        "imageID": container.image_id,
        **_filled({"containerID": container.container_id}),
        "started": running,
    }


def _state(container: ContainerState) -> Json:
    if container.state == "waiting":
        return _filled({"reason": container.reason})
    if container.state == "running":
        return {"startedAt": container.started_at or None}
    return {
        "exitCode": container.exit_code,
        **_filled({"reason": container.reason}),
        "startedAt": container.started_at or None,
        "finishedAt": container.finished_at or None,
        **_filled({"containerID": container.container_id}),
    }


def _qos_class(pod: Pod) -> str:
    """Return the quality-of-service class, for a pod that did not come from an API server, which sets it.

    Quantities are compared as they are written.
    """
    resources = [container.resources for container in pod.spec.containers]
    if not any(each.requests or each.limits for each in resources):
        return "BestEffort"
    for each in resources:
        limits = {name: str(each.limits.get(name) or "") for name in ("cpu", "memory")}
        if not all(limits.values()):
            return "Burstable"
        if any(str(each.requests.get(name, limit)) != limit for name, limit in limits.items()):
            return "Burstable"
    return "Guaranteed"


class _View(msgspec.Struct, frozen=True, rename="camel"):
    """What is read of a stored status; nothing else of it is looked at."""


class _Running(_View, frozen=True):
    started_at: str | None = None


class _Terminated(_View, frozen=True):
    exit_code: int = 0
    reason: str = ""
    started_at: str | None = None
    finished_at: str | None = None


class _State(_View, frozen=True):
    running: _Running | None = None
    terminated: _Terminated | None = None


class _Container(_View, frozen=True):
    name: str = ""
    state: _State = _State()
    restart_count: int = 0
    image: str = ""
    image_id: str = msgspec.field(default="", name="imageID")
    container_id: str = msgspec.field(default="", name="containerID")


class _Status(_View, frozen=True):
    phase: str = ""
    pod_ip: str = msgspec.field(default="", name="podIP")
    start_time: str | None = None
    container_statuses: tuple[_Container, ...] | None = None


class _Request(_View, frozen=True):
    uid: str = msgspec.field(name="UID")
    status: _Status = msgspec.field(name="Status")


def remembered(data: bytes) -> Remembered:
    """Return what a stored PodStatusRequest says. Raises ``ContentError``."""
    try:
        value = msgspec.json.decode(data)
        view = msgspec.convert(value, _Request)
    except (ValueError, RecursionError) as error:
        raise ContentError(f"cannot decode stored status of a pod: {error}") from error
    status = view.status
    containers = tuple(map(_container_before, status.container_statuses or ()))
    return Remembered(value, view.uid, status.phase, status.pod_ip, status.start_time or "", containers)


def _container_before(container: _Container) -> ContainerState:
    state = container.state
    before = ContainerState(
        container.name,
        "waiting",
        image=container.image,
        image_id=container.image_id,
        container_id=container.container_id,
        restarts=container.restart_count,
    )
    if state.running is not None:
        return before._replace(state="running", started_at=state.running.started_at or "")
    if state.terminated is not None:
        ended = state.terminated
        return before._replace(
            state="terminated",
            started_at=ended.started_at or "",
            finished_at=ended.finished_at or "",
            exit_code=ended.exit_code,
            reason=ended.reason,
        )
    return before
