"""EdgeMesh's proxy beside haproxy and nginx: a whole node of ours, as it ships, asked by wrk, with the same backend.

* small: small requests, 32 connections that are kept. Goal: haproxy's requests a second; below 0.75 is not acceptable.
  p99 at most 1.5 times the peer's (a ratio of 0.67). The bare relay beside it is what uvloop and httptools can do.
* different: the same, and no head is like another.
* new: a connection for each request. Goal 0.7 of haproxy.
* large: a body of 1 GiB. Goal 0.8 of haproxy, and the process grows by less than 8 MiB.
* bytes: that body, and the small requests, through a port that is forwarded as bytes. Goal 0.8 of haproxy.
* idle: 10,000 connections that have asked once. Goal: less than 8 KiB for each.
* log: the first part with an access log beside none. Goal 0.9.
* workers: the first part with ``workers: 2`` beside 1. Two workers share both processors with wrk and the backend, so
  the figures of this part are not those of the first.

Medians of some rounds, all in turn; a ratio over 1 is better than the peer. The proxy has one processor for itself; wrk
and the backend, an nginx, have the other, and bound what can be measured: the processor time of one request, of all
processes of a proxy, says what the proxy itself costs.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path

from forwarding.node import node
from forwarding.peers import CONFIGS, HERE, LARGE_BYTES, haproxy, nginx, origin, relay
from forwarding.places import Place
from forwarding.wrk import CONNECTIONS, Load, load
from naming.cores import LOAD, PINNED, on
from rows.figures import alone, beside, note, skip
from rows.parts import Parts
from rows.results import Goal, at_most, ratio
from rows.tools import lacking

from cloudhub_stub.testing.errors import ProgramFailed

PARTS = ("small", "different", "new", "large", "bytes", "idle", "log", "workers")
TOOLS = {"wrk": "wrk", "nginx": "nginx-light", "haproxy": "haproxy", "taskset": "util-linux"}
IDLE = 10_000
_KIB, _MIB = 1024, 1 << 20


class Figures:
    """What comes of a load that is put on one proxy again and again."""

    def __init__(self, place: Place, put: Callable[[Place], Load]) -> None:
        self.place = place
        self.rates: list[float] = []
        self.costs: list[float] = []
        self.p50s: list[float] = []
        self.p99s: list[float] = []
        self._put = put

    def measure(self) -> None:
        """Put it once more."""
        before = self.place.cpu_s
        found = self._put(self.place)
        self.costs.append((self.place.cpu_s - before) / found.answers * 1e6)
        self.rates.append(found.rate)
        self.p50s.append(found.p50_ms)
        self.p99s.append(found.p99_ms)


class Bench:
    """How often and how long is measured, and with which backend."""

    def __init__(self, directory: Path, origin_port: int, rounds: int, seconds: float) -> None:
        self.directory = directory
        self.origin_port = origin_port
        self.rounds = rounds
        self.seconds = seconds

    def figures(self, places: Sequence[Place], put: Callable[[Place, float], Load]) -> list[Figures]:
        """Return what ``put``, given a place and seconds, gives for each, all in turn."""
        found = [Figures(place, lambda place: put(place, self.seconds)) for place in places]
        for place in places:  # pools and caches fill
            put(place, 1.0)
        for _ in range(self.rounds):
            for each in found:
                each.measure()
        return found


def requests(bench: Bench, places: Sequence[Place], part: str, goal: Goal) -> None:
    """Measure small requests, of the kind that ``part`` says."""

    def put(place: Place, seconds: float) -> Load:
        return load(place.url, seconds, different=part == "different", close=part == "new")

    show(part, bench.figures(places, put), goal)


def show(part: str, figures: Sequence[Figures], goal: Goal | None) -> None:
    """Tell what the first proxy does beside each of the others."""
    ours, *peers = figures
    if not peers:
        alone(part, ours.rates, "requests/s")
    for other in peers:
        name = other.place.name
        of_peer = goal if name == "haproxy" else None
        case, p99 = f"{part}, beside {name}", ratio(0.67) if of_peer else None
        beside(case, ours.rates, other.rates, "requests/s", peer=name, goal=of_peer)
        beside(case, ours.costs, other.costs, "us", peer=name, measure="processor time of one", less=True)
        beside(case, ours.p50s, other.p50s, "ms", peer=name, measure="p50", less=True)
        beside(case, ours.p99s, other.p99s, "ms", peer=name, measure="p99", goal=p99, less=True)


def large(bench: Bench, what: str, doors: Sequence[tuple[Place, int]]) -> None:
    """Measure how quickly a large body comes through each port, and how much the process grows by it."""
    figures = [LargeFigures(place, port) for place, port in doors]
    for _ in range(bench.rounds):
        for each in figures:
            each.measure()
    ours, *peers = figures
    for other in peers:
        name = other.place.name
        case, goal = f"{what}, beside {name}", ratio(0.8) if name == "haproxy" else None
        beside(case, ours.rates, other.rates, "MB/s", peer=name, goal=goal)
        beside(case, ours.costs, other.costs, "ms", peer=name, measure="processor time of a GiB", less=True)
        beside(case, [max(ours.growths)], [max(other.growths)], "MiB", peer=name, measure="growth", less=True)
    alone(f"{what}, growth", [max(ours.growths)], "MiB", goal=at_most(8), less=True)


class LargeFigures:
    """What comes of fetching the large body through one port again and again."""

    def __init__(self, place: Place, port: int) -> None:
        self.place = place
        self.rates: list[float] = []
        self.costs: list[float] = []
        self.growths: list[float] = []
        self._port = port

    def measure(self) -> None:
        """Fetch it once more."""
        size, cpu_s = self.place.forget_peak(), self.place.cpu_s
        self.rates.append(fetched(self.place, self._port))
        self.costs.append((self.place.cpu_s - cpu_s) * 1e3)
        self.growths.append((self.place.peak_bytes - size) / _MIB)


def fetched(place: Place, port: int) -> float:
    """Return with how many megabytes a second the large file comes from there, whole."""
    command = [*on(LOAD), sys.executable, str(HERE / "body.py"), place.host, str(port)]
    found = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.split()
    size, seconds = int(found[0]), float(found[1])
    if size != LARGE_BYTES:
        raise SystemExit(f"{place.name} passed on {size} bytes instead of {LARGE_BYTES}")
    return size / seconds / 1e6


def as_bytes(bench: Bench, places: Sequence[Place]) -> None:
    """Measure what is forwarded as bytes."""
    if not places[0].bytes:
        skip("bytes", "this node does not forward a port of bytes")
        return
    able = [place for place in places if place.bytes]
    large(bench, "bytes, 1 GiB", [(place, place.bytes_large or place.bytes) for place in able])
    show("bytes, small", bench.figures(able, lambda place, seconds: load(place.bytes_url, seconds)), None)


def idle(bench: Bench) -> None:
    """Measure the memory of connections that do nothing, in processes that have done nothing else yet."""
    found: dict[str, tuple[float, float]] = {}
    for run in (ours, *peers()):
        with run(bench) as place:
            load(place.url, 1.0)
            before = place.rss_bytes
            with holding(place, IDLE // 2):
                half = place.rss_bytes
                with holding(place, IDLE // 2):
                    whole = place.rss_bytes
        found[place.name] = (whole - before) / IDLE / _KIB, (whole - half) / (IDLE // 2) / _KIB
    (_, mine), *others = found.items()
    case, unit, further = f"idle, {IDLE:,} connections", "KiB each", "of the second half, where no freed memory is left"
    alone(case, [mine[0]], unit, goal=at_most(8), less=True)
    for peer, theirs in others:
        beside(f"{case}, beside {peer}", [mine[0]], [theirs[0]], unit, peer=peer, less=True)
        beside(f"{case}, beside {peer}", [mine[1]], [theirs[1]], unit, peer=peer, measure=further, less=True)


@contextmanager
def holding(place: Place, count: int) -> Iterator[None]:
    """Have another process hold ``count`` connections."""
    command = [*on(LOAD), sys.executable, str(HERE / "idle.py"), place.host, str(place.web), str(count)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        if process.stdout.readline() != f"{count}\n":
            raise SystemExit(f"{place.name} did not keep {count:,} connections")
        files = sum(len(os.listdir(f"/proc/{pid}/fd")) for pid in place.pids)  # noqa: PTH208
        if files < count:
            raise SystemExit(f"{place.name} has closed some of {count:,} connections: it has {files:,} files open")
        yield


def access_log(bench: Bench) -> None:
    """Measure a node that writes an access log beside one that does not."""
    log = bench.directory / "access.log"
    try:
        with (
            node(bench.origin_port, "with log", accessLog=str(log)) as told,
            node(bench.origin_port, "without", subnet=215) as silent,
        ):
            load(told.url, 1.0)
            if not log.exists() or not log.stat().st_size:
                skip("log", "this node writes no access log")
                return
            one, other = bench.figures([told, silent], lambda place, seconds: load(place.url, seconds))
    except ProgramFailed as failure:
        skip("log", f"this node has no access log: {failure}")
        return
    case, peer = "access log", "ours without"
    beside(case, one.rates, other.rates, "requests/s", peer=peer, goal=ratio(0.9))
    beside(case, one.costs, other.costs, "us", peer=peer, measure="processor time of one", less=True)
    note(f"{log.stat().st_size / _MIB:,.0f} MiB of log at the end")


def workers(bench: Bench) -> None:
    """Measure a node of two workers beside one of one, both on any processor."""
    try:
        with (
            node(bench.origin_port, "two", free=True, workers=2) as two,
            node(bench.origin_port, "one", free=True, subnet=215) as one,
        ):
            if len(two.pids) == 1:
                skip("workers", "this node starts none")
                return
            found = bench.figures([two, one], lambda place, seconds: load(place.url, seconds, free=True))
    except ProgramFailed as failure:
        skip("workers", f"this node has no such setting: {failure}")
        return
    case, peer = "2 workers", "1 worker"
    beside(case, found[0].rates, found[1].rates, "requests/s", peer=peer)
    beside(case, found[0].costs, found[1].costs, "us", peer=peer, measure="processor time of one", less=True)


def beside_peers(bench: Bench, parts: Parts) -> None:
    """Measure one node beside the peers that are installed."""
    with ExitStack() as stack:
        places = [stack.enter_context(run(bench)) for run in (ours, *peers())]
        with_relay = [*places, stack.enter_context(relay(bench.directory, bench.origin_port))]
        parts.run(
            {
                "small": lambda: requests(bench, with_relay, "small", ratio(1, acceptable=0.75)),
                "different": lambda: requests(bench, with_relay, "different", ratio(1, acceptable=0.75)),
                "new": lambda: requests(bench, places, "new", ratio(0.7)),
                "large": lambda: large(
                    bench, "large, 1 GiB", [(place, place.web_large or place.web) for place in places]
                ),
                "bytes": lambda: as_bytes(bench, places),
            }
        )


Run = Callable[[Bench], AbstractContextManager[Place]]


def ours(bench: Bench) -> AbstractContextManager[Place]:
    """Run a node as it ships."""
    return node(bench.origin_port)


def peers() -> tuple[Run, ...]:
    """Return what runs each of the peers that are installed."""
    known: dict[str, Callable[[Path, int], AbstractContextManager[Place]]] = {"haproxy": haproxy, "nginx": nginx}
    return tuple(
        lambda bench, run=run: run(bench.directory, bench.origin_port)
        for name, run in known.items()
        if shutil.which(name)
    )


def main(arguments: argparse.Namespace) -> None:
    """Measure the parts that were asked for."""
    if lacking(TOOLS, {"haproxy": "haproxy, beside ours"}) - {"haproxy"}:
        return
    rounds, seconds = (1, 1.0) if arguments.quick else (arguments.rounds, arguments.seconds)
    parts = Parts.of(arguments.only, PARTS, quick=arguments.quick, slow=("different", "bytes", "log", "workers"))
    pinned = "yes" if PINNED else "no"
    note(f"a processor for the proxy, one for wrk and the backend: {pinned} (of {os.cpu_count()})")
    configs = " and ".join(f"benchmarks/forwarding/{name}" for name in CONFIGS)
    note(f"{CONNECTIONS} connections; medians of {rounds} x {seconds:g} s; haproxy and nginx by {configs}")
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # no disk is to be measured
    with tempfile.TemporaryDirectory(prefix="edgecore-proxy-", dir=memory) as place, origin(Path(place)) as origin_port:
        bench = Bench(Path(place), origin_port, rounds, seconds)
        if parts.any_of("small", "different", "new", "large", "bytes"):
            with parts.one("one node"):
                beside_peers(bench, parts)
        parts.run({"idle": lambda: idle(bench), "log": lambda: access_log(bench), "workers": lambda: workers(bench)})
        parts.end()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="of each part (default %(default)s)")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each figure, at least 1 (default %(default)s)")
    parser.add_argument("--only", nargs="+", choices=PARTS, help="these parts")
    parser.add_argument("--quick", action="store_true", help="once, a second each")
    try:
        main(parser.parse_args())
    except ProgramFailed as failure:
        sys.exit(f"cannot measure: {failure}")
