"""Durable upserts of objects of 1 KB: many in flight, and one at a time."""

import asyncio
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from edgecore.beehive.message import Message
from edgecore.beehive.resource import INSERT, UPDATE
from rows.figures import beside, note
from rows.keeper import keeper
from rows.objects import services
from rows.peer import GO_WAY, Peer, row
from rows.results import ratio

LONE = 100
"""So many are measured one at a time."""


class Rates(NamedTuple):
    """Objects a second, and the milliseconds of one that is alone (the median of many)."""

    inserted: float
    updated: float
    lone_ms: float


async def upserts(place: Path, rounds: int, total: int, flight: int) -> None:
    """Measure how ours stands to the peer."""
    fsync = f"an fsync here takes {fsync_ms(place):.2f} ms"
    note(f"upserts of 1 KB, {total} inserted, then updated, {flight} in flight; {fsync}")
    pairs: list[tuple[Rates, Rates]] = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(dir=place) as directory:
            of_peer = _of_peer(Path(directory, "peer.db"), total // 8)
            pairs.append((await _of_ours(Path(directory, "edgecore.db"), total, flight), of_peer))
    ours_all, peers_all = zip(*pairs, strict=True)
    for case, field in (("inserts", 0), ("updates", 1)):
        ours, peers = ([each[field] for each in side] for side in (ours_all, peers_all))
        beside(case, ours, peers, "rows/s", peer=GO_WAY, goal=ratio(10))
    ours, peers = ([2 / (1 / each.inserted + 1 / each.updated) for each in side] for side in (ours_all, peers_all))
    beside("inserts and updates", ours, peers, "rows/s", peer=GO_WAY, goal=ratio(10))
    ours, peers = ([each.lone_ms for each in side] for side in (ours_all, peers_all))
    beside("a lone update", ours, peers, "ms", peer=GO_WAY, goal=ratio(1), less=True)


def fsync_ms(place: Path, times: int = 200) -> float:
    """Return the median time of a write of 4 KB at the end of a file and its ``fsync``."""
    taken = []
    with tempfile.TemporaryFile(dir=place) as file:
        for _ in range(times):
            file.write(bytes(4096))
            file.flush()
            began = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - began)
    return 1000 * statistics.median(taken)


def _batches(total: int) -> tuple[list[Message], list[Message], list[Message]]:
    return services(INSERT, total, 1), services(UPDATE, total, 2), services(UPDATE, min(total, LONE), 3)


async def _of_ours(path: Path, total: int, flight: int) -> Rates:
    inserts, updates, alone = _batches(total)
    async with keeper(path) as ours:

        async def many(messages: Sequence[Message]) -> float:
            began = time.perf_counter()
            await ours.through(messages, flight)
            return len(messages) / (time.perf_counter() - began)

        return Rates(
            await many(inserts), await many(updates), await _lone_ms(alone, lambda one: ours.through([one], 1))
        )


async def _lone_ms(messages: Sequence[Message], put: Callable[[Message], Awaitable[None]]) -> float:
    taken = []
    for message in messages:
        await asyncio.sleep(0.001)  # nothing is on its way any more
        began = time.perf_counter()
        await put(message)
        taken.append(time.perf_counter() - began)
    return 1000 * statistics.median(taken)


def _of_peer(path: Path, total: int) -> Rates:
    inserts, updates, alone = ([row(message) for message in batch] for batch in _batches(total))
    with Peer(path) as peer:

        def many(rows: list[tuple[str, str, str]]) -> float:
            began = time.perf_counter()
            peer.put_all(rows)
            return len(rows) / (time.perf_counter() - began)

        rates = many(inserts), many(updates)
        taken = []
        for one in alone:
            time.sleep(0.001)
            began = time.perf_counter()
            peer.put(one)
            taken.append(time.perf_counter() - began)
        return Rates(*rates, 1000 * statistics.median(taken))
