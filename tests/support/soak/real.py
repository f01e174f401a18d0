"""A cloud and two edges as programs, under everything at once, in real time.

``north`` runs pods as processes and has mosquitto; ``south`` simulates its pods and has an embedded broker. The
cloud is killed and started again in the first half only, so that its last life is long enough to be judged.
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple

from brokerpython import broker_python
from cloudhub_stub.errors import NotFound
from cloudhub_stub.paths import FAULTS
from cloudhub_stub.testing.cloud import Cloud
from cloudhub_stub.testing.edge import Edge
from cloudhub_stub.testing.errors import NotYet, ProgramFailed, Refused
from edgecore.errors import ControlError
from mosquitto import Mosquitto, Recorder, command
from soak.asking import free_port
from soak.backends import Backends
from soak.devices import PREFIX, Devices
from soak.explained import findings
from soak.flatness import Sample
from soak.manifests import MODEL, MOVING, TWIN, Apply, Churn, Delete, Still, device, still_objects
from soak.measuring import WITHOUT, without
from soak.names import NameServer
from soak.outcome import Outcome
from soak.users import UDP_IDLE_S, Sight, Users

EDGES = ("north", "south")
CUT_EVERY_S = 20.0
RESTARTS = 3
ROUND_EVERY_S, CHURN_EVERY_S, CALL_EVERY_S, REPORT_EVERY_S, SAMPLE_EVERY_S = 0.2, 1.0, 2.0, 0.25, 1.0
CALM_S = 6.0
"""So long after a cut or a restart the cloud may not reach a node."""
DEVICES = 2
YOUNG_S = 5.0
NOT_LOGGED = ("Traceback", "Warning:", "Exception ignored", "was never")
"""What a program prints past its log when something went wrong in it."""
PATIENCE_S = 90.0
SERVER = """
import http.server, sys
class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = f"{sys.argv[2]} {self.command} {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_POST = do_GET
    def log_message(self, *args): pass
class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
Server((sys.argv[1], int(sys.argv[2])), Answer).serve_forever()
"""


class Listening(NamedTuple):
    """As much of a broker as ``Recorder`` needs."""

    port: int


class DeviceClient(Recorder):
    """The devices at one broker; what comes is handed to ``devices`` and not kept."""

    def __init__(self, broker: Any) -> None:
        super().__init__(broker, f"{PREFIX}#", qos=1)
        self.devices = Devices(lambda topic, payload: self._client.publish(topic, payload, 1))

    def _take(self, _client: Any, _data: object, message: Any) -> None:
        self.devices.heard(message.topic, message.payload)


class RealSoak:
    """One soak of ``seconds``."""

    def __init__(self, directory: Path, seconds: float, seed: int, tell: Callable[[str, float], None]) -> None:
        self._directory = directory
        self._seconds = seconds
        self._random = random.Random(seed)
        self._tell = tell
        self._until = 0.0
        self._trouble_at = 0.0
        self._clients: dict[str, DeviceClient] = {}
        self._users: dict[str, Users] = {}
        self._pids: dict[str, int | None] = {}
        self.samples: dict[str, list[Sample]] = {}
        self.done: Counter[str] = Counter()
        self.faults: list[str] = []
        self.skipped: list[str] = []

    async def run(self) -> Outcome:
        """Do everything, and say what came of it."""
        self._backends = Backends(["127.0.0.1", "127.0.0.2", "127.0.0.3"])
        self._names = await NameServer.open()
        with ExitStack() as brokers:
            try:
                await self._start(brokers)
                await self._work()
                await self._come_to_rest()
            finally:
                for users in self._users.values():
                    await users.close()
                await asyncio.to_thread(self._stop)
                self._names.close()
                await self._backends.close()
        self._judge()
        return Outcome(self.samples, WITHOUT, self.done, self.faults, tuple(self.skipped))

    # The beginning.

    async def _start(self, brokers: ExitStack) -> None:
        http = [await self._backends.http() for _ in range(MOVING + 4)]
        self._called = http[3]
        self._process_port = free_port("127.0.0.2")
        self._still = (
            Still("still-http", "http", (http[0],)),
            Still("still-pair", "http", (http[1], http[2])),
            Still("still-process", "http", (self._process_port,)),
            Still("still-tcp", "tcp", (await self._backends.tcp(),)),
            Still("still-udp", "udp", (await self._backends.udp(),)),
        )
        self._churn = Churn(self._random, http[4:])
        self._cloud = await asyncio.to_thread(Cloud.start, self._directory, settings=self._settings())
        places = await asyncio.to_thread(self._start_edges, brokers)
        for name, place in places.items():
            self._clients[name] = await asyncio.to_thread(brokers.enter_context, DeviceClient(place))
        await self._apply_still()
        for name in EDGES:
            edge = self._cloud.edge(name)
            self._users[name] = Users(self._still, lambda edge=edge: _look(edge))  # type: ignore[misc]

    def _settings(self) -> dict[str, Any]:
        dns = {"upstreams": [self._names.place], "cacheSize": 64}
        traffic = {"udpIdleTimeout": UDP_IDLE_S}
        mesh = {"dns": dns, "traffic": traffic, "rootlessSubNet": f"127.{random.randrange(60, 100)}.0.0/16"}
        return {"modules": {"serviceBus": {"enable": True}, "edgeMesh": mesh}}

    def _start_edges(self, brokers: ExitStack) -> dict[str, Any]:
        """Start both edges, and return the brokers that they have."""
        places: dict[str, Any] = {}
        north: dict[str, Any] = {"edged": self._processes()}
        if command() is not None:
            places["north"] = brokers.enter_context(Mosquitto(self._directory))
            north["eventBus"] = {"mqttMode": 2, "mqttServerExternal": places["north"].url}
        else:
            self.skipped.append("mosquitto is not installed: no devices at north")
        south: dict[str, Any] = {}
        if python := broker_python():
            places["south"] = Listening(free_port())
            url = f"tcp://127.0.0.1:{places['south'].port}"
            south["eventBus"] = {"mqttMode": 0, "mqttServerInternal": url, "internal": {"python": python}}
        else:
            self.skipped.append("there is no Python with amqtt (make broker): no devices at south")
        for name, settings in zip(EDGES, (north, south), strict=True):
            self._cloud.start_edge(name, settings={"modules": settings}, wait=False)
        for name in EDGES:
            self._cloud.wait_for_node(name)
        for name in places:
            self._cloud.wait_for(lambda c, name=name: _hears_brokers(c.edge(name)))  # type: ignore[misc]
        return places

    def _processes(self) -> dict[str, Any]:
        script = self._directory / "server.py"
        script.write_text(SERVER)
        images = ["server=sleep 1000000", f"served={sys.executable} {script} {{nodeIP}} {{hostPort}}"]
        return {"runtime": "process", "processImages": images}

    async def _apply_still(self) -> None:
        port = {"containerPort": 80, "hostPort": self._process_port}
        pod = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "still-process", "namespace": "default", "labels": {"app": "still-process"}},
            "spec": {"nodeName": "north", "containers": [{"name": "main", "image": "served:1", "ports": [port]}]},
        }
        still = [each for each in still_objects(self._still) if "still-process-" not in each["metadata"]["name"]]
        devices = [device(name, edge, "1") for edge in self._clients for name in _devices_of(edge)]
        for each in (MODEL, pod, *still, *devices):
            await asyncio.to_thread(self._cloud.apply, each)
        await self._once("the still services", self._has_still)
        await self._once("the devices", self._has_devices)

    def _has_still(self) -> bool:
        for name in EDGES:
            services = {each["name"]: each for each in self._cloud.edge(name).status()["mesh"]["services"]}
            for still in self._still:
                backends = [one for one in services[still.name]["backends"] if one["state"] == "in"]
                assert len(backends) == len(still.backends), f"{name}: {still.name} has {backends}"
        return True

    def _has_devices(self) -> bool:
        return all(len(client.devices.wished) == DEVICES for client in self._clients.values())

    async def _once(self, what: str, condition: Callable[[], bool]) -> None:
        await asyncio.to_thread(self._cloud.wait_for, lambda _: condition(), PATIENCE_S, what)

    # The middle.

    async def _work(self) -> None:
        self._began = time.monotonic()
        self._until = self._began + self._seconds
        rounds = (self._every(ROUND_EVERY_S, users.round) for users in self._users.values())
        await asyncio.gather(
            *rounds,
            self._every(CHURN_EVERY_S, self._change),
            self._every(REPORT_EVERY_S, self._report),
            self._every(CALL_EVERY_S, self._call),
            self._every(CUT_EVERY_S, self._cut),
            self._every(self._seconds / 2 / RESTARTS, self._restart),
            self._every(SAMPLE_EVERY_S, self._sample),
        )

    async def _every(self, seconds: float, work: Callable[[int], Awaitable[None]]) -> None:
        number = 0
        while (now := time.monotonic()) < self._until:
            if number:  # nothing of what comes seldom comes at once
                await work(number)
            number += 1
            await asyncio.sleep(min(max(0.01, now + seconds - time.monotonic()), max(0.0, self._until - now)))

    async def _change(self, number: int) -> None:
        step = self._churn.next()
        with suppress(ControlError, NotFound, Refused, ProgramFailed):  # the cloud may be away
            if isinstance(step, Apply):
                await asyncio.to_thread(self._cloud.apply, step.object)
            else:
                await asyncio.to_thread(self._delete, step)
            if number % 3 == 0 and self._clients:
                edge = self._random.choice(list(self._clients))
                name = self._random.choice(_devices_of(edge))
                await asyncio.to_thread(self._cloud.apply, device(name, edge, str(self._random.randrange(1000))))
            self.done["changes"] += 1

    def _delete(self, step: Delete) -> None:
        self._cloud.delete(step.kind, step.name, wait_s=0, missing_ok=True)

    async def _report(self, _number: int) -> None:
        for edge, client in self._clients.items():
            for name in _devices_of(edge):
                client.devices.report(name, str(self._random.randrange(1000)))
                self.done["reports of devices"] += 1

    async def _call(self, number: int) -> None:
        began = time.monotonic()
        edge = self._cloud.edge(EDGES[number % 2])
        place = f"{self._called}:/call/{number}"
        try:
            answer = await asyncio.to_thread(self._call_now, edge, place)
        except (ControlError, ProgramFailed) as error:
            if self._trouble_at < began - CALM_S:
                self.faults.append(f"call {number}: {error}")
            return
        self.done["calls by ServiceBus"] += 1
        if answer.status != 200 and self._trouble_at < began - CALM_S:
            self.faults.append(f"call {number}: {answer}")

    def _call_now(self, edge: Edge, place: str) -> Any:
        return self._cloud.call(edge.name, place, method="PUT", body=b"x" * 100, timeout_s=10.0)

    async def _cut(self, number: int) -> None:
        fault: dict[str, Any] = ({"fault": "cut"}, {"fault": "half-open", "for": 2.0, "node": EDGES[number % 2]})[
            number % 2
        ]
        self._trouble_at = time.monotonic() + 2.0
        with suppress(ControlError):
            await asyncio.to_thread(self._cloud.control.post, FAULTS, fault)
            self.done["cuts"] += 1

    async def _restart(self, number: int) -> None:
        if number > RESTARTS:
            return
        self._trouble_at = time.monotonic() + 5.0
        await asyncio.to_thread(self._cloud.stub.kill)
        await asyncio.to_thread(self._cloud.stub.start)
        self._trouble_at = time.monotonic()
        self.done["crashes of the cloud"] += 1

    async def _sample(self, _number: int) -> None:
        at_s = time.monotonic() - self._began
        self._tell("real time", min(1.0, at_s / self._seconds))
        for program in self._cloud.programs:
            pid = program.pid
            if pid != self._pids.get(program.name):
                self._pids[program.name] = pid
                self.samples[program.name] = []
            database = program.directory / "edgecore.db" if isinstance(program, Edge) else None
            sample = without(at_s, pid, database) if pid is not None else None
            if sample is not None:
                self.samples[program.name].append(sample)

    # The end.

    async def _come_to_rest(self) -> None:
        self._tell("coming to rest", 1.0)
        try:
            await asyncio.to_thread(self._cloud.control.delete, FAULTS, {"all": "true"})
            for name in EDGES:
                await asyncio.to_thread(self._cloud.wait_for_node, name, PATIENCE_S)
            await asyncio.to_thread(self._cloud.wait_for_settled, PATIENCE_S)
            await self._once("every row and device as the cloud says", self._agree)
            await asyncio.to_thread(self._cloud.wait_for_settled, PATIENCE_S)
            await self._once("empty ledgers", self._ledgers_are_empty)
        except (NotYet, ProgramFailed, ControlError) as error:
            self.faults.append(str(error))
        for users in self._users.values():
            await users.round(0)

    def _agree(self) -> bool:
        for name in EDGES:
            held = {key: json.loads(row.value) for key, row in self._cloud.edge(name).store().items() if _is_kept(row)}
            wanted = self._cloud.holds(name)
            assert held == wanted, [key for key in held.keys() | wanted.keys() if held.get(key) != wanted.get(key)]
        for edge, client in self._clients.items():
            assert not client.devices.unanswered, f"{client.devices.unanswered} reports at {edge} have no answer"
            for name in _devices_of(edge):
                twins = self._cloud.get("Device", name)["status"]["twins"]
                twin = next(each for each in twins if each["propertyName"] == TWIN)
                assert twin["reported"]["value"] == client.devices.said[name], f"{name}: {twin}"
                assert twin["desired"]["value"] == client.devices.wished[name], f"{name}: {twin}"
        return True

    def _ledgers_are_empty(self) -> bool:
        for program in self._cloud.programs:
            ledger = program.ledger()
            # Nodes report their state every second, and that is answered: what is on its way must be young.
            old = [one for one in ledger["under_way_messages"] if one["age_s"] > YOUNG_S]
            counts = [ledger["unexplained"], ledger["forgotten"], ledger["held_by_nobody"], len(old)]
            assert not any(counts), f"{program.name}: {counts}, {old}"
        return True

    def _stop(self) -> None:
        if hasattr(self, "_cloud"):
            try:
                self._cloud.stop()
            except ProgramFailed as error:
                self.faults.append(str(error))

    def _judge(self) -> None:
        for name, users in self._users.items():
            self.done.update(users.asked)
            if users.wrong_count:
                self.faults.append(f"{users.wrong_count} answers of {name} were wrong: {list(users.wrong)}")
        for name, client in self._clients.items():
            self.faults += [f"{name}: {line}" for line in client.devices.wrong]
        for program in self._cloud.programs:
            lines = (json.loads(line) for line in program.log.splitlines() if line.startswith("{"))
            others = [line for line in program.log.splitlines() if any(word in line for word in NOT_LOGGED)]
            self.faults += [f"{n} times in the log of {program.name}: {line}" for line, n in findings(lines).items()]
            if others:
                self.faults.append(f"{program.name} printed: {others[:5]}")


async def _look(edge: Edge) -> Sight:
    status = await asyncio.to_thread(edge.status)
    host, _, port = status["mesh"]["dns"]["listening"][0].rpartition(":")
    return Sight((host, int(port)), {each["name"]: each for each in status["mesh"]["services"]})


def _devices_of(edge: str) -> list[str]:
    return [f"lamp-{edge}-{number}" for number in range(DEVICES)]


def _hears_brokers(edge: Edge) -> bool:
    brokers = edge.status()["parts"]["eventbus"]["brokers"]
    return bool(brokers) and all(all(each["connected"].values()) for each in brokers.values())


def _is_kept(row: Any) -> bool:
    return row.type in {"pod", "service", "endpoints", "podlist", "configmap", "secret"}
