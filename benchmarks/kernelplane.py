"""The kernel plane of a node in mode intercept beside connections without it, over a virtual cable to another machine.

* stream: one TCP connection, as much as goes through. Goal 0.95 of a direct connection.
* ask: UDP questions of 64 bytes and their answers, one after the other. Goal 0.95.
* blast: UDP datagrams of 64 bytes, as many as one sender gets rid of, counted where they come.
* connect: TCP connections, one after the other, each made and ended.

Four ways to the same server, in turn: from a machine without any rule (the goal is a share of this); from the node's
machine, past the fake IP, where the kernel follows connections because the node has rules; to the fake IP, by the
kernel plane; to the fake IP, by the proxy plane. The machines are network namespaces, the node is a whole one as it
ships. The client has one processor, the server and the node the other. Needs root or user namespaces. Small datagrams
are sent by a program in C where there is a compiler, else by Python, beside which the kernel's part is less.

Medians of many short rounds, so that the figures of a pair are of nearly the same moment, and each way comes as often
before as behind each other one; a ratio over 1 is better than the peer. Rates suffer from whatever else the machine
does, and need it idle; the median round trip and the cost to the sender hardly do.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from fleet.child import cpu_s
from naming.cores import LOAD, PINNED, on
from naming.cores import SERVER as SERVER_CORE
from plane.namespaces import SERVER, SERVER_OF_BARE, TOOLS, Machines, inside, machines, why_not
from plane.node import PORTS, Node, node
from rows.figures import alone, beside, note, skip
from rows.parts import Parts
from rows.results import Goal, ratio
from rows.tools import ALL, lacking

from cloudhub_stub.testing.errors import ProgramFailed

HERE = Path(__file__).parent / "plane"
INSIDE = "--inside"


class Part(NamedTuple):
    """What a client does, and to whom."""

    server: str
    unit: str
    scale: float
    """From what the client counts to the unit."""
    goal: Goal | None
    of_one: str = ""
    """What the client says of one datagram."""


PARTS = {
    "stream": Part("drain", "MB/s", 1e-6, ratio(0.95)),
    "ask": Part("echo", "answers/s", 1.0, ratio(0.95), "median round trip"),
    "blast": Part("sink", "packets/s", 1.0, None, "cost of one to its sender"),
    "connect": Part("greet", "conn/s", 1.0, None),
}
SMALL = ("echo", "ask", "sink", "blast")
"""What the program in C can do."""


DIRECT, PAST, KERNEL, PROXY = "direct", "past it", "kernel plane", "proxy plane"
"""The ways; ``past it`` is from the node's machine to the server's own address."""


class Way(NamedTuple):
    """A way to the server: where the client is (what comes before its command), and which address it uses."""

    name: str
    enter: list[str]
    host: str


def ways(others: Machines, ours: Node) -> list[Way]:
    """Return all ways, that without any rule first."""
    return [
        Way(DIRECT, others.bare, SERVER_OF_BARE),
        Way(PAST, [], SERVER),
        Way(KERNEL, [], ours.fake_ips["kernel"]),
        Way(PROXY, [], ours.fake_ips["proxied"]),
    ]


def program(directory: Path) -> list[str]:
    """Return the command for small datagrams: a program made here, or Python."""
    compiler = shutil.which("cc")
    made = directory / "udp"
    if compiler is None:
        return [sys.executable, str(HERE / "load.py")]
    subprocess.run([compiler, "-O2", "-o", str(made), str(HERE / "udp.c")], check=True)
    return [str(made)]


@contextmanager
def serving(others: Machines, small: list[str]) -> Iterator[None]:
    """Run what serves on the other machine."""
    with ExitStack() as stack:
        for what, (port, _) in PORTS.items():
            command = small if what in SMALL else [sys.executable, str(HERE / "load.py")]
            started = subprocess.Popen(
                [*on(SERVER_CORE), *others.server, *command, what, "0.0.0.0", str(port)], stdout=subprocess.PIPE
            )
            stack.enter_context(started)
            stack.callback(started.kill)
            assert started.stdout is not None
            if started.stdout.readline() != b"ready\n":
                raise SystemExit(f"cannot serve {what} at port {port}")
        yield


class Figures:
    """What comes of one part on one way, round by round."""

    def __init__(self) -> None:
        self.rates: list[float] = []
        self.of_one_us: list[float] = []


def measured(way: Way, work: str, small: list[str], seconds: float) -> tuple[float, float]:
    """Have one client work; return how much it did in a second, and the microseconds of one datagram.

    Raises ``SystemExit`` if that is nothing.
    """
    command = small if work in SMALL else [sys.executable, str(HERE / "load.py")]
    port, _ = PORTS[PARTS[work].server]
    done = subprocess.run(
        [*on(LOAD), *way.enter, *command, work, way.host, str(port), str(seconds)],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    count, took, of_one_us = (done.stdout.split() or ["0"] * 3)[:3]
    if done.returncode or not int(count):
        raise SystemExit(f"cannot measure {work}, {way.name}: nothing came of it")
    return int(count) / float(took) * PARTS[work].scale, float(of_one_us)


def compare(work: str, all_ways: list[Way], small: list[str], ours: Node, *, rounds: int, seconds: float) -> None:
    """Measure one part on all ways, each round beginning with another, and tell it."""
    found = {way.name: Figures() for way in all_ways}
    used_s = 0.0
    for way in all_ways:
        measured(way, work, small, min(seconds, 0.3))
    for number in range(rounds):
        turn, turns = number % len(all_ways), number // len(all_ways)
        for way in (all_ways[turn:] + all_ways[:turn])[:: -1 if turns % 2 else 1]:
            before_s = cpu_s(ours.pid)
            rate, of_one_us = measured(way, work, small, seconds)
            found[way.name].rates.append(rate)
            found[way.name].of_one_us.append(of_one_us)
            used_s += cpu_s(ours.pid) - before_s if way.name == KERNEL else 0.0
    for name in (KERNEL, PAST, PROXY):
        show(work, name, found, DIRECT)
    show(work, KERNEL, found, PAST)
    percent = [100 * used_s / rounds / seconds]
    alone(f"{work}, {KERNEL}", percent, "% of a processor", measure="processor time of the node", less=True)


def show(work: str, name: str, found: dict[str, Figures], peer: str) -> None:
    """Tell what one way does beside another."""
    part, ours, peers = PARTS[work], found[name], found[peer]
    goal = part.goal if (name, peer) == (KERNEL, DIRECT) else None
    case = f"{work}, {name}, beside {peer}"
    beside(case, ours.rates, peers.rates, part.unit, peer=peer, goal=goal)
    if part.of_one:
        beside(case, ours.of_one_us, peers.of_one_us, "us", peer=peer, measure=part.of_one, goal=goal, less=True)


def main(arguments: argparse.Namespace) -> None:
    """Measure the parts that were asked for."""
    rounds, seconds = (1, 0.5) if arguments.quick else (arguments.rounds, arguments.seconds)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="edgecore-plane-")))
        others = stack.enter_context(machines())
        small = program(directory)
        stack.enter_context(serving(others, small))
        ours = stack.enter_context(node())
        if set(ours.planes["kernel"]) != {"kernel"}:
            skip(ALL, f"the kernel does not serve all ports of the service: {ours.planes['kernel']}")
            return
        by = "a program in C" if len(small) == 1 else "Python (no cc here: what the kernel does shows less)"
        note(f"a processor for the client, one for server and node: {'yes' if PINNED else 'no'} (of {os.cpu_count()})")
        note(f"small datagrams by {by}; medians of {rounds} x {seconds:g} s; {DIRECT}: from a machine without rules")
        parts = Parts.of(arguments.only, tuple(PARTS), quick=arguments.quick)
        for work in PARTS:
            if work in parts:
                with parts.one(work):
                    compare(work, ways(others, ours), small, ours, rounds=rounds, seconds=seconds)
        parts.end()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=24, help="of each part (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=0.25, help="of each figure (default %(default)s)")
    parser.add_argument("--only", nargs="+", choices=PARTS, help="these parts")
    parser.add_argument("--quick", action="store_true", help="once, half a second each")
    parser.add_argument(INSIDE, action="store_true", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.inside:
        try:
            main(chosen)
        except ProgramFailed as failure:
            sys.exit(f"cannot measure: {failure}")
    elif lacking(TOOLS):
        pass
    elif reason := why_not():
        skip(ALL, f"no network namespace can be made: {reason}", "run it as root, or allow user namespaces")
    else:
        sys.exit(inside([*sys.argv, INSIDE]))
