"""Pods that no node will ever report on again go (pure; ``kubernetes pkg/controller/podgc``)."""

from collections.abc import Callable, Iterable

from cloudhub_stub.cluster.kinds import Object, key_of
from cloudhub_stub.cluster.writes import Delete, Write
from cloudhub_stub.controllers.conditions import TRUE, condition_of


def plan(pods: Iterable[Object], has_node: Callable[[str], bool]) -> list[Write]:
    """Return the deletions, without grace, of the pods that lost their node and of unbound ones that shall go anyway.

    ``has_node`` says whether there is a Node object of that name. Kubernetes also deletes pods that a manifest binds
    to a node that was never there; here these wait for it, so that manifests can be applied before the edges join.
    """
    return [_deletion(pod) for pod in pods if _is_left_over(pod, pod["spec"].get("nodeName", ""), has_node)]


def of_removed_node(pods: Iterable[Object]) -> list[Write]:
    """Return the deletions, without grace, of the pods that are bound to a node whose object has just been removed."""
    return list(map(_deletion, pods))


def _deletion(pod: Object) -> Write:
    return Delete(key_of(pod), pod["metadata"]["uid"], 0)


def _is_left_over(pod: Object, node: str, has_node: Callable[[str], bool]) -> bool:
    if not node:
        return "deletionTimestamp" in pod["metadata"]
    return not has_node(node) and _was_there(pod)


def _was_there(pod: Object) -> bool:
    """Say whether the pod shows that its node was there: an edge has taken it on, or the scheduler chose the node."""
    scheduled = condition_of(pod, "PodScheduled")
    return "startTime" in pod.get("status", {}) or (scheduled is not None and scheduled["status"] == TRUE)
