"""Edged runs pods on a real bus, with a MetaManager that answers as it is told."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from structlog.testing import capture_logs

from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Header, Message, Route, content_value
from edgecore.clock import VirtualClock, settle
from edgecore.ids import NewId
from edgecore.metaclient import TIMEOUT_S, MetaClient
from edgecore.modules.edged.module import Edged
from edgecore.modules.edged.nodestatus import HostFacts, NodeIdentity
from edgecore.modules.edged.pods import DELETE_AFTER_S, RETRY_AFTER_S
from edgecore.modules.edged.simulated.script import ANNOTATION
from edgecore.modules.edged.simulated.simulated import SimulatedRuntime
from edgecore.observe.metrics import Metrics

GONE = {"deletionTimestamp": "2026-11-20T10:18:12Z"}
Json = dict[str, Any]


def _pod(name: str = "p1", **metadata: Any) -> Json:
    return {
        "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}", **metadata},
        "spec": {"containers": [{"name": "nginx", "image": "nginx:1.17"}], "nodeName": "n"},
        "status": {"phase": "Pending", "qosClass": "BestEffort"},
    }


class ScriptedMetaManager:
    """Has the rows it is given, and keeps what it is asked; ``mood`` says how it takes a status."""

    def __init__(self, bus: Bus) -> None:
        self.port = bus.register("metaManager", "meta", capacity=4)
        self.pods: list[Json] = []
        self.statuses: dict[str, Json] = {}
        self.mood = "stores"
        self.told: list[str] = []
        self.posted: list[Json] = []

    async def run(self) -> None:
        async for message in self.port:
            if "nodestatus" in message.route.resource:
                self._answer(message, "OK")
            elif message.route.operation == "query":
                self._answer_query(message)
            elif message.route.operation == "delete":
                self._take_delete(message)
            else:
                self._take_status(message)

    def _answer_query(self, message: Message) -> None:
        if self.mood == "refuses to list":
            self._answer(message, "Error to query meta in DB", "error")
            return
        rows = self.pods if message.route.resource == "all/pod" else list(self.statuses.values())
        self._answer(message, [msgspec.json.encode(row).decode() for row in rows] or None)

    def _take_delete(self, message: Message) -> None:
        if self.mood == "refuses":
            self._answer(message, "Error to save meta to DB", "error")
            return
        self.told.append(f"delete {message.route.resource} {message.content}")
        self._answer(message, "OK")

    def _take_status(self, message: Message) -> None:
        assert message.route.source == "edged"
        assert message.header.sync is True
        request = content_value(message)
        if self.mood == "silent":
            return
        if self.mood == "refuses":
            self._answer(message, "Error to save meta to DB", "error")
            return
        self.statuses[message.route.resource] = request
        self.posted.append(request["Status"])
        self.told.append(f"{message.route.resource} {request['Status']['phase']}")
        self._answer(message, "OK")

    def _answer(self, request: Message, content: Any, operation: str = "response") -> None:
        route = Route("metaManager", request.route.group, operation, request.route.resource)
        self.port.respond(Message(Header("a", request.header.id), route, content))


class Surroundings:
    """One node's Edged with its neighbours."""

    def __init__(self, clock: VirtualClock, ids: NewId, metrics: Metrics, delay_s: float = 0.0) -> None:
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
            runtime=SimulatedRuntime(clock, delay_s),
            metrics=metrics,
            status_every_s=10,
            register=False,
        )
        self.tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        await self.edged.start()
        self.tasks = [asyncio.create_task(self.edged.run()), asyncio.create_task(self.meta.run())]
        await settle()

    async def from_cloud(self, operation: str, pod: Any, name: str = "") -> None:
        name = name or pod["metadata"]["name"]
        route = Route("edgecontroller", "resource", operation, f"default/pod/{name}")
        await self.hub.send("edged", Message(Header("m"), route, msgspec.Raw(msgspec.json.encode(pod))))
        await settle()

    async def stop(self) -> None:
        await self.edged.stop()
        self.bus.close()
        await asyncio.gather(*self.tasks)


@pytest.fixture
async def node(vclock: VirtualClock, ids: NewId, metrics: Metrics) -> AsyncIterator[Surroundings]:
    surroundings = Surroundings(vclock, ids, metrics)
    yield surroundings
    await surroundings.stop()


async def test_a_pods_whole_life_is_told_in_order(node: Surroundings) -> None:
    await node.start()
    await node.from_cloud("insert", _pod())
    await node.from_cloud("update", _pod(**GONE))
    await node.clock.advance(DELETE_AFTER_S)
    assert node.meta.told == [
        "default/podstatus/p1 Running",
        "default/podstatus/p1 Succeeded",
        "delete default/pod/p1 uid-p1",
    ]
    assert node.edged.status()["pods"]["pods"] == []


async def test_the_status_shows_the_pods(node: Surroundings) -> None:
    await node.start()
    await node.from_cloud("insert", _pod())
    pods = node.edged.status()["pods"]
    assert pods["phases"] == {"Running": 1}
    assert pods["pods"] == [
        {
            "namespace": "default",
            "name": "p1",
            "phase": "Running",
            "terminating": False,
            "podIP": "172.17.0.2",
            "reason": "",
        }
    ]
    assert msgspec.json.encode(pods)


async def test_with_a_delay_the_pod_is_pending_first(vclock: VirtualClock, ids: NewId, metrics: Metrics) -> None:
    node = Surroundings(vclock, ids, metrics, delay_s=3)
    await node.start()
    await node.from_cloud("insert", _pod())
    assert node.meta.told == ["default/podstatus/p1 Pending"]
    await node.clock.advance(3)
    assert node.meta.told[1:] == ["default/podstatus/p1 Running"]
    await node.stop()


async def test_after_a_restart_the_stored_pods_run_and_nothing_is_sent(
    node: Surroundings, vclock: VirtualClock, ids: NewId, metrics: Metrics
) -> None:
    await node.start()
    await node.from_cloud("insert", _pod())
    await node.clock.advance(3600)
    again = Surroundings(vclock, ids, metrics)
    again.meta.pods, again.meta.statuses = [_pod()], node.meta.statuses
    await again.start()
    assert again.meta.told == []
    assert again.edged.status()["pods"]["phases"] == {"Running": 1}
    await again.stop()


async def test_a_status_that_is_refused_is_sent_again_at_the_next_tick(node: Surroundings) -> None:
    await node.start()
    node.meta.mood = "refuses"
    await node.from_cloud("insert", _pod())
    assert "cannot update default/podstatus/p1" in node.edged.status()["pods"]["error"]
    await node.from_cloud("update", _pod(**GONE))
    node.meta.mood = "stores"
    await node.clock.advance(RETRY_AFTER_S)
    assert node.meta.told == ["default/podstatus/p1 Succeeded"]
    assert node.edged.status()["pods"]["error"] == ""
    await node.clock.advance(DELETE_AFTER_S)
    assert node.meta.told[1:] == ["delete default/pod/p1 uid-p1"]


async def test_that_a_pod_is_gone_is_told_again_where_it_could_not_be_stored(node: Surroundings) -> None:
    await node.start()
    await node.from_cloud("insert", _pod())
    await node.from_cloud("update", _pod(**GONE))
    node.meta.mood = "refuses"
    await node.clock.advance(DELETE_AFTER_S)
    assert "cannot delete default/pod/p1" in node.edged.status()["pods"]["error"]
    node.meta.mood = "stores"
    await node.clock.advance(RETRY_AFTER_S)
    assert node.meta.told[2:] == ["delete default/pod/p1 uid-p1"]


async def test_a_status_that_is_not_answered_is_sent_again(node: Surroundings) -> None:
    await node.start()
    node.meta.mood = "silent"
    await node.from_cloud("insert", _pod())
    await node.clock.advance(TIMEOUT_S)
    node.meta.mood = "stores"
    await node.clock.advance(RETRY_AFTER_S)
    assert node.meta.told == ["default/podstatus/p1 Running"]


async def test_while_a_status_is_not_answered_messages_are_taken(node: Surroundings) -> None:
    await node.start()
    node.meta.mood = "silent"
    for number in range(1500):
        await node.from_cloud("update", _pod(f"p{number % 5}"))
    assert node.edged.status()["messages"] == {"update pod": 1500}
    node.meta.mood = "stores"
    await node.clock.advance(TIMEOUT_S + RETRY_AFTER_S)
    assert sorted(node.meta.told) == [f"default/podstatus/p{number} Running" for number in range(5)]


async def test_pods_that_cannot_be_listed_are_asked_for_again(node: Surroundings) -> None:
    node.meta.mood = "refuses to list"
    node.meta.pods = [_pod("p0")]
    with capture_logs() as logs:
        await node.start()
        await node.from_cloud("insert", _pod())
    assert "pods_not_listed" in [entry["event"] for entry in logs]
    assert node.meta.told == []
    node.meta.mood = "stores"
    await node.clock.advance(RETRY_AFTER_S)
    assert sorted(node.meta.told) == ["default/podstatus/p0 Running", "default/podstatus/p1 Running"]


async def test_bad_pods_are_counted_and_the_good_ones_run(node: Surroundings, metrics: Metrics) -> None:
    await node.start()
    for content in (None, [], "x", 7, {}, {"metadata": {"name": "bad"}}, {**_pod("bad"), "spec": {"containers": None}}):
        await node.from_cloud("insert", content, "bad")
        await node.from_cloud("delete", content, "worse")
    await node.from_cloud("insert", _pod())
    assert node.meta.told == ["default/podstatus/p1 Running"]
    assert metrics.bad_input_counts[("edged", "pod_malformed")] == 8
    assert metrics.bad_input_counts[("edged", "pod_without_identity")] == 2
    assert metrics.bad_input_counts[("edged", "pod_without_containers")] == 1


async def test_more_pods_than_the_node_has_room_for_are_refused(node: Surroundings) -> None:
    await node.start()
    for number in range(111):
        await node.from_cloud("insert", _pod(f"p{number}"))
    assert node.edged.status()["pods"]["phases"] == {"Running": 110, "Failed": 1}
    assert node.meta.told[-1] == "default/podstatus/p110 Failed"


def _scripted(script: str) -> Json:
    return _pod(annotations={ANNOTATION: script})


def _seen(status: Json) -> tuple[str, str, int]:
    """Return the phase, the reason of the container's state, and how often it was restarted."""
    (container,) = status["containerStatuses"]
    ((name, state),) = container["state"].items()
    return status["phase"], state.get("reason", name), container["restartCount"]


async def test_every_transition_of_a_pod_that_fails_again_and_again_is_told(node: Surroundings) -> None:
    await node.start()
    await node.from_cloud("insert", _scripted("runs=5s, exit=1"))
    for _ in range(22):
        await node.clock.advance(1)
    assert list(map(_seen, node.meta.posted)) == [
        ("Running", "running", 0),
        ("Running", "Error", 0),
        ("Running", "running", 1),
        ("Running", "Error", 1),
        ("Running", "CrashLoopBackOff", 1),
        ("Running", "running", 2),
    ]
    assert [each["conditions"][1]["status"] for each in node.meta.posted] == ["True", "False"] * 2 + ["False", "True"]
    (container,) = node.meta.posted[-1]["containerStatuses"]
    assert container["lastState"]["terminated"]["exitCode"] == 1
    assert node.edged.status()["pods"]["phases"] == {"Running": 1}


async def test_a_pod_that_waits_is_shown_with_its_reason(node: Surroundings) -> None:
    await node.start()
    await node.from_cloud("insert", _scripted("pull-fails"))
    await node.clock.advance(1)
    (shown,) = node.edged.status()["pods"]["pods"]
    assert (shown["phase"], shown["reason"]) == ("Pending", "ImagePullBackOff")


async def test_a_new_script_is_followed_from_the_next_start_on(node: Surroundings) -> None:
    await node.start()
    await node.from_cloud("insert", _scripted("runs=5s, exit=1"))
    await node.from_cloud("update", _scripted(""))
    for _ in range(60):
        await node.clock.advance(1)
    assert list(map(_seen, node.meta.posted)) == [
        ("Running", "running", 0),
        ("Running", "Error", 0),
        ("Running", "running", 1),
    ]


async def test_a_pod_that_failed_for_good_leaves_its_room_and_goes_when_told(node: Surroundings) -> None:
    pod = _scripted("exit=3")
    pod["spec"]["restartPolicy"] = "Never"
    await node.start()
    await node.from_cloud("insert", pod)
    assert _seen(node.meta.posted[-1]) == ("Failed", "Error", 0)
    pod["metadata"] |= GONE
    await node.from_cloud("update", pod)
    await node.clock.advance(DELETE_AFTER_S)
    assert node.meta.told[-1] == "delete default/pod/p1 uid-p1"


async def test_after_a_restart_without_a_cloud_a_pod_that_waited_is_started_again(
    node: Surroundings, vclock: VirtualClock, ids: NewId, metrics: Metrics
) -> None:
    pod = _scripted("runs=5s, exit=1")
    await node.start()
    await node.from_cloud("insert", pod)
    for _ in range(13):
        await node.clock.advance(1)
    assert _seen(node.meta.posted[-1]) == ("Running", "CrashLoopBackOff", 1)
    again = Surroundings(vclock, ids, metrics)
    again.meta.pods, again.meta.statuses = [pod], node.meta.statuses
    await again.start()
    assert list(map(_seen, again.meta.posted)) == [("Running", "running", 2)]
    assert again.meta.posted[0]["startTime"] == node.meta.posted[0]["startTime"]
    assert again.meta.posted[0]["podIP"] == node.meta.posted[0]["podIP"]
    await again.stop()
