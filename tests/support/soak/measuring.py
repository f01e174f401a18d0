"""What programs have: of this process from within, of others by what the system says of them."""

import asyncio
import gc
import os
import sys
import threading
from collections import Counter
from contextlib import suppress
from pathlib import Path

from soak.flatness import Bound, Sample

WITHIN = {
    "memory blocks": Bound(1000, 0.005),
    "descriptors": Bound(2),
    "threads": Bound(0.5),
    "tasks": Bound(2),
    "resident KiB": Bound(3072, 0.02),
    "series": Bound(40),
}
"""How much this process may grow: blocks are those of Python's allocator, after a collection of garbage; a service that
comes and goes has thirty series."""
WITHOUT = {
    "resident KiB": Bound(1024, 0.02),
    "descriptors": Bound(3),
    "threads": Bound(0.5),
    "children": Bound(0.5),
    "database KiB": Bound(1024),
}
"""How much a program may grow as the system sees it; of a database, what of its book of messages is not full yet."""


def within(at_s: float) -> Sample:
    """Return the figures of this process and its event loop."""
    gc.collect()
    figures = {
        "memory blocks": sys.getallocatedblocks(),
        "descriptors": _descriptors("self"),
        "threads": threading.active_count(),
        "tasks": len(asyncio.all_tasks()),
        "resident KiB": _status("self", "VmRSS"),
    }
    return Sample(at_s, figures)


def without(at_s: float, pid: int, database: Path | None = None) -> Sample | None:
    """Return the figures of another process, and the size of its database; nothing where it has ended."""
    with suppress(OSError, KeyError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        figures = {
            "resident KiB": _status(str(pid), "VmRSS"),
            "descriptors": _descriptors(str(pid)),
            "threads": _status(str(pid), "Threads"),
            "children": len(children),
        }
        if database is not None:
            figures["database KiB"] = database.stat().st_size // 1024
        return Sample(at_s, figures)
    return None


def kinds_of_objects() -> Counter[str]:
    """Return how many objects of each type the collector knows of: what has grown between two is where to look."""
    gc.collect()
    return Counter(f"{type(each).__module__}.{type(each).__qualname__}" for each in gc.get_objects())


def _descriptors(pid: str) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 - names alone, and thousands of them at times


def _status(pid: str, key: str) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1])
    raise KeyError(key)
