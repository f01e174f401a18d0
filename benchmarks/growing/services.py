"""A node that knows more and more services: taken up from the cloud, found again in the file, updated, asked for."""

import shutil
import socket
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from fleet.child import cpu_s, rss_bytes
from naming.load import load
from naming.servers import PATIENCE_S, answers, ask, free_port, until
from rows.figures import curve, missing
from rows.results import Goal, at_most, slope

from cloudhub_stub.testing.cloud import Cloud
from cloudhub_stub.testing.edge import Edge

CHUNK = 200
UPDATES = 10
IDLE_S = 3.0
DNS_S = 1.0
_MIB = 1 << 20


class Found(NamedTuple):
    """What a node cost in one run."""

    taken_s: float
    taken_cpu_s: float
    memory_mib: float
    resting_cores: float
    update_ms: float
    update_cpu_ms: float
    answer_us: float
    """0 without dnsperf."""
    stop_s: float
    recovered_s: float
    recovered_cpu_s: float


CURVES: tuple[tuple[str, str, str, Goal | None], ...] = (
    ("taken_s", "taken up from the cloud", "s", slope(1.1)),
    ("taken_cpu_s", "processor time of that", "s", slope(1.1)),
    ("recovered_s", "start over the file, until the last name", "s", slope(1.1)),
    ("recovered_cpu_s", "processor time of that", "s", slope(1.1)),
    ("update_ms", "one update, until its port listens", "ms", slope(0.5)),
    ("update_cpu_ms", "processor time of that", "ms", slope(0.5)),
    ("answer_us", "processor time of a DNS answer", "us", slope(0.1)),
    ("memory_mib", "memory of the node", "MiB", slope(1.1)),
    ("resting_cores", "processor while nothing happens", "cores", at_most(0.02)),
    ("stop_s", "stop", "s", at_most(5)),
)
"""A field, what it is called, its unit, and the goal: nothing that happens once may grow faster than what there is, and
nothing that happens to one may notice the others."""


def services(sizes: Sequence[int], rounds: int) -> None:
    """Measure nodes with so many services."""
    if shutil.which("dnsperf") is None:
        missing("dnsperf", "DNS answers as services grow")
    found = [[once(size) for _ in range(rounds)] for size in sizes]
    case = "services"
    for field, what, unit, goal in CURVES:
        ours = [[float(getattr(each, field)) for each in of_size] for of_size in found]
        if any(map(any, ours)):
            curve(case, "services", sizes, ours, unit, measure=what, goal=goal)


def once(size: int) -> Found:
    """Measure one node with ``size`` services."""
    with tempfile.TemporaryDirectory(prefix="edgecore-growth-") as name:
        port = free_port()
        mesh = {"dns": {"listen": f"127.0.0.1:{port}"}, "rootlessSubNet": "127.216.0.0/16"}
        with Cloud.start(Path(name), edges=1, settings={"modules": {"edgeMesh": mesh}}) as cloud:
            (edge,) = cloud.edges
            taken_s, taken_cpu_s = _taken(cloud, port, size)
            answer_us = _answered(_pid(edge), port, size, Path(name)) if shutil.which("dnsperf") else 0.0
            update_ms, update_cpu_ms = _updated(cloud, port, size)
            memory, resting = rss_bytes(_pid(edge)) / _MIB, _resting(_pid(edge))
            began = time.perf_counter()
            edge.stop()
            stop_s = time.perf_counter() - began
            cloud.stub.stop()
            recovered = _recovered(edge, port, size)
        return Found(taken_s, taken_cpu_s, memory, resting, update_ms, update_cpu_ms, answer_us, stop_s, *recovered)


def manifests(numbers: range, version: int = 0) -> dict[str, Any]:
    """Return services as one list: one port each, as each takes a descriptor; another one in each version."""
    return {"apiVersion": "v1", "kind": "List", "items": [_manifest(number, version) for number in numbers]}


def _manifest(number: int, version: int) -> dict[str, Any]:
    metadata = {"name": f"svc-{number}", "namespace": "default"}
    ports = [{"name": "http-0", "port": 9000 + version, "targetPort": 80}]
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata,
        "spec": {"ports": ports, "selector": {"a": "b"}},
    }


def _pid(edge: Edge) -> int:
    assert edge.pid is not None
    return edge.pid


def _name(number: int) -> str:
    return f"svc-{number}.default.svc.cluster.local"


def _taken(cloud: Cloud, port: int, size: int) -> tuple[float, float]:
    """Apply the services; return the seconds until the last has a name and all is quiet, and the node's part."""
    pid = _pid(cloud.edges[0])
    before, began = cpu_s(pid), time.perf_counter()
    for begin in range(0, size, CHUNK):
        cloud.apply(manifests(range(begin, min(begin + CHUNK, size))))
    until(lambda: answers(port, _name(size - 1)))
    taken_s = time.perf_counter() - began
    cloud.wait_for_settled(PATIENCE_S)
    return taken_s, cpu_s(pid) - before


def _answered(pid: int, port: int, size: int, place: Path) -> float:
    """Return the microseconds of processor for an answer; names that follow each other are far apart."""
    questions = place / "questions"
    step = 7919  # a prime
    questions.write_text("".join(f"{_name(number * step % size)} A\n" for number in range(size)))
    load(port, questions, DNS_S)
    before = cpu_s(pid)
    done = load(port, questions, DNS_S)
    return (cpu_s(pid) - before) / done.answers * 1e6


def _updated(cloud: Cloud, port: int, size: int) -> tuple[float, float]:
    """Give services another port, one by one; return the milliseconds until it listens, and the node's part."""
    pid = _pid(cloud.edges[0])
    known = min(size, UPDATES)
    addresses = [ask(port, _name(number)) or "" for number in range(known)]
    before, took_s = cpu_s(pid), 0.0
    for version in range(1, UPDATES + 1):
        number = version % known
        began = time.perf_counter()
        cloud.apply(manifests(range(number, number + 1), version))
        until(lambda at=(addresses[number], 9000 + version): _listens(*at))
        took_s += time.perf_counter() - began
    cloud.wait_for_settled(PATIENCE_S)
    return took_s / UPDATES * 1e3, (cpu_s(pid) - before) / UPDATES * 1e3


def _listens(address: str, port: int) -> bool:
    with suppress(OSError), socket.create_connection((address, port), 1.0):
        return True
    return False


def _resting(pid: int) -> float:
    before = cpu_s(pid)
    time.sleep(IDLE_S)
    return (cpu_s(pid) - before) / IDLE_S


def _recovered(edge: Edge, port: int, size: int) -> tuple[float, float]:
    """Start the node, without a cloud; return the seconds from exec to the last name, and its processor time."""
    began = time.perf_counter()
    edge.start()
    until(lambda: answers(port, _name(size - 1)))
    return time.perf_counter() - began, cpu_s(_pid(edge))
