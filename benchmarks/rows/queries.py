"""Questions of a module to MetaManager over the bus, answered from the rows."""

import asyncio
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from edgecore.beehive.message import Message, Route, content_value
from edgecore.beehive.resource import EDGEMESH, GROUP_META, INSERT, METAMANAGER, QUERY, SERVICE, UPDATE
from rows.figures import alone, beside, note
from rows.keeper import Keeper, keeper
from rows.objects import NAMESPACE, services
from rows.results import at_least, at_most

AT_A_TIME = 16


async def queries(place: Path, rounds: int, total: int) -> None:
    """Measure what a question costs: one at a time, several, and while rows are being written."""
    note(f"queries of one row of 1 KB by key, among 1,000; {total} a round; Go takes about 10 ms for one")
    one: list[float] = []
    rates: list[float] = []
    bare: list[float] = []
    busy: list[float] = []
    with tempfile.TemporaryDirectory(dir=place) as directory:
        path = Path(directory, "edgecore.db")
        async with keeper(path) as ours:
            await ours.through(services(INSERT, 1000, 1), 50)
            await _ask_all(ours, total // 10)
            for round_ in range(rounds):
                one.append(1000 * statistics.median(await _ask_all(ours, total // 4)))
                rates.append(await _a_cpu_second(ours, total))
                bare.append(_bare_a_cpu_second(path, total))
                busy.append(1000 * statistics.median(await _while_writing(ours, services(UPDATE, 1000, round_ + 2))))
    alone("queries, one at a time", one, "ms", goal=at_most(1), less=True)
    beside(f"queries, {AT_A_TIME} at a time", rates, bare, "a CPU second", peer="sqlite3", goal=at_least(10_000))
    alone("queries, while rows are written", busy, "ms", goal=at_most(1), less=True)


async def _ask(ours: Keeper, number: int) -> Message:
    port = ours.readers[0]
    route = Route(EDGEMESH, GROUP_META, QUERY, f"{NAMESPACE}/{SERVICE}/app-{number % 1000:05}")
    return await port.send_sync(METAMANAGER, port.build(route), 60.0)


async def _ask_all(ours: Keeper, total: int) -> list[float]:
    taken = []
    for number in range(total):
        began = time.perf_counter()
        answer = await _ask(ours, number)
        taken.append(time.perf_counter() - began)
        if f"app-{number % 1000:05}" not in content_value(answer)[0]:
            raise SystemExit(f"a wrong answer: {answer}")
    return taken


async def _a_cpu_second(ours: Keeper, total: int) -> float:
    """Return how many questions a second of one processor answers, those that ask included."""

    async def some(first: int) -> None:
        for number in range(first, total, AT_A_TIME):
            await _ask(ours, number)

    began = time.process_time()
    await asyncio.gather(*map(some, range(AT_A_TIME)))
    return total / (time.process_time() - began)


def _bare_a_cpu_second(path: Path, total: int) -> float:
    with closing(sqlite3.connect(path)) as database:
        began = time.process_time()
        for number in range(total):
            key = f"{NAMESPACE}/{SERVICE}/app-{number % 1000:05}"
            database.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return total / (time.process_time() - began)


async def _while_writing(ours: Keeper, messages: Sequence[Message]) -> list[float]:
    writing = asyncio.create_task(ours.through(messages, 50))
    taken: list[float] = []
    while not writing.done():
        taken += await _ask_all(ours, 1)
    await writing
    return taken
