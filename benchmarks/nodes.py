"""Many nodes on one stub: what they cost it, beside a server that is nothing but the `websockets` library.

Three processes: the stub (or the peer, which answers with bytes that were made beforehand), and one that is all the
nodes: each connects as an edge does, registers, sends a keepalive at once and every 15 s, its status every 10 s, and
acknowledges whatever comes. Printed are medians of some rounds, and from which to which figure they went:

* memory: what the server holds more with all nodes there than without, divided by their number; both made anew a run.
* at rest: the processor time of both servers, in cores, while the nodes do what idle nodes do. Goal: the stub below 1.
* up: statuses a second, each node posting its next one when the last is answered; all of a core goes to the server.
* down: messages a second that were acknowledged, one in flight a node. The stub is told to by `replay`, so its figure
  has in it what telling costs: reading the recording, and a line to the asking process for every message.

The ratio says how much of what the library can do is left; over 1 is better than the peer.
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple

from fleet.child import PEER, STUB, Child
from fleet.recorded import recorded
from rows.figures import beside, note
from rows.results import at_most

from edgecore.control.client import ControlClient
from edgecore.errors import ControlError

ROOT = Path(__file__).parents[1]
PUSHES = 40
"""Messages to each node in a run."""
ASKED_AT_ONCE = 200
"""So many replays; the control socket takes 256 connections."""
LIBRARY = "bare websockets"


class Servers(NamedTuple):
    """The stub and the peer, with no node yet."""

    stub: Child
    peer: Child
    urls: dict[str, str]
    control: Path

    @classmethod
    def start(cls, stack: ExitStack, directory: Path) -> "Servers":
        """Start both on free ports."""
        run = ["-m", "cloudhub_stub", "run"]
        known = subprocess.run([sys.executable, *run, "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
        plain = ["--plain"] if "--plain" in known.stdout else []
        options = ["--listen", "127.0.0.1:0", "--state-dir", str(directory), "--observe", "off", *plain]
        stub = Child(stack, *run, *options, "--log-level", "error")
        peer = Child(stack, "-m", "fleet.peer")
        control = directory / "control.sock"
        urls = {STUB: _listening(control), PEER: f"ws://127.0.0.1:{peer.line()}"}
        return cls(stub, peer, urls, control)

    def stop(self) -> None:
        """End both."""
        self.stub.stop()
        self.peer.stop()

    @property
    def all(self) -> dict[str, Child]:
        """Both, by name."""
        return {STUB: self.stub, PEER: self.peer}


def _listening(control: Path) -> str:
    for _ in range(200):
        with suppress(ControlError):
            if url := ControlClient(control).get("/v1/status")["listen"]:  # the control socket is there first
                return str(url)
        time.sleep(0.05)
    raise SystemExit(f"the stub does not answer at {control}")


async def replay_to_all(control: Path, file: Path, nodes: int) -> None:
    """Have the stub play a recording to every node, to ``ASKED_AT_ONCE`` at the same time."""
    room = asyncio.Semaphore(ASKED_AT_ONCE)

    async def one(number: int) -> None:
        body = json.dumps({"file": str(file), "node": f"node-{number:04}"})
        connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        await asyncio.to_thread(connected.connect, str(control))  # waits for room in the backlog, where asyncio fails
        reader, writer = await asyncio.open_unix_connection(sock=connected)
        head = "POST /v1/replay HTTP/1.1\r\nHost: stub\r\nConnection: close\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())
        told = await reader.read(-1)
        writer.close()
        if b'"finished"' not in told:
            raise SystemExit(f"a replay failed: {told[-400:].decode(errors='replace')}")

    async def in_turn(number: int) -> None:
        async with room:
            await one(number)

    await asyncio.gather(*(in_turn(number) for number in range(nodes)))


def services(directory: Path) -> Path:
    """Write a recording of services that differ in name."""
    text = recorded("insert", "default/service/")
    name = json.loads(text)["route"]["resource"].rpartition("/")[2]
    file = directory / "services.jsonl"
    lines = (
        {"t_ns": number, "link": 1, "dir": "cloud->edge", "text": text.replace(name, f"bench-{number}")}
        for number in range(PUSHES)
    )
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def memory(stack: ExitStack, directory: Path, edges: Child, nodes: int, rounds: int) -> Servers:
    """Fill servers with nodes, again and again; return the last ones, with their nodes."""
    grown: dict[str, list[float]] = {STUB: [], PEER: []}
    for run in range(rounds):
        servers = Servers.start(stack, directory / f"state-{run}")
        for name, child in servers.all.items():
            before = child.rss_bytes()
            edges.tell("join", name, servers.urls[name], nodes)
            edges.tell("post", name, 0.2)
            grown[name].append((child.rss_bytes() - before) / nodes / 1024)
        if run < rounds - 1:
            for name in servers.all:
                edges.tell("leave", name)
            servers.stop()
    beside("memory", grown[STUB], grown[PEER], "KiB a node", peer=LIBRARY, less=True)
    return servers


def at_rest(servers: Servers, edges: Child, seconds: float, rounds: int) -> None:
    """Look at both servers while their nodes do what idle nodes do."""
    used: dict[str, list[float]] = {STUB: [], PEER: []}
    for name in servers.all:
        edges.tell("report", name)
    for _ in range(rounds):
        began, before = time.perf_counter(), {name: child.cpu_s() for name, child in servers.all.items()}
        time.sleep(seconds / rounds)
        elapsed = time.perf_counter() - began
        for name, child in servers.all.items():
            used[name].append((child.cpu_s() - before[name]) / elapsed)
    beside("at rest", used[STUB], used[PEER], "cores", peer=LIBRARY, goal=at_most(1), less=True)


def full_speed(servers: Servers, edges: Child, file: Path, *, nodes: int, seconds: float, rounds: int) -> None:
    """Measure both servers in turn, upwards and downwards."""
    up: dict[str, list[float]] = {STUB: [], PEER: []}
    down: dict[str, list[float]] = {STUB: [], PEER: []}

    def rate(name: str, work: Callable[[], Any]) -> None:
        before, began = edges.tell("acknowledged", name), time.perf_counter()
        work()
        down[name].append((edges.tell("acknowledged", name) - before) / (time.perf_counter() - began))

    for _ in range(rounds):
        for name in (STUB, PEER):
            up[name].append(edges.tell("post", name, seconds))
        rate(STUB, lambda: asyncio.run(replay_to_all(servers.control, file, nodes)))
        rate(PEER, lambda: edges.tell("pushed", PEER, PUSHES))
    beside("up", up[STUB], up[PEER], "messages/s", peer=LIBRARY)
    beside("down", down[STUB], down[PEER], "messages/s", peer=LIBRARY)


def main(nodes: int, seconds: float, full_s: float, rounds: int) -> None:
    """Run everything."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory() as place, ExitStack() as stack:
        directory = Path(place)
        edges = Child(stack, "-m", "fleet.edges")
        note(f"{nodes} nodes on {os.cpu_count()} cores, {seconds:g} s at rest")
        servers = memory(stack, directory, edges, nodes, rounds)
        at_rest(servers, edges, seconds, rounds)
        full_speed(servers, edges, services(directory), nodes=nodes, seconds=full_s, rounds=rounds)
        after = {name: child.rss_bytes() / 2**20 for name, child in servers.all.items()}
        beside("memory of the process, after all", [after[STUB]], [after[PEER]], "MiB", peer=LIBRARY, less=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=200, help="how many (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long they rest (default %(default)g)")
    parser.add_argument("--rounds", type=int, default=3, help="how often (default %(default)s)")
    parser.add_argument("--quick", action="store_true", help="20 nodes, and a few seconds in all")
    arguments = parser.parse_args()
    with suppress(KeyboardInterrupt):
        if arguments.quick:
            main(20, 1.0, 0.3, 1)
        else:
            main(arguments.nodes, arguments.seconds, 2.0, arguments.rounds)
