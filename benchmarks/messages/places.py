"""mosquitto, and a whole node of ours that speaks with it: a cloud, TLS, every module on."""

import os
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

from fleet.child import cpu_s, rss_bytes

from cloudhub_stub.testing.cloud import Cloud
from cloudhub_stub.testing.edge import Edge
from edgecore.errors import ConfigError
from edgecore.modules.eventbus.broker.recipe import LIBRARY, PYTHON_VARIABLE, BrokerRecipe, find_python

MOSQUITTO = {"mosquitto": "mosquitto", "mosquitto_pub": "mosquitto-clients"}
"""The broker and its clients, with their packages."""
CONFIG = Path(__file__).parent / "mosquitto.conf"
PATIENCE_S = 60.0
NODE = "edge-1"
_API = "devices.kubeedge.io/v1alpha1"
_MODEL = {
    "apiVersion": _API,
    "kind": "DeviceModel",
    "metadata": {"name": "bench", "namespace": "default"},
    "spec": {"properties": [{"name": "value", "type": {"int": {"accessMode": "ReadWrite", "defaultValue": 0}}}]},
}


class Broker(NamedTuple):
    """mosquitto."""

    port: int
    pid: int


@contextmanager
def mosquitto() -> Iterator[Broker]:
    """Run mosquitto on a free port."""
    with tempfile.TemporaryDirectory(prefix="edgecore-bench-") as directory:
        port = _free_port()
        config = Path(directory) / "mosquitto.conf"
        user = "user root\n" if os.geteuid() == 0 else ""  # else it could not read the file
        config.write_text(f"listener {port} 127.0.0.1\n{user}{CONFIG.read_text()}")
        process = subprocess.Popen(["mosquitto", "-c", str(config)], stderr=subprocess.DEVNULL)  # it warns of root
        try:
            until(lambda: _listens(port), "mosquitto")
            yield Broker(port, process.pid)
        finally:
            process.terminate()
            process.wait(10)


@contextmanager
def embedded() -> Iterator[Broker | None]:
    """Run the embedded broker as a node does, by itself; nothing where there is no Python with amqtt."""
    made = Path(__file__).parents[2] / ".venv-broker" / "bin" / "python"
    python = os.environ.get(PYTHON_VARIABLE) or (str(made) if made.exists() else "")
    port = _free_port()
    try:
        python = find_python(python, {}, has_library=find_spec(LIBRARY) is not None)
    except ConfigError:
        yield None
        return
    recipe = BrokerRecipe(python, "127.0.0.1", port, queue=1_000_000, packet_bytes=2**20)
    with subprocess.Popen(recipe.command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL) as process:
        try:
            until(lambda: _listens(port), "the embedded broker")
            yield Broker(port, process.pid)
        finally:
            process.terminate()


class Node:
    """A node of ours with devices."""

    def __init__(self, cloud: Cloud, broker: Broker) -> None:
        self.cloud = cloud
        self.broker = broker
        self.edge: Edge = cloud.edges[0]
        self.pid = self.edge.pid or 0

    def module(self, name: str) -> dict[str, Any]:
        """Return what a module says of itself."""
        found: dict[str, Any] = self.edge.status()["parts"][name]
        return found

    def asked(self, action: str) -> int:
        """Return how often DeviceTwin was asked for something, and has answered, as far as there is an answer."""
        twin = self.module("twin")
        return int(twin["requests"].get(action, 0)) - int(twin["in_flight"])

    def has(self, devices: int) -> None:
        """Give the node so many devices, and wait until it has them."""
        self.cloud.apply({"apiVersion": "v1", "kind": "List", "items": [_MODEL, *map(_device, range(devices))]})
        until(lambda: self.module("twin")["devices"] == devices, f"{devices} devices")

    @property
    def rss_bytes(self) -> int:
        """The memory of the process."""
        return rss_bytes(self.pid)


@contextmanager
def node(below: Path, broker: Broker, *, qos: int = 1, devices: int = 1) -> Iterator[Node]:
    """Run a node that publishes with ``qos``; its files lie in ``below``."""
    mqtt = {"mqttMode": 2, "mqttServerExternal": f"tcp://127.0.0.1:{broker.port}", "external": {"publishQOS": qos}}
    settings = {"modules": {"eventBus": mqtt}, "observe": {"logLevel": "warning"}}
    with (
        tempfile.TemporaryDirectory(dir=below, prefix="edgecore-bench-") as directory,
        Cloud.start(Path(directory), edges=[NODE], settings=settings) as cloud,
    ):
        running = Node(cloud, broker)
        until(lambda: all(running.module("eventbus")["brokers"]["external"]["connected"].values()), "the broker")
        running.has(devices)
        yield running


def topic(number: int, rest: str) -> str:
    """Return a topic of a device."""
    return f"$hw/events/device/device-{number}/{rest}"


def _device(number: int) -> dict[str, Any]:
    here = {"key": "", "operator": "In", "values": [NODE]}
    wanted = {"propertyName": "value", "desired": {"metadata": {"type": "int"}, "value": "-1"}}
    return {
        "apiVersion": _API,
        "kind": "Device",
        "metadata": {"name": f"device-{number}", "namespace": "default"},
        "spec": {
            "deviceModelRef": {"name": "bench"},
            "nodeSelector": {"nodeSelectorTerms": [{"matchExpressions": [here]}]},
        },
        "status": {"twins": [wanted]},
    }


class Cost:
    """The processor time of a process, from one look to the next."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._before_s = cpu_s(pid)

    def us(self, number: int) -> float:
        """Return the microseconds that it has used for each of ``number`` messages."""
        return (cpu_s(self._pid) - self._before_s) / number * 1e6


def until(condition: Callable[[], bool], what: str) -> None:
    """Return once it holds."""
    began = time.perf_counter()
    while not condition():
        if time.perf_counter() - began > PATIENCE_S:
            raise SystemExit(f"{what}: not there within {PATIENCE_S:g} s")
        time.sleep(0.02)


def _listens(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1.0):
        return True
    return False


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
