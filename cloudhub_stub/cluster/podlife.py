"""How the API changes a pod when it is bound to a node, and when it shall go (pure).

Deleting one that runs on a node only marks it: the mark is sent to the edge, which stops the containers and says when
they are gone. ``deletionTimestamp`` is when the grace ends. Source: kubernetes ``pkg/registry/rest/delete.go``
(BeforeDelete) and ``pkg/registry/core/pod/{strategy,storage/storage}.go``, 1.17.
"""

from typing import Any, NamedTuple

from cloudhub_stub.cluster.instants import rfc3339, unix_ms
from cloudhub_stub.cluster.kinds import Object

SCHEDULED = "PodScheduled"
LONGEST_GRACE_S = 2**31 - 1
"""68 years; a longer grace is cut down to this, so that there is an instant at its end."""

_OVER = ("Succeeded", "Failed")


class Ending(NamedTuple):
    """How a pod goes on towards its end."""

    pod: Object
    """As it shall be written; the pod itself where nothing is to be written."""
    goes: bool
    """Whether it is removed at once thereafter."""


def ending(pod: Object, grace_s: int | None, now_ms: int) -> Ending:
    """Return what deleting ``pod`` with this grace does to it; ``None`` is the grace that it asks for itself.

    One that is marked already keeps its end unless an earlier one is asked for. One that has no node, or has run to
    its end, needs no grace.
    """
    metadata = pod["metadata"]
    if metadata.get("deletionTimestamp") is not None:
        left_s = metadata.get("deletionGracePeriodSeconds") or 0
        if left_s == 0:
            return Ending(pod, goes=True)
        if grace_s is None or grace_s >= left_s:
            return Ending(pod, goes=False)
        asked_ms = (unix_ms(metadata["deletionTimestamp"]) or now_ms) - left_s * 1000
        return Ending(_marked(pod, asked_ms + grace_s * 1000, grace_s), goes=grace_s == 0)
    if not pod["spec"].get("nodeName") or pod.get("status", {}).get("phase") in _OVER:
        grace_s = 0
    elif grace_s is None:
        grace_s = pod["spec"].get("terminationGracePeriodSeconds") or 0
    grace_s = min(grace_s, LONGEST_GRACE_S)
    return Ending(_marked(pod, now_ms + grace_s * 1000, grace_s), goes=grace_s == 0)


def bound(pod: Object, node: str, now_ms: int) -> Object:
    """Return ``pod`` with its node and the condition that says so."""
    status = pod.get("status", {})
    conditions = [each for each in status.get("conditions") or () if each["type"] != SCHEDULED]
    scheduled = {
        "type": SCHEDULED,
        "status": "True",
        "lastProbeTime": None,
        "lastTransitionTime": rfc3339(now_ms),
    }
    return {
        **pod,
        "spec": {**pod["spec"], "nodeName": node},
        "status": {**status, "conditions": [*conditions, scheduled]},
    }


def _marked(pod: Object, ends_ms: int, grace_s: int) -> Object:
    marks: dict[str, Any] = {"deletionTimestamp": rfc3339(ends_ms), "deletionGracePeriodSeconds": grace_s}
    return {**pod, "metadata": {**pod["metadata"], **marks}}
