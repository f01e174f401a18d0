"""The cloud's half of recorded sessions, played to a real MetaManager and Edged: of pods, the node says what Go said.

Compared are route, order for each pod, and what the content means: times, ids of containers and names of images are the
runtime's own, and what the Go edgecore leaves out is not missed.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from edgecore.beehive import wire
from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Message, Route, content_value
from edgecore.clock import VirtualClock, settle
from edgecore.ids import NewId
from edgecore.metaclient import MetaClient
from edgecore.modules.edged.module import Edged
from edgecore.modules.edged.nodestatus import HostFacts, NodeIdentity
from edgecore.modules.edged.pods import DELETE_AFTER_S
from edgecore.modules.edged.runtime import Order
from edgecore.modules.edged.simulated.simulated import SimulatedRuntime
from edgecore.modules.metamanager.module import MetaManager
from edgecore.modules.metamanager.tables import SCHEMA as META_SCHEMA
from edgecore.observe.ledger import Ledger
from edgecore.observe.metrics import Metrics
from edgecore.recording.entries import CloudFrame, Direction
from edgecore.recording.reader import read_entries
from edgecore.store import outbox
from edgecore.store.store import open_store

DATA = Path(__file__).parents[2] / "data"
B, B2, C = "b_services_endpoints_pods", "b2_deletes", "c_configmap_secret_pod"
LONG_AFTER_S = 60.0
WITHOUT_THEIR_SECRETS = {"p1", "p2"}
"""Pods of recording c that the Go edgecore never started, because a secret they name does not exist."""
Json = dict[str, Any]
Said = dict[str, list[tuple[Route, Any]]]


class WaitingRuntime(SimulatedRuntime):
    """As a runtime that waits for secrets: some pods never come to run."""

    def start(self, order: Order) -> None:
        if order.pod.metadata.name not in WITHOUT_THEIR_SECRETS:
            super().start(order)


def _frames(name: str) -> Iterator[tuple[Direction, Message]]:
    entries = [entry for entry in read_entries(DATA / f"{name}.jsonl") if isinstance(entry, CloudFrame)]
    for entry in sorted(entries, key=lambda entry: entry.t_ns):
        yield entry.direction, wire.decode(entry.text)


def _of_pods(message: Message) -> bool:
    kind = message.route.resource.split("/")[1:2]
    return message.route.source == "edged" and kind in (["pod"], ["podstatus"])


def _note(said: Said, message: Message) -> None:
    if _of_pods(message):
        name = message.route.resource.split("/")[2]
        said.setdefault(name, []).append((message.route, _meaning(content_value(message))))


def _meaning(content: Any) -> Any:
    """Return what a status says, without times, the ids of containers, and names of images; a uid as it is."""
    if isinstance(content, str):
        return content
    status = content["Status"]
    meaning: Json = {
        "UID": content["UID"],
        "Name": content["Name"],
        "phase": status["phase"],
        "conditions": [(each["type"], each["status"]) for each in status["conditions"]],
        "started": bool(status["startTime"]),
        "containers": [_container(each) for each in status["containerStatuses"]],
    }
    if status["phase"] == "Running":  # of a pod that is over the Go edgecore forgets addresses and class
        meaning |= {key: status[key] for key in ("hostIP", "qosClass")}
        meaning["ip of the host"] = status["podIP"] == status["hostIP"]
        meaning["name"] = [each["name"] for each in status["containerStatuses"]]
    return meaning


def _container(status: Json) -> Any:
    ((kind, state),) = status["state"].items()
    result = (state.get("exitCode"), state.get("reason"))
    return kind, result, status["ready"], status["restartCount"], status["started"], status["lastState"]


class Node:
    """MetaManager and Edged, with the test in place of EdgeHub."""

    def __init__(self, bus: Bus, clock: VirtualClock, store: Any, metrics: Metrics, runtime: SimulatedRuntime) -> None:
        self.clock = clock
        self.store = store
        self.hub = bus.register("websocket", "hub")
        self.meta = MetaManager(bus.register("metaManager", "meta"), store, metrics, ledger=Ledger(bus.clock.monotonic))
        bus.register("edgemesh", "mesh", capacity=10_000)
        port = bus.register("edged", "edged")
        self.edged = Edged(
            port,
            MetaClient(port, "edged"),
            NodeIdentity("edge-node1", "default", "10.66.0.2", "1.3.1"),
            lambda: HostFacts(2, 1000, "6.1", "Debian", "linux", "amd64"),
            runtime=runtime,
            metrics=metrics,
            status_every_s=1e9,
            register=False,
        )
        self.said: Said = {}

    async def play(self, *names: str) -> Said:
        """Return what the node says of pods, each with its messages in order.

        What the cloud sent after it had heard of a pod comes when it has heard as much from this node.
        """
        heard: Counter[str] = Counter()
        for direction, sent in (frame for name in names for frame in _frames(name)):
            if direction is Direction.TO_EDGE:
                await self.hub.send_to_group("meta", sent)
                await self.settled()
            elif _of_pods(sent):
                pod = sent.route.resource.split("/")[2]
                heard[pod] += 1
                if len(self.said.get(pod, ())) < heard[pod]:
                    await self.clock.advance(DELETE_AFTER_S)
                    await self.settled()
        await self.clock.advance(LONG_AFTER_S)
        await self.settled()
        return self.said

    async def settled(self) -> None:
        """Take what goes to the cloud, until nothing is written and nobody says anything."""
        idle_rounds = 0
        while idle_rounds < 3:
            await settle(50)
            idle = not self.store.statistics().waiting and not self.hub.statistics().depth
            idle_rounds = idle_rounds + 1 if idle else 0
            while self.hub.statistics().depth:
                _note(self.said, await self.hub.receive())


@pytest.fixture
def runtime(vclock: VirtualClock) -> SimulatedRuntime:
    return WaitingRuntime(vclock)


@pytest.fixture
async def node(
    tmp_path: Path, vclock: VirtualClock, ids: NewId, metrics: Metrics, runtime: SimulatedRuntime
) -> AsyncIterator[Node]:
    bus = Bus(vclock, ids)
    store = open_store(tmp_path / "edgecore.db", (*META_SCHEMA, *outbox.SCHEMA))
    node = Node(bus, vclock, store, metrics, runtime)
    tasks = [asyncio.create_task(node.meta.run()), asyncio.create_task(node.edged.run())]
    await node.settled()
    yield node
    await node.edged.stop()
    await node.meta.stop()
    bus.close()
    await asyncio.gather(*tasks)
    await store.close()


def _said_by_go(*names: str) -> Said:
    said: Said = {}
    for name in names:
        for direction, message in _frames(name):
            if direction is Direction.TO_CLOUD:
                _note(said, message)
    return said


async def test_of_pods_the_node_says_what_the_go_edgecore_said(node: Node) -> None:
    """Graceful deletion of a pod that ran and of one that never did, forced deletion, the network of the host."""
    said = await node.play(C)
    go = _said_by_go(C)
    assert said == go
    operations = {name: [route.operation for route, _ in messages] for name, messages in go.items()}
    assert operations == {"p1": ["delete"], "hn": ["update", "update"]}


async def test_a_pod_with_a_network_of_its_own_is_told_as_by_go(node: Node) -> None:
    said = await node.play(B, B2)
    assert said["nginx-0"] == _said_by_go(B, B2)["nginx-0"]


class TestWithTheSimulatedRuntime:
    """It runs every pod: none waits for a secret or a configmap."""

    @pytest.fixture
    def runtime(self, vclock: VirtualClock) -> SimulatedRuntime:
        return SimulatedRuntime(vclock)

    async def test_pods_without_their_secrets_run_too(self, node: Node) -> None:
        said = await node.play(C)
        assert said["hn"] == _said_by_go(C)["hn"]
        phases = {name: [content["phase"] for _, content in messages] for name, messages in said.items()}
        assert phases == {"p1": ["Running", "Succeeded"], "p2": ["Running"], "hn": ["Running", "Succeeded"]}
