"""What the node says of a pod, as the Go edgecore does (pure; spec 9.4 and 14.1, Kubernetes API core/v1 PodStatus).

``request`` builds a PodStatusRequest; ``storedstatus.py`` reads one that was stored before a restart.
"""

from typing import Any, NamedTuple

from edgecore.kube import Pod
from edgecore.modules.edged.runtime import Containers, ContainerState, Ended

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


def phase_of(containers: Containers) -> str:
    """Return the phase of a pod with these containers, as the kubelet finds it (``getPhase`` in ``kubelet_pods.go``).

    Where the kubelet asks the restart policy, it is known of a container that ended whether it is ``restarting``.
    """
    init = [each for each in containers if each.is_init]
    if any(each.over and each.exit_code for each in init):
        return FAILED
    main = [each for each in containers if not each.is_init]
    pending = any(not _has_ended(each) for each in init)
    if pending or not main or any(each.state == "waiting" and each.last is None for each in main):
        return PENDING
    if not all(each.over for each in main):
        return RUNNING
    return SUCCEEDED if all(each.exit_code == 0 for each in main) else FAILED


def _has_ended(container: ContainerState) -> bool:
    """Return whether an init container has ended at least once, and does not run now."""
    return container.state == "terminated" or (container.state == "waiting" and container.last is not None)


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
            "initContainerStatuses": [_container_status(each) for each in seen.containers if each.is_init],
            "containerStatuses": [_container_status(each) for each in seen.containers if not each.is_init],
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
    return [_initialized(seen), _ready(seen), _condition("PodScheduled", True, None)]


def _initialized(seen: Observed) -> Json:
    init = [each for each in seen.containers if each.is_init]
    incomplete = [each.name for each in init if not each.ready]
    completed = phase_of(seen.containers) == SUCCEEDED
    if incomplete and not completed:
        text = f"containers with incomplete status: [{' '.join(incomplete)}]"
        return _condition("Initialized", False, seen.started_at, "ContainersNotInitialized", text)
    since = max((each.finished_at for each in init), default="") or seen.started_at
    return _condition("Initialized", True, since, "PodCompleted" if completed else "")


def _ready(seen: Observed) -> Json:
    main = [each for each in seen.containers if not each.is_init]
    since = max(map(_changed_at, main), default="") or seen.started_at
    if phase_of(seen.containers) == SUCCEEDED:
        return _condition("Ready", False, since, "PodCompleted")
    unready = [each.name for each in main if not each.ready]
    if unready:
        text = f"containers with unready status: [{' '.join(unready)}]"
        return _condition("Ready", False, since, "ContainersNotReady", text)
    return _condition("Ready", True, since)


def _changed_at(container: ContainerState) -> str:
    """Return when a container last came to be ready, or not to be; texts of RFC 3339 in UTC compare as instants."""
    before = container.last.finished_at if container.last else ""
    return max(container.started_at, container.finished_at, container.passes_since, before)


def _condition(kind: str, holds: bool, since: str | None, reason: str = "", message: str = "") -> Json:
    return {
        "type": kind,
        "status": "True" if holds else "False",
        "lastProbeTime": None,
        "lastTransitionTime": since,
        **_filled({"reason": reason, "message": message}),
    }


def _container_status(container: ContainerState) -> Json:
    last = container.last
    return {
        "name": container.name,
        "state": {container.state: _state(container)},
        "lastState": {} if last is None else {"terminated": _terminated(last)},
        "ready": container.ready,
        "restartCount": container.restarts,
        "image": container.image,
        "imageID": container.image_id,
        **_filled({"containerID": container.container_id}),
        **({} if container.is_init else {"started": container.state == "running" and container.started}),
    }


def _state(container: ContainerState) -> Json:
    if container.state == "waiting":
        return _filled({"reason": container.reason, "message": container.message})
    if container.state == "running":
        return {"startedAt": container.started_at or None}
    return _terminated(container.ended)


def _terminated(ended: Ended) -> Json:
    return {
        "exitCode": ended.exit_code,
        **_filled({"signal": ended.signal, "reason": ended.reason, "message": ended.message}),
        "startedAt": ended.started_at or None,
        "finishedAt": ended.finished_at or None,
        **_filled({"containerID": ended.container_id}),
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
