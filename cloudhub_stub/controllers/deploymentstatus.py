"""The status of a Deployment: numbers, and the conditions Available and Progressing (pure).

As ``kubernetes pkg/controller/deployment/{sync,progress}.go`` @v1.17 say it; where they name a ReplicaSet, so does
this, by the name that it would have.

| Progressing | reason | when |
| --- | --- | --- |
| True | NewReplicaSetCreated | the template is another one |
| True | ReplicaSetUpdated | more pods are new, ready or available than before, or fewer are old |
| True | NewReplicaSetAvailable | all pods are new and available; stays until the next template |
| False | ProgressDeadlineExceeded | nothing of that for ``progressDeadlineSeconds`` |
| Unknown | DeploymentPaused, DeploymentResumed | |
"""

from collections.abc import Sequence
from typing import NamedTuple

from cloudhub_stub.cluster.instants import rfc3339, unix_ms
from cloudhub_stub.cluster.kinds import Object
from cloudhub_stub.controllers.replicas import Replica
from cloudhub_stub.controllers.rollout import Bounds

PROGRESSING = "Progressing"
COMPLETE = "NewReplicaSetAvailable"
_TIMED_OUT = "ProgressDeadlineExceeded"
_PAUSED = "DeploymentPaused"


class Rollout(NamedTuple):
    """Where a Deployment is."""

    active: Sequence[Replica]
    template: str
    """The hash of the template that it has now."""
    replica_set: str
    """What the pods of that template would belong to in a cluster."""
    bounds: Bounds
    is_new: bool
    """The template was not rolled out before."""


def status_of(deployment: Object, rollout: Rollout, now_ms: int) -> Object:
    """Return the status that ``deployment`` should have: equal to the one it has if nothing has happened."""
    replicas = len(rollout.active)
    available = sum(each.available for each in rollout.active)
    numbers = {
        "observedGeneration": deployment["metadata"].get("generation", 0),
        "replicas": replicas,
        "updatedReplicas": sum(each.template == rollout.template for each in rollout.active),
        "readyReplicas": sum(each.ready for each in rollout.active),
        "availableReplicas": available,
        "unavailableReplicas": max(0, max(replicas, rollout.bounds.replicas) - available),
    }
    before = deployment.get("status") or {}
    conditions = _Conditions(before.get("conditions") or (), rfc3339(now_ms))
    if available >= rollout.bounds.replicas - rollout.bounds.unavailable:
        conditions.put("Available", "True", "MinimumReplicasAvailable", "Deployment has minimum availability.")
    else:
        text = "Deployment does not have minimum availability."
        conditions.put("Available", "False", "MinimumReplicasUnavailable", text)
    if deployment["spec"].get("progressDeadlineSeconds") is None:
        conditions.drop(PROGRESSING)
    else:
        _judge_progress(conditions, deployment, rollout, numbers, now_ms)
    ours = {**numbers, "conditions": conditions.listed}
    kept = {name: value for name, value in before.items() if name not in ours}
    return {**kept, **{name: value for name, value in ours.items() if value}}


def progress_deadline_ms(deployment: Object) -> int | None:
    """Return when a rollout in which nothing happens has failed; ``None`` where that is not awaited."""
    deadline_s = deployment["spec"].get("progressDeadlineSeconds")
    conditions = _Conditions((deployment.get("status") or {}).get("conditions") or (), "")
    last = conditions.get(PROGRESSING)
    if deadline_s is None or last is None or last.get("reason") in (COMPLETE, _TIMED_OUT, _PAUSED):
        return None
    since = unix_ms(last.get("lastUpdateTime") or "")
    return None if since is None else since + deadline_s * 1000


class _Conditions:
    """The conditions of a status; a time of transition stays as long as the condition does."""

    def __init__(self, conditions: Sequence[Object], now: str) -> None:
        self.listed = list(conditions)
        self._now = now

    def get(self, kind: str) -> Object | None:
        return next((each for each in self.listed if each["type"] == kind), None)

    def drop(self, kind: str) -> None:
        self.listed = [each for each in self.listed if each["type"] != kind]

    def put(self, kind: str, status: str, reason: str, message: str, *, anew: bool = False) -> None:
        """Set a condition; ``anew``: even if it only says once more what it says."""
        old = self.get(kind)
        if old is not None and not anew and (old["status"], old.get("reason")) == (status, reason):
            return
        since = old.get("lastTransitionTime", self._now) if old is not None and old["status"] == status else self._now
        self.drop(kind)
        self.listed.append(
            {
                "type": kind,
                "status": status,
                "lastUpdateTime": self._now,
                "lastTransitionTime": since,
                "reason": reason,
                "message": message,
            }
        )


def _judge_progress(
    conditions: _Conditions, deployment: Object, rollout: Rollout, numbers: dict[str, int], now_ms: int
) -> None:
    named = f'ReplicaSet "{rollout.replica_set}"'
    last = conditions.get(PROGRESSING)
    reason = "" if last is None else last.get("reason", "")
    if deployment["spec"].get("paused"):
        if reason != _TIMED_OUT:
            conditions.put(PROGRESSING, "Unknown", _PAUSED, "Deployment is paused")
        return
    if reason == _PAUSED:
        conditions.put(PROGRESSING, "Unknown", "DeploymentResumed", "Deployment is resumed")
    if last is None or rollout.is_new:
        text = f'Created new replica set "{rollout.replica_set}"'
        conditions.put(PROGRESSING, "True", "NewReplicaSetCreated", text, anew=True)
    elif reason == COMPLETE and numbers["replicas"] == numbers["updatedReplicas"]:
        return
    replicas = rollout.bounds.replicas
    before = deployment.get("status") or {}
    deadline_ms = progress_deadline_ms(deployment)
    if numbers["replicas"] == numbers["updatedReplicas"] == numbers["availableReplicas"] == replicas:
        conditions.put(PROGRESSING, "True", COMPLETE, f"{named} has successfully progressed.")
    elif _has_progressed(before, numbers):
        conditions.put(PROGRESSING, "True", "ReplicaSetUpdated", f"{named} is progressing.", anew=True)
    elif not rollout.is_new and deadline_ms is not None and deadline_ms <= now_ms:
        conditions.put(PROGRESSING, "False", _TIMED_OUT, f"{named} has timed out progressing.")


def _has_progressed(before: Object, numbers: dict[str, int]) -> bool:
    def old(counts: Object) -> int:
        return int(counts.get("replicas", 0)) - int(counts.get("updatedReplicas", 0))

    more = any(
        numbers[name] > before.get(name, 0) for name in ("updatedReplicas", "readyReplicas", "availableReplicas")
    )
    return more or old(numbers) < old(before)
