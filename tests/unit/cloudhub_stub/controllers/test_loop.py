"""Which controller looks at what, and when: the loop with a real API, and time in hand."""

from collections.abc import Iterator
from typing import Any

import pytest

from cloudhub_stub.cluster.api import Api
from cloudhub_stub.cluster.events import Events
from cloudhub_stub.cluster.kinds import Object, ObjectKey, key_of
from cloudhub_stub.cluster.registry import Registry
from cloudhub_stub.cluster.writes import Replace
from cloudhub_stub.controllers.conditions import condition_of, is_ready
from cloudhub_stub.controllers.deviceprofile import profile_name
from cloudhub_stub.controllers.loop import ControlLoop
from cloudhub_stub.controllers.names import CONTROLLERS, NODE_GRACE_S
from cloudhub_stub.controllers.nodes import status_taken
from cluster.devices import device
from cluster.objects import config, node, pod, service
from edgecore.clock import VirtualClock
from edgecore.ids import NewId

HOST_PORT = {"containers": [{"name": "c", "image": "i", "ports": [{"containerPort": 80, "hostPort": 80}]}]}


class Looped:
    """A cluster whose controllers run whenever something has changed or is due."""

    def __init__(self, clock: VirtualClock, new_id: NewId, controllers: Any = CONTROLLERS) -> None:
        self.clock = clock
        self.registry = Registry()
        self.api = Api(self.registry, clock, new_id)
        self.events = Events(clock)
        self.connected: set[str] = set()
        self.loop = ControlLoop(
            self.registry,
            self.api,
            self.events,
            clock,
            self.connected.__contains__,
            on_due=self.run,
            enabled=frozenset(controllers),
        )

    def run(self) -> int:
        """Go on until nothing is left to do; return how many steps that took."""
        steps = 0
        while self.registry.changes or self.loop.has_work:
            while self.registry.changes:
                self.loop.note(self.registry.changes.popleft())
            steps += self.loop.step()
            assert steps < 10_000
        return steps

    def put(self, *objects: Object) -> None:
        for each in objects:
            self.registry.put(each)
        self.run()

    def remove(self, key: ObjectKey) -> None:
        self.registry.remove(key)
        self.run()

    def join(self, name: str = "n", **more: Any) -> None:
        """A node connects, registers, and is ready."""
        self.connected.add(name)
        self.loop.connection_changed(name)
        self.put({**node(name, ready="False"), **more})
        self.beat(name)

    def leave(self, name: str = "n") -> None:
        self.connected.discard(name)
        self.loop.connection_changed(name)
        self.run()

    def beat(self, name: str = "n", ready: str = "True") -> None:
        """A node posts its status."""
        held = self.get("Node", name, "")
        sent = {"Status": {"conditions": [{"type": "Ready", "status": ready}]}}
        self.api.write(Replace(status_taken(held, sent, self.clock.now_ms())))
        self.loop.heard_of(name)
        self.run()

    def get(self, kind: str, name: str, namespace: str = "default") -> Any:
        return self.registry.get(ObjectKey(kind, namespace, name))

    def node_of(self, name: str) -> str:
        return str(self.get("Pod", name)["spec"].get("nodeName", ""))

    def reasons(self, key: ObjectKey) -> list[str]:
        return [event.reason for event in self.events.of(key)]


@pytest.fixture
def looped(vclock: VirtualClock, ids: NewId) -> Iterator[Looped]:
    made = Looped(vclock, ids)
    yield made
    made.loop.stop()


def running(name: str = "p", where: str = "n", labels: Any = None, **spec: Any) -> Object:
    """Return a pod that runs and is ready."""
    status = {
        "phase": "Running",
        "podIP": "1.2.3.4",
        "conditions": [{"type": "Ready", "status": "True"}],
        "containerStatuses": [{"name": "c", "ready": True}],
    }
    return pod(name, where, labels, spec=spec, status=status)


def deployment(replicas: int = 2, **spec: Any) -> Object:
    template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [{"name": "c", "image": "i:1"}]}}
    return {
        "kind": "Deployment",
        "apiVersion": "apps/v1",
        "metadata": {"name": "web"},
        "spec": {"replicas": replicas, "selector": {"matchLabels": {"app": "web"}}, "template": template, **spec},
    }


# Placing.


def test_a_pod_is_placed_on_a_node_that_is_ready(looped: Looped) -> None:
    looped.join()
    looped.put(pod("p"))
    assert looped.node_of("p") == "n"
    assert looped.reasons(ObjectKey("Pod", "default", "p")) == ["Scheduled"]


def test_a_pod_that_no_node_takes_says_why_and_is_placed_once_one_does(looped: Looped) -> None:
    looped.put(pod("p"))
    condition = condition_of(looped.get("Pod", "p"), "PodScheduled")
    assert condition is not None
    assert (condition["status"], condition["reason"]) == ("False", "Unschedulable")
    looped.join()
    assert looped.node_of("p") == "n"
    assert looped.reasons(ObjectKey("Pod", "default", "p")) == ["FailedScheduling", "FailedScheduling", "Scheduled"]


@pytest.mark.parametrize("change", ["connects", "ready", "labelled", "uncordoned"])
def test_a_pod_waits_until_its_node_takes_it(looped: Looped, change: str) -> None:
    looped.join()
    held = looped.get("Node", "n", "")
    match change:
        case "connects":
            looped.leave()
        case "ready":
            looped.beat(ready="False")
        case "uncordoned":
            looped.put({**held, "spec": {"unschedulable": True}})
    looped.put(pod("p", spec={"nodeSelector": {"zone": "a"}} if change == "labelled" else {}))
    assert looped.node_of("p") == ""
    match change:
        case "connects":
            looped.join()
        case "ready":
            looped.beat()
        case "uncordoned":
            looped.put(held)
        case _:
            labels = {**held["metadata"]["labels"], "zone": "a"}
            looped.put({**held, "metadata": {**held["metadata"], "labels": labels}})
    assert looped.node_of("p") == "n"


def test_of_two_pods_with_one_host_port_the_second_waits_for_the_end_of_the_first(looped: Looped) -> None:
    looped.join()
    looped.put(pod("a", spec=HOST_PORT), pod("b", spec=HOST_PORT))
    assert (looped.node_of("a"), looped.node_of("b")) == ("n", "")
    condition = condition_of(looped.get("Pod", "b"), "PodScheduled")
    assert condition is not None
    assert "didn't have free ports" in condition["message"]
    looped.remove(ObjectKey("Pod", "default", "a"))
    assert looped.node_of("b") == "n"


def test_a_pod_that_has_finished_makes_room(looped: Looped) -> None:
    looped.join()
    looped.put(pod("a", spec=HOST_PORT), pod("b", spec=HOST_PORT))
    looped.put({**looped.get("Pod", "a"), "status": {"phase": "Succeeded"}})
    assert looped.node_of("b") == "n"


def test_host_ports_of_two_nodes_are_two(looped: Looped) -> None:
    looped.join("m")
    looped.join("n")
    looped.put(pod("a", spec=HOST_PORT), pod("b", spec=HOST_PORT))
    assert {looped.node_of("a"), looped.node_of("b")} == {"m", "n"}


def test_a_pod_that_is_to_go_is_not_placed(looped: Looped) -> None:
    looped.put(pod("p", deletionTimestamp="2020-05-09T04:53:20Z"))
    looped.join()
    assert looped.node_of("p") == ""


def test_a_pod_with_a_node_of_its_own_is_left_there(looped: Looped) -> None:
    looped.join()
    looped.put(pod("p", "elsewhere"))
    assert looped.node_of("p") == "elsewhere"


def test_without_the_scheduler_pods_wait(vclock: VirtualClock, ids: NewId) -> None:
    looped = Looped(vclock, ids, controllers=())
    looped.join()
    looped.put(pod("p"))
    assert looped.node_of("p") == ""


def test_each_thing_stands_in_line_once(looped: Looped) -> None:
    looped.join()
    for number in range(5):
        looped.registry.put(config("unheeded", k=str(number)))
        looped.registry.put(service("web"))
    assert looped.run() <= 2  # the service, and the endpoints that are made of it


# Deployments and services.


def test_a_deployment_makes_its_pods_and_replaces_one_that_goes(looped: Looped) -> None:
    looped.join()
    looped.api.apply(deployment())
    looped.run()
    first, second = looped.registry.all_of("Pod")
    assert [each["spec"]["nodeName"] for each in (first, second)] == ["n", "n"]
    looped.api.delete(key_of(first), grace_s=0)
    looped.run()
    assert len(looped.registry.all_of("Pod")) == 2
    assert second in looped.registry.all_of("Pod")
    assert looped.reasons(ObjectKey("Deployment", "default", "web")) == ["ScalingUp", "ScalingUp"]


def test_a_deployment_that_is_scaled_down_deletes_pods(looped: Looped) -> None:
    looped.api.apply(deployment(3))
    looped.run()
    looped.api.scale(ObjectKey("Deployment", "default", "web"), 1)
    looped.run()
    assert len(looped.registry.all_of("Pod")) == 1
    newest = looped.events.of(ObjectKey("Deployment", "default", "web"))[-1]
    assert (newest.reason, newest.message) == ("ScalingDown", "Deleted 2 pods")


async def test_a_pod_counts_as_available_when_its_time_has_passed(looped: Looped, vclock: VirtualClock) -> None:
    looped.join()
    looped.api.apply(deployment(1, minReadySeconds=10))
    looped.run()
    (made,) = looped.registry.all_of("Pod")
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2020-05-09T04:53:20Z"}
    looped.put({**made, "status": {"phase": "Running", "conditions": [ready]}})
    key = ObjectKey("Deployment", "default", "web")
    await vclock.advance(8)
    assert looped.api.get(key)["status"].get("availableReplicas", 0) == 0
    await vclock.advance(3)
    assert looped.api.get(key)["status"]["availableReplicas"] == 1


def test_the_endpoints_of_a_service_follow_its_pods(looped: Looped) -> None:
    looped.join()
    looped.put(service("web"), running("p", labels={"app": "web"}))
    (subset,) = looped.get("Endpoints", "web")["subsets"]
    assert [each["ip"] for each in subset["addresses"]] == ["1.2.3.4"]
    looped.remove(ObjectKey("Pod", "default", "p"))
    assert not looped.get("Endpoints", "web").get("subsets")


def test_endpoints_that_somebody_deleted_are_made_again(looped: Looped) -> None:
    looped.put(service("web"))
    looped.remove(ObjectKey("Endpoints", "default", "web"))
    assert looped.get("Endpoints", "web") is not None


def test_a_pod_that_gets_other_labels_leaves_one_service_and_joins_another(looped: Looped) -> None:
    looped.join()
    looped.put(service("a"), service("b"), running(labels={"app": "a"}))
    looped.put(running(labels={"app": "b"}))
    assert not looped.get("Endpoints", "a").get("subsets")
    assert looped.get("Endpoints", "b")["subsets"]


# Nodes.


async def test_a_node_that_posts_nothing_is_lost_after_the_grace(looped: Looped, vclock: VirtualClock) -> None:
    looped.join()
    await vclock.advance(NODE_GRACE_S - 0.1)
    assert is_ready(looped.get("Node", "n", ""))
    await vclock.advance(0.1)
    held = looped.get("Node", "n", "")
    assert not is_ready(held)
    assert {each["key"] for each in held["spec"]["taints"]} == {"node.kubernetes.io/unreachable"}
    assert looped.reasons(ObjectKey("Node", "", "n"))[-1] == "NodeNotReady"


async def test_a_node_that_goes_on_posting_is_not_lost(looped: Looped, vclock: VirtualClock) -> None:
    looped.join()
    for _ in range(20):
        await vclock.advance(10)
        looped.beat()
    assert is_ready(looped.get("Node", "n", ""))
    await vclock.advance(NODE_GRACE_S)
    assert not is_ready(looped.get("Node", "n", ""))


@pytest.mark.parametrize("hours", [1, -1])
async def test_a_clock_that_is_set_makes_no_node_silent_and_keeps_none_that_is(
    looped: Looped, vclock: VirtualClock, hours: int
) -> None:
    looped.join("posts")
    looped.join("silent")
    right_ms = vclock.now_ms
    vclock.now_ms = lambda: right_ms() + hours * 3_600_000
    lost_after_s = None
    for second in range(round(NODE_GRACE_S) + 1):
        await vclock.advance(1)
        if not second % 10:
            looped.beat("posts")
        looped.run()
        assert is_ready(looped.get("Node", "posts", ""))
        if lost_after_s is None and not is_ready(looped.get("Node", "silent", "")):
            lost_after_s = second + 1
    assert lost_after_s == NODE_GRACE_S


async def test_a_node_that_is_back_is_ready_with_its_pods(looped: Looped, vclock: VirtualClock) -> None:
    looped.join()
    looped.put(service("web"), running(labels={"app": "web"}))
    await vclock.advance(NODE_GRACE_S)
    assert not is_ready(looped.get("Pod", "p"))
    assert "addresses" not in looped.get("Endpoints", "web")["subsets"][0]
    looped.beat()
    assert is_ready(looped.get("Pod", "p"))
    assert "addresses" in looped.get("Endpoints", "web")["subsets"][0]
    assert not looped.get("Node", "n", "")["spec"].get("taints")


async def test_the_pods_of_a_lost_node_are_replaced_after_five_minutes(looped: Looped, vclock: VirtualClock) -> None:
    looped.join("m")
    looped.join("n")
    looped.api.apply(deployment())
    looped.run()
    (moved,) = [each for each in looped.registry.all_of("Pod") if each["spec"]["nodeName"] == "n"]
    looped.leave("n")
    for _ in range(33):
        await vclock.advance(10)
        looped.beat("m")
    assert "deletionTimestamp" not in looped.get("Pod", moved["metadata"]["name"])["metadata"]
    for _ in range(2):
        await vclock.advance(10)
        looped.beat("m")
    assert "deletionTimestamp" in looped.get("Pod", moved["metadata"]["name"])["metadata"]
    going = [each for each in looped.registry.all_of("Pod") if "deletionTimestamp" in each["metadata"]]
    assert going == [looped.get("Pod", moved["metadata"]["name"])]
    assert sorted(each["spec"]["nodeName"] for each in looped.registry.all_of("Pod")) == ["m", "m", "n"]


async def test_the_pods_of_a_node_that_posts_that_it_is_not_ready_are_replaced_too(
    looped: Looped, vclock: VirtualClock
) -> None:
    looped.join()
    looped.put(running())
    for _ in range(29):
        looped.beat(ready="False")
        await vclock.advance(10)
    assert looped.get("Pod", "p") is not None
    looped.beat(ready="False")
    await vclock.advance(10)
    assert looped.get("Pod", "p") is None


async def test_a_node_that_was_not_ready_and_falls_silent_is_lost_after_the_grace(
    looped: Looped, vclock: VirtualClock
) -> None:
    looped.join()
    looped.put(running())
    looped.beat(ready="False")
    await vclock.advance(NODE_GRACE_S)
    condition = condition_of(looped.get("Node", "n", ""), "Ready")
    assert condition is not None
    assert condition["status"] == "Unknown"


async def test_a_node_of_which_only_a_manifest_speaks_is_not_lost(looped: Looped, vclock: VirtualClock) -> None:
    looped.put(node("n"))
    await vclock.advance(1000)
    assert is_ready(looped.get("Node", "n", ""))


def test_the_pods_of_a_node_that_is_removed_go(looped: Looped) -> None:
    looped.join()
    looped.put(running())
    looped.remove(ObjectKey("Node", "", "n"))
    assert looped.get("Pod", "p") is None


def test_a_pod_that_was_taken_on_by_a_node_that_is_gone_goes(looped: Looped) -> None:
    taken_on = running()
    looped.put({**taken_on, "status": {**taken_on["status"], "startTime": "2020-05-09T04:53:20Z"}})
    assert looped.get("Pod", "p") is None


@pytest.mark.parametrize("is_there", [True, False])
def test_a_pod_that_comes_to_a_node_costs_no_look_at_the_others_there(
    looped: Looped, is_there: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_there:
        looped.join()
    looked_at: list[str] = []
    monkeypatch.setattr(looped.registry, "pods_on", lambda name: looked_at.append(name) or [])
    for number in range(5):
        looped.put(pod(f"p{number}", "n"))
    assert looked_at == []


def test_a_pod_that_a_manifest_put_on_a_node_waits_for_it(looped: Looped) -> None:
    looped.put(pod("p", "n"))
    assert looped.get("Pod", "p") is not None
    looped.join()
    assert looped.get("Pod", "p") is not None


# Devices.


def test_the_profile_of_a_node_follows_its_devices(looped: Looped) -> None:
    model = {
        "kind": "DeviceModel",
        "apiVersion": "devices.kubeedge.io/v1alpha1",
        "metadata": {"name": "led-light", "namespace": "default", "uid": "m"},
        "spec": {"properties": []},
    }
    looped.put(device("led", node="n", uid="u"))
    first = looped.get("ConfigMap", profile_name("n"))
    assert '"led"' in first["data"]["deviceProfile.json"]
    looped.put(model)
    assert looped.get("ConfigMap", profile_name("n")) != first
    looped.put(device("led", node="m", uid="u"))
    assert looped.get("ConfigMap", profile_name("n")) is None
    looped.remove(ObjectKey("Device", "default", "led"))
    assert looped.get("ConfigMap", profile_name("m")) is None


# The start, and the end.


def test_what_was_there_before_is_looked_at_at_the_start(looped: Looped) -> None:
    looped.registry.load({**service("web"), "metadata": {**service("web")["metadata"], "resourceVersion": "1"}})
    looped.loop.load()
    looped.run()
    assert looped.get("Endpoints", "web") is not None


async def test_after_the_stop_time_changes_nothing(looped: Looped, vclock: VirtualClock) -> None:
    looped.join()
    looped.loop.stop()
    await vclock.advance(1000)
    assert is_ready(looped.get("Node", "n", ""))
