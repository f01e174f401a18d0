"""A stub and two edges without sockets, on one clock that is moved: steps happen, and at the end all must agree."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from cloudhub_stub.cluster.kinds import DEVICE_KIND, POD_KIND
from cloudhub_stub.cluster.kinds import key_of as key_of_object
from cloudhub_stub.controllers.conditions import is_ready
from cloudhub_stub.controllers.devices import desired_of, node_of
from cloudhub_stub.delivery.ack_lane import Timing
from cloudhub_stub.delivery.queue import QueueRules
from cloudhub_stub.errors import ApiError, NoSuchNode, QueueFull
from edgecore.beehive.wire import decode
from edgecore.clock import VirtualClock, settle
from edgecore.ids import seeded_ids
from world import steps
from world.disk import StubDisk
from world.edge import EdgeDisk, EdgeProcess
from world.manifests import NODES, key_of, manifest
from world.stub import StubProcess
from world.wire import Wire

STORED = frozenset({"pod", "service", "endpoints", "podlist", "configmap", "secret"})
"""The types of rows that the cloud decides about."""

LOOK_S = 3.7
"""How long until the next look; no multiple of what the edges do regularly."""
QUIET_S = 40.0
"""How long something that is not at rest by chance, such as an answer on its way, may take to be so."""
PATIENCE_S = 1500.0
"""How long everything may take to come to rest: longer than the grace, the eviction and all retries together."""


class Rules(NamedTuple):
    """What differs between worlds."""

    latency_s: float = 0.0
    max_messages: int = 10_000
    in_flight: int = 1
    asks: bool = False


class World:
    """Everything. Use ``play``."""

    def __init__(self, rules: Rules) -> None:
        self.clock = VirtualClock()
        self._rules = rules
        self._new_id = seeded_ids(1)
        self.disk = StubDisk(self.clock)
        self.stub: StubProcess | None = None
        self.disks = {name: EdgeDisk() for name in NODES}
        self.edges: dict[str, EdgeProcess | None] = dict.fromkeys(NODES)
        self._away_until = dict.fromkeys(NODES, 0.0)
        self._deaf_until = dict.fromkeys(NODES, 0.0)
        self._wires: list[Wire] = []
        self._starts: dict[str, int] = {}

    @classmethod
    async def play(cls, rules: Rules, sequence: Sequence[steps.Step]) -> "World":
        """Let the steps happen, put everything in order, and check that all agree."""
        world = cls(rules)
        try:
            world._start_stub()
            for name in NODES:
                world._start_edge(name)
            await world.clock.advance(12.0)
            for step in sequence:
                await world.do(step)
            await world.come_to_rest()
        finally:
            await world.end()
        return world

    # Steps.

    async def do(self, step: steps.Step) -> None:
        match step:
            case steps.Wait(seconds):
                await self.clock.advance(seconds)
            case steps.Cut(node, down, up, away_s, noticed):
                self._cut(node, down, up, away_s, noticed=noticed)
            case steps.LoseAcks(node, for_s):
                self._deaf_until[node] = self.clock.monotonic() + for_s
            case steps.KillEdge(node, away_s, loses_disk):
                self._kill_edge(node, away_s, loses_disk=loses_disk)
            case steps.CrashStub(away_s):
                self._crash_stub(away_s)
            case steps.SlowDisk(latency_s):
                self.disk.latency_s = latency_s
            case steps.FullDisk(commits):
                self.disk.failing = commits
            case _:
                if self.stub is not None:
                    self._command(self.stub, step)
        await settle(3)

    def _command(self, stub: StubProcess, step: steps.Step) -> None:
        api = stub.plane.api
        try:
            match step:
                case steps.Apply(what, variant):
                    api.apply(manifest(what, variant))
                case steps.Scale(name, replicas):
                    api.scale(key_of(f"Deployment/{name}"), replicas)
                case steps.Delete(what, grace_s):
                    api.delete(key_of(what), grace_s=grace_s)
                case steps.DeleteSomePod(which, grace_s):
                    pods = stub.plane.registry.all_of(POD_KIND.name)
                    if pods:
                        api.delete(key_of_object(pods[which % len(pods)]), grace_s=grace_s)
        except ApiError:
            return
        stub.plane.commit()

    def _cut(self, node: str, down: int, up: int, away_s: float, *, noticed: bool) -> None:
        edge = self.edges[node]
        wire = None if edge is None else edge.wire
        if wire is None:
            return
        wire.cut(down, up)
        now = self.clock.monotonic()
        self._away_until[node] = now + away_s
        self.clock.call_at(now + min(away_s, 1.0), wire.close_edge)
        if noticed:
            self.clock.call_at(now + min(away_s, 1.0), wire.close_stub)

    def _kill_edge(self, node: str, away_s: float, *, loses_disk: bool) -> None:
        edge = self.edges[node]
        if edge is not None:
            edge.end()
            if edge.wire is not None:
                self.clock.call_at(self.clock.monotonic() + 0.01, edge.wire.close_stub)
        self.edges[node] = None
        if loses_disk:
            self.disks[node] = EdgeDisk()
        self._later(node, away_s)

    def _crash_stub(self, away_s: float) -> None:
        if self.stub is not None:
            self.stub.crash()
            self.stub = None
        for wire in self._wires:
            wire.close_stub()
            self.clock.call_at(self.clock.monotonic() + 0.1, wire.close_edge)
        self._later("", away_s)

    def _later(self, program: str, away_s: float) -> None:
        """Start an edge, or the stub, later."""
        self._starts[program] = number = self._starts.get(program, 0) + 1

        def start() -> None:
            if self._starts[program] == number:
                self._start(program)

        self.clock.call_at(self.clock.monotonic() + away_s, start)

    def _start(self, program: str) -> None:
        if not program and self.stub is None:
            self._start_stub()
        elif program and self.edges[program] is None:
            self._start_edge(program)

    def _start_stub(self) -> None:
        timing = Timing(in_flight=self._rules.in_flight)
        rules = QueueRules(timing, max_messages=self._rules.max_messages)
        self.stub = StubProcess(self.disk, self.clock, self._new_id, rules)

    def _start_edge(self, name: str) -> None:
        disk = self.disks[name]
        self.edges[name] = EdgeProcess(name, disk, self.clock, self._new_id, self._dial, asks=self._rules.asks)

    def _dial(self, edge: EdgeProcess) -> Wire | None:
        if self.stub is None or self.clock.monotonic() < self._away_until[edge.name]:
            return None
        wire = Wire(self.clock, edge.take, edge.lost, self._rules.latency_s)
        wire.loses = lambda data: self._loses(edge.name, data)
        try:
            wire.link = self.stub.hub.connect(edge.upgrade, wire)
        except (NoSuchNode, QueueFull):
            return None
        self._wires.append(wire)
        return wire

    def _loses(self, node: str, data: bytes) -> bool:
        if self.clock.monotonic() >= self._deaf_until[node]:
            return False
        message = decode(data)
        return message.route.operation == "response" and message.route.group != "hub"

    # The end.

    async def come_to_rest(self) -> None:
        """Let everything work again, connect the edges anew, and wait until nothing is missing for a while."""
        self.disk.latency_s, self.disk.failing = 0.0, 0
        if self.stub is None:
            self._start_stub()
        for name in NODES:
            self._away_until[name] = self._deaf_until[name] = 0.0
            if self.edges[name] is None:
                self._start_edge(name)
        await self.clock.advance(5.0)
        for edge in self.edges.values():
            if edge is not None and edge.wire is not None:
                edge.wire.close_stub()
                edge.wire.close_edge()
        await self.clock.advance(20.0)
        await self._until_nothing_is_missing(PATIENCE_S)
        await self.clock.advance(60.0)
        await self._until_nothing_is_missing(QUIET_S)  # it stays so

    async def _until_nothing_is_missing(self, patience_s: float) -> None:
        until = self.clock.monotonic() + patience_s
        while found := self.missing():
            assert self.clock.monotonic() < until, "\n".join(found)
            await self.clock.advance(LOOK_S)

    def missing(self) -> list[str]:
        """Return what is not as it is to be, as lines; nothing where all is well."""
        stub = self.stub
        assert stub is not None
        found: list[str] = []
        if not stub.plane.is_idle or not stub.rows.disk.is_idle:
            found.append("the control plane has something to do")
        view = stub.ledger.view()
        if view["unexplained"] or view["held_by_nobody"]:
            found.append(f"ledger: {view['unexplained_messages']} {view['under_way_messages']}")
        for name in NODES:
            found += [f"{name}: {line}" for line in self._missing_at(stub, name)]
        found += self._deployments(stub)
        return found

    def _missing_at(self, stub: StubProcess, name: str) -> list[str]:
        found = []
        plane, disk, edge = stub.plane, self.disks[name], self.edges[name]
        node = plane.registry.get(key_of(f"Node/{name}"))
        if edge is None or edge.wire is None or not edge.is_idle or node is None or not is_ready(node):
            found.append("not connected, not ready, or it has something to send")
        queue = stub.delivery.queues().get(name)
        if queue is not None and queue.lasting:
            found.append(f"queue: {sorted(parcel.resource for parcel in queue._held.values() if parcel.lasting)}")
        if owed := plane.wanted.owed(name):
            found.append(f"owed: {[f'{item.route.operation} {item.route.resource}' for item in owed]}")
        held = {key: json.loads(value) for key, (kind, value) in disk.rows.items() if kind in STORED}
        wanted = plane.wanted.holds(name)
        found += [f"{key}: {_short(held, key)} instead of {_short(wanted, key)}" for key in _differing(held, wanted)]
        bound = {f"default/pod/{pod['metadata']['name']}" for pod in plane.registry.pods_on(name)}
        if bound != {key for key, (kind, _) in disk.rows.items() if kind == "pod"}:
            found.append(f"pods: not those that are bound to it: {sorted(bound)}")
        statuses = {key for key, (kind, _) in disk.rows.items() if kind == "podstatus"}
        if statuses != {key.replace("/pod/", "/podstatus/") for key in bound}:
            found.append(f"pod statuses: {sorted(statuses)}")
        devices = {
            device["metadata"]["name"]: {key: each["value"] for key, each in desired_of(device).items()}
            for device in plane.registry.all_of(DEVICE_KIND.name)
            if node_of(device) == name
        }
        has = {name: {key: value for key, (_, value) in twin.items()} for name, twin in disk.devices.items()}
        if has != devices:
            found.append(f"devices: {has} instead of {devices}")
        return found

    def _deployments(self, stub: StubProcess) -> list[str]:
        found = []
        registry = stub.plane.registry
        for deployment in registry.all_of("Deployment"):
            pods = registry.pods_of(deployment["metadata"]["uid"])
            ready = sum(is_ready(pod) for pod in pods)
            if not ready == len(pods) == deployment["spec"]["replicas"]:
                shown = [(pod["metadata"]["name"], pod["status"].get("phase")) for pod in pods]
                found.append(f"deployment {deployment['metadata']['name']}: {deployment['spec']['replicas']}: {shown}")
        return found

    async def end(self) -> None:
        """Leave nothing behind."""
        for edge in self.edges.values():
            if edge is not None:
                edge.end()
        if self.stub is not None:
            self.stub.crash()
        await settle()
        self.disk.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await settle()


def _differing(held: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    return sorted(key for key in held.keys() | wanted.keys() if held.get(key, _NONE) != wanted.get(key, _NONE))


def _short(rows: dict[str, Any], key: str) -> str:
    if key not in rows:
        return "nothing"
    value = rows[key]
    if isinstance(value, dict):
        metadata = value["metadata"]
        return f"version {metadata.get('resourceVersion')} of {metadata.get('uid', '')[-4:]}"
    if isinstance(value, list):
        return str([(each["metadata"]["name"], each["metadata"]["resourceVersion"]) for each in value])
    return json.dumps(value)


_NONE = object()
