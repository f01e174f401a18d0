"""The scheduler: which node a pod goes to, or why to none (pure).

``Scheduler`` keeps sums for each node, so that a pod costs the same however many are placed; whoever holds it tells it
of every change of a node, of a pod, of a connection. What it decides depends on that alone: the same cluster, the same
node.
"""

from collections import Counter
from collections.abc import Sequence
from operator import is_
from typing import Any, NamedTuple

from cloudhub_stub.cluster.instants import rfc3339
from cloudhub_stub.cluster.kinds import Object, ObjectKey, key_of
from cloudhub_stub.controllers.conditions import FALSE, condition_of, with_condition, with_status
from cloudhub_stub.controllers.fitting import Load, Needs, Offer, drawbacks, needs_of, offer_of, reasons_against
from cloudhub_stub.controllers.replicas import is_finished

SCHEDULED = "Scheduled"
UNSCHEDULABLE = "Unschedulable"
POD_SCHEDULED = "PodScheduled"


class NodeState(NamedTuple):
    """A node, whether it is connected, and the pods that are bound to it."""

    node: Object
    connected: bool
    pods: Sequence[Object]


class Placement(NamedTuple):
    """What became of a pod."""

    node: str
    """Empty where no node takes it."""
    reason: str
    message: str


class _Place(NamedTuple):
    node: str
    needs: Needs
    source: tuple[Any, ...]
    """What of the pod the needs follow from."""


class Scheduler:
    """Places pods one by one. Pods that are placed must be added, those that were bound elsewise too."""

    def __init__(self) -> None:
        self._offers: dict[str, Offer] = {}
        self._connected: set[str] = set()
        self._loads: dict[str, Load] = {}
        self._places: dict[ObjectKey, _Place] = {}

    def set_node(self, node: Object) -> None:
        """A node is new or has changed."""
        offer = offer_of(node)
        self._offers[offer.name] = offer

    def remove_node(self, name: str) -> None:
        """A node object is gone; the pods that are bound to that name stay on it until they are removed."""
        self._offers.pop(name, None)

    def set_connected(self, name: str, *, connected: bool) -> None:
        """A node has connected, or its connection has ended; nodes are not connected until this says so."""
        if connected:
            self._connected.add(name)
        else:
            self._connected.discard(name)

    def add_pod(self, pod: Object) -> None:
        """A pod is new or has changed; one without a node, or one that has ended, takes nothing."""
        key, source = key_of(pod), _source_of(pod)
        node = pod["spec"].get("nodeName")
        is_here = bool(node) and not is_finished(pod)
        held = self._places.get(key)
        if is_here and held is not None and all(map(is_, held.source, source)):
            return  # its status has changed, or what does not matter here
        self.remove_pod(key)
        if not is_here:
            return
        place = _Place(node, needs_of(pod), source)
        self._places[key] = place
        self._loads.setdefault(node, Load()).add(place.needs)

    def remove_pod(self, key: ObjectKey) -> None:
        """A pod is gone; nothing happens for one that was not there."""
        place = self._places.pop(key, None)
        if place is None:
            return
        load = self._loads[place.node]
        load.remove(place.needs)
        if not load.pods:
            del self._loads[place.node]

    def place(self, pod: Object) -> Placement:
        """Return where ``pod``, which has no node, goes; it is not added by that."""
        if not self._offers:
            return Placement("", UNSCHEDULABLE, "no nodes available to schedule pods")
        needs, empty = needs_of(pod), Load()
        reasons: Counter[str] = Counter()
        fitting = []
        for name, offer in self._offers.items():
            load = self._loads.get(name, empty)
            if against := reasons_against(pod, needs, offer, load, connected=name in self._connected):
                reasons.update(against)
            else:
                fitting.append(drawbacks(pod, needs, offer, load))
        if not fitting:
            listed = ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))
            return Placement("", UNSCHEDULABLE, f"0/{len(self._offers)} nodes are available: {listed}.")
        *_, node = min(fitting)
        _, namespace, name = key_of(pod)
        return Placement(node, SCHEDULED, f"Successfully assigned {namespace}/{name} to {node}")


def _source_of(pod: Object) -> tuple[Any, ...]:
    metadata = pod["metadata"]
    return pod["spec"], metadata.get("labels"), metadata.get("ownerReferences")


def place(pod: Object, nodes: Sequence[NodeState]) -> Placement:
    """Return where ``pod``, which has no node, goes among ``nodes``."""
    scheduler = Scheduler()
    for state in nodes:
        scheduler.set_node(state.node)
        scheduler.set_connected(state.node["metadata"]["name"], connected=state.connected)
        for each in state.pods:
            scheduler.add_pod(each)
    return scheduler.place(pod)


def unschedulable(pod: Object, placement: Placement, now_ms: int) -> Object:
    """Return ``pod`` with the condition that no node takes it; the same object if it says so already.

    The condition keeps the time since when it is so (``now_ms`` is Unix time) when only the reasons change.
    """
    old = condition_of(pod, POD_SCHEDULED)
    if old is not None and old["status"] == FALSE:
        if (old.get("reason"), old.get("message")) == (placement.reason, placement.message):
            return pod
        since = old.get("lastTransitionTime")
    else:
        since = rfc3339(now_ms)
    new = {
        "type": POD_SCHEDULED,
        "status": FALSE,
        "lastProbeTime": None,
        "lastTransitionTime": since,
        "reason": placement.reason,
        "message": placement.message,
    }
    return with_status(pod, conditions=with_condition(pod.get("status", {}).get("conditions"), new))
