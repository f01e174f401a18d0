"""EdgeMesh's DNS beside dnsmasq: dnsperf's questions to a whole node of ours, as it ships, and to dnsmasq.

* names: 1,000 services, A, without EDNS and with it, one process each. Goal: as many answers a second as dnsmasq;
  below 0.8 of it is not acceptable. The time that 99 of 100 take at a pace that both keep: goal twice the peer's.
* outside: 1,000 names of another zone, answered from the cache. Goal 0.8 of dnsmasq.
* workers: the first part with ``workers: 2``. Goal 1.2 of dnsmasq, which is one process.
* updates: the first part while 100 services a second are being updated, from the cloud to the names. Goal: not less
  than 0.8 of the rate before, and no wrong answer.
* size: 10,000 services beside 100. Goal: the rate within 10 %. The memory is that of the whole node.

Medians of some rounds, ours and the peer in turn; a ratio over 1 is better than the peer. The server has one processor
for itself, dnsperf the other; two workers share both with it. On a machine of two processors that bounds that part, as
dnsperf needs more for a question than any of the servers for its answer. The processor time is that of all processes of
a server: what other programs of the machine do hardly moves it.
"""

import argparse
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from naming.cores import PINNED
from naming.load import Load, load
from naming.servers import CONFIG, Node, Place, ask, dnsmasq, manifests, node, outside
from rows.figures import alone, beside

PARTS = ("names", "outside", "workers", "updates", "size")
COUNT = 1000
PACE = 20_000
UPDATES_A_SECOND, UPDATED_AT_ONCE = 100, 10
TOOLS = {"dnsperf": "dnsperf", "dnsmasq": "dnsmasq-base", "taskset": "util-linux"}


class Bench:
    """The questions, and how long they are asked."""

    def __init__(self, place: Path, origin: int, rounds: int, seconds: float) -> None:
        self.origin = origin
        self.rounds = rounds
        self.seconds = seconds
        self.inside = self._file(place / "inside", "svc-{}.default.svc.cluster.local", COUNT)
        self.first_100 = self._file(place / "first", "svc-{}.default.svc.cluster.local", 100)
        self.all_10_000 = self._file(place / "all", "svc-{}.default.svc.cluster.local", 10_000)
        self.beyond = self._file(place / "beyond", "n{}.outside.example", COUNT)

    def in_turn(self, *measures: Callable[[], float]) -> list[list[float]]:
        """Return what each of ``measures`` gives, round by round."""
        rounds = [[measure() for measure in measures] for _ in range(self.rounds)]
        return [list(column) for column in zip(*rounds, strict=True)]

    def _file(self, path: Path, name: str, count: int) -> Path:
        step = 7919  # a prime: neighbours are asked for far apart
        path.write_text("".join(f"{name.format(number * step % count)} A\n" for number in range(count)))
        return path


def names(bench: Bench, parts: set[str]) -> None:
    """Measure a node of one process beside dnsmasq."""
    with ExitStack() as stack:
        ours = stack.enter_context(node(COUNT, bench.origin))
        peer = stack.enter_context(dnsmasq(ours.addresses(), bench.origin)) if shutil.which("dnsmasq") else None
        places = [ours.place] if peer is None else [ours.place, peer]
        if "names" in parts:
            for edns, what in ((False, "names"), (True, "names, EDNS")):
                measure(bench, what, ours.place, peer, bench.inside, edns=edns, goal="goal 1, at least 0.8")
            times = bench.in_turn(*(paced(bench, place.port) for place in places))
            show(f"p99 at {PACE:,}/s", times, "ms", goal="goal 0.5", less=True)
        if "outside" in parts:
            for place in places:  # into the caches
                load(place.port, bench.beyond, 2.0)
            for edns, what in ((False, "outside, cached"), (True, "outside, cached, EDNS")):
                measure(bench, what, ours.place, peer, bench.beyond, edns=edns, goal="goal 0.8")
        if "updates" in parts:
            updates(bench, ours)


def workers(bench: Bench) -> None:
    """Measure a node of two processes beside dnsmasq."""
    with ExitStack() as stack:
        ours = stack.enter_context(node(COUNT, bench.origin, workers=2))
        peer = stack.enter_context(dnsmasq(ours.addresses(), bench.origin)) if shutil.which("dnsmasq") else None
        for edns, what in ((False, "names, 2 workers"), (True, "names, 2 workers, EDNS")):
            measure(bench, what, ours.place, peer, bench.inside, edns=edns, goal="goal 1.2")


def updates(bench: Bench, ours: Node) -> None:
    """Measure with and without updates, in turn, and check answers all the while."""
    expected = ours.addresses()
    wrong: list[str] = []
    checked = 0
    updated = 0
    ended = threading.Event()

    def check() -> None:
        nonlocal checked
        while not ended.is_set():
            for name, address in expected.items():
                found = ask(ours.port, name)
                checked += 1
                if found is not None and found != address:
                    wrong.append(f"{name} is at {address}, answered {found}")
                time.sleep(0.002)
                if ended.is_set():
                    return

    def update(version: int, until: threading.Event) -> None:
        nonlocal updated
        due = time.perf_counter()
        while not until.is_set():
            begin = updated % COUNT
            ours.cloud.apply(manifests(range(begin, begin + UPDATED_AT_ONCE), version + updated // COUNT))
            updated += UPDATED_AT_ONCE
            due += UPDATED_AT_ONCE / UPDATES_A_SECOND
            time.sleep(max(0.0, due - time.perf_counter()))

    def busy() -> Load:
        enough = threading.Event()
        updater = threading.Thread(target=update, args=(1, enough))
        updater.start()
        try:
            return load(ours.port, bench.inside, bench.seconds)
        finally:
            enough.set()
            updater.join()

    of_busy = Figures(busy, ours.place)
    of_quiet = Figures(lambda: load(ours.port, bench.inside, bench.seconds), ours.place)
    checker = threading.Thread(target=check)
    checker.start()
    began = time.perf_counter()
    try:
        bench.in_turn(of_quiet, of_busy)
    finally:
        ended.set()
        checker.join()
    pace = updated / (bench.rounds * bench.seconds)
    beside("while updated, beside quiet", of_busy.rates, of_quiet.rates, "answers/s", goal="goal 0.8")
    print(f"  {updated:,} services updated, {pace:,.0f} a second; {checked:,} answers checked, {len(wrong)} wrong")
    if wrong:
        raise SystemExit(f"wrong answers after {time.perf_counter() - began:.0f} s: {wrong[:3]}")


def size(bench: Bench) -> None:
    """Measure a node of 10,000 services beside one of 100, both running."""
    with node(100, bench.origin) as small, node(10_000, bench.origin, subnet="127.215.0.0/16") as large:
        of_large = Figures(lambda: load(large.port, bench.all_10_000, bench.seconds), large.place)
        of_small = Figures(lambda: load(small.port, bench.first_100, bench.seconds), small.place)
        bench.in_turn(of_large, of_small)
        beside("10,000 services, beside 100", of_large.rates, of_small.rates, "answers/s", goal="goal 0.9")
        beside("  processor time of one", of_large.costs, of_small.costs, "us", goal="", less=True)
        sizes = f"{small.rss_bytes / 1e6:,.0f} MB with 100, {large.rss_bytes / 1e6:,.0f} MB with 10,000"
        print(f"  memory of the whole node: {sizes}", flush=True)


def measure(
    bench: Bench, what: str, ours: Place, peer: Place | None, questions: Path, *, edns: bool, goal: str
) -> None:
    """Print the answers a second of both, and what an answer costs, which other programs of the machine hardly move."""
    places = [ours] if peer is None else [ours, peer]
    figures = [
        Figures(
            lambda place=place: load(place.port, questions, bench.seconds, edns=edns, free=place.has_workers), place
        )
        for place in places
    ]
    bench.in_turn(*figures)
    show(what, [each.rates for each in figures], "answers/s", goal=goal)
    show("  processor time of one", [each.costs for each in figures], "us", goal="", less=True)


class Figures:
    """What comes of a load that is put again and again: answers a second, and microseconds of the processor for one."""

    def __init__(self, put: Callable[[], Load], place: Place) -> None:
        self.rates: list[float] = []
        self.costs: list[float] = []
        self._put = put
        self._place = place

    def __call__(self) -> float:
        """Put it once more."""
        before = self._place.cpu_s
        found = self._put()
        self.costs.append((self._place.cpu_s - before) / found.answers * 1e6)
        self.rates.append(found.rate)
        return found.rate


def paced(bench: Bench, port: int) -> Callable[[], float]:
    """Return what measures the time that 99 of 100 answers take."""
    return lambda: load(port, bench.inside, bench.seconds, edns=True, pace=PACE).p99_ms


def show(what: str, figures: list[list[float]], unit: str, *, goal: str, less: bool = False) -> None:
    """Print figures of ours, beside the peer's if there is one."""
    if len(figures) == 2:
        beside(what, figures[0], figures[1], unit, goal=goal, less=less)
    else:
        alone(what, figures[0], unit, goal=goal)


def main(arguments: argparse.Namespace) -> None:
    """Measure the parts that were asked for."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        packages = " ".join(TOOLS[tool] for tool in missing)
        print(f"{', '.join(missing)} missing; on Debian: sudo apt install {packages}")
    if "dnsperf" in missing or "taskset" in missing:
        print("nothing is measured without")
        return
    rounds, seconds = (1, 1.0) if arguments.quick else (arguments.rounds, arguments.seconds)
    parts = set(arguments.only or PARTS)
    print(f"a processor each for server and dnsperf: {'yes' if PINNED else 'no'}; medians of {rounds} x {seconds:g} s")
    print("dnsmasq with " + " ".join(line for line in CONFIG.read_text().splitlines() if not line.startswith("#")))
    with tempfile.TemporaryDirectory() as place, outside() as origin:
        bench = Bench(Path(place), origin, rounds, seconds)
        if parts & {"names", "outside", "updates"}:
            names(bench, parts)
        if "workers" in parts:
            workers(bench)
        if "size" in parts:
            size(bench)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="of each part (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each figure (default %(default)s)")
    parser.add_argument("--only", nargs="+", choices=PARTS, help="these parts")
    parser.add_argument("--quick", action="store_true", help="once, a second each")
    main(parser.parse_args())
