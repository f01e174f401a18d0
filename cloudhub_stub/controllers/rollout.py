"""How a Deployment gets from the pods it has to those it wants: numbers and an order, no objects (pure).

``kubernetes pkg/controller/deployment/rolling.go`` and ``recreate.go`` @v1.17, on pods in place of ReplicaSets:

| strategy | removed | added |
| --- | --- | --- |
| RollingUpdate | old ones, while ``replicas - maxUnavailable`` are available | up to ``replicas + maxSurge`` in all |
| Recreate | all old pods | none before the last old one is gone |
| any, paused | what is too much, whichever template it has | what is missing in all |
"""

from collections.abc import Sequence
from typing import NamedTuple

from cloudhub_stub.cluster.kinds import Object
from cloudhub_stub.controllers.replicas import Replica, expendable_first


class Bounds(NamedTuple):
    """How many pods there may be."""

    replicas: int
    surge: int
    """So many more than ``replicas`` may be active while old ones are replaced."""
    unavailable: int
    """So many fewer than ``replicas`` may be available while old ones are replaced."""


class Steps(NamedTuple):
    """What is to be done now."""

    remove: list[Replica]
    add: int
    """How many of the new template."""


def bounds_of(spec: Object) -> Bounds:
    """Return the bounds of a Deployment's spec, percentages resolved as ``deploymentutil.ResolveFenceposts`` does.

    Surge is rounded up, unavailable down; where both are nothing, one may be unavailable.
    """
    replicas: int = spec["replicas"]
    strategy = spec.get("strategy") or {}
    if strategy.get("type") == "Recreate":
        return Bounds(replicas, 0, 0)
    rolling = strategy.get("rollingUpdate") or {}
    surge = _scaled(rolling.get("maxSurge", "25%"), replicas, up=True)
    unavailable = _scaled(rolling.get("maxUnavailable", "25%"), replicas, up=False)
    return Bounds(replicas, surge, min(unavailable or (0 if surge else 1), replicas))


def rolling(new: Sequence[Replica], old: Sequence[Replica], bounds: Bounds) -> Steps:
    """Return the next steps of a rolling update; the same for a number that changes without one.

    No step takes an available pod away unless ``replicas - unavailable`` others remain; pods that are removed and pods
    that are added together never make more than ``replicas + surge``.
    """
    if not old and len(new) <= bounds.replicas:
        return Steps([], bounds.replicas - len(new))
    new, old = expendable_first(new, beside=old), expendable_first(old, beside=new)
    surplus = max(0, len(new) - bounds.replicas)
    remove, new = new[:surplus], new[surplus:]
    least = bounds.replicas - bounds.unavailable
    waiting = sum(not each.available for each in new)
    budget = max(0, len(new) + len(old) - least - waiting)
    going = old[:budget]
    total = len(new) + len(old) - len(going)
    excess = new[: max(0, total - bounds.replicas - bounds.surge)]
    total -= len(excess)
    missing = bounds.replicas - (len(new) - len(excess))
    return Steps([*remove, *going, *excess], max(0, min(bounds.replicas + bounds.surge - total, missing)))


def recreating(new: Sequence[Replica], old: Sequence[Replica], bounds: Bounds, *, still_there: bool) -> Steps:
    """Return the next steps of a replacement all at once; ``still_there``: an old pod is being deleted."""
    surplus = max(0, len(new) - bounds.replicas)
    remove = [*expendable_first(new, beside=old)[:surplus], *old]
    return Steps(remove, 0 if old or still_there else max(0, bounds.replicas - len(new)))


def paused(active: Sequence[Replica], bounds: Bounds) -> Steps:
    """Return the steps of a Deployment that only keeps its number: in the midst of an update the surge may stay."""
    most = bounds.replicas + (bounds.surge if len({each.template for each in active}) > 1 else 0)
    surplus = max(0, len(active) - most)
    return Steps(expendable_first(active)[:surplus], max(0, bounds.replicas - len(active)))


def _scaled(amount: int | str, replicas: int, *, up: bool) -> int:
    """Return ``amount``, or that percentage of ``replicas``."""
    if isinstance(amount, int):
        return amount
    share = int(amount.removesuffix("%")) * replicas
    return -(-share // 100) if up else share // 100
