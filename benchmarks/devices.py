"""Twin updates of devices through a whole node, as it ships, beside the least that could be done in its place.

A program of devices publishes twin updates over mosquitto with QoS 1 and awaits the answer to each. Each changes a
value, so each makes a row, a result, a document, a delta and a report to the cloud, which is connected and takes it.
The peer is at its best: paho, one thread, one `sqlite3` commit an update, an answer; no document, no delta, no cloud.

* updates: many on their way. Goal 500 a second. Then the rows are compared with what was said last.
* one at a time: the time from an update to its answer, when nothing else is going on.
* at 500 a second: the same time at that pace: median, and what 99 of 100 keep below.
* memory: what the node grows by over many updates, after as many.

Medians of some rounds, ours and the peer in turn; a ratio over 1 is better than the peer. The files lie below
``--dir``, which must be on a real disk.
"""

import argparse
import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from fleet.child import Child
from messages.places import CONFIG, MOSQUITTO, Broker, Cost, Node, mosquitto, node
from rows.figures import alone, beside, note
from rows.parts import Parts
from rows.results import at_least, at_most
from rows.tools import lacking

from edgecore.store.databasefile import peek

PARTS = ("updates", "alone", "pace", "memory")
OURS, PEERS = "$hw/events", "peer"
PEER = "paho, sqlite3"
PACE = 500


class Sides:
    """Both sides, each with a program of devices of its own."""

    def __init__(self, stack: ExitStack, broker: Broker, below: Path, devices: int) -> None:
        self.node: Node = stack.enter_context(node(below, broker, devices=devices))
        file = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=below, prefix="edgecore-bench-"))) / "peer.db"
        self.peer = Child(stack, "-m", "messages.peer", "store", str(broker.port), PEERS, str(file))
        self.peer.line()
        self._broker = broker
        self._programs = {
            prefix: Child(stack, "-m", "messages.device", str(broker.port), prefix, str(devices))
            for prefix in (OURS, PEERS)
        }
        for program in self._programs.values():
            program.line()
        self.last: dict[str, int] = {}

    def tell(self, prefix: str, how: str, number: float, total: int) -> dict[str, Any]:
        """Have updates made; return the figures."""
        pid = self.node.pid if prefix == OURS else self.peer.process.pid
        cost = Cost(pid)
        told: dict[str, Any] = self._programs[prefix].tell(how, number, total)
        told["cost_us"] = cost.us(total)
        if prefix == OURS:
            self.last = told["last"]
        return told

    def in_turn(self, rounds: int, how: str, number: float, total: int) -> tuple[list[Any], list[Any]]:
        """Return the figures of both, round by round."""
        both = [(self.tell(OURS, how, number, total), self.tell(PEERS, how, number, total)) for _ in range(rounds)]
        return [ours for ours, _ in both], [peers for _, peers in both]

    def check(self) -> None:
        """Compare the rows with what was said last."""
        rows = dict(peek(self.node.edge.directory / "edgecore.db", "SELECT deviceid, actual FROM device_twin"))
        said = {f"device-{number}": str(value) for number, value in self.last.items()}
        if {device: rows.get(device) for device in said} != said:
            raise SystemExit(f"the rows are not what was said last: {rows}, {said}")


def updates(sides: Sides, rounds: int, flight: int, count: int) -> None:
    """Measure many updates on their way, and look whether the rows are right."""
    ours, peers = sides.in_turn(rounds, "flight", flight, count)
    mine, theirs = ([each["rate"] for each in side] for side in (ours, peers))
    what = f"updates, {flight} on their way"
    beside(what, mine, theirs, "answers/s", peer=PEER, goal=at_least(PACE))
    cost(what, ours, peers)
    sides.check()


def times(what: str, sides: Sides, rounds: int, *, how: tuple[str, float], total: int) -> None:
    """Tell how long answers take."""
    ours, peers = sides.in_turn(rounds, *how, total)
    for figure, measure in (("median_ms", ""), ("p99_ms", "99 of 100 below")):
        mine, theirs = [each[figure] for each in ours], [each[figure] for each in peers]
        beside(what, mine, theirs, "ms", peer=PEER, measure=measure, less=True)
    cost(what, ours, peers)


def cost(what: str, ours: list[Any], peers: list[Any]) -> None:
    """Tell what an update cost."""
    mine, theirs = [each["cost_us"] for each in ours], [each["cost_us"] for each in peers]
    beside(what, mine, theirs, "us", peer=PEER, measure="processor time of one", less=True)


def memory(sides: Sides, total: int) -> None:
    """Measure by what the node grows."""
    grown = []
    for _ in range(2):
        before = sides.node.rss_bytes
        sides.tell(OURS, "flight", 100, total)
        grown.append((sides.node.rss_bytes - before) / 2**20)
    alone("memory", [grown[1]], f"MiB more, by {total:,} updates", goal=at_most(1), less=True)
    alone("memory", [grown[0]], "MiB more", measure=f"by the {total:,} before", less=True)
    sides.check()


def main(arguments: argparse.Namespace) -> None:
    """Measure the parts that were asked for."""
    rounds, count = (1, 1000) if arguments.quick else (arguments.rounds, arguments.count)
    settings = " ".join(CONFIG.read_text().partition("\n")[2].split("\n"))
    if lacking(MOSQUITTO):
        return
    note(f"{arguments.devices} devices; {os.cpu_count()} cores; medians of {rounds}; files below {arguments.dir}")
    note(f"mosquitto: {settings}")
    parts = Parts.of(arguments.only, PARTS, quick=arguments.quick)
    with ExitStack() as stack, mosquitto() as broker:
        sides = Sides(stack, broker, arguments.dir, arguments.devices)
        sides.in_turn(1, "flight", 10, 500)  # both are warm
        parts.run(
            {
                "updates": lambda: updates(sides, rounds, arguments.flight, count),
                "alone": lambda: times("one at a time", sides, rounds, how=("flight", 1), total=count // 10),
                "pace": lambda: times(f"{PACE} a second", sides, rounds, how=("pace", PACE), total=count // 4),
                "memory": lambda: memory(sides, 1000 if arguments.quick else arguments.memory),
            }
        )
        parts.end()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", type=Path, default=Path("/var/tmp"), help="on a real disk (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="of each part (default %(default)s)")
    parser.add_argument("--count", type=int, default=5000, help="updates of a round (default %(default)s)")
    parser.add_argument("--devices", type=int, default=20, help="(default %(default)s)")
    parser.add_argument("--flight", type=int, default=50, help="updates on their way at a time (default %(default)s)")
    parser.add_argument("--memory", type=int, default=15_000, help="updates of that part (default %(default)s, twice)")
    parser.add_argument("--only", nargs="+", choices=PARTS, help="these parts")
    parser.add_argument("--quick", action="store_true", help="once, with small counts")
    main(parser.parse_args())
