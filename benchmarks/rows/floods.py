"""What comes all at once: the recorded burst, and lists of 1 MB, as the cloud sends them on every connection."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from edgecore.beehive.message import Message
from edgecore.beehive.resource import SERVICE
from rows.figures import alone, beside, note
from rows.keeper import keeper
from rows.objects import NAMESPACE, lists, recorded_burst
from rows.peer import GO_WAY, Peer, Row, row

FLIGHT = 1000
"""The burst is there at once: as many as a mailbox holds."""


async def recorded(place: Path, rounds: int) -> None:
    """Measure how fast the recorded burst is stored and acknowledged, in order."""
    burst = list(recorded_burst())
    rows = [row(message) for message in burst[::10]]  # enough to know how fast it is
    note(f"the recorded burst of 1,000 services and 3,000 pods: {len(burst)} messages, acknowledged in order")
    ours: list[float] = []
    peers: list[float] = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(dir=place) as directory:
            async with keeper(Path(directory, "edgecore.db")) as mine:
                began = time.perf_counter()
                await mine.through(burst, FLIGHT)
                ours.append(len(burst) / (time.perf_counter() - began))
            peers.append(_by_peer(Path(directory, "peer.db"), rows))
    beside("the recorded burst", ours, peers, "messages/s", peer=GO_WAY)


async def resync(place: Path, rounds: int, total: int) -> None:
    """Measure how fast lists of 1 MB are stored: all of it new, unchanged, and changed."""
    made = {
        "new": list(lists(total, 1)),
        "unchanged": list(lists(total, 1)),
        "changed": list(lists(total, 2)),
    }
    megabytes = sum(len(bytes(message.content)) for message in made["new"]) / 1e6
    elements = _elements(made["new"][0])
    note(f"resync by {total} lists of 1 MB, {len(elements):,} services in each; the peer: a transaction an element")
    ours: dict[str, list[float]] = {what: [] for what in made}
    peers: list[float] = []
    for _ in range(rounds):
        with tempfile.TemporaryDirectory(dir=place) as directory:
            async with keeper(Path(directory, "edgecore.db")) as mine:
                for what, messages in made.items():
                    began = time.perf_counter()
                    await mine.through(messages, FLIGHT)
                    ours[what].append(megabytes / (time.perf_counter() - began))
            some = elements[:200]
            peers.append(
                _by_peer(Path(directory, "peer.db"), some) * sum(len(each[2]) for each in some) / len(some) / 1e6
            )
    beside("resync, new", ours["new"], peers, "MB/s", peer=GO_WAY)
    for what in ("unchanged", "changed"):
        alone(f"resync, {what}", ours[what], "MB/s")


def _by_peer(path: Path, rows: Sequence[Row]) -> float:
    with Peer(path) as peer:
        began = time.perf_counter()
        peer.put_all(rows)
        return len(rows) / (time.perf_counter() - began)


def _elements(message: Message) -> list[Row]:
    found = []
    for element in msgspec.json.decode(message.content, type=list[msgspec.Raw]):
        name = msgspec.json.decode(element)["metadata"]["name"]
        found.append((f"{NAMESPACE}/{SERVICE}/{name}", SERVICE, bytes(element).decode()))
    return found
