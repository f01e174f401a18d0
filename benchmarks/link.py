"""The link: object messages from the cloud, through EdgeHub, MetaManager and the database, to their acknowledgements.

* naive: what one would write first: ``json``, one transaction a message with the rollback journal and
  ``synchronous=FULL`` (the Go way), then the acknowledgement. Goal 5.
* without ledger: ours, with a delivery ledger that notes nothing: what the ledger costs. Goal 0.95 or more.
* the ledger by itself: one message opened and closed, and the memory of one that is under way.

Both sides run in one process, over a websocket on loopback, with ``--flight`` messages on their way at a time. Ours is
what ships: durable rows, idempotence, outbox, ledger, statistics.
"""

import argparse
import asyncio
import json
import random
import sqlite3
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import structlog
import uvloop
from rows.figures import alone, beside
from rows.results import Goal, ratio
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

from edgecore.app import SCHEMA
from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Header, Message, Route
from edgecore.clock import SystemClock
from edgecore.ids import random_ids
from edgecore.modules.edgehub.module import EdgeHub
from edgecore.modules.edgehub.transport import CloudAddress
from edgecore.modules.metamanager.module import MetaManager
from edgecore.observe.ledger import DELIVERED, UP, Ledger
from edgecore.observe.metrics import Metrics
from edgecore.store.store import open_store

Edge = Callable[[int, Path], Coroutine[Any, Any, None]]
"""Connects to the cloud on a port of loopback and serves until it is cancelled; keeps its files in a directory."""


class NoLedger(Ledger):
    """Notes nothing."""

    def open(self, direction: str, message: Message, peer: str = "") -> bool:
        """Do nothing."""
        return True

    def close(self, direction: str, message_id: str, outcome: str, reason: str = "", peer: str = "") -> bool:
        """Do nothing."""
        return True

    def record(self, direction: str, message: Message, outcome: str, reason: str = "", peer: str = "") -> None:
        """Do nothing."""


def ours(ledger: Callable[[Callable[[], float]], Ledger]) -> Edge:
    """Return EdgeHub and MetaManager with that ledger, and two modules that read their mailboxes."""

    async def run(port: int, directory: Path) -> None:
        clock, metrics = SystemClock(), Metrics()
        bus = Bus(clock, random_ids())
        store = open_store(directory / "edgecore.db", SCHEMA)
        book = ledger(clock.monotonic)
        hub_port, meta_port = bus.register("websocket", "hub"), bus.register("metaManager", "meta")
        address = CloudAddress("ws", "127.0.0.1", port, "p", "edge-node1")
        hub = EdgeHub(
            hub_port,
            metrics,
            book,
            store,
            address,
            heartbeat_s=15,
            handshake_timeout_s=5,
            max_message_bytes=1 << 20,
            jitter=random.Random(1),
        )
        meta = MetaManager(meta_port, store, metrics, ledger=book)
        readers = [bus.register("edgemesh", "mesh"), bus.register("edged", "edged")]
        await hub.start()
        tasks = [asyncio.create_task(work) for work in (hub.run(), meta.run(), *map(read_all, readers))]
        try:
            await asyncio.Event().wait()
        finally:
            await meta.stop()
            bus.close()
            await asyncio.gather(*tasks, return_exceptions=True)
            await store.close()

    return run


async def read_all(port: Any) -> None:
    """Empty a mailbox."""
    async for _ in port:
        pass


async def naive(port: int, directory: Path) -> None:
    """The edge that one would write first."""
    database = sqlite3.connect(directory / "naive.db", isolation_level=None)
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE meta (key TEXT PRIMARY KEY, type TEXT, value TEXT)")
    async with connect(f"ws://127.0.0.1:{port}", compression=None, ping_interval=None) as websocket:
        async for frame in websocket:
            message = json.loads(frame)
            key = message["route"]["resource"]
            row = (key, key.split("/")[1], json.dumps(message["content"]))
            database.execute("INSERT OR REPLACE INTO meta VALUES (?, ?, ?)", row)
            header = {"msg_id": "x", "parent_msg_id": message["header"]["msg_id"], "timestamp": 0}
            route = {**message["route"], "operation": "response"}
            await websocket.send(json.dumps({"header": header, "route": route, "content": "OK"}) + "\n")


def frame(number: int) -> str:
    """Return an insert of a service of about 1 KB."""
    content = {"metadata": {"name": f"s{number}", "namespace": "default", "annotations": {"a": "x" * 800}}, "spec": {}}
    header = {"msg_id": f"m-{number}-{time.monotonic_ns()}", "parent_msg_id": "", "timestamp": 1, "sync": False}
    route = {
        "source": "edgecontroller",
        "group": "resource",
        "operation": "insert",
        "resource": f"default/service/s{number % 1000}",
    }
    return json.dumps({"header": {**header, "resourceversion": str(number)}, "route": route, "content": content}) + "\n"


async def rate(edge: Edge, count: int, flight: int) -> float:
    """Return acknowledged messages a second."""
    measured: asyncio.Future[float] = asyncio.get_running_loop().create_future()
    frames = [frame(number) for number in range(count)]

    async def push(websocket: ServerConnection) -> None:
        room, acknowledged = asyncio.Semaphore(flight), 0
        done = asyncio.Event()

        async def read() -> None:
            nonlocal acknowledged
            async for text in websocket:
                document = json.loads(text)
                if document["route"]["operation"] == "ping":
                    header = {"msg_id": "p", "parent_msg_id": document["header"]["msg_id"], "timestamp": 0}
                    await websocket.send(json.dumps({**document, "header": header}))
                if document["route"]["operation"] == "response":
                    acknowledged += 1
                    room.release()
                    if acknowledged == count:
                        done.set()

        reading = asyncio.create_task(read())
        started = time.perf_counter()
        for text in frames:
            await room.acquire()
            await websocket.send(text)
        await done.wait()
        measured.set_result(count / (time.perf_counter() - started))
        reading.cancel()

    with tempfile.TemporaryDirectory() as directory:
        async with serve(push, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            running = asyncio.create_task(edge(port, Path(directory)))
            try:
                return await measured
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)


async def compare(peer: str, one: Edge, *, count: int, flight: int, rounds: int, goal: Goal) -> None:
    """Run it and ours in turn."""
    whole = ours(Ledger)
    pairs = [(await rate(one, count, flight), await rate(whole, count, flight)) for _ in range(rounds)]
    theirs, mine = ([each[side] for each in pairs] for side in (0, 1))
    beside(f"messages, beside {peer}", mine, theirs, "messages/s", peer=peer, goal=goal)


def ledger_alone(count: int, rounds: int) -> None:
    """Measure what the ledger costs by itself."""
    both = [_ledger_alone(count) for _ in range(rounds)]
    alone("the ledger by itself", [each_ns for each_ns, _ in both], "ns a message", less=True)
    held = [held for _, held in both]
    alone("the ledger by itself", held, "bytes a message under way", measure="memory", less=True)


def _ledger_alone(count: int) -> tuple[float, float]:
    messages = [Message(Header(f"id-{number}"), Route("edged", "meta", "update", "d/pod/x")) for number in range(count)]
    ledger = Ledger(time.monotonic, capacity=count)
    started = time.perf_counter()
    for message in messages:
        ledger.open(UP, message)
        ledger.close(UP, message.header.id, DELIVERED)
    each_ns = (time.perf_counter() - started) / count * 1e9
    tracemalloc.start()
    for message in messages:
        ledger.open(UP, message)
    held = tracemalloc.get_traced_memory()[0] / count
    tracemalloc.stop()
    return each_ns, held


async def main(rounds: int, count: int, flight: int) -> None:
    """Measure all."""
    await compare("naive", naive, count=count, flight=flight, rounds=rounds, goal=ratio(5))
    await compare("without ledger", ours(NoLedger), count=4 * count, flight=flight, rounds=rounds, goal=ratio(0.95))
    ledger_alone(20_000, rounds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="pairs of runs (default 5)")
    parser.add_argument("--count", type=int, default=2000, help="messages a run (default 2000)")
    parser.add_argument("--flight", type=int, default=50, help="messages on their way at a time (default 50)")
    parser.add_argument("--quick", action="store_true", help="one pair, 500 messages")
    arguments = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
    rounds, count = (1, 500) if arguments.quick else (arguments.rounds, arguments.count)
    uvloop.run(main(rounds, count, arguments.flight))
