"""Edged asks for the ConfigMaps and Secrets of its pods on a real bus; MetaManager answers as it is told."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Header, Message, Route
from edgecore.clock import VirtualClock, settle
from edgecore.ids import NewId
from edgecore.metaclient import TIMEOUT_S, MetaClient
from edgecore.modules.edged.asking import UNDER_WAY_LIMIT
from edgecore.modules.edged.module import Edged
from edgecore.modules.edged.nodestatus import HostFacts, NodeIdentity
from edgecore.modules.edged.references import MAX_REFERENCES
from edgecore.modules.edged.simulated.simulated import SimulatedRuntime
from edgecore.modules.edged.wanted import AGAIN_AFTER_S
from edgecore.observe.metrics import Metrics

Json = dict[str, Any]
GONE = {"deletionTimestamp": "2026-11-20T10:18:12Z"}
KEPT_QUIET = "c2VjcmV0"
STATUS_EVERY_S = 10


def _pod(*secrets: str, name: str = "p1", **metadata: Any) -> Json:
    return {
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}", **metadata},
        "spec": {
            "containers": [{"name": "nginx", "image": "nginx:1.17", "envFrom": [{"configMapRef": {"name": "cm"}}]}],
            "imagePullSecrets": [{"name": secret} for secret in secrets],
        },
    }


class ScriptedMetaManager:
    """Has ``objects``; is silent about those of ``silent``, and says of those of ``broken`` that it cannot look."""

    def __init__(self, bus: Bus) -> None:
        self.port = bus.register("metaManager", "meta")
        self.objects: set[str] = set()
        self.silent: set[str] = set()
        self.broken: set[str] = set()
        self.pods: list[Json] = []
        self.asked: list[str] = []
        self.other: list[str] = []

    async def run(self) -> None:
        async for message in self.port:
            resource = message.route.resource
            if message.route.operation != "query" or resource.startswith("all/"):
                self.other.append(f"{message.route.operation} {resource}")
                rows = [msgspec.json.encode(pod).decode() for pod in self.pods] if resource == "all/pod" else None
                self._answer(message, "OK" if message.route.operation != "query" else rows)
                continue
            assert (message.route.source, message.route.group, message.header.sync) == ("edged", "meta", True)
            self.asked.append(resource)
            if resource in self.broken:
                self._answer(message, "Error to query meta in DB", "error")
            elif resource not in self.silent:
                text = f'{{"data":{{"k":"{KEPT_QUIET}"}}}}'
                self._answer(message, [text] if resource in self.objects else None)

    def _answer(self, request: Message, content: Any, operation: str = "response") -> None:
        route = Route("metaManager", request.route.group, operation, request.route.resource)
        self.port.respond(Message(Header("a", request.header.id), route, content))


class Surroundings:
    """One node's Edged with its neighbours."""

    def __init__(self, clock: VirtualClock, ids: NewId, metrics: Metrics) -> None:
        self.bus = Bus(clock, ids)
        self.clock = clock
        self.hub = self.bus.register("websocket", "hub")
        self.meta = ScriptedMetaManager(self.bus)
        port = self.bus.register("edged", "edged")
        self.edged = Edged(
            port,
            MetaClient(port, "edged"),
            NodeIdentity("n", "default", "10.66.0.2", "1.3.1"),
            lambda: HostFacts(2, 1000, "6.1", "Debian", "linux", "amd64"),
            runtime=SimulatedRuntime(clock),
            metrics=metrics,
            status_every_s=STATUS_EVERY_S,
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

    async def pod(self, pod: Json, operation: str = "insert") -> None:
        await self.from_cloud(operation, f"default/pod/{pod['metadata']['name']}", pod)

    async def link(self, news: str) -> None:
        await self.hub.send(
            "edged", Message(Header("m"), Route("edgehub", "edged", "publish", "node/connection"), news)
        )
        await settle()

    def asked(self) -> list[str]:
        """Return what MetaManager was asked for since the last time."""
        asked, self.meta.asked = self.meta.asked, []
        return asked

    @property
    def objects(self) -> Json:
        """What the status says of the objects."""
        found: Json = self.edged.status()["objects"]
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
    left = [task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    assert [name for name in left if name.startswith("edged")] == []


async def test_what_a_pod_uses_is_asked_for_once(node: Surroundings) -> None:
    node.meta.objects = {"default/configmap/cm", "default/secret/s"}
    await node.pod(_pod("s"))
    assert node.asked() == ["default/configmap/cm", "default/secret/s"]
    await node.pod(_pod("s", labels={"a": "b"}), "update")
    await node.clock.advance(10 * AGAIN_AFTER_S)
    assert node.asked() == []
    assert node.objects == {"used": 2, "missing": 0, "names_missing": []}


async def test_the_pod_runs_before_anything_is_answered(node: Surroundings) -> None:
    node.meta.silent = {"default/configmap/cm", "default/secret/s"}
    await node.pod(_pod("s"))
    await node.pod(_pod("s", **GONE), "update")
    await node.clock.advance(STATUS_EVERY_S)
    told = [each for each in node.meta.other if "podstatus" in each or each.startswith("delete")]
    assert told == [
        "query all/podstatus",
        "update default/podstatus/p1",
        "update default/podstatus/p1",
        "delete default/pod/p1",
    ]
    assert node.meta.other.count("update default/nodestatus/n") == 2


async def test_what_is_missing_is_asked_for_every_minute_until_it_is_there(node: Surroundings) -> None:
    node.meta.objects = {"default/configmap/cm"}
    await node.pod(_pod("s"))
    node.asked()
    for _ in range(3):
        await node.clock.advance(AGAIN_AFTER_S - 1)
        assert node.asked() == []
        await node.clock.advance(1)
        assert node.asked() == ["default/secret/s"]
    assert node.objects["names_missing"] == ["default/secret/s"]
    node.meta.objects.add("default/secret/s")
    await node.clock.advance(AGAIN_AFTER_S)
    assert node.asked() == ["default/secret/s"]
    await node.clock.advance(10 * AGAIN_AFTER_S)
    assert (node.asked(), node.objects["missing"]) == ([], 0)


@pytest.mark.parametrize("operation", ["insert", "update", "response"])
async def test_what_the_cloud_sends_is_not_asked_for_any_more(node: Surroundings, operation: str) -> None:
    await node.pod(_pod())
    node.asked()
    await node.from_cloud(operation, "default/configmap/cm", {})
    await node.clock.advance(2 * AGAIN_AFTER_S)
    assert (node.asked(), node.objects["missing"]) == ([], 0)


async def test_what_the_cloud_deletes_is_asked_for_a_minute_later(node: Surroundings) -> None:
    node.meta.objects = {"default/configmap/cm"}
    await node.pod(_pod())
    node.asked()
    await node.from_cloud("delete", "default/configmap/cm", {})
    assert node.objects["missing"] == 1
    await node.clock.advance(AGAIN_AFTER_S)
    assert node.asked() == ["default/configmap/cm"]


async def test_what_is_missing_is_asked_for_at_once_when_the_link_comes_up(node: Surroundings) -> None:
    node.meta.objects = {"default/configmap/cm"}
    await node.pod(_pod("s"))
    node.asked()
    await node.link("cloud_disconnected")
    assert node.asked() == []
    await node.link("cloud_connected")
    assert node.asked() == ["default/secret/s"]


async def test_the_cloud_cannot_say_that_the_link_came_up(node: Surroundings) -> None:
    await node.pod(_pod())
    node.asked()
    await node.from_cloud("publish", "node/connection", "cloud_connected")
    assert node.asked() == []


async def test_for_a_pod_that_is_told_to_go_nothing_is_asked_any_more(node: Surroundings) -> None:
    await node.pod(_pod())
    node.asked()
    await node.pod(_pod(**GONE), "update")
    await node.clock.advance(10 * AGAIN_AFTER_S)
    assert (node.asked(), node.objects["used"]) == ([], 0)


async def test_for_a_pod_that_the_cloud_deleted_nothing_is_asked_any_more(node: Surroundings) -> None:
    await node.pod(_pod())
    node.asked()
    await node.pod(_pod(), "delete")
    await node.clock.advance(10 * AGAIN_AFTER_S)
    assert (node.asked(), node.objects["used"]) == ([], 0)


async def test_the_pods_that_were_stored_have_theirs_asked_for(
    vclock: VirtualClock, ids: NewId, metrics: Metrics
) -> None:
    node = Surroundings(vclock, ids, metrics)
    node.meta.pods = [_pod("s", nodeName="n")]
    await node.start()
    assert node.asked() == ["default/configmap/cm", "default/secret/s"]
    await node.stop()


async def test_the_questions_under_way_are_bounded(node: Surroundings) -> None:
    names = [f"s{number}" for number in range(UNDER_WAY_LIMIT + 10)]
    node.meta.silent = {"default/configmap/cm", *(f"default/secret/{name}" for name in names)}
    await node.pod(_pod(*names))
    assert len(node.asked()) == UNDER_WAY_LIMIT
    await node.clock.advance(TIMEOUT_S)  # those that were not asked for yet come first
    assert node.asked()[:11] == ["default/secret/s31", *(f"default/secret/{name}" for name in names[32:])]


async def test_a_metamanager_that_cannot_look_is_asked_again_and_said(node: Surroundings) -> None:
    node.meta.broken = {"default/configmap/cm"}
    with capture_logs() as logs:
        await node.pod(_pod())
    (entry,) = (entry for entry in logs if entry["event"] == "object_not_asked_for")
    assert entry["error"] == "cannot query default/configmap/cm: Error to query meta in DB"
    node.meta.broken = set()
    node.asked()
    await node.clock.advance(AGAIN_AFTER_S)
    assert node.asked() == ["default/configmap/cm"]


async def test_nothing_that_an_object_holds_is_logged_or_shown(node: Surroundings) -> None:
    with capture_logs() as logs:
        await node.pod(_pod("s"))
        node.meta.objects = {"default/configmap/cm", "default/secret/s"}
        await node.clock.advance(AGAIN_AFTER_S)
        await node.from_cloud("update", "default/secret/s", {"data": {"k": KEPT_QUIET}})
    assert KEPT_QUIET not in repr(logs)
    assert KEPT_QUIET not in repr(node.edged.status())
    said = [(entry["event"], entry["resource"]) for entry in logs if entry["event"].startswith("object_")]
    names = ["default/configmap/cm", "default/secret/s"]
    assert said == [(event, name) for event in ("object_missing", "object_arrived") for name in names]


async def test_a_pod_that_uses_too_much_runs_and_is_counted(node: Surroundings, metrics: Metrics) -> None:
    await node.pod(_pod(*(f"s{number}" for number in range(MAX_REFERENCES))))
    assert node.edged.status()["pods"]["phases"] == {"Running": 1}
    assert len(node.asked()) == MAX_REFERENCES
    assert metrics.bad_input_counts[("edged", "too_many_references")] == 1


async def test_stop_ends_questions_that_nobody_answers(vclock: VirtualClock, ids: NewId, metrics: Metrics) -> None:
    node = Surroundings(vclock, ids, metrics)
    node.meta.silent = {"default/configmap/cm"}
    await node.start()
    await node.pod(_pod())
    await node.edged.stop()
    names = [task.get_name() for task in asyncio.all_tasks()]
    assert not any(name.startswith(("edged ask", "edged questions")) for name in names)
    assert not node.tasks[0].done()
    await node.clock.advance(10 * AGAIN_AFTER_S)
    assert node.asked() == ["default/configmap/cm"]
    await node.stop()
