"""MetaManager as it ships, beside the Go way: a transaction for each row, with the rollback journal.

* upserts: services of 1 KB from the cloud, to their acknowledgement: many in flight (goal 10 times the peer), and one
  at a time (goal: no slower). The peer is at its best: `sqlite3` alone, no bus. Both files lie below ``--dir``, which
  must be on a real disk: what is measured is when they are safe there.
* queries: a row by its key, over the bus. Goal: a median under 1 ms, and 10,000 in a second of one processor.
* memory: 10,000 services and 30,000 pods, and the lists of them. Goal: the process grows by no more than three times
  the size of the JSON; MetaManager while it stores them, and a whole node that is started over them. Once.
* burst: a recorded burst of 1,000 services and 3,000 pods, acknowledged in order. lists: 1 MB each, as after a connect.
* start: ``edgecore run`` without a cloud, over a file with 1,000 services and 3,000 pods: from exec to the DNS answers,
  with the addresses of before. Goal 1 s.

Medians of some rounds, ours and the peer in turn; a ratio over 1 is better than the peer.
"""

import argparse
import asyncio
import gc
import os
import tempfile
from pathlib import Path

import structlog
import uvloop
from rows.figures import note
from rows.floods import recorded, resync
from rows.memory import memory
from rows.parts import Parts
from rows.queries import queries
from rows.starting import starts
from rows.upserts import upserts

PARTS = ("upserts", "queries", "memory", "burst", "lists", "start")


def filesystem(place: Path) -> str:
    """Return the type and the device of the file system that ``place`` is on."""
    mounts = [line.split()[:3] for line in Path("/proc/mounts").read_text().splitlines()]
    under = [mount for mount in mounts if place.resolve().is_relative_to(mount[1])]
    device, _, kind = max(under, key=lambda mount: len(mount[1]))
    return f"{kind} on {device}"


def main(arguments: argparse.Namespace) -> None:
    """Measure the parts that were asked for."""
    rounds, quick = (1, True) if arguments.quick else (arguments.rounds, False)
    place: Path = arguments.dir
    note(f"files below {place} ({filesystem(place)}); {os.cpu_count()} cores; medians of {rounds}")
    with tempfile.TemporaryDirectory(dir=place, prefix="edgecore-bench-") as directory:
        below = Path(directory)
        parts = Parts.of(arguments.only, PARTS, quick=quick, slow=("memory",))
        total = 300 if quick else arguments.count
        parts.run(
            {
                "upserts": lambda: uvloop.run(upserts(below, rounds, total, arguments.flight)),
                "queries": lambda: uvloop.run(queries(below, rounds, 2000 if quick else 10_000)),
                "memory": lambda: memory(below, 1000 if quick else arguments.objects),
                "burst": lambda: uvloop.run(recorded(below, rounds)),
                "lists": lambda: uvloop.run(resync(below, rounds, 2 if quick else 8)),
                "start": lambda: asyncio.run(starts(below, rounds)),
            }
        )
        parts.end()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", type=Path, default=Path("/var/tmp"), help="on a real disk (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="of each part (default %(default)s)")
    parser.add_argument(
        "--count", type=int, default=4000, help="objects of a round (default %(default)s; the peer: an eighth)"
    )
    parser.add_argument("--objects", type=int, default=10_000, help="services of the memory (default %(default)s)")
    parser.add_argument("--flight", type=int, default=50, help="messages on their way at a time (default %(default)s)")
    parser.add_argument("--only", nargs="+", choices=PARTS, help="these parts")
    parser.add_argument("--quick", action="store_true", help="once, with small counts")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    gc.freeze()  # as `edgecore run` does
    main(given)
