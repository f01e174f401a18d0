"""MQTT messages through mosquitto: a whole node, as it ships, and EventBus alone, beside paho alone at its best.

* in: twin messages of a device that ask for nothing, until DeviceTwin has looked at each. The peer counts them.
* in and out: `twin/get`, each answered with the twins of the device. The peer publishes what came.
* module in, module out: EventBus alone on a bus: until the messages lie in DeviceTwin's mailbox; until `mosquitto_sub`
  has what was put on the bus. The peer counts; publishes from its own thread.
* memory: what a whole node grows by over 100,000 `twin/get` and as many answers, after a flood, at a pace that it
  keeps: where it does not, bounded queues fill, and the allocator keeps some MiB of where they lay.
* brokers: the embedded broker beside mosquitto, from `mosquitto_pub` to `mosquitto_sub`, without a node. Left out where
  no Python with amqtt is found (`make broker`, or `EDGECORE_BROKER_PYTHON`).

All with QoS 0 and QoS 1. Goals: 5,000 a second with QoS 0, 1,500 with QoS 1, both ways. The peer is one thread of one
process with nothing between callback and work; `mosquitto_pub` and `mosquitto_sub` are the other side. Medians of some
rounds, ours and the peer in turn; a ratio over 1 is better than the peer.
"""

import argparse
import asyncio
import os
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import structlog
import uvloop
from fleet.child import Child
from messages.clients import Publisher, counter
from messages.module import handed_out, taken_in
from messages.places import CONFIG, MOSQUITTO, Broker, Cost, Node, embedded, mosquitto, node, topic, until
from rows.figures import alone, beside, note, skip
from rows.parts import Parts
from rows.results import at_least, at_most
from rows.tools import lacking

PARTS = ("in", "in-and-out", "module", "brokers", "memory")
GOALS = {0: 5000, 1: 1500}
PACE, WARM = 8000, 50_000
NOTHING = '{"event_id":"","timestamp":0,"twin":{}}'
GET = '{"event_id":"123e4567-e89b-12d3-a456-426655440000","timestamp":1587979700000}'
UPDATE = '{"event_id":"u1","timestamp":0,"twin":{"temperature":{"actual":{"value":"21.5"}}}}'
UPDATES, RESULTS = topic(0, "twin/update"), topic(0, "twin/update/result")


class Bench:
    """A broker, how much, how often."""

    def __init__(self, broker: Broker, below: Path, rounds: int, count: int) -> None:
        self.broker = broker
        self.below = below
        self._rounds = rounds
        self._count = count

    def compare(self, what: str, qos: int, ours: "Measure", other: "Measure", *, peer: str = "paho") -> None:
        """Tell messages a second of both, and what one costs them, where that is looked at."""
        count = self._count if qos == 0 else self._count // 3
        rates = [(count / ours(qos, count), count / other(qos, count)) for _ in range(self._rounds)]
        case, goal = f"{what}, QoS {qos}", at_least(GOALS[qos]) if peer == "paho" else None
        mine, theirs = ([each[side] for each in rates] for side in (0, 1))
        beside(case, mine, theirs, "messages/s", peer=peer, goal=goal)
        if ours.costs:
            beside(case, ours.costs, other.costs, "us", peer=peer, measure="processor time of one", less=True)


class Measure:
    """The seconds for so many messages, and what they cost."""

    def __init__(self, bench: Bench) -> None:
        self.broker = bench.broker
        self.costs: list[float] = []

    def __call__(self, qos: int, number: int) -> float:
        """Return the seconds."""
        raise NotImplementedError


class NodeIn(Measure):
    """A whole node takes in."""

    def __init__(self, bench: Bench, ours: Node) -> None:
        super().__init__(bench)
        self._node = ours

    def __call__(self, qos: int, number: int) -> float:
        """Return the seconds from the start of the publisher until DeviceTwin has looked at the last."""
        asked = self._node.asked("twin_cloud_updated") + number
        publisher = Publisher(self.broker, topic(0, "twin/cloud_updated"), NOTHING, number=number, qos=qos)
        cost = Cost(self._node.pid)
        began = time.perf_counter()
        publisher.start()
        until(lambda: self._node.asked("twin_cloud_updated") == asked, f"{number} messages taken in")
        took = time.perf_counter() - began
        self.costs.append(cost.us(number))
        publisher.end()
        return took


class PahoIn(Measure):
    """paho takes in."""

    def __call__(self, qos: int, number: int) -> float:
        """Return the seconds from the start of the publisher to the last callback."""
        with ExitStack() as stack:
            peer = Child(stack, "-m", "messages.peer", "in", str(self.broker.port), "peer/in", str(number))
            peer.line()
            publisher = Publisher(self.broker, "peer/in", NOTHING, number=number, qos=qos)
            cost = Cost(peer.process.pid)
            began = time.perf_counter()
            publisher.start()
            took = float(peer.line()) - began
            self.costs.append(cost.us(number))
            publisher.end()
            return took


class Echoed(Measure):
    """Each message is answered."""

    asked: str
    answered: str
    name: str

    pace = 0

    def answer(self, qos: int, number: int, pid: int) -> float:
        """Return the seconds from the start of the publisher to the last answer."""
        with counter(self.broker, self.answered, number, qos) as counting:
            publisher = Publisher(self.broker, self.asked, GET, number=number, qos=qos, pace=self.pace)
            cost = Cost(pid)
            began = time.perf_counter()
            publisher.start()
            took = counting.end() - began
            self.costs.append(cost.us(number))
            publisher.end()
            return took


class NodeEchoes(Echoed):
    """By a whole node."""

    asked, answered, name = topic(0, "twin/get"), topic(0, "twin/get/result"), "node"

    def __init__(self, bench: Bench, ours: Node) -> None:
        super().__init__(bench)
        self._node = ours

    def __call__(self, qos: int, number: int) -> float:
        """See ``answer``."""
        return self.answer(qos, number, self._node.pid)


class PahoEchoes(Echoed):
    """By paho."""

    asked, answered, name = "peer/get", "peer/get/result", "paho"

    def __call__(self, qos: int, number: int) -> float:
        """See ``answer``."""
        with ExitStack() as stack:
            how = ["echo", str(self.broker.port), self.asked, self.answered, str(qos)]
            peer = Child(stack, "-m", "messages.peer", *how)
            peer.line()
            return self.answer(qos, number, peer.process.pid)


class ModuleIn(Measure):
    """EventBus alone takes in."""

    def __init__(self, bench: Bench) -> None:
        super().__init__(bench)
        self.below = bench.below

    def __call__(self, qos: int, number: int) -> float:
        """Return the seconds from the start of the publisher until the last lies in the mailbox."""
        publisher = Publisher(self.broker, UPDATES, UPDATE, number=number, qos=qos)
        with tempfile.TemporaryDirectory(dir=self.below) as directory:
            file = Path(directory) / "edgecore.db"
            took = uvloop.run(taken_in(self.broker, qos, file, number, publisher.start))
        publisher.end()
        return took


class ModuleOut(ModuleIn):
    """EventBus alone hands out."""

    def __call__(self, qos: int, number: int) -> float:
        """Return the seconds from the first message on the bus until the other side has the last."""
        with (
            tempfile.TemporaryDirectory(dir=self.below) as directory,
            counter(self.broker, RESULTS, number, qos) as counting,
        ):

            async def end() -> None:
                await asyncio.to_thread(counting.end)

            file = Path(directory) / "edgecore.db"
            return uvloop.run(
                handed_out(self.broker, qos, file, message=(RESULTS, UPDATE.encode()), number=number, end=end)
            )


class PahoOut(Measure):
    """paho hands out."""

    def __call__(self, qos: int, number: int) -> float:
        """Return the seconds from the first message until the other side has the last."""
        with ExitStack() as stack, counter(self.broker, "peer/out", number, qos) as counting:
            how = ["out", str(self.broker.port), "peer/out", str(number), str(qos)]
            peer = Child(stack, "-m", "messages.peer", *how)
            peer.line()
            assert peer.process.stdin is not None
            began = time.perf_counter()
            peer.process.stdin.write("\n")
            peer.process.stdin.flush()
            took = counting.end() - began
            peer.tell("end")
            return took


class Forwarded(Measure):
    """A broker hands on what it gets."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.costs: list[float] = []

    def __call__(self, qos: int, number: int) -> float:
        """Return the seconds from the start of the publisher until the subscriber has the last."""
        with counter(self.broker, RESULTS, number, qos) as counting:
            publisher = Publisher(self.broker, RESULTS, UPDATE, number=number, qos=qos)
            cost = Cost(self.broker.pid)
            began = time.perf_counter()
            publisher.start()
            took = counting.end() - began
            self.costs.append(cost.us(number))
            publisher.end()
            return took


def brokers(bench: Bench) -> None:
    """Measure the embedded broker beside mosquitto."""
    with embedded() as ours:
        if ours is None:
            skip("the embedded broker, beside mosquitto", "no Python with amqtt is found", "make broker")
            return
        for qos in (0, 1):
            bench.compare("embedded broker", qos, Forwarded(ours), Forwarded(bench.broker), peer="mosquitto")


def module(bench: Bench) -> None:
    """Measure EventBus alone."""
    for qos in (0, 1):
        bench.compare("module in", qos, ModuleIn(bench), PahoIn(bench))
        bench.compare("module out", qos, ModuleOut(bench), PahoOut(bench))


def whole(bench: Bench, parts: Parts, qos: int) -> None:
    """Measure a whole node."""
    with node(bench.below, bench.broker, qos=qos) as ours:
        NodeEchoes(bench, ours)(qos, 500)  # it is warm
        if "in" in parts:
            bench.compare("in", qos, NodeIn(bench, ours), PahoIn(bench))
        if "in-and-out" in parts:
            bench.compare("in and out", qos, NodeEchoes(bench, ours), PahoEchoes(bench))


def memory(bench: Bench, number: int) -> None:
    """Measure by what a whole node grows."""
    with node(bench.below, bench.broker, qos=0) as ours:
        echoes = NodeEchoes(bench, ours)
        echoes(0, WARM)  # a flood: what waits has its room by then
        echoes.pace = PACE
        echoes(0, 2000)
        before = ours.rss_bytes
        echoes(0, number)
        grown = (ours.rss_bytes - before) / 2**20
        alone(f"memory, {number:,} at {PACE:,} a second", [grown], "MiB more", goal=at_most(1), less=True)
        cost = echoes.costs[-1]
        alone(f"memory, {number:,} at {PACE:,} a second", [cost], "us", measure="processor time of one", less=True)


def main(arguments: argparse.Namespace) -> None:
    """Measure the parts that were asked for."""
    rounds, count = (1, 3000) if arguments.quick else (arguments.rounds, arguments.messages)
    parts = Parts.of(arguments.only, PARTS, quick=arguments.quick, slow=("memory",))
    settings = " ".join(CONFIG.read_text().partition("\n")[2].split("\n"))
    if lacking(MOSQUITTO):
        return
    note(f"{count:,} messages a round, a third with QoS 1; {os.cpu_count()} cores; medians of {rounds}")
    note(f"mosquitto: {settings}")
    with mosquitto() as broker:
        bench = Bench(broker, arguments.dir, rounds, count)
        if parts.any_of("in", "in-and-out"):
            for qos in (0, 1):
                with parts.one(f"a whole node, QoS {qos}"):
                    whole(bench, parts, qos)
        parts.run(
            {
                "module": lambda: module(bench),
                "brokers": lambda: brokers(bench),
                "memory": lambda: memory(bench, 5000 if arguments.quick else arguments.memory),
            }
        )
        parts.end()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", type=Path, default=Path("/var/tmp"), help="for files (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="of each part (default %(default)s)")
    parser.add_argument("--messages", type=int, default=10_000, help="of a round (default %(default)s)")
    parser.add_argument("--memory", type=int, default=100_000, help="messages of that part (default %(default)s)")
    parser.add_argument("--only", nargs="+", choices=PARTS, help="these parts")
    parser.add_argument("--quick", action="store_true", help="once, with small counts")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    main(given)
