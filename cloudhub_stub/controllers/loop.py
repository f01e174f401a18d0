"""Which controller has to look at what, because of which change, or because time has passed; one step at a time.

The controllers are pure: each is given objects and says what is to be written. A key that is to be looked at stands in
line once, however often it changed.

| change | looked at |
| --- | --- |
| Deployment; a pod that one owns | the Deployment |
| pod without node | the scheduler places it; what it cannot place waits for a node or a pod to change |
| Service, Endpoints of its name; a pod that it selects | the Endpoints of the Service |
| Node gone; a pod that is bound | the pods that were bound to it; the pod, whose node may be gone |
| Node not ready | its pods, at once and when their patience ends |
| Device, DeviceModel | the profile for mappers of its node |
"""

import heapq
from collections.abc import Callable

import structlog

from cloudhub_stub.cluster.api import Api
from cloudhub_stub.cluster.events import NORMAL, WARNING, Events
from cloudhub_stub.cluster.kinds import (
    CONFIGMAP_KIND,
    DEPLOYMENT_KIND,
    DEVICE_KIND,
    DEVICE_MODEL_KIND,
    ENDPOINTS_KIND,
    NODE_KIND,
    POD_KIND,
    SERVICE_KIND,
    Object,
    ObjectKey,
    key_of,
)
from cloudhub_stub.cluster.registry import Change, Registry, labels_of
from cloudhub_stub.cluster.writes import Create, Delete, Replace, Write
from cloudhub_stub.controllers import deployments, deviceprofile, endpoints, lostpods, nodes, podgc
from cloudhub_stub.controllers.conditions import is_ready
from cloudhub_stub.controllers.devices import node_of
from cloudhub_stub.controllers.names import (
    DEPLOYMENTS,
    DEVICE_PROFILES,
    ENDPOINTS,
    NODE_GRACE_S,
    NODES,
    PODGC,
    SCHEDULER,
)
from cloudhub_stub.controllers.replicas import is_finished
from cloudhub_stub.controllers.scheduler import Scheduler, unschedulable
from edgecore.clock import Clock, Timer

log = structlog.get_logger("cloudhub")

_Ask = tuple[str, ObjectKey]
"""The name of a controller, and what it has to look at."""


class ControlLoop:
    """The line of what is to be looked at. ``on_due`` is called when time has put something into it."""

    def __init__(
        self,
        registry: Registry,
        api: Api,
        events: Events,
        clock: Clock,
        is_connected: Callable[[str], bool],
        *,
        on_due: Callable[[], None],
        enabled: frozenset[str],
        node_grace_s: float = NODE_GRACE_S,
    ) -> None:
        self._api = api
        self._registry = registry
        self._events = events
        self._clock = clock
        self._is_connected = is_connected
        self._on_due = on_due
        self._enabled = enabled
        self._node_grace_s = node_grace_s
        self._line: dict[_Ask, None] = {}
        self._due: dict[_Ask, int] = {}
        """When something is to be looked at because of the time, in Unix milliseconds."""
        self._heap: list[tuple[int, _Ask]] = []
        self._timer: Timer | None = None
        self._timer_ms = 0
        self._scheduler = Scheduler()
        self._unplaced: set[ObjectKey] = set()
        self._heard_ms: dict[str, int] = {}
        """When each node posted its status last."""

    @property
    def has_work(self) -> bool:
        """Whether something is to be looked at now."""
        return bool(self._line)

    def load(self) -> None:
        """Look at everything that the registry holds at the start; all nodes were heard of just now."""
        for obj in list(self._registry.every()):
            self.note(Change(key_of(obj), None, obj))
            if obj["kind"] == NODE_KIND.name:
                self.heard_of(obj["metadata"]["name"])

    def stop(self) -> None:
        """Set no timer any more."""
        if self._timer is not None:
            self._timer.cancel()

    def note(self, change: Change) -> None:
        """Something has changed."""
        key = change.key
        match key.kind:
            case POD_KIND.name:
                self._note_pod(change)
            case DEPLOYMENT_KIND.name:
                self._ask(DEPLOYMENTS, key)
            case SERVICE_KIND.name | ENDPOINTS_KIND.name:
                self._ask(ENDPOINTS, key._replace(kind=SERVICE_KIND.name))
            case NODE_KIND.name:
                self._note_node(change)
            case DEVICE_KIND.name:
                for device in (change.old, change.new):
                    if device is not None and (node := node_of(device)):
                        self._ask(DEVICE_PROFILES, ObjectKey(DEVICE_KIND.name, key.namespace, node))
            case DEVICE_MODEL_KIND.name:
                for device in self._registry.all_of(DEVICE_KIND.name, key.namespace):
                    if node := node_of(device):
                        self._ask(DEVICE_PROFILES, ObjectKey(DEVICE_KIND.name, key.namespace, node))

    def heard_of(self, node: str) -> None:
        """A node has posted its status."""
        self._heard_ms[node] = self._steady_ms()
        self._ask_at(NODES, _node_key(node), self._heard_ms[node] + round(self._node_grace_s * 1000))

    def connection_changed(self, node: str) -> None:
        """A node has connected, or is gone."""
        self._scheduler.set_connected(node, connected=self._is_connected(node))
        self._retry_unplaced()

    def step(self) -> bool:
        """Let one controller look at the next thing; false where there is none."""
        if not self._line:
            return False
        ask = next(iter(self._line))
        del self._line[ask]
        name, key = ask
        match name:
            case "deployments":
                self._look_at_deployment(key)
            case "scheduler":
                self._place(key)
            case "endpoints":
                self._look_at_endpoints(key)
            case "nodes":
                self._look_at_node(key)
            case "podgc":
                pod = self._registry.get(key)
                self._write(podgc.plan(() if pod is None else (pod,), self._has_node))
            case "deviceprofiles":
                self._look_at_profile(key)
        return True

    # Pods and their owners.

    def _note_pod(self, change: Change) -> None:
        key, new = change.key, change.new
        owners = {name for pod in (change.old, change.new) if pod is not None for name in _deployments_of(pod)}
        for name in owners:
            self._ask(DEPLOYMENTS, ObjectKey(DEPLOYMENT_KIND.name, key.namespace, name))
        for pod in (change.old, change.new):
            if pod is not None:
                for service in self._registry.services_selecting(key.namespace, labels_of(pod)):
                    self._ask(ENDPOINTS, key_of(service))
        if new is None:
            self._unplaced.discard(key)
            self._scheduler.remove_pod(key)
            if change.object["spec"].get("nodeName"):
                self._retry_unplaced()
            return
        self._scheduler.add_pod(new)
        if is_finished(new) and change.old is not None and not is_finished(change.old):
            self._retry_unplaced()
        node = new["spec"].get("nodeName", "")
        if not node:
            if key not in self._unplaced:
                self._ask(SCHEDULER, key)
        else:
            self._unplaced.discard(key)
            if change.old is None or not change.old["spec"].get("nodeName"):
                self._ask(PODGC, key)

    def _look_at_deployment(self, key: ObjectKey) -> None:
        deployment = self._registry.get(key)
        if deployment is None:
            return
        pods, now_ms = self._registry.pods_of(deployment["metadata"]["uid"]), self._clock.now_ms()
        writes = deployments.plan(deployment, pods, lambda name: self._has_pod(key.namespace, name), now_ms)
        self._note_scaling(key, writes)
        self._write(writes)
        next_ms = deployments.next_look_ms(deployment, pods, now_ms)
        if next_ms is not None:
            self._ask_at(DEPLOYMENTS, key, self._steady_ms() + next_ms - now_ms)

    def _note_scaling(self, key: ObjectKey, writes: list[Write]) -> None:
        made = sum(isinstance(write, Create) for write in writes)
        ended = sum(isinstance(write, Delete) for write in writes)
        if made:
            self._events.note(key, NORMAL, "ScalingUp", f"Created {made} pod{'s' * (made > 1)}")
        if ended:
            self._events.note(key, NORMAL, "ScalingDown", f"Deleted {ended} pod{'s' * (ended > 1)}")

    def _place(self, key: ObjectKey) -> None:
        pod = self._registry.get(key)
        if pod is None or pod["spec"].get("nodeName") or pod["metadata"].get("deletionTimestamp"):
            return
        placement = self._scheduler.place(pod)
        if placement.node:
            bound = self._api.bind(key, placement.node)
            self._scheduler.add_pod(bound)
            self._unplaced.discard(key)
            where = f"{key.namespace}/{key.name} to {placement.node}"
            self._events.note(key, NORMAL, "Scheduled", f"Successfully assigned {where}")
            return
        self._unplaced.add(key)
        self._events.note(key, WARNING, "FailedScheduling", placement.message)
        marked = unschedulable(pod, placement, self._clock.now_ms())
        if marked is not pod:
            self._write([Replace(marked)])

    def _has_node(self, name: str) -> bool:
        return self._registry.get(_node_key(name)) is not None

    def _retry_unplaced(self) -> None:
        for key in sorted(self._unplaced):
            self._ask(SCHEDULER, key)

    def _has_pod(self, namespace: str, name: str) -> bool:
        return self._registry.get(ObjectKey(POD_KIND.name, namespace, name)) is not None

    # Services.

    def _look_at_endpoints(self, key: ObjectKey) -> None:
        service = self._registry.get(key)
        held = self._registry.get(key._replace(kind=ENDPOINTS_KIND.name))
        selector = {} if service is None else service["spec"].get("selector") or {}
        pods = self._registry.pods_selected(key.namespace, selector)
        self._write(endpoints.plan(service, held, pods))

    # Nodes.

    def _note_node(self, change: Change) -> None:
        key, new = change.key, change.new
        if new is None:
            self._scheduler.remove_node(key.name)
            self._heard_ms.pop(key.name, None)
            if PODGC in self._enabled:
                self._write(podgc.of_removed_node(self._registry.pods_on(key.name)))
            return
        self._scheduler.set_node(new)
        self._note_readiness(key, change.old, new)
        old = change.old
        if old is None or is_ready(old) != is_ready(new) or _placement_of(old) != _placement_of(new):
            self._ask(NODES, key)
            self._retry_unplaced()

    def _note_readiness(self, key: ObjectKey, old: Object | None, new: Object) -> None:
        now_ready = is_ready(new)
        if old is None:
            self._events.note(key, NORMAL, "RegisteredNode", f"Node {key.name} registered")
        elif now_ready != is_ready(old):
            reason = "NodeReady" if now_ready else "NodeNotReady"
            status = f"Node {key.name} status is now: {reason}"
            self._events.note(key, NORMAL if now_ready else WARNING, reason, status)
            log.info("node_ready" if now_ready else "node_not_ready", node=key.name)

    def _look_at_node(self, key: ObjectKey) -> None:
        node, now_ms, steady_ms = self._registry.get(key), self._clock.now_ms(), self._steady_ms()
        if node is None:
            return
        heard_ms = self._heard_ms.get(key.name)
        silent_ms = None if heard_ms is None else heard_ms + round(self._node_grace_s * 1000)
        if silent_ms is not None and silent_ms > steady_ms:
            self._ask_at(NODES, key, silent_ms)
        elif silent_ms is not None:
            lost = nodes.lost(node, now_ms)
            if lost is not node:
                self._write([Replace(lost)])
                node = self._registry.get(key) or node
        pods = self._registry.pods_on(key.name)
        lost_at_ms = nodes.lost_since_ms(node)
        if is_ready(node) or lost_at_ms is None:
            self._write(lostpods.pods_of_returned_node(pods, now_ms))
            return
        self._write(lostpods.pods_of_lost_node(node, pods, now_ms, lost_at_ms))
        next_ms = lostpods.next_look_ms(node, pods, now_ms, lost_at_ms)
        if next_ms is not None:
            self._ask_at(NODES, key, steady_ms + next_ms - now_ms)

    # Devices.

    def _look_at_profile(self, key: ObjectKey) -> None:
        registry = self._registry
        devices = [each for each in registry.all_of(DEVICE_KIND.name, key.namespace) if node_of(each) == key.name]
        models = registry.all_of(DEVICE_MODEL_KIND.name, key.namespace)
        held = registry.get(ObjectKey(CONFIGMAP_KIND.name, key.namespace, deviceprofile.profile_name(key.name)))
        self._write(deviceprofile.plan(key.name, key.namespace, devices, models, held))

    # The line.

    def _ask(self, name: str, key: ObjectKey) -> None:
        if name in self._enabled:
            self._line[name, key] = None

    def _steady_ms(self) -> int:
        """Return the milliseconds by which it waits: a clock that is set makes nobody silent, and nobody heard of."""
        return round(self._clock.monotonic() * 1000)

    def _ask_at(self, name: str, key: ObjectKey, at_ms: int) -> None:
        """Have something looked at when it is time, unless it will be earlier: who looks then asks for the next."""
        ask = (name, key)
        if name not in self._enabled or self._due.get(ask, at_ms + 1) <= at_ms:
            return
        self._due[ask] = at_ms
        heapq.heappush(self._heap, (at_ms, ask))
        self._set_timer()

    def _set_timer(self) -> None:
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)  # it was set to an earlier time since
        if not self._heap:
            return
        at_ms = self._heap[0][0]
        if self._timer is not None:
            if self._timer_ms == at_ms:
                return
            self._timer.cancel()
        self._timer_ms = at_ms
        delay_s = max(0.0, (at_ms - self._steady_ms()) / 1000)
        self._timer = self._clock.call_at(self._clock.monotonic() + delay_s, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        now_ms = self._steady_ms()
        while self._heap and self._heap[0][0] <= now_ms + 1:
            at_ms, ask = heapq.heappop(self._heap)
            if self._due.get(ask) == at_ms:
                del self._due[ask]
                self._line[ask] = None
        self._set_timer()
        self._on_due()

    def _write(self, writes: list[Write]) -> None:
        for write in writes:
            self._api.write(write)


def _deployments_of(pod: Object) -> list[str]:
    owners = pod["metadata"].get("ownerReferences") or ()
    return [owner["name"] for owner in owners if owner.get("controller") and owner.get("kind") == DEPLOYMENT_KIND.name]


def _node_key(name: str) -> ObjectKey:
    return ObjectKey(NODE_KIND.name, "", name)


def _placement_of(node: Object) -> tuple[object, ...]:
    """Return what of a node decides which pods it takes."""
    spec, status = node.get("spec") or {}, node.get("status") or {}
    return labels_of(node), spec.get("taints"), spec.get("unschedulable"), status.get("allocatable")
