"""The memory of a process that stores many objects. Run as a child."""

import gc
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import structlog
import uvloop
from fleet.child import rss_bytes

from edgecore.beehive.message import Message
from edgecore.beehive.resource import INSERT, POD, PODLIST, SERVICE, UPDATE
from rows.keeper import keeper
from rows.objects import NAMESPACE, message, pods_of, recorded_burst, service

PODS = 3


async def grow(path: Path, services: int) -> dict[str, float]:
    """Store services, three pods of each, and the lists of them; return what the process has grown by, and at most."""
    template = bytes(next(pods_of(recorded_burst())).content).decode()
    async with keeper(path) as ours:
        await ours.through([next(_objects(services, template))], 1)
        before = _settled()
        for first in range(0, services, 250):
            numbers = range(first, min(first + 250, services))
            batch = [each for number in numbers for each in _objects(number, template)]
            await ours.through(batch, 200)
            del batch
        grown = _settled() - before
    return {"before": before, "grown": grown, "at_most": max(grown, _most() - before)}  # the system notes the most late


def _objects(number: int, template: str) -> Iterator[Message]:
    name = f"app-{number:05}"
    yield message(INSERT, f"{NAMESPACE}/{SERVICE}/{name}", service(number, 1, 500))
    names = [f"{name}-{place}" for place in range(PODS)]
    pods = [template.replace(template[template.index('"name":"') :].split('"')[3], each, 1) for each in names]
    for pod, text in zip(names, pods, strict=True):
        yield message(INSERT, f"{NAMESPACE}/{POD}/{pod}", text)
    yield message(UPDATE, f"{NAMESPACE}/{PODLIST}/{name}", f"[{','.join(pods)}]")


def _most() -> int:
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


def _settled() -> int:
    gc.collect()
    return rss_bytes(os.getpid())


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    print(json.dumps(uvloop.run(grow(Path(sys.argv[1]), int(sys.argv[2])))))
