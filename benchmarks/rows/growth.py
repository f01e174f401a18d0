"""The memory of a process that stores many objects, and of one that is started over them. Run as a child."""

import asyncio
import gc
import os
import sys
from pathlib import Path

import uvloop
from fleet.child import rss_bytes

from edgecore.beehive.message import Message
from edgecore.beehive.resource import INSERT, POD, SERVICE
from rows.keeper import keeper
from rows.objects import NAMESPACE, message, pods_of, recorded_burst, service

MIB = 1024 * 1024


async def grow(path: Path, services: int, pods: int) -> dict[str, float]:
    """Store objects; return MiB of JSON, what the process has grown by in the end and at most."""
    template = bytes(next(pods_of(recorded_burst())).content).decode()
    stored = 0
    async with keeper(path) as ours:
        await ours.through([message(INSERT, f"{NAMESPACE}/{SERVICE}/first", service(0, 1))], 1)
        before = _settled()
        for first in range(0, services + pods, 1000):
            batch = [_one(number, services, template) for number in range(first, min(first + 1000, services + pods))]
            stored += sum(len(bytes(each.content)) for each in batch)
            await ours.through(batch, 200)
            del batch
        after = _settled()
    return _found(stored, before, after)


async def again(path: Path) -> dict[str, float]:
    """Start over a file and ask for all; return the same."""
    empty = path.with_name("empty.db")
    async with keeper(empty) as ours:
        await ours.client.services()
    before = _settled()
    async with keeper(path) as ours:
        size = ours.store.rows("SELECT sum(length(value)) FROM meta")[0][0]
        await asyncio.sleep(0.1)
        after = _settled()
        await ours.client.services()
    return _found(size, before, after)


def _one(number: int, services: int, template: str) -> Message:
    if number < services:
        return message(INSERT, f"{NAMESPACE}/{SERVICE}/app-{number:05}", service(number, 1, 500))
    name = f"app-0000-{number:06}"
    first = template.index('"name":"') + 8
    text = template[:first] + name + template[template.index('"', first) :]
    return message(INSERT, f"{NAMESPACE}/{POD}/{name}", text)


def _settled() -> int:
    gc.collect()
    return rss_bytes(os.getpid())


def _found(stored: int, before: int, after: int) -> dict[str, float]:
    status = Path("/proc/self/status").read_text()
    most = 1024 * int(status.split("VmHWM:")[1].split()[0])
    grown = after - before
    at_most = max(grown, most - before)  # the system notes the most a little late
    return {"json": stored / MIB, "grown": grown / MIB, "at_most": at_most / MIB, "before": before / MIB}


if __name__ == "__main__":
    import json

    import structlog

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    what, place, *sizes = sys.argv[1:]
    work = again(Path(place)) if what == "again" else grow(Path(place), *map(int, sizes))
    print(json.dumps(uvloop.run(work)))
