"""Whole nodes and clouds as processes of their own, small backends, and what users would ask of all of them."""

import asyncio
import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

import pytest
from prometheus_client.parser import text_string_to_metric_families

from edgecore.control.client import ControlClient
from edgecore.demo import probes
from edgecore.errors import ControlError

T = TypeVar("T")
Json = dict[str, Any]
Address = tuple[str, int]

ROOT = Path(__file__).parents[2]
PATIENCE_S = 20.0
"""How long something may take that is there within a second on an idle machine."""
NOWHERE = "ws://127.0.0.1:9"
"""A cloud that is not there."""
POOL = f"127.{100 + os.getpid() % 100}.0.0/16"
"""Not the default, which any node of this machine may take between two starts of one of ours."""
STOP_S = 5.0
"""How long a program may take to end when it is told to."""


# What the cloud says.


class Words:
    """Makes what a cloud says; everything is a JSON value."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def message(self, operation: str, resource: str, content: Any = None, group: str = "resource") -> Json:
        header = {"msg_id": f"from-the-test-{next(self._numbers)}", "timestamp": 1_795_169_271_948}
        route = {"source": "edgecontroller", "group": group, "operation": operation, "resource": resource}
        return {"header": header, "route": route, "content": content}

    def service(self, name: str, *ports: tuple[str, int]) -> Json:
        """``ports`` are names and numbers; each leads to the container port 80."""
        listed = [{"name": label, "protocol": "TCP", "port": port, "targetPort": 80} for label, port in ports]
        return {
            "metadata": {"name": name, "namespace": "default", "uid": f"uid-{name}"},
            "spec": {"clusterIP": "10.96.0.7", "selector": {"app": name}, "ports": listed},
        }

    def pod(self, name: str, backend: Address) -> Json:
        """Return a running pod whose container port 80 is where ``backend`` is."""
        ports = [{"containerPort": 80, "hostPort": backend[1], "protocol": "TCP"}]
        return {
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"nodeName": "edge-1", "containers": [{"name": "main", "ports": ports}]},
            "status": {"phase": "Running", "hostIP": backend[0], "podIP": "172.17.0.2"},
        }

    def put(self, service: Json) -> Json:
        return self.message("insert", f"default/service/{service['metadata']['name']}", service)

    def pods(self, name: str, pods: list[Json] | None) -> Json:
        return self.message("update", f"default/podlist/{name}", pods)

    def arrival(self, name: str, port: int, *backends: Address) -> list[Json]:
        """Return the messages that bring a service and a pod for each backend."""
        pods = [self.pod(f"{name}-{number}", backend) for number, backend in enumerate(backends)]
        return [self.put(self.service(name, ("http", port))), self.pods(name, pods)]


@pytest.fixture
def words() -> Words:
    return Words()


# Ports and backends.


@pytest.fixture
def free_port() -> Callable[[], int]:
    """``free_port()``: a TCP port that is free on every address of this machine."""

    def find() -> int:
        with socket.socket() as probe:
            probe.bind(("0.0.0.0", 0))
            port: int = probe.getsockname()[1]
            return port

    return find


class _Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = f"{self.connection.getsockname()[0]} serves {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None: ...  # noqa: A002 - the name in http.server


class _Backend(http.server.ThreadingHTTPServer):
    daemon_threads = False  # so that closing waits for them


@pytest.fixture
def backend() -> Iterator[Callable[..., Address]]:
    """``backend(host)``: start an HTTP server on a free port there, which says in its answers where it is."""
    running: list[tuple[_Backend, threading.Thread]] = []

    def start(host: str = "127.0.0.2") -> Address:
        server = _Backend((host, 0), _Answer)
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        running.append((server, thread))
        return host, server.server_port

    yield start
    for server, thread in running:
        server.shutdown()
        thread.join()
        server.server_close()


# Programs as processes.


def config_text(directory: Path, server: str = NOWHERE, name: str = "edge-1", **settings: Any) -> str:
    """Return a configuration with its files in ``directory``.

    ``settings`` are keys with ``__`` for the dot; all are below ``modules`` but those of ``observe``.
    """
    values: Json = {
        "database": {"dataSource": str(directory / "edgecore.db")},
        "modules": {
            "deviceTwin": {"enable": False},
            "eventBus": {"enable": False},
            "edgeHub": {"websocket": {"server": server}},
            "edged": {"hostnameOverride": name},
            "edgeMesh": {"rootlessSubNet": POOL, "dns": {"upstreams": ["127.0.0.1:9"]}},
        },
    }
    for key, value in settings.items():
        *parents, last = key.split("__")
        section = values if parents[0] == "observe" else values["modules"]
        for parent in parents:
            section = section.setdefault(parent, {})
        section[last] = value
    return json.dumps(values, indent=2)


class Program:
    """A program as a user starts it: a process, its standard output and its log in files."""

    def __init__(self, directory: Path, command: list[str], control: Path, env: dict[str, str]) -> None:
        self.directory = directory
        self.control = ControlClient(control, timeout_s=PATIENCE_S)
        self._out, self._err = directory / "out.txt", directory / "log.txt"
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, env=env, cwd=ROOT
            )

    @property
    def out(self) -> str:
        return self._out.read_text()

    @property
    def log(self) -> str:
        return self._err.read_text()

    def lines(self, event: str) -> list[Json]:
        """Return the log lines of one event."""
        found = [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]
        return [line for line in found if line["event"] == event]

    def status(self) -> Json:
        found: Json = self.control.get("/v1/status")
        return found

    def wait_for(self, what: str, look: Callable[[Json], T | None]) -> T:
        """Return what ``look`` makes of the program's status, once that is true."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                if found := look(self.status()):
                    return found
            except ControlError:
                pass
            time.sleep(0.02)
        pytest.fail(f"{' '.join(map(str, self.process.args))}: no {what}\n{self.out}{self.log[-3000:]}")

    def accounts_for_all(self) -> None:
        """Fail unless the program comes to hold, or to have ended, every message of its link.

        What is between two holders in the moment of the question is there at the next; what was lost is not.
        """
        deadline = time.monotonic() + STOP_S
        while True:
            view = self.control.get("/v1/ledger")
            if view["held_by_nobody"] == view["unexplained"] == 0:
                return
            assert time.monotonic() < deadline, f"nobody holds: {view['under_way_messages']}"
            time.sleep(0.05)

    def ended(self, timeout_s: float = PATIENCE_S) -> int:
        """Wait for the end, and return the exit code."""
        return self.process.wait(timeout_s)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Tell the program to end, and return its exit code."""
        self.process.send_signal(number)
        return self.ended(STOP_S)


class RunningNode(Program):
    """A node as a process, and what its users ask of it."""

    config: Path

    def ready(self) -> Json:
        """Return the status once the node has found out what there was before."""
        return self.wait_for("recovery", lambda status: status["mesh"].get("recovered") and status)

    def find(self, name: str) -> Json | None:
        """Return the status of a service."""
        return next((one for one in self.status()["mesh"].get("services", ()) if one["name"] == name), None)

    def service(self, name: str, state: str = "listening") -> Json:
        """Return the status of a service, once all its ports are in ``state``."""

        def look(_status: Json) -> Json | None:
            found = self.find(name)
            return found if found and all(port["state"] == state for port in found["ports"]) else None

        return self.wait_for(f"service {name} {state}", look)

    def resolve(self, name: str) -> tuple[str, str]:
        """Return response code and address of a name."""
        exchange = probes.ask(split(self.status()["mesh"]["dns"]["listening"][0]), name)
        return exchange.rcode, exchange.address

    def by_proxy(self, url: str) -> probes.HttpExchange:
        """Send a request through the plain listener."""
        return probes.get(split(self.status()["mesh"]["plain_listener"]), url, url.split("/")[2])

    def page(self, path: str) -> tuple[int, str]:
        """Return status and body of a page of the observation port."""
        return fetch(self.status()["listening"]["observe"] + path)


class RunningCloud(Program):
    """A cloudhub stub as a process."""

    @property
    def url(self) -> str:
        found: str = self.status()["listen"]
        return found

    def send(self, *messages: Json, node: str | None = None) -> None:
        """Send messages, each after the one before it was acknowledged."""
        recording = self.directory / "messages.jsonl"
        frames = ({"t_ns": 1, "link": 1, "dir": "cloud->edge", "text": json.dumps(one)} for one in messages)
        recording.write_text("".join(json.dumps(frame) + "\n" for frame in frames))
        events = list(self.control.stream("POST", "/v1/replay", {"file": str(recording), "node": node}))
        assert events[-1]["event"] == "finished", events[-1]


def split(address: str) -> Address:
    host, _, port = address.rpartition(":")
    return host, int(port)


def fetch(url: str) -> tuple[int, str]:
    """Return status and body of a page, whatever proxies the environment names."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=PATIENCE_S) as response:
            return response.status, response.read().decode()
    except urllib.error.HTTPError as refusal:
        with refusal:
            return refusal.code, refusal.read().decode()


@pytest.fixture(name="fetch")
def _fetch() -> Callable[[str], tuple[int, str]]:
    return fetch


@pytest.fixture(name="config_text")
def _config_text() -> Callable[..., str]:
    return config_text


@pytest.fixture
def sample() -> Callable[..., float]:
    """``sample(page, name, label=value)``: one figure of a page for Prometheus; 0 if it is not there."""

    def read(page: str, name: str, **labels: str) -> float:
        samples = [one for family in text_string_to_metric_families(page) for one in family.samples]
        return next((one.value for one in samples if (one.name, one.labels) == (name, labels)), 0.0)

    return read


class Programs:
    """Starts programs, each in a directory of its own. The same name means the same files."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._started: list[Program] = []
        inherited = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
        self.env = {**inherited, "HOME": str(root), "XDG_STATE_HOME": str(root / "state")}
        self.prefix: list[str] = []
        """What stands before each command line, such as ``setpriv`` with its flags."""

    def cloud(self, listen: str = "127.0.0.1:0", flags: Sequence[object] = ()) -> RunningCloud:
        directory = self.directory("cloud")
        arguments = ["cloudhub_stub", "run", "--plain", "--listen", listen, "--state-dir", str(directory)]
        arguments += ["--observe", "off", *map(str, flags)]
        cloud = RunningCloud(directory, self._command(arguments), directory / "control.sock", self.env)
        self._started.append(cloud)
        cloud.wait_for("address", lambda status: status["listen"])
        return cloud

    def node(
        self,
        name: str = "edge-1",
        cloud: RunningCloud | None = None,
        *,
        text: str | None = None,
        flags: Sequence[object] = (),
        **settings: Any,
    ) -> RunningNode:
        """Start a node with the configuration ``text``, by default one made of ``settings``; see ``config_text``.

        ``flags`` stand behind those of the configuration.
        """
        directory = self.directory(name)
        config = directory / "edgecore.yaml"
        config.write_text(text or config_text(directory, cloud.url if cloud else NOWHERE, name, **settings))
        arguments = ["edgecore", "run", "--config", str(config), *map(str, flags)]
        node = RunningNode(directory, self._command(arguments), directory / "edgecore.sock", self.env)
        node.config = config
        self._started.append(node)
        return node

    def run(self, *arguments: object, **options: Any) -> "subprocess.CompletedProcess[str]":
        """Run one of the programs to its end."""
        how: Any = {"env": self.env, "timeout": 2 * PATIENCE_S, "cwd": ROOT} | options
        done: subprocess.CompletedProcess[str] = subprocess.run(
            self._command([*map(str, arguments)]),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            **how,
        )
        return done

    def _command(self, arguments: list[str]) -> list[str]:
        return [*self.prefix, sys.executable, "-m", *arguments]

    def end(self) -> None:
        """End what still runs; fail the test if it has lost a message, does not end in time, or not well."""
        left = [program for program in reversed(self._started) if program.process.poll() is None]
        try:
            for program in left:
                program.accounts_for_all()
            assert [program.stop() for program in left] == [0] * len(left)
        finally:
            for program in left:
                program.process.kill()
                program.process.wait()

    def directory(self, name: str) -> Path:
        directory = self._root / name
        directory.mkdir(mode=0o700, exist_ok=True)
        return directory


@pytest.fixture
def programs(tmp_path: Path, backend: object) -> Iterator[Programs]:
    """See ``Programs``. Backends outlive the nodes that have connections to them."""
    programs = Programs(tmp_path)
    yield programs
    programs.end()


@pytest.fixture
async def place(programs: Programs, mosquitto_at: Callable[..., Any]) -> AsyncIterator[Any]:
    """See ``deviceplace.Place``; nothing is started but the broker, who hears all, and the cloud."""
    from devicecloud import DeviceCloud
    from deviceplace import Place
    from mosquitto import Recorder

    broker = mosquitto_at()
    async with DeviceCloud() as cloud:
        with Recorder(broker, "#", "$hw/#") as recorder:
            place = Place(programs, broker, cloud, recorder, "edge-node1")
            yield place
            if place.node is not None:
                assert await asyncio.to_thread(place.node.stop) == 0
