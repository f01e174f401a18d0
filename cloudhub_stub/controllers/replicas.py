"""The pods of one Deployment as its controller counts them, and which of them go first (pure).

::

    owned ── has a deletionTimestamp ──> going: counts for nothing but its name
      ├───── phase Failed, Succeeded ──> finished: counts for nothing, and is replaced
      └───── else ─────────────────────> active ── ready for minReadySeconds ──> available
"""

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

from cloudhub_stub.cluster.instants import unix_ms
from cloudhub_stub.cluster.kinds import Object
from cloudhub_stub.cluster.registry import labels_of
from cloudhub_stub.controllers.conditions import READY, TRUE, condition_of

TEMPLATE_HASH = "pod-template-hash"
"""The label that says which template a pod was made from."""

_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}
_NEVER = 2**63


class Replica(NamedTuple):
    """One active pod."""

    pod: Object
    template: str
    """The hash of the template it was made from."""
    ready: bool
    available: bool


def is_going(pod: Object) -> bool:
    """Whether the pod is being deleted."""
    return bool(pod["metadata"].get("deletionTimestamp"))


def is_finished(pod: Object) -> bool:
    """Whether the pod has ended for good."""
    return _status(pod).get("phase") in ("Failed", "Succeeded")


def replica_of(pod: Object, min_ready_s: int, now_ms: int) -> Replica:
    """Return an active pod with what counts; a pod that is ready is available ``min_ready_s`` seconds later."""
    ready = _ready(pod)
    available = ready is not None and (not min_ready_s or _since(ready) + min_ready_s * 1000 <= now_ms)
    return Replica(pod, labels_of(pod).get(TEMPLATE_HASH, ""), ready is not None, available)


def available_at_ms(pod: Object, min_ready_s: int) -> int | None:
    """Return when a pod that is ready is available, in Unix milliseconds; ``None`` for one that is not ready."""
    ready = _ready(pod)
    return None if ready is None or _since(ready) == _NEVER else _since(ready) + min_ready_s * 1000


def expendable_first(replicas: Iterable[Replica], beside: Iterable[Replica] = ()) -> list[Replica]:
    """Return the pods in the order in which a smaller number does without them; ``beside`` are more on their nodes.

    As ``kubernetes pkg/controller/controller_utils.go`` ``ActivePodsWithRanks``: no node, pending, not ready, several
    on one node, ready for a shorter time, restarted more often, newer. Before all that, those that are not available.
    """
    listed = list(replicas)
    crowd = Counter(_node(each) for each in (*listed, *beside))

    def rank(replica: Replica) -> tuple[object, ...]:
        pod = replica.pod
        ready = _ready(pod)
        return (
            replica.available,
            bool(_node(replica)),
            _PHASES.get(_status(pod).get("phase", ""), 0),
            replica.ready,
            -crowd[_node(replica)],
            -_since(ready) if ready is not None else 0,
            -max((status.get("restartCount", 0) for status in _status(pod).get("containerStatuses") or ()), default=0),
            -_instant(pod["metadata"].get("creationTimestamp")),
            pod["metadata"]["name"],
        )

    return sorted(listed, key=rank)


def _node(replica: Replica) -> str:
    return replica.pod["spec"].get("nodeName") or ""


def _status(pod: Object) -> Object:
    return pod.get("status") or {}


def _ready(pod: Object) -> Object | None:
    """Return the condition ``Ready`` where it is true."""
    found = condition_of(pod, READY)
    return found if found is not None and found["status"] == TRUE else None


def _since(condition: Object) -> int:
    return _instant(condition.get("lastTransitionTime"))


def _instant(text: str | None) -> int:
    """Return Unix milliseconds; what is not said is never."""
    found = unix_ms(text or "")
    return _NEVER if found is None else found
