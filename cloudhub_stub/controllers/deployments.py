"""Deployments: the pods they own, made, replaced and removed, and what is said about them (pure).

There are no ReplicaSets: a Deployment owns its pods itself, and the label ``pod-template-hash`` says which template a
pod was made from. Two annotations carry what a ReplicaSet would: ``deployment.kubernetes.io/revision`` counts the
templates that were rolled out, ``cloudhub-stub/pod-template-hash`` is the hash of the last one, which matters while the
Deployment is paused.

A pod that has ended is replaced at once and removed when it is ten seconds old. While as many as the Deployment wants
have ended at that age, no more are made: a pod that its node always refuses costs two pods in ten seconds, not a storm.
"""

from collections.abc import Callable, Sequence
from itertools import islice
from typing import NamedTuple

from cloudhub_stub.cluster.instants import unix_ms
from cloudhub_stub.cluster.kinds import Object, key_of
from cloudhub_stub.cluster.registry import labels_of
from cloudhub_stub.cluster.selectors import label_selector_matches
from cloudhub_stub.cluster.writes import Create, Delete, Replace, Write
from cloudhub_stub.controllers import rollout
from cloudhub_stub.controllers.deploymentstatus import Rollout, progress_deadline_ms, status_of
from cloudhub_stub.controllers.replicas import (
    TEMPLATE_HASH,
    Replica,
    available_at_ms,
    is_finished,
    is_going,
    replica_of,
)
from cloudhub_stub.controllers.templates import free_names, pod_of, replica_set_name, template_hash, template_like

REVISION = "deployment.kubernetes.io/revision"
ROLLED_OUT = "cloudhub-stub/pod-template-hash"
YOUNG_MS = 10_000
"""So long after its creation a pod that has ended is still shown, and counts against making more."""


class _Owned(NamedTuple):
    active: list[Replica]
    going: list[Object]
    strays: list[Object]
    """Labelled so that they are no longer its own."""
    young: list[Object]
    """Ended, of the template that is wanted, and kept for a while."""
    spent: list[Object]
    """Ended, to be removed."""


def plan(deployment: Object, pods: Sequence[Object], taken: Callable[[str], bool], now_ms: int) -> list[Write]:
    """Return what brings ``pods``, those that the Deployment owns, closer to what it says; nothing when all is done.

    ``taken`` says whether there is a pod of that name in its namespace, ``now_ms`` is Unix time. Ask again after each
    change of the Deployment or of its pods, and at ``next_look_ms``.
    """
    if deployment["metadata"].get("deletionTimestamp"):
        return []
    spec = deployment["spec"]
    current = template_hash(spec["template"])
    target = _annotation(deployment, ROLLED_OUT) if spec.get("paused") else current
    owned = _sorted_out(deployment, pods, target, now_ms)
    bounds = rollout.bounds_of(spec)
    steps = _steps(spec, owned, target, bounds)
    writes: list[Write] = [Replace(_without_owner(deployment, pod)) for pod in owned.strays]
    writes += [_delete(pod) for pod in (*owned.spent, *(replica.pod for replica in steps.remove))]
    template = spec["template"] if target == current else _lost_template(pods, target)
    if template is not None:
        names = islice(free_names(deployment, target, taken), _bearable(steps.add, owned, target, bounds))
        writes += [Create(pod_of(deployment, template, target, name)) for name in names]
    is_new = target != _annotation(deployment, ROLLED_OUT)
    progress = Rollout(owned.active, current, replica_set_name(deployment, current), bounds, is_new)
    status = status_of(deployment, progress, now_ms)
    if is_new or status != (deployment.get("status") or {}):
        metadata = _with_revision(deployment["metadata"], current) if is_new else deployment["metadata"]
        writes.append(Replace({**deployment, "metadata": metadata, "status": status}))
    return writes


def next_look_ms(deployment: Object, pods: Sequence[Object], now_ms: int) -> int | None:
    """Return when time alone changes what ``plan`` says, in Unix milliseconds after ``now_ms``; ``None`` for never."""
    min_ready_s = deployment["spec"].get("minReadySeconds") or 0
    instants = [progress_deadline_ms(deployment)]
    for pod in pods:
        if is_going(pod):
            continue
        if is_finished(pod):
            instants.append(_made_at_ms(pod) + YOUNG_MS)
        elif min_ready_s:
            instants.append(available_at_ms(pod, min_ready_s))
    return min((instant for instant in instants if instant is not None and instant > now_ms), default=None)


def _sorted_out(deployment: Object, pods: Sequence[Object], target: str, now_ms: int) -> _Owned:
    spec = deployment["spec"]
    min_ready_s = spec.get("minReadySeconds") or 0
    owned = _Owned([], [], [], [], [])
    for pod in pods:
        template = labels_of(pod).get(TEMPLATE_HASH)
        if is_going(pod):
            owned.going.append(pod)
        elif template is None or not label_selector_matches(spec["selector"], labels_of(pod)):
            owned.strays.append(pod)
        elif not is_finished(pod):
            owned.active.append(replica_of(pod, min_ready_s, now_ms))
        elif template == target and now_ms < _made_at_ms(pod) + YOUNG_MS:
            owned.young.append(pod)
        else:
            owned.spent.append(pod)
    return owned


def _steps(spec: Object, owned: _Owned, target: str, bounds: rollout.Bounds) -> rollout.Steps:
    if spec.get("paused"):
        return rollout.paused(owned.active, bounds)
    new = [each for each in owned.active if each.template == target]
    old = [each for each in owned.active if each.template != target]
    if (spec.get("strategy") or {}).get("type") != "Recreate":
        return rollout.rolling(new, old, bounds)
    lingers = any(labels_of(pod).get(TEMPLATE_HASH) != target and not is_finished(pod) for pod in owned.going)
    return rollout.recreating(new, old, bounds, still_there=lingers)


def _bearable(add: int, owned: _Owned, target: str, bounds: rollout.Bounds) -> int:
    """Return how many of ``add`` pods may be made in view of those that have ended just now."""
    new = sum(each.template == target for each in owned.active)
    return max(0, min(add, 2 * bounds.replicas - new - len(owned.young)))


def _lost_template(pods: Sequence[Object], target: str) -> Object | None:
    """Return the template that was rolled out before the Deployment was paused and changed, as its pods show it."""
    return next((template_like(pod) for pod in pods if labels_of(pod).get(TEMPLATE_HASH) == target), None)


def _delete(pod: Object) -> Delete:
    return Delete(key_of(pod), pod["metadata"]["uid"])


def _without_owner(deployment: Object, pod: Object) -> Object:
    metadata = pod["metadata"]
    owners = [each for each in metadata["ownerReferences"] if each["uid"] != deployment["metadata"]["uid"]]
    return {**pod, "metadata": {**metadata, "ownerReferences": owners}}


def _with_revision(metadata: Object, template: str) -> Object:
    before = _annotation({"metadata": metadata}, REVISION)
    revision = int(before) + 1 if before.isascii() and before.isdigit() and len(before) < 10 else 1
    annotations = {**(metadata.get("annotations") or {}), REVISION: str(revision), ROLLED_OUT: template}
    return {**metadata, "annotations": annotations}


def _annotation(obj: Object, name: str) -> str:
    return str((obj["metadata"].get("annotations") or {}).get(name, ""))


def _made_at_ms(pod: Object) -> int:
    return unix_ms(pod["metadata"].get("creationTimestamp") or "") or 0
