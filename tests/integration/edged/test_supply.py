"""Pods of a runtime that reads ConfigMaps and Secrets: they wait for them, and get what they hold."""

import asyncio
import base64
from collections.abc import AsyncIterator, Collection
from typing import Any

import msgspec
import pytest

from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Header, Message, Route, content_value
from edgecore.beehive.resource import EdgeResource
from edgecore.clock import VirtualClock, settle
from edgecore.ids import NewId
from edgecore.metaclient import MetaClient
from edgecore.modules.edged.module import Edged
from edgecore.modules.edged.nodestatus import HostFacts, NodeIdentity
from edgecore.modules.edged.pods import DELETE_AFTER_S
from edgecore.modules.edged.runtime import ContainerState, Order, Report
from edgecore.modules.edged.wanted import AGAIN_AFTER_S
from edgecore.observe.metrics import Metrics

Json = dict[str, Any]
CONFIG = EdgeResource("default", "configmap", "cm")
PASSWORD = EdgeResource("default", "secret", "pw")
HELD = {
    str(CONFIG): {"data": {"colour": "blue"}},
    str(PASSWORD): {"data": {"password": base64.b64encode(b"hush").decode()}},
}


class ReadingRuntime:
    """Runs what it is told at once, and keeps the orders."""

    reads_objects = True
    on_host_network = True

    def __init__(self) -> None:
        self.started: list[Order] = []
        self.updated: list[Order] = []
        self.killed: list[str] = []
        self.kept: list[str] = []
        self.fails_to_update = False

    def watch(self, report: Report) -> None:
        self._report = report

    def start(self, order: Order) -> None:
        self.started.append(order)
        self._report(order.pod.metadata.uid, (ContainerState("c", "running", started_at="2020-05-09T04:53:20Z"),))

    def update(self, order: Order) -> None:
        if self.fails_to_update:
            raise RuntimeError("a mistake of the runtime")
        self.updated.append(order)

    def kill(self, pod_uid: str, grace_s: int | None = None) -> None:
        self.killed.append(pod_uid)
        self._report(pod_uid, ())

    def keep_only(self, pod_uids: Collection[str]) -> None:
        self.kept = list(pod_uids)

    async def close(self) -> None:
        """Nothing runs."""


class ScriptedMetaManager:
    """Has the objects it is given; keeps the statuses it was told."""

    def __init__(self, bus: Bus) -> None:
        self.port = bus.register("metaManager", "meta")
        self.objects: Json = {}
        self.told: list[Json] = []
        self.deleted: list[str] = []
        self.is_slow = False

    async def run(self) -> None:
        async for message in self.port:
            resource, operation = message.route.resource, message.route.operation
            if "/nodestatus/" in resource:
                self._answer(message, "OK")
            elif operation == "update":
                self.told.append(content_value(message)["Status"])
                self._answer(message, "OK")
            elif operation == "delete":
                self.deleted.append(resource)
                self._answer(message, "OK")
            elif not self.is_slow:
                found = self.objects.get(resource)
                self._answer(message, None if found is None else [msgspec.json.encode(found).decode()])

    def _answer(self, request: Message, content: Any) -> None:
        route = Route("metaManager", request.route.group, "response", request.route.resource)
        self.port.respond(Message(Header("a", request.header.id), route, content))


class Surroundings:
    """One node's Edged with its neighbours."""

    def __init__(self, clock: VirtualClock, ids: NewId, metrics: Metrics) -> None:
        self.bus = Bus(clock, ids)
        self.clock = clock
        self.hub = self.bus.register("websocket", "hub")
        self.meta = ScriptedMetaManager(self.bus)
        self.runtime = ReadingRuntime()
        port = self.bus.register("edged", "edged")
        self.edged = Edged(
            port,
            MetaClient(port, "edged"),
            NodeIdentity("n", "default", "10.66.0.2", "1.3.1"),
            lambda: HostFacts(2, 1000, "6.1", "Debian", "linux", "amd64"),
            runtime=self.runtime,
            metrics=metrics,
            status_every_s=10,
            register=False,
        )
        self.tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        await self.edged.start()
        self.tasks = [asyncio.create_task(self.edged.run()), asyncio.create_task(self.meta.run())]
        await settle()

    async def from_cloud(self, operation: str, resource: str, content: Any = None) -> None:
        route = Route("edgecontroller", "resource", operation, resource)
        await self.hub.send("edged", Message(Header("m"), route, msgspec.Raw(msgspec.json.encode(content))))
        await settle()

    async def has(self, name: EdgeResource) -> None:
        """The cloud sends an object, which MetaManager has stored."""
        self.meta.objects[str(name)] = HELD[str(name)]
        await self.from_cloud("insert", str(name), HELD[str(name)])

    @property
    def waiting(self) -> Json:
        """Why the container of the pod waits, by its last status."""
        found: Json = self.meta.told[-1]["containerStatuses"][0]["state"]["waiting"]
        return found

    async def stop(self) -> None:
        await self.edged.stop()
        self.bus.close()
        await asyncio.gather(*self.tasks)


@pytest.fixture
async def node(vclock: VirtualClock, ids: NewId, metrics: Metrics) -> AsyncIterator[Surroundings]:
    surroundings = Surroundings(vclock, ids, metrics)
    await surroundings.start()
    yield surroundings
    await surroundings.stop()


def _pod(*sources: Json, **metadata: Any) -> Json:
    container = {"name": "c", "image": "i", "envFrom": list(sources)}
    return {
        "metadata": {"name": "p1", "namespace": "default", "uid": "uid-1", **metadata},
        "spec": {"containers": [container], "nodeName": "n"},
    }


BOTH = ({"configMapRef": {"name": "cm"}}, {"secretRef": {"name": "pw"}})
GONE = {"deletionTimestamp": "2020-05-09T05:00:00Z", "deletionGracePeriodSeconds": 30}


async def test_a_pod_waits_for_what_it_needs_and_is_started_with_what_that_holds(node: Surroundings) -> None:
    await node.from_cloud("insert", "default/pod/p1", _pod(*BOTH))
    assert node.runtime.started == []
    assert node.waiting["reason"] == "CreateContainerConfigError"
    assert node.waiting["message"] == 'configmap "cm" not found, secret "pw" not found'
    await node.has(CONFIG)
    assert node.waiting["message"] == 'secret "pw" not found'
    await node.has(PASSWORD)
    (order,) = node.runtime.started
    assert order.objects == {CONFIG: {"colour": b"blue"}, PASSWORD: {"password": b"hush"}}
    assert (order.node_name, order.host_ip, order.pod_ip) == ("n", "10.66.0.2", "10.66.0.2")
    assert msgspec.json.decode(order.data)["spec"]["containers"][0]["envFrom"] == list(BOTH)
    assert node.meta.told[-1]["phase"] == "Running"


async def test_what_is_there_already_makes_nothing_wait(node: Surroundings) -> None:
    node.meta.objects.update(HELD)
    await node.from_cloud("insert", "default/pod/p1", _pod(*BOTH))
    assert len(node.runtime.started) == 1
    assert node.meta.told[-1]["phase"] == "Running"


async def test_what_is_found_a_minute_later_starts_the_pod_then(node: Surroundings) -> None:
    await node.from_cloud("insert", "default/pod/p1", _pod(*BOTH))
    node.meta.objects.update(HELD)
    await node.clock.advance(AGAIN_AFTER_S)
    assert len(node.runtime.started) == 1


async def test_no_pod_waits_for_what_is_optional(node: Surroundings) -> None:
    await node.from_cloud("insert", "default/pod/p1", _pod({"configMapRef": {"name": "cm", "optional": True}}))
    (order,) = node.runtime.started
    assert order.objects == {}


async def test_a_secret_that_cannot_be_read_is_as_one_that_is_missing(node: Surroundings) -> None:
    node.meta.objects[str(PASSWORD)] = {"data": {"password": "not base64"}}
    await node.from_cloud("insert", "default/pod/p1", _pod({"secretRef": {"name": "pw"}}))
    assert node.waiting["message"] == 'secret "pw" not found'


async def test_a_change_of_what_a_running_pod_uses_reaches_its_runtime(node: Surroundings) -> None:
    node.meta.objects.update(HELD)
    await node.from_cloud("insert", "default/pod/p1", _pod(*BOTH))
    await node.from_cloud("update", str(CONFIG), {"data": {"colour": "green"}})
    assert [order.objects[CONFIG] for order in node.runtime.updated] == [{"colour": b"green"}]
    assert len(node.runtime.started) == 1


async def test_a_change_of_the_pod_reaches_its_runtime(node: Surroundings) -> None:
    await node.from_cloud("insert", "default/pod/p1", _pod())
    await node.from_cloud("update", "default/pod/p1", _pod(labels={"a": "b"}))
    (order,) = node.runtime.updated
    assert msgspec.json.decode(order.data)["metadata"]["labels"] == {"a": "b"}


async def test_a_pod_that_goes_while_it_waits_never_runs(node: Surroundings) -> None:
    await node.from_cloud("insert", "default/pod/p1", _pod(*BOTH))
    await node.from_cloud("update", "default/pod/p1", _pod(*BOTH, **GONE))
    await node.clock.advance(DELETE_AFTER_S)
    assert node.meta.deleted == ["default/pod/p1"]
    await node.has(CONFIG)
    await node.has(PASSWORD)
    assert node.runtime.started == []
    assert node.edged.status()["objects"]["used"] == 0


async def test_a_pod_that_is_deleted_while_it_waits_is_forgotten(node: Surroundings) -> None:
    await node.from_cloud("insert", "default/pod/p1", _pod(*BOTH))
    await node.from_cloud("delete", "default/pod/p1", _pod(*BOTH))
    assert node.edged.status()["objects"]["used"] == 0
    assert node.edged.status()["pods"]["pods"] == []


RAN = {
    "UID": "uid-1",
    "Name": "p1",
    "Status": {
        "phase": "Running",
        "podIP": "10.66.0.2",
        "startTime": "2020-05-09T04:00:00Z",
        "containerStatuses": [
            {
                "name": "c",
                "state": {"running": {"startedAt": "2020-05-09T04:00:01Z"}},
                "ready": True,
                "restartCount": 2,
                "image": "i",
                "containerID": "process://1",
            }
        ],
    },
}


@pytest.fixture
async def restarted(vclock: VirtualClock, ids: NewId, metrics: Metrics) -> AsyncIterator[Surroundings]:
    """A node that finds a pod that ran before; what that uses is yet to be asked for."""
    surroundings = Surroundings(vclock, ids, metrics)
    surroundings.meta.objects.update({"all/pod": _pod(*BOTH), "all/podstatus": RAN})
    yield surroundings
    await surroundings.stop()


async def test_a_pod_that_ran_before_is_not_told_to_wait_for_what_is_there(restarted: Surroundings) -> None:
    restarted.meta.objects.update(HELD)
    await restarted.start()
    (order,) = restarted.runtime.started
    assert order.before[0].restarts == 2
    assert restarted.runtime.kept == ["uid-1"]
    assert "Pending" not in {told["phase"] for told in restarted.meta.told}


async def test_a_pod_that_ran_before_and_lacks_something_keeps_its_restarts_and_how_it_ended(
    restarted: Surroundings,
) -> None:
    await restarted.start()
    assert restarted.runtime.started == []
    (told,) = restarted.meta.told
    (container,) = told["containerStatuses"]
    assert (told["phase"], container["restartCount"]) == ("Running", 2)
    assert container["state"]["waiting"]["reason"] == "CreateContainerConfigError"
    assert container["lastState"]["terminated"]["exitCode"] == 137
    assert container["lastState"]["terminated"]["containerID"] == "process://1"


async def test_a_module_that_is_run_again_goes_on_with_its_pods_and_asks_again(node: Surroundings) -> None:
    await node.from_cloud("insert", "default/pod/p1", _pod())
    node.meta.is_slow = True
    waits = _pod(*BOTH) | {"metadata": {"name": "p2", "namespace": "default", "uid": "uid-2"}}
    await node.from_cloud("insert", "default/pod/p2", waits)
    node.runtime.fails_to_update = True
    await node.from_cloud("update", "default/pod/p1", _pod(labels={"a": "b"}))
    with pytest.raises(ExceptionGroup):
        await node.tasks[0]

    node.runtime.fails_to_update = False
    node.meta.objects.update(HELD)
    node.meta.is_slow = False
    node.tasks[0] = asyncio.create_task(node.edged.run())
    await settle()

    assert [order.pod.metadata.name for order in node.runtime.started] == ["p1", "p2"]
    assert node.runtime.killed == []
    assert [told["phase"] for told in node.meta.told][-1] == "Running"


async def test_what_objects_hold_is_not_shown(node: Surroundings) -> None:
    node.meta.objects.update(HELD)
    await node.from_cloud("insert", "default/pod/p1", _pod(*BOTH))
    assert "hush" not in str(node.edged.status())
