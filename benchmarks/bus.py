"""The bus beside its naive form, in one process and on one event loop.

Two questions, each answered by a ratio (naive time over ours; more is better):

* asynchronous: one send and one receive of a freshly built message with a fresh unique id. Naive:
  ``asyncio.Queue(1024)``, a dataclass, ``str(uuid.uuid4())``; one producer, one consumer. Goal 5, least acceptable 3
  (5 is where the Go bus stands).
* synchronous: a request and its reply. Naive: a future in a dictionary and two queues, without any deadline (ours has
  one). Goal 1.5.

Ours is what ships: bounded mailboxes, statistics, tap points, deadlines.
"""

import argparse
import asyncio
import cProfile
import pstats
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import uvloop
from rows.figures import beside
from rows.results import Goal, ratio

from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Route, response_to
from edgecore.clock import SystemClock
from edgecore.ids import random_ids


@dataclass
class NaiveMessage:
    """The message one would write first."""

    id: str
    parent_id: str
    timestamp_ms: int
    resource_version: str
    sync: bool
    source: str
    group: str
    operation: str
    resource: str
    content: Any


def naive_message(parent_id: str = "") -> NaiveMessage:
    """Build it the way one would first."""
    now_ms = int(time.time() * 1000)
    return NaiveMessage(
        str(uuid.uuid4()), parent_id, now_ms, "", False, "edged", "meta", "update", "default/podstatus/x", None
    )


async def naive_async(count: int) -> None:
    """One producer, one consumer, one bounded queue."""
    queue: asyncio.Queue[NaiveMessage] = asyncio.Queue(1024)

    async def produce() -> None:
        for _ in range(count):
            await queue.put(naive_message())

    async def consume() -> None:
        for _ in range(count):
            await queue.get()

    await asyncio.gather(produce(), consume())


async def bus_async(count: int) -> None:
    """The same by the bus, as modules use it: a route they keep, a fresh message each time."""
    bus = Bus(SystemClock(), random_ids())
    producer, consumer = bus.register("edged", "edged"), bus.register("metaManager", "meta")
    route = Route("edged", "meta", "update", "default/podstatus/x")

    async def produce() -> None:
        for _ in range(count):
            await producer.post("metaManager", route)

    async def consume() -> None:
        left = count
        async for _ in consumer:
            left -= 1
            if not left:
                break

    await asyncio.gather(produce(), consume())
    assert consumer.statistics().received == count
    bus.close()


async def naive_sync(count: int) -> None:
    """Request and reply by a future in a dictionary."""
    queue: asyncio.Queue[NaiveMessage] = asyncio.Queue(1024)
    waiting: dict[str, asyncio.Future[NaiveMessage]] = {}

    async def serve() -> None:
        while True:
            request = await queue.get()
            waiting.pop(request.id).set_result(naive_message(request.id))

    server = asyncio.create_task(serve())
    for _ in range(count):
        request = naive_message()
        reply = waiting[request.id] = asyncio.get_running_loop().create_future()
        await queue.put(request)
        await reply
    server.cancel()


async def bus_sync(count: int) -> None:
    """Request and reply by ``send_sync`` and ``respond``."""
    bus = Bus(SystemClock(), random_ids())
    client, service = bus.register("edged", "edged"), bus.register("metaManager", "meta")
    route = Route("edged", "meta", "query", "default/pod/x")

    async def serve() -> None:
        async for request in service:
            service.respond(response_to(request, None, bus.new_id, bus.clock))

    server = asyncio.create_task(serve())
    for _ in range(count):
        await client.send_sync("metaManager", client.build(route))
    bus.close()
    await server


async def seconds_each(work: Callable[[int], Awaitable[None]], count: int) -> float:
    """Return the seconds that one of ``count`` turns took."""
    started = time.perf_counter()
    await work(count)
    return (time.perf_counter() - started) / count


async def compare(case: str, naive: Any, ours: Any, *, peer: str, count: int, rounds: int, goal: Goal) -> None:
    """Run both in turn."""
    pairs = [(await seconds_each(naive, count), await seconds_each(ours, count)) for _ in range(rounds)]
    theirs, mine = ([each[side] * 1e6 for each in pairs] for side in (0, 1))
    beside(case, mine, theirs, "us", peer=peer, goal=goal, less=True)


async def main(rounds: int, count: int, *, profile: bool) -> None:
    """Measure both, and, if asked, print where the time of the asynchronous path goes."""
    await seconds_each(bus_async, count // 10)
    await compare(
        "asynchronous", naive_async, bus_async, peer="asyncio", count=count, rounds=rounds, goal=ratio(5, acceptable=3)
    )
    await compare("synchronous", naive_sync, bus_sync, peer="asyncio", count=count // 4, rounds=rounds, goal=ratio(1.5))
    if profile:
        profiler = cProfile.Profile()
        profiler.enable()
        await bus_async(count)
        profiler.disable()
        pstats.Stats(profiler).sort_stats("tottime").print_stats(12)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7, help="pairs of runs (default 7)")
    parser.add_argument("--count", type=int, default=100_000, help="messages a run (default 100000)")
    parser.add_argument("--profile", action="store_true", help="print where the time of the asynchronous path goes")
    parser.add_argument("--quick", action="store_true", help="three pairs, 20,000 messages a run")
    arguments = parser.parse_args()
    rounds, count = (3, 20_000) if arguments.quick else (arguments.rounds, arguments.count)
    uvloop.run(main(rounds, count, profile=arguments.profile))
