"""More and more connections through the proxy, each with a request under way, beside haproxy and the same backend."""

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from forwarding.node import node
from forwarding.peers import haproxy, origin
from forwarding.places import Place
from forwarding.wrk import load
from rows.figures import curve
from rows.results import Goal, ratio, slope
from rows.tools import lacking

TOOLS = {"wrk": "wrk", "nginx": "nginx-light", "haproxy": "haproxy", "taskset": "util-linux"}


class Found(NamedTuple):
    """What a proxy did and cost with so many connections."""

    rate: float
    request_us: float
    p99_ms: float
    peak_mib: float


CURVES: tuple[tuple[str, str, str, bool, Goal | None], ...] = (
    ("rate", "", "requests/s", False, ratio(1, acceptable=0.75)),
    ("request_us", "processor time of a request", "us", True, slope(0.1)),
    ("p99_ms", "p99", "ms", True, None),
    ("peak_mib", "memory, at most", "MiB", True, None),
)


def connections(sizes: Sequence[int], rounds: int, seconds: float) -> None:
    """Measure both proxies in turn."""
    absent = lacking(TOOLS, dict.fromkeys(TOOLS, "connections as they grow") | {"haproxy": "haproxy beside it"})
    if absent - {"haproxy"}:
        return
    with tempfile.TemporaryDirectory(prefix="edgecore-growth-") as name, ExitStack() as stack:
        directory = Path(name)
        origin_port = stack.enter_context(origin(directory, 1 << 20))
        places = [stack.enter_context(node(origin_port, subnet=217))]
        if "haproxy" not in absent:
            places.append(stack.enter_context(haproxy(directory, origin_port)))
        found = [[[once(place, size, seconds) for place in places] for _ in range(rounds)] for size in sizes]
    for field, what, unit, less, goal in CURVES:
        sides = [[[getattr(each[side], field) for each in of] for of in found] for side in range(len(places))]
        ours, peers = sides[0], sides[1] if len(sides) > 1 else []
        curve(
            "connections",
            "connections",
            sizes,
            ours,
            unit,
            peers=peers,
            peer="haproxy",
            measure=what,
            goal=goal,
            less=less,
        )


def once(place: Place, connections: int, seconds: float) -> Found:
    """Put so many connections on a proxy."""
    place.forget_peak()
    before = place.cpu_s
    done = load(place.url, seconds, connections=connections)
    return Found(done.rate, (place.cpu_s - before) / done.answers * 1e6, done.p99_ms, place.peak_bytes / (1 << 20))
