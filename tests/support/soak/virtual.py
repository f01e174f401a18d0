"""A whole node and a stub in virtual time, under everything at once: half an hour in as long as its work takes.

The node is that of ``edgecore/app.py``. Its link and its broker are in memory; names, requests, lines and packets go
through real sockets while time stands still. The stub is all of it but sockets and commands (``world/stub.py``).
"""

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from datetime import UTC
from pathlib import Path
from typing import Any, NamedTuple

from cloudhub_stub.calls import Caller, CallOptions
from cloudhub_stub.cluster import instants
from cloudhub_stub.cluster.kinds import DEVICE_KIND, ObjectKey
from cloudhub_stub.controllers.conditions import is_ready
from cloudhub_stub.delivery.ack_lane import Timing
from cloudhub_stub.delivery.queue import QueueRules
from cloudhub_stub.errors import ApiError, BadAnswer, NoAnswer, NoSuchNode
from edgecore.app import Node
from edgecore.config.host import Environment
from edgecore.config.load import LoadedConfig, parse
from edgecore.ids import seeded_ids
from edgecore.observe.logs import configure_logging
from edgecore.replay.pace import VirtualPace
from edgecore.replay.stage import MACHINE
from edgecore.wiring.outside import Outside
from soak.asking import free_port, scrape
from soak.backends import Backends
from soak.devices import DeviceBroker
from soak.explained import is_explained, shown
from soak.flatness import Sample
from soak.link import Line
from soak.manifests import DEVICE, MODEL, MOVING, TWIN, Apply, Churn, Delete, Still, device, still_objects
from soak.measuring import WITHIN, within
from soak.names import NameServer
from soak.outcome import Outcome
from soak.users import UDP_IDLE_S, Sight, Users, settled
from world.disk import StubDisk
from world.stub import StubProcess

NODE = "edge-soak"
START_MS = 1_795_169_271_948
DEVICES = 3
STORED = frozenset({"pod", "service", "endpoints", "podlist", "configmap", "secret"})
REST_S = 240.0
"""How long everything may take to come to rest at the end, of the node's time."""
SHORT_BOOK, FULL_BOOK = 128, 2048
CUT_EVERY_S, RESTART_EVERY_S = 20, 120


class Settings(NamedTuple):
    """How long, and how it begins."""

    seconds: int
    seed: int
    sample_every_s: int = 15


class VirtualSoak:
    """One soak, from ``start`` to ``stop``."""

    def __init__(self, directory: Path, settings: Settings, tell: Callable[[str, float], None]) -> None:
        self._directory = directory
        self._settings = settings
        self._tell = tell
        self._random = random.Random(settings.seed)
        self.pace = VirtualPace(START_MS, float("inf"))
        self.clock = self.pace.clock
        self._new_id = seeded_ids(settings.seed)
        self._disk = StubDisk(self.clock)
        self.stub: StubProcess | None = None
        self.line = Line(self.clock, lambda: self.stub)
        self.broker = DeviceBroker(self.clock, NODE)
        self.node: Node | None = None
        self._log: Counter[str] = Counter()
        self._ends = ExitStack()
        self.samples: list[Sample] = []
        self.done: Counter[str] = Counter()
        self.faults: list[str] = []

    async def run(self) -> Outcome:
        """Do everything, and say what came of it."""
        try:
            await self._start()
            for second in range(self._settings.seconds):
                await self._second(second)
                await self._pass(1.0)
                if second % self._settings.sample_every_s == 0:
                    await self._sample()
                    self._tell("virtual time", (second + 1) / self._settings.seconds)
            await self._come_to_rest()
            self._judge()
        finally:
            await self._stop()
        self._judge_log()
        return Outcome({"node and stub": self.samples}, WITHIN, self.done, self.faults)

    # The beginning.

    async def _start(self) -> None:
        log_file = self._ends.enter_context((self._directory / "log.jsonl").open("w"))
        configure_logging("info", "json", log_file, also=self._note)
        self.backends = Backends(["127.0.0.1"])
        self.names = await NameServer.open()
        http = [await self.backends.http() for _ in range(MOVING + 4)]
        self.still = (
            Still("still-http", "http", (http[0],)),
            Still("still-pair", "http", (http[1], http[2])),
            Still("still-tcp", "tcp", (await self.backends.tcp(),)),
            Still("still-udp", "udp", (await self.backends.udp(),)),
        )
        self.called = http[3]
        self.churn = Churn(self._random, http[4:])
        self._start_stub()
        outside = Outside(
            dial=self.line.dial,
            new_random=lambda: random.Random(self._settings.seed),
            writes_at_once=True,
            make_mqtt_client=self.broker.make_client,
            host_facts=lambda _: MACHINE,
            zone=UTC,
        )
        self.node = Node(self._configuration(), clock=self.clock, new_id=self._new_id, outside=outside)
        await self.node.start()
        self.users = Users(self.still, self._look)
        await self._until("the node ready", self._is_ready)
        for each in (MODEL, *still_objects(self.still), *(device(name, NODE, "1") for name in self._devices)):
            self._change(Apply(each))
        await self._until("the still services", self._has_still)
        await self._until("the devices", lambda: len(self.broker.devices.wished) == DEVICES)
        self._fill_books()

    def _fill_books(self) -> None:
        """Let books of a fixed size be full, or small: what fills for days would look like growth."""
        assert self.node is not None
        assert self.node.meta is not None
        self.node.meta._applied._kept = SHORT_BOOK
        for second in range(FULL_BOOK):
            instants.unix_ms(instants.rfc3339(second * 1000))

    def _configuration(self) -> LoadedConfig:
        directory = self._directory
        tree = {
            "database": {"dataSource": str(directory / "edgecore.db")},
            "observe": {"listen": "127.0.0.1:0"},
            "modules": {
                "edgeHub": {"websocket": {"server": "ws://127.0.0.1:10000"}},
                "edged": {"hostnameOverride": NODE, "nodeIP": "127.0.0.1"},
                "eventBus": {"mqttMode": 2},
                "serviceBus": {"enable": True},
                "edgeMesh": {
                    "mode": "rootless",
                    "listenPort": free_port(),
                    "rootlessSubNet": f"127.{random.randrange(60, 100)}.0.0/16",
                    # Few are kept, so that the cache is full after the warm-up.
                    "traffic": {"udpIdleTimeout": UDP_IDLE_S},
                    "dns": {"listen": "127.0.0.1:0", "upstreams": [self.names.place], "cacheSize": 64},
                },
            },
        }
        return parse(json.dumps(tree), "a soak", env=Environment(NODE, "127.0.0.1"))

    @property
    def _devices(self) -> list[str]:
        return [f"{DEVICE}-{number}" for number in range(DEVICES)]

    def _is_ready(self) -> bool:
        assert self.stub is not None
        node = self.stub.plane.registry.get(ObjectKey("Node", "", NODE))
        return node is not None and is_ready(node)

    def _has_still(self) -> bool:
        services = self._sight().services
        return all(
            len([one for one in services.get(each.name, {}).get("backends", ()) if one["state"] == "in"])
            == len(each.backends)
            for each in self.still
        )

    def _sight(self) -> Sight:
        assert self.node is not None
        assert self.node.mesh is not None
        status = self.node.mesh.module.status()
        host, _, port = status["dns"]["listening"][0].rpartition(":")
        return Sight((host, int(port)), {each["name"]: each for each in self.node.mesh.module.view().states()})

    async def _look(self) -> Sight:
        return self._sight()

    # The middle.

    async def _second(self, second: int) -> None:
        if second % 2 == 0:
            self._change(self.churn.next())
        for name in self._devices:
            self.broker.devices.report(name, str(self._random.randrange(1000)))
            self.done["reports of devices"] += 1
        if second % 6 == 0:
            self._change(Apply(device(self._random.choice(self._devices), NODE, str(self._random.randrange(1000)))))
        if second % CUT_EVERY_S == CUT_EVERY_S // 2:
            away_s = self._random.choice((0.1, 1.0, 4.0))
            passing = self._random.randrange(4)
            self.line.cut(away_s, passing=passing, noticed=self._random.random() < 0.6)
            self.done["cuts"] += 1
        if second % RESTART_EVERY_S == RESTART_EVERY_S - 5:
            self._crash_stub()
        await self.pace.quiet(self._under_way)
        await self.users.round(second)
        if second % 5 == 0:
            await self._call(second)

    def _change(self, step: Apply | Delete) -> None:
        stub = self.stub
        if stub is None:
            return
        self.done["changes"] += 1
        try:
            match step:
                case Apply(what):
                    stub.plane.api.apply(what)
                case Delete(kind, name):
                    stub.plane.api.delete(ObjectKey(kind, "default", name))
        except ApiError:
            return  # there is none of that name
        stub.plane.commit()

    def _start_stub(self) -> None:
        self.stub = StubProcess(self._disk, self.clock, self._new_id, QueueRules(Timing()))

    def _crash_stub(self) -> None:
        if self.stub is not None:
            self.stub.crash()
            self.stub = None
            self.line.stub_gone()
            self.clock.call_at(self.clock.monotonic() + 3.0, self._start_stub)
            self.done["crashes of the cloud"] += 1

    async def _call(self, number: int) -> None:
        """Call a service at the node from the cloud, where the line is up; a cut on the way is no fault."""
        stub = self.stub
        if stub is None or not self.line.is_up or not stub.nodes.is_connected(NODE):
            return
        session = self.line.session
        cloud = stub.cloud
        caller = Caller(cloud.calls, cloud.nodes, cloud.delivery, cloud.metrics, clock=self.clock, new_id=self._new_id)
        options = CallOptions(node=NODE, resource=f"{self.called}:/call/{number}", method="PUT", body=b"x" * 100)
        call = asyncio.ensure_future(caller.call(options))
        self.done["calls by ServiceBus"] += 1
        while not call.done():
            await self._pass(0.01)
            await asyncio.sleep(0.001)
        try:
            answer = call.result()
        except (NoSuchNode, NoAnswer, BadAnswer) as error:
            if session is self.line.session and self.line.is_up:
                self.faults.append(f"call {number}: {error}")
            return
        if answer["status_code"] != 200:
            self.faults.append(f"call {number}: {answer}")

    async def _pass(self, seconds: float) -> None:
        await self.pace.wait(seconds, self._under_way)

    def _under_way(self) -> int:
        node = self.node
        if node is None or node.store is None:
            return 0
        lying = sum(len(mailbox.queue) for mailbox in node.bus.mailboxes.values())
        return lying + self.line.unread + node.store.statistics().waiting

    async def _until(self, what: str, condition: Callable[[], bool], patience_s: float = 120.0) -> None:
        deadline = self.clock.monotonic() + patience_s
        while not condition():
            assert self.clock.monotonic() < deadline, f"{what}: not after {patience_s:g} s"
            await self._pass(0.5)
            await asyncio.sleep(0.001)

    async def _sample(self) -> None:
        """What real sockets still have to do is given the time to be done."""
        for _ in range(5):
            await asyncio.sleep(0.002)
        sample = within(self.clock.monotonic())
        self.samples.append(sample._replace(figures={**sample.figures, "series": await self._series()}))

    async def _series(self) -> int:
        """Scrape the node, and return how many figures it has: labels that grow are memory that grows."""
        assert self.node is not None
        assert self.node.observe is not None
        page = await scrape(self.node.observe.address)
        return sum(not line.startswith("#") for line in page.splitlines())

    # The end.

    async def _come_to_rest(self) -> None:
        with suppress(AssertionError):
            await self._until("rest", lambda: not self._missing(), REST_S)
        self.faults += self._missing()
        await self.users.round(0)

    def _missing(self) -> list[str]:
        """Return what is not as it is to be at rest."""
        stub, node = self.stub, self.node
        if stub is None or node is None or node.store is None or not self.line.is_up:
            return ["there is no link"]
        found = []
        for name, ledger in (("cloud", stub.ledger), ("node", node.ledger)):
            view = ledger.view()
            if view["unexplained"] or view["forgotten"] or ledger.under_way:
                found.append(f"ledger of the {name}: {view['unexplained_messages']} {view['under_way_messages']}")
        owed = [item.route.resource for item in stub.plane.wanted.owed(NODE)]
        if not stub.plane.is_idle or stub.delivery.depth(NODE) or owed:
            found.append(f"the cloud has something to do, or to send: {owed}")
        if outbox := node.store.rows("SELECT count(*) FROM outbox")[0][0]:
            found.append(f"{outbox} messages lie in the outbox of the node")
        rows = node.store.rows("SELECT key, type, value FROM meta")
        held = {key: json.loads(value) for key, kind, value in rows if kind in STORED}
        wanted = stub.plane.wanted.holds(NODE)
        differing = sorted(key for key in held.keys() | wanted.keys() if held.get(key, "") != wanted.get(key, ""))
        if differing:
            found.append(f"rows that are not as the cloud says: {differing}")
        devices = self.broker.devices
        if devices.unanswered:
            found.append(f"{devices.unanswered} reports of devices have no answer")
        for name in self._devices:
            twin = self._twin(stub, name)
            if twin.get("reported", {}).get("value") != devices.said.get(name):
                found.append(f"the cloud has {twin} of {name}, which said {devices.said.get(name)}")
            if devices.wished.get(name) != twin.get("desired", {}).get("value"):
                found.append(f"{name} was told {devices.wished.get(name)}, the cloud wishes {twin}")
        return found

    def _twin(self, stub: StubProcess, name: str) -> dict[str, Any]:
        found = stub.plane.registry.get(ObjectKey(DEVICE_KIND.name, "default", name))
        twins = (found or {}).get("status", {}).get("twins", ())
        return next((twin for twin in twins if twin["propertyName"] == TWIN), {})

    def _judge(self) -> None:
        self.done.update(self.users.asked)
        if self.users.wrong_count:
            self.faults.append(f"{self.users.wrong_count} answers were wrong: {list(self.users.wrong)}")
        self.faults += self.broker.devices.wrong
        assert self.node is not None
        bad = {f"{module}/{reason}": n for (module, reason), n in self.node.metrics.bad_input_counts.items()}
        if bad:
            self.faults.append(f"the node counted bad input: {bad}")

    def _judge_log(self) -> None:
        self.faults += [f"{number} times in the log: {line}" for line, number in self._log.items()]

    def _note(self, line: Mapping[str, Any]) -> None:
        if not is_explained(line):
            self._log[shown(line)] += 1

    async def _stop(self) -> None:
        if hasattr(self, "users"):
            await self.users.close()
        if self.node is not None:
            stopping = asyncio.ensure_future(self.node.stop())
            while not stopping.done():
                await self._pass(0.05)
                await asyncio.sleep(0.001)
            await stopping
        if self.stub is not None:
            self.stub.crash()
        if hasattr(self, "names"):
            self.names.close()
            await self.backends.close()
        await settled(self._is_over, 20, 0.01)
        self._disk.close()
        self._ends.close()

    async def _is_over(self) -> bool:
        return len(asyncio.all_tasks()) <= 1
