"""The bus beside its naive form, in one process and on one event loop.

Three questions, each answered by a ratio (naive time over ours; more is better):

* asynchronous: one send and one receive of a freshly built message with a fresh unique id. Naive:
  ``asyncio.Queue(1024)``, a dataclass, ``str(uuid.uuid4())``; one producer, one consumer. Goal 5, least acceptable 3
  (5 is where the Go bus stands).
* synchronous: a request and its reply. Naive: a future in a dictionary and two queues, without any deadline (ours has
  one). Goal 1.5.
* codec: decoding and encoding the recorded Service message. Naive: the standard ``json`` into the same classes. Goal 4.

Ours is what ships: bounded mailboxes, statistics, tap points, deadlines.
"""

import argparse
import asyncio
import cProfile
import json
import pstats
import statistics
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from edgecore.beehive import wire
from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Header, Message, Route, response_to
from edgecore.clock import SystemClock
from edgecore.ids import random_ids
from edgecore.recording.entries import CloudFrame
from edgecore.recording.reader import read_entries

RECORDING = Path(__file__).parents[1] / "examples" / "recordings" / "b_services_endpoints_pods.jsonl"


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


def recorded_service() -> bytes:
    """Return the recorded message that brings the service nginx-svc."""
    for entry in read_entries(RECORDING):
        if isinstance(entry, CloudFrame) and '"default/service/nginx-svc"' in entry.text:
            return entry.text.encode()
    raise SystemExit(f"no service message in {RECORDING}")


def naive_codec(data: bytes) -> bytes:
    """Decode and encode with the standard library, into the same classes."""
    document = json.loads(data)
    header, route = document["header"], document["route"]
    message = Message(
        Header(
            header["msg_id"],
            header.get("parent_msg_id", ""),
            header["timestamp"],
            header.get("resourceversion", ""),
            header.get("sync", False),
        ),
        Route(route["source"], route["group"], route["operation"], route["resource"]),
        document["content"],
    )
    head, way = message.header, message.route
    return json.dumps(
        {
            "header": {
                "msg_id": head.id,
                "parent_msg_id": head.parent_id,
                "timestamp": head.timestamp_ms,
                "resourceversion": head.resource_version,
                "sync": head.sync,
            },
            "route": {
                "source": way.source,
                "group": way.group,
                "operation": way.operation,
                "resource": way.resource,
            },
            "content": message.content,
        },
        separators=(",", ":"),
        ensure_ascii=False,
    ).encode()


def our_codec(data: bytes) -> bytes:
    """Decode and encode as the node does."""
    return wire.encode(wire.decode(data))


async def seconds_each(work: Callable[[int], Awaitable[None]], count: int) -> float:
    """Return the seconds that one of ``count`` turns took."""
    started = time.perf_counter()
    await work(count)
    return (time.perf_counter() - started) / count


def repeated(codec: Callable[[bytes], bytes], data: bytes) -> Callable[[int], Awaitable[None]]:
    """Return ``codec`` on ``data`` as work to be counted."""

    async def work(count: int) -> None:
        for _ in range(count):
            codec(data)

    return work


async def compare(name: str, naive: Any, ours: Any, *, count: int, rounds: int, goal: float) -> None:
    """Run both in turn and print the ratio of each pair."""
    pairs = [(await seconds_each(naive, count), await seconds_each(ours, count)) for _ in range(rounds)]
    ratios = sorted(first / second for first, second in pairs)
    naive_us, ours_us = (statistics.median(values) * 1e6 for values in zip(*pairs, strict=True))
    print(
        f"{name:13} naive {naive_us:7.2f} us   ours {ours_us:6.2f} us   "
        f"ratio {statistics.median(ratios):5.2f} (from {ratios[0]:.2f} to {ratios[-1]:.2f})   goal {goal}",
    )


async def main(rounds: int, count: int, *, profile: bool) -> None:
    """Print the three ratios, and, if asked, where the time of the asynchronous path goes."""
    await seconds_each(bus_async, count // 10)
    await compare("asynchronous", naive_async, bus_async, count=count, rounds=rounds, goal=5.0)
    await compare("synchronous", naive_sync, bus_sync, count=count // 4, rounds=rounds, goal=1.5)
    data = recorded_service()
    assert json.loads(naive_codec(data)) == json.loads(our_codec(data))
    await compare(
        "codec", repeated(naive_codec, data), repeated(our_codec, data), count=count // 10, rounds=rounds, goal=4.0
    )
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
    arguments = parser.parse_args()
    uvloop.run(main(arguments.rounds, arguments.count, profile=arguments.profile))
