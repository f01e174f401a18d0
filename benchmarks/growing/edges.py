"""More and more edges on one stub, beside a server that is nothing but the `websockets` library."""

import asyncio
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from fleet.child import PEER, STUB, Child
from nodes import LIBRARY, PUSHES, Servers, replay_to_all, services
from rows.figures import curve
from rows.results import Goal, slope

RESTING_S = 3.0


class Found(NamedTuple):
    """What a server did and cost with so many edges."""

    joined_s: float
    grown_mib: float
    acks: float
    ack_us: float
    resting_cores: float


CURVES: tuple[tuple[str, str, str, bool, Goal | None], ...] = (
    ("joined_s", "all have joined", "s", True, slope(1.1)),
    ("grown_mib", "memory that they add", "MiB", True, slope(1.1)),
    ("acks", "messages down, acknowledged", "messages/s", False, None),
    ("ack_us", "processor time of one", "us", True, slope(0.2)),
    ("resting_cores", "processor while they idle", "cores", True, slope(1.1)),
)


def edges(sizes: Sequence[int], rounds: int) -> None:
    """Measure both servers in turn, anew for each number."""
    found: list[list[dict[str, Found]]] = []
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        directory = Path(name)
        fleet = Child(stack, "-m", "fleet.edges")
        file = services(directory)
        for size in sizes:
            found.append([])
            for number in range(rounds):
                servers = Servers.start(stack, directory / f"state-{size}-{number}")
                found[-1].append({server: once(servers, fleet, server, file, size) for server in (STUB, PEER)})
                servers.stop()
    for field, what, unit, less, goal in CURVES:
        mine, theirs = ([[getattr(each[server], field) for each in of] for of in found] for server in (STUB, PEER))
        curve("edges", "edges", sizes, mine, unit, peers=theirs, peer=LIBRARY, measure=what, goal=goal, less=less)


def once(servers: Servers, fleet: Child, server: str, file: Path, size: int) -> Found:
    """Have so many edges join ``server``, and measure what it does for them."""
    child = servers.all[server]
    memory, began = child.rss_bytes(), time.perf_counter()
    fleet.tell("join", server, servers.urls[server], size)
    joined_s = time.perf_counter() - began
    fleet.tell("post", server, 0.2)
    before, used, began = fleet.tell("acknowledged", server), child.cpu_s(), time.perf_counter()
    if server == STUB:
        asyncio.run(replay_to_all(servers.control, file, size))
    else:
        fleet.tell("pushed", server, PUSHES)
    took_s = time.perf_counter() - began
    acks = fleet.tell("acknowledged", server) - before
    ack_us = (child.cpu_s() - used) / acks * 1e6
    grown_mib = max(0.01, (child.rss_bytes() - memory) / (1 << 20))
    fleet.tell("report", server)
    used = child.cpu_s()
    time.sleep(RESTING_S)
    resting = (child.cpu_s() - used) / RESTING_S
    fleet.tell("leave", server)
    return Found(joined_s, grown_mib, acks / took_s, ack_us, resting)
