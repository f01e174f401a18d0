"""A burst of objects through the stub to two real edges, beside a cloud that is nothing but a loop over ready frames.

What ships, everything on: the stub in a process of its own takes services and Deployments of three pods each in one
apply, runs its controllers, and keeps all in its file; two edges store what comes, run the pods and report them. The
peer is one process with the `websockets` library and no store: to the same kind of edges it sends each object once, in
its last state, and the next when the last is acknowledged, as the Go cloud does. Both figures end with the same rows in
the files of the edges: services, endpoints and lists of pods at both, each pod at one.

* objects: those rows, a second, from apply until the last edge has acknowledged all of it. What comes later are only
  statuses: of pods that run, some seconds after they do.
* processor: the time that the cloud's process uses for an object, in milliseconds.
* memory: what the cloud's process holds more at the end than before, for an object.

Medians of some runs, both in turn; a ratio over 1 is better than the peer.
"""

import argparse
import json
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple

from fleet.child import PEER, STUB, Child, cpu_s, rss_bytes
from rows.figures import beside, note

from cloudhub_stub.testing.cloud import Cloud
from cloudhub_stub.testing.edge import Edge
from edgecore.errors import StoreError
from edgecore.store.databasefile import peek

REPLICAS = 3
NODES = ("edge-1", "edge-2")
THERE = """SELECT type, count(*) FROM meta
    WHERE type IN ('service', 'pod')
        OR type = 'endpoints' AND json_array_length(value, '$.subsets[0].addresses') = 3
        OR type = 'podlist' AND json_array_length(value) = 3 AND value NOT LIKE '%"Pending"%'
    GROUP BY type"""
"""How many rows of each type an edge has: services, their endpoints and lists with three pods that run, pods."""
ROWS = "SELECT key, type, value FROM meta WHERE type IN ('service', 'endpoints', 'podlist', 'pod') ORDER BY type"
LOOK_EVERY_S = 0.2
PATIENCE_S = 600.0


class Figures(NamedTuple):
    """What one run has shown."""

    objects_a_s: float
    cpu_ms: float
    kib: float


class PeerCloud:
    """The peer, as edges see it."""

    plain = True

    def __init__(self, child: Child) -> None:
        self._port = child.line()

    def status(self) -> dict[str, Any]:
        """Return where it listens."""
        return {"listen": f"ws://127.0.0.1:{self._port}"}


def manifests(services: int) -> Iterator[dict[str, Any]]:
    """Yield services, and a Deployment for each."""
    for number in range(services):
        name = f"web-{number:04}"
        labels = {"app": name}
        container = {"name": "web", "image": "nginx:1.17", "ports": [{"containerPort": 80}]}
        template = {"metadata": {"labels": labels}, "spec": {"containers": [container]}}
        ports = [{"name": "http-0", "port": 12345, "targetPort": 80}]
        described = {"replicas": REPLICAS, "selector": {"matchLabels": labels}, "template": template}
        yield {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": name},
            "spec": {"selector": labels, "ports": ports},
        }
        yield {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": described}


def settings(services: int) -> dict[str, Any]:
    """Return what an edge is told: it has room for all pods."""
    return {"modules": {"edged": {"maxPods": REPLICAS * services}}}


def is_there(files: list[Path], services: int) -> bool:
    """Whether every object is in the files of both edges."""
    found = [Counter(dict(peek(file, THERE))) for file in files]
    each_has = all(has[kind] == services for has in found for kind in ("service", "endpoints", "podlist"))
    return each_has and sum(has["pod"] for has in found) == REPLICAS * services


def seconds_until(look: Callable[[], bool], what: str) -> float:
    """Look again and again; return how long it took."""
    began = time.perf_counter()
    while time.perf_counter() - began < PATIENCE_S:
        with suppress(StoreError):
            if look():
                return time.perf_counter() - began
        time.sleep(LOOK_EVERY_S)
    raise SystemExit(f"{what}: not within {PATIENCE_S:g} s")


def objects_of(services: int) -> int:
    """Return how many rows there are in the end."""
    return services * (3 * len(NODES) + REPLICAS)


def through_the_stub(directory: Path, services: int, frames: Path) -> Figures:
    """Apply everything; leave what the edges hold in the end as frames for the peer."""
    with Cloud.start(directory, plain=True, edges=list(NODES), settings=settings(services)) as cloud:
        pid = cloud.stub.pid
        assert pid is not None
        files = [edge.directory / "edgecore.db" for edge in cloud.edges]
        cpu_before, before = cpu_s(pid), rss_bytes(pid)
        began = time.perf_counter()
        cloud.apply(list(manifests(services)))
        applied_s = time.perf_counter() - began

        def is_through() -> bool:
            return is_there(files, services) and not any(cloud.status()["queues"]["waiting"].values())

        elapsed = applied_s + seconds_until(is_through, "the burst is through")
        used, grown = cpu_s(pid) - cpu_before, rss_bytes(pid) - before
        for edge in cloud.edges:
            (frames / f"{edge.name}.jsonl").write_text("".join(frames_of(edge)))
    return _figures(services, elapsed, used, grown)


def frames_of(edge: Edge) -> Iterator[str]:
    """Yield what an edge holds as the messages that bring it."""
    order = ["service", "endpoints", "podlist", "pod"]
    rows = peek(edge.directory / "edgecore.db", ROWS)
    for key, kind, value in sorted(rows, key=lambda row: order.index(row[1])):
        operation = "update" if kind == "podlist" else "insert"
        header = f'"msg_id":"{key}","timestamp":1'
        route = f'"source":"edgecontroller","group":"resource","operation":"{operation}","resource":"{key}"'
        content = json.dumps(json.loads(value), separators=(",", ":"))
        yield f'{{"header":{{{header}}},"route":{{{route}}},"content":{content}}}\n'


def through_the_peer(directory: Path, services: int, frames: Path) -> Figures:
    """Send the frames to edges that are as new as those of the stub were."""
    with ExitStack() as stack:
        child = Child(stack, "-m", "fleet.relay", str(frames))
        peer = PeerCloud(child)
        edges = []
        for number, name in enumerate(NODES):
            edge = Edge(name, directory, peer, number=number, settings=settings(services))  # type: ignore[arg-type]
            edge.join()
            stack.callback(edge.kill)
            edge.start()
            edges.append(edge)
        seconds_until(lambda: len(child.tell("nodes")) == len(NODES), "edges at the peer")
        cpu_before, before = child.cpu_s(), child.rss_bytes()
        began = time.perf_counter()
        child.tell("send")
        elapsed = time.perf_counter() - began
        used, grown = child.cpu_s() - cpu_before, child.rss_bytes() - before
        if not is_there([edge.directory / "edgecore.db" for edge in edges], services):
            raise SystemExit("the edges of the peer do not hold what those of the stub held")
    return _figures(services, elapsed, used, grown)


def _figures(services: int, elapsed: float, used: float, grown: int) -> Figures:
    objects = objects_of(services)
    return Figures(objects / elapsed, 1000 * used / objects, grown / objects / 1024)


def main(services: int, runs: int) -> None:
    """Run both in turn."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    burst = f"{services} services with {REPLICAS} pods each: {objects_of(services)} objects at {len(NODES)} edges"
    note(f"{burst}; {runs} runs on {os.cpu_count()} cores")
    found: dict[str, list[Figures]] = {STUB: [], PEER: []}
    with tempfile.TemporaryDirectory() as place:
        for run in range(runs):
            directory = Path(place, str(run))
            frames = directory / "frames"
            frames.mkdir(parents=True)
            found[STUB].append(through_the_stub(directory / STUB, services, frames))
            found[PEER].append(through_the_peer(directory / PEER, services, frames))
    for measure, field, unit, less in (
        ("", "objects_a_s", "objects/s", False),
        ("processor", "cpu_ms", "ms an object", True),
        ("memory", "kib", "KiB an object", True),
    ):
        ours, peers = ([getattr(each, field) for each in found[name]] for name in (STUB, PEER))
        beside("objects", ours, peers, unit, peer="bare websockets", measure=measure, less=less)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--services", type=int, default=1000, help="how many (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="how often each (default %(default)s)")
    parser.add_argument("--quick", action="store_true", help="100 services, once")
    arguments = parser.parse_args()
    with suppress(KeyboardInterrupt):
        if arguments.quick:
            main(100, 1)
        else:
            main(arguments.services, arguments.rounds)
