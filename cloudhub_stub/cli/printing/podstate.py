"""What a pod is doing, in the words of ``kubectl get pods``: READY, STATUS and RESTARTS.

The rules are those of kubernetes pkg/printers/internalversion (1.17): a container's reason says more than the phase,
an init container's more than that, and what is being deleted is ``Terminating``.
"""

from typing import Any, NamedTuple

from cloudhub_stub.cluster.kinds import Object

_INITIALIZING = "PodInitializing"
_COMPLETED = "Completed"


class PodState(NamedTuple):
    """The three columns."""

    ready: int
    containers: int
    status: str
    restarts: int


def pod_state(pod: Object) -> PodState:
    """Return what the columns say of a pod."""
    status = pod.get("status") or {}
    containers = len(pod["spec"].get("containers") or ())
    reason = status.get("reason") or status.get("phase") or "Unknown"
    begun = _initializing(pod, status)
    if begun is not None:
        return PodState(0, containers, _at_the_end(pod, begun[0]), begun[1])
    ready = restarts = 0
    for container in reversed(status.get("containerStatuses") or ()):
        state = container.get("state") or {}
        restarts += container.get("restartCount") or 0
        waiting, terminated = state.get("waiting"), state.get("terminated")
        if waiting and waiting.get("reason"):
            reason = waiting["reason"]
        elif terminated is not None:
            reason = ended(terminated)
        elif container.get("ready") and state.get("running") is not None:
            ready += 1
    if reason == _COMPLETED and ready:
        reason = "Running"
    return PodState(ready, containers, _at_the_end(pod, reason), restarts)


def ended(terminated: dict[str, Any]) -> str:
    """Return why a container ended: the reason that was given, or its signal or exit code."""
    if terminated.get("reason"):
        return str(terminated["reason"])
    if terminated.get("signal"):
        return f"Signal:{terminated['signal']}"
    return f"ExitCode:{terminated.get('exitCode') or 0}"


def _initializing(pod: Object, status: dict[str, Any]) -> tuple[str, int] | None:
    """Return status and restarts of the first init container that is not through; ``None`` if there is none."""
    number = len(pod["spec"].get("initContainers") or ())
    restarts = 0
    for index, container in enumerate(status.get("initContainerStatuses") or ()):
        state = container.get("state") or {}
        restarts += container.get("restartCount") or 0
        waiting, terminated = state.get("waiting") or {}, state.get("terminated")
        if terminated is not None:
            if not terminated.get("exitCode"):
                continue
            return f"Init:{ended(terminated)}", restarts
        if waiting.get("reason") and waiting["reason"] != _INITIALIZING:
            return f"Init:{waiting['reason']}", restarts
        return f"Init:{index}/{number}", restarts
    return None


def _at_the_end(pod: Object, reason: str) -> str:
    if not pod["metadata"].get("deletionTimestamp"):
        return reason
    return "Unknown" if (pod.get("status") or {}).get("reason") == "NodeLost" else "Terminating"
