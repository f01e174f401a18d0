"""What pods that do nothing cost: a whole node, as it ships, with a cloud, without pods and with 110.

* idle: the node without pods. What is said below is said beside it.
* simulated: with 110 simulated pods that run. Goal: all of the node under 2 % of a processor.
* process: with 110 pods whose containers are `sleep`, run by the node (runtime `process`). Goal: the same.

The processor time is that of the node with all its children, those of the pods included, over some seconds in which
nothing happens but what happens by itself: a status of the node every 10 s, a keepalive every 15 s.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from fleet.child import cpu_s, rss_bytes
from messages.places import until
from rows.figures import alone, note
from rows.parts import Parts
from rows.results import Goal, at_most

from cloudhub_stub.testing.cloud import Cloud

PARTS = ("simulated", "process")
NODE = "edge-1"
SETTLED_S = 2.0
GOAL = at_most(2)


def pod(each: int) -> dict[str, Any]:
    """Return the manifest of a pod that waits."""
    container = {"name": "main", "image": "busybox", "command": ["sleep", "86400"]}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"pod-{each}", "namespace": "default"},
        "spec": {"nodeName": NODE, "containers": [container], "terminationGracePeriodSeconds": 1},
    }


def family(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    found = [pid]
    for each in found:
        for path in Path(f"/proc/{each}/task").glob("*/children"):
            found += map(int, path.read_text().split())
    return found


def share(pid: int, seconds: float) -> float:
    """Return which share of a processor is used meanwhile, in percent."""
    pids = family(pid)
    before = sum(map(cpu_s, pids))
    began = time.perf_counter()
    time.sleep(seconds)
    return (sum(map(cpu_s, pids)) - before) / (time.perf_counter() - began) * 100


def show(what: str, pid: int, seconds: float, rounds: int, goal: Goal | None = None) -> None:
    """Tell what a node costs now."""
    time.sleep(SETTLED_S)
    alone(what, [share(pid, seconds) for _ in range(rounds)], "% of a processor", goal=goal, less=True)
    alone(what, [rss_bytes(pid) / 2**20], "MiB", measure="memory of the node", less=True)


def measure(below: Path, runtime: str, count: int, *, seconds: float, rounds: int, idle: bool) -> None:
    """Measure a node with that runtime."""
    settings = {"modules": {"edged": {"runtime": runtime, "nodeStatusUpdateFrequency": 10}}}
    with (
        tempfile.TemporaryDirectory(dir=below, prefix="edgecore-bench-") as directory,
        Cloud.start(Path(directory), settings=settings) as cloud,
    ):
        edge = cloud.start_edge(NODE, wait=False)  # it is ready 10 s later
        until(lambda: edge.status()["link"]["state"] == "connected", "the link")
        pid = edge.pid or 0
        if idle:
            show("idle, without pods", pid, seconds, rounds)
        cloud.apply({"apiVersion": "v1", "kind": "List", "items": [pod(each) for each in range(count)]})

        def running() -> bool:
            pods = cloud.list("Pod")
            phases = [each.get("status", {}).get("phase") for each in pods]
            return phases.count("Running") == count

        until(running, f"{count} pods that run")
        cloud.wait_for_settled()
        show(f"{count} pods, runtime {runtime}", pid, seconds, rounds, GOAL)


def main(arguments: argparse.Namespace) -> None:
    """Measure the parts that were asked for."""
    count, seconds = (10, 2.0) if arguments.quick else (arguments.pods, arguments.seconds)
    rounds = 1 if arguments.quick else arguments.rounds
    note(f"{os.cpu_count()} cores; {rounds} x {seconds:g} s each")
    parts = Parts.of(arguments.only, PARTS, quick=arguments.quick, slow=("process",))
    chosen = [name for name in PARTS if name in parts]
    for name in chosen:
        with parts.one(name):
            measure(arguments.dir, name, count, seconds=seconds, rounds=rounds, idle=name == chosen[0])
    parts.end()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", type=Path, default=Path("/var/tmp"), help="for files (default %(default)s)")
    parser.add_argument("--pods", type=int, default=110, help="(default %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="looks at each (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each look (default %(default)s)")
    parser.add_argument("--only", nargs="+", choices=PARTS, help="these parts")
    parser.add_argument("--quick", action="store_true", help="ten pods, 2 s")
    main(parser.parse_args())
