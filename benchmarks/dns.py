"""EdgeMesh's DNS beside dnsmasq: dnsperf's questions to a whole node of ours, as it ships, and to dnsmasq.

* names: 1,000 services, A, without EDNS and with it, one process each. Goal: as many answers a second as dnsmasq;
  below 0.8 of it is not acceptable. The time that 99 of 100 take at a pace that both keep: goal twice the peer's.
* outside: 1,000 names of another zone, answered from the cache. Goal 0.8 of dnsmasq.
* workers: the first part with ``workers: 2``. Goal 1.2 of dnsmasq, which is one process.
* updates: the first part while 100 services a second are being updated, from the cloud to the names. Goal: not less
  than 0.8 of the rate before, and no wrong answer.
* size: 10,000 services (``--many``) beside 100. Goal: the rate within 10 %. The memory is that of the whole node.

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
from rows.figures import alone, beside, note
from rows.parts import Parts
from rows.results import Goal, ratio
from rows.tools import lacking

PARTS = ("names", "outside", "workers", "updates", "size")
COUNT = 1000
PACE = 20_000
UPDATES_A_SECOND, UPDATED_AT_ONCE = 100, 10
TOOLS = {"dnsperf": "dnsperf", "dnsmasq": "dnsmasq-base", "taskset": "util-linux"}


class Bench:
    """The questions, and how long they are asked."""

    def __init__(self, place: Path, origin: int, rounds: int, seconds: float, *, many: int) -> None:
        self.origin = origin
        self.many = many
        self.rounds = rounds
        self.seconds = seconds
        self.inside = self._file(place / "inside", "svc-{}.default.svc.cluster.local", COUNT)
        self.first_100 = self._file(place / "first", "svc-{}.default.svc.cluster.local", 100)
        self.all_of_many = self._file(place / "all", "svc-{}.default.svc.cluster.local", many)
        self.beyond = self._file(place / "beyond", "n{}.outside.example", COUNT)

    def in_turn(self, *measures: Callable[[], float]) -> list[list[float]]:
        """Return what each of ``measures`` gives, round by round."""
        rounds = [[measure() for measure in measures] for _ in range(self.rounds)]
        return [list(column) for column in zip(*rounds, strict=True)]

    def _file(self, path: Path, name: str, count: int) -> Path:
        step = 7919  # a prime: neighbours are asked for far apart
        path.write_text("".join(f"{name.format(number * step % count)} A\n" for number in range(count)))
        return path


def names(bench: Bench, parts: Parts) -> None:
    """Measure a node of one process beside dnsmasq."""
    with ExitStack() as stack:
        ours = stack.enter_context(node(COUNT, bench.origin))
        peer = stack.enter_context(dnsmasq(ours.addresses(), bench.origin)) if shutil.which("dnsmasq") else None
        places = [ours.place] if peer is None else [ours.place, peer]
        if "names" in parts:
            with parts.one("names"):
                for edns, what in ((False, "names"), (True, "names, EDNS")):
                    measure(bench, what, ours.place, peer, bench.inside, edns=edns, goal=ratio(1, acceptable=0.8))
                times = bench.in_turn(*(paced(bench, place.port) for place in places))
                show(f"names, EDNS, {PACE:,} a second", times, "ms, 99 of 100 below", goal=ratio(0.5), less=True)
        if "outside" in parts:
            with parts.one("outside"):
                for place in places:  # into the caches
                    load(place.port, bench.beyond, 2.0)
                for edns, what in ((False, "outside, cached"), (True, "outside, cached, EDNS")):
                    measure(bench, what, ours.place, peer, bench.beyond, edns=edns, goal=ratio(0.8))
        if "updates" in parts:
            with parts.one("updates"):
                updates(bench, ours)


def workers(bench: Bench) -> None:
    """Measure a node of two processes beside dnsmasq."""
    with ExitStack() as stack:
        ours = stack.enter_context(node(COUNT, bench.origin, workers=2))
        peer = stack.enter_context(dnsmasq(ours.addresses(), bench.origin)) if shutil.which("dnsmasq") else None
        for edns, what in ((False, "names, 2 workers"), (True, "names, 2 workers, EDNS")):
            measure(bench, what, ours.place, peer, bench.inside, edns=edns, goal=ratio(1.2))


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
    beside("names, while updated", of_busy.rates, of_quiet.rates, "answers/s", peer="ours, quiet", goal=ratio(0.8))
    note(f"{updated:,} services updated, {pace:,.0f} a second; {checked:,} answers checked, {len(wrong)} wrong")
    if wrong:
        raise SystemExit(f"wrong answers after {time.perf_counter() - began:.0f} s: {wrong[:3]}")


def size(bench: Bench) -> None:
    """Measure a node of many services beside one of 100, both running."""
    with node(100, bench.origin) as small, node(bench.many, bench.origin, subnet="127.215.0.0/16") as large:
        of_large = Figures(lambda: load(large.port, bench.all_of_many, bench.seconds), large.place)
        of_small = Figures(lambda: load(small.port, bench.first_100, bench.seconds), small.place)
        bench.in_turn(of_large, of_small)
        case, peer = f"names, {bench.many:,} services", "ours, 100"
        beside(case, of_large.rates, of_small.rates, "answers/s", peer=peer, goal=ratio(0.9))
        beside(case, of_large.costs, of_small.costs, "us", peer=peer, measure="processor time of one", less=True)
        sizes = large.rss_bytes / 2**20, small.rss_bytes / 2**20
        beside(case, [sizes[0]], [sizes[1]], "MiB", peer=peer, measure="memory of the node", less=True)


def measure(
    bench: Bench, what: str, ours: Place, peer: Place | None, questions: Path, *, edns: bool, goal: Goal
) -> None:
    """Tell the answers a second of both, and what an answer costs, which other programs of the machine hardly move."""
    places = [ours] if peer is None else [ours, peer]

    def asked(place: Place) -> Callable[[], Load]:
        return lambda: load(place.port, questions, bench.seconds, edns=edns, free=place.has_workers)

    figures = [Figures(asked(place), place) for place in places]
    bench.in_turn(*figures)
    show(what, [each.rates for each in figures], "answers/s", goal=goal)
    show(what, [each.costs for each in figures], "us", measure="processor time of one", less=True)


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


def show(
    case: str,
    figures: list[list[float]],
    unit: str,
    *,
    measure: str = "",
    goal: Goal | None = None,
    less: bool = False,
) -> None:
    """Tell figures of ours, beside the peer's if there is one."""
    if len(figures) == 2:
        beside(case, figures[0], figures[1], unit, peer="dnsmasq", measure=measure, goal=goal, less=less)
    else:
        alone(case, figures[0], unit, measure=measure, goal=goal, less=less)


def main(arguments: argparse.Namespace) -> None:
    """Measure the parts that were asked for."""
    if lacking(TOOLS, {"dnsmasq": "dnsmasq, beside ours"}) - {"dnsmasq"}:
        return
    rounds, seconds = (1, 1.0) if arguments.quick else (arguments.rounds, arguments.seconds)
    parts = Parts.of(arguments.only, PARTS, quick=arguments.quick, slow=("workers", "size"))
    note(f"a processor each for server and dnsperf: {'yes' if PINNED else 'no'}; medians of {rounds} x {seconds:g} s")
    note("dnsmasq with " + " ".join(line for line in CONFIG.read_text().splitlines() if not line.startswith("#")))
    with tempfile.TemporaryDirectory() as place, outside() as origin:
        bench = Bench(Path(place), origin, rounds, seconds, many=1000 if arguments.quick else arguments.many)
        if parts.any_of("names", "outside", "updates"):
            with parts.one("one node"):
                names(bench, parts)
        parts.run({"workers": lambda: workers(bench), "size": lambda: size(bench)})
        parts.end()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="of each part (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each figure (default %(default)s)")
    parser.add_argument("--many", type=int, default=10_000, help="services of the part size (default %(default)s)")
    parser.add_argument("--only", nargs="+", choices=PARTS, help="these parts")
    parser.add_argument("--quick", action="store_true", help="once, a second each")
    main(parser.parse_args())
