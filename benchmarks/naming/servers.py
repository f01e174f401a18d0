"""The two servers: a whole node of ours, with a cloud that tells it the services, and dnsmasq with the same names."""

import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from fleet.child import cpu_s, rss_bytes

from cloudhub_stub.testing.cloud import Cloud
from naming.cores import LOAD, SERVER, on, pin

HERE = Path(__file__).parent
CONFIG = HERE / "dnsmasq.conf"
PATIENCE_S = 300.0
_CHUNK = 200


def service(number: int, version: int = 0) -> dict[str, Any]:
    """Return the manifest of a service; each version has another port, and so other names below it."""
    ports = [
        {"name": "http-0", "port": 8080, "targetPort": 8080},
        {"name": f"v{version}", "port": 9000 + version % 1000, "targetPort": 9000},
    ]
    metadata = {"name": f"svc-{number}", "namespace": "default"}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {"ports": ports, "selector": {"a": "b"}},
    }


def manifests(numbers: range, version: int = 0) -> dict[str, Any]:
    """Return them as one list."""
    return {"apiVersion": "v1", "kind": "List", "items": [service(number, version) for number in numbers]}


class Place(NamedTuple):
    """Where a server answers, and the process that does, with those that it started."""

    port: int
    pid: int
    has_workers: bool = False

    @property
    def cpu_s(self) -> float:
        """The processor time that they have used."""
        children = [path.read_text().split() for path in Path(f"/proc/{self.pid}/task").glob("*/children")]
        return sum(map(cpu_s, [self.pid, *(int(pid) for pids in children for pid in pids)]))


class Node:
    """A node of ours."""

    def __init__(self, cloud: Cloud, port: int, workers: int) -> None:
        self.cloud = cloud
        self.port = port
        self.pid = cloud.edges[0].pid or 0
        self.place = Place(port, self.pid, workers > 1)

    @property
    def rss_bytes(self) -> int:
        """The memory of the process."""
        return rss_bytes(self.pid)

    def addresses(self) -> dict[str, str]:
        """Return the full name of each service with its address, as the node's status has them."""
        services = self.cloud.edges[0].status()["mesh"]["services"]
        return {f"{each['name']}.default.svc.cluster.local": each["fake_ip"] for each in services}


@contextmanager
def node(count: int, origin: int, *, workers: int = 1, subnet: str = "127.214.0.0/16") -> Iterator[Node]:
    """Run a node that knows ``count`` services, on a processor of its own unless it has workers."""
    with tempfile.TemporaryDirectory(prefix="edgecore-dns-") as directory:
        port = free_port()
        dns = {"listen": f"127.0.0.1:{port}", "upstreams": [f"127.0.0.1:{origin}"], "workers": workers}
        mesh = {"dns": dns, "rootlessSubNet": subnet}
        with Cloud.start(Path(directory), edges=1, settings={"modules": {"edgeMesh": mesh}}) as cloud:
            for begin in range(0, count, _CHUNK):
                cloud.apply(manifests(range(begin, min(begin + _CHUNK, count))))
            cloud.wait_for_settled(PATIENCE_S)
            until(lambda: answers(port, f"svc-{count - 1}.default.svc.cluster.local"))
            if cloud.stub.pid is not None:
                pin(cloud.stub.pid, LOAD)
            running = Node(cloud, port, workers)
            if workers == 1:
                pin(running.pid, SERVER)
            yield running


@contextmanager
def dnsmasq(names: dict[str, str], origin: int) -> Iterator["Place"]:
    """Run dnsmasq with these names and addresses."""
    with tempfile.TemporaryDirectory(prefix="edgecore-dns-") as directory:
        hosts = Path(directory) / "hosts"
        hosts.write_text("".join(f"{address} {name}\n" for name, address in names.items()))
        hosts.parent.chmod(0o755)
        port = free_port()
        more = [f"--port={port}", "--listen-address=127.0.0.1", f"--addn-hosts={hosts}", f"--server=127.0.0.1#{origin}"]
        process = subprocess.Popen([*on(SERVER), "dnsmasq", f"--conf-file={CONFIG}", "--pid-file=", *more])
        try:
            until(lambda: answers(port, next(iter(names))))
            yield Place(port, process.pid)
        finally:
            process.terminate()
            process.wait(10)


@contextmanager
def outside() -> Iterator[int]:
    """Run the server of the zone outside; yield its port."""
    command = [*on(LOAD), sys.executable, str(HERE / "origin.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def answers(port: int, name: str) -> bool:
    """Say whether ``name`` has an address there now."""
    return ask(port, name) is not None


def ask(port: int, name: str) -> str | None:
    """Return the address of ``name``; ``None`` without one."""
    question = b"".join(bytes((len(label),)) + label.encode() for label in name.split("."))
    packet = b"\0\7\1\0\0\1\0\0\0\0\0\0" + question + b"\0\0\1\0\1"
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as client:
        client.settimeout(2.0)
        client.connect(("127.0.0.1", port))
        try:
            client.send(packet)
            reply = client.recv(512)
        except OSError:
            return None
        return (
            socket.inet_ntoa(reply[-4:]) if reply[6:8] == b"\0\1" and reply[12 : len(packet)] == packet[12:] else None
        )


def until(condition: Any) -> None:
    """Return once it holds."""
    began = time.perf_counter()
    while not condition():
        if time.perf_counter() - began > PATIENCE_S:
            raise SystemExit(f"a server does not answer within {PATIENCE_S:g} s")
        time.sleep(0.02)


def free_port() -> int:
    """Return a port that is free now."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
