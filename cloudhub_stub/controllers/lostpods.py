"""The pods of a node that is not ready: not ready either, then deleted (pure).

As in ``kubernetes pkg/controller/nodelifecycle``, with the waiting times of its taint manager and without its rates.
They keep running on their edge all the same. Deleted ones stay in the cluster, terminating, until the edge is back and
says that they are gone; a Deployment puts others in their place.
"""

from collections.abc import Iterable, Iterator

from cloudhub_stub.cluster.instants import rfc3339
from cloudhub_stub.cluster.kinds import Object, key_of
from cloudhub_stub.cluster.writes import Delete, Replace, Write
from cloudhub_stub.controllers.conditions import FALSE, READY, TRUE, condition_of, is_ready, with_condition, with_status
from cloudhub_stub.controllers.nodes import NOT_READY_TAINT, UNREACHABLE_TAINT

DEFAULT_TOLERATION_S = 300
"""How long a pod that says nothing stays on a lost node (``kubernetes DefaultTolerationSeconds``)."""


def pods_of_lost_node(node: Object, pods: Iterable[Object], now_ms: int, lost_at_ms: int) -> list[Write]:
    """Return what becomes of ``pods``, bound to ``node``, which is not ready since ``lost_at_ms`` (Unix ms).

    The ready ones are no longer, at once; each is deleted, with its own grace, when its ``tolerationSeconds`` are over.
    """
    held = list(pods)
    unready: list[Write] = [Replace(_with_ready(pod, FALSE, now_ms)) for pod in held if is_ready(pod)]
    return unready + [
        Delete(key_of(pod), pod["metadata"]["uid"])
        for pod, due_ms in _evictions(node, held, lost_at_ms)
        if due_ms <= now_ms
    ]


def pods_of_returned_node(pods: Iterable[Object], now_ms: int) -> list[Write]:
    """Return the writes by which the pods that ``pods_of_lost_node`` made unready are ready again.

    An edge repeats the status of a pod only every 60 s unless it changes; a kubelet would correct the API server at
    once. Those are meant whose Ready is False without a reason, which no edge sends, while all containers are ready.
    """
    return [Replace(_with_ready(pod, TRUE, now_ms)) for pod in pods if _was_made_unready(pod)]


def next_look_ms(node: Object, pods: Iterable[Object], now_ms: int, lost_at_ms: int) -> int | None:
    """Return when, in Unix ms, the next pod of a lost node is to be deleted; ``None`` when none is."""
    return min((due_ms for _, due_ms in _evictions(node, pods, lost_at_ms) if due_ms > now_ms), default=None)


def _evictions(node: Object, pods: Iterable[Object], lost_at_ms: int) -> Iterator[tuple[Object, int]]:
    ready = condition_of(node, READY)
    taint = NOT_READY_TAINT if ready is not None and ready["status"] == FALSE else UNREACHABLE_TAINT
    for pod in pods:
        tolerated_s = _tolerated_s(pod, taint)
        if tolerated_s is not None and "deletionTimestamp" not in pod["metadata"]:
            yield pod, lost_at_ms + max(0, tolerated_s) * 1000


def _tolerated_s(pod: Object, taint: str) -> int | None:
    """Return how long the pod tolerates this NoExecute taint, which has no value; ``None`` for ever."""
    tolerations = [each for each in pod["spec"].get("tolerations") or () if _tolerates(each, taint)]
    if not tolerations:
        return DEFAULT_TOLERATION_S
    limits = [each["tolerationSeconds"] for each in tolerations if each.get("tolerationSeconds") is not None]
    return min(limits, default=None)


def _tolerates(toleration: Object, taint: str) -> bool:
    if toleration.get("effect") not in {None, "", "NoExecute"}:
        return False
    if toleration.get("operator") == "Exists":
        return toleration.get("key") in {None, "", taint}
    return toleration.get("key") == taint and not toleration.get("value")


def _with_ready(pod: Object, status: str, now_ms: int) -> Object:
    held = condition_of(pod, READY) or {"type": READY}
    changed = {**held, "status": status, "lastTransitionTime": rfc3339(now_ms)}
    return with_status(pod, conditions=with_condition(pod["status"].get("conditions"), changed))


def _was_made_unready(pod: Object) -> bool:
    ready = condition_of(pod, READY)
    containers = pod.get("status", {}).get("containerStatuses") or ()
    return (
        ready is not None
        and ready["status"] == FALSE
        and not ready.get("reason")
        and pod["status"].get("phase") == "Running"
        and all(each["ready"] for each in containers)
    )
