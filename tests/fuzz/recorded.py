"""What the corpora begin with: pieces of the recordings that lie in the repository, one of each kind."""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from edgecore.recording.entries import CloudFrame, Direction, Http
from edgecore.recording.reader import read_entries, read_lines
from tests.fuzz.target import LONGEST_BYTES

DATA = Path(__file__).parents[1] / "data"
_OF_EACH = 1
_OF_EVERY_LINE = ("t_ns", "n", "causes", "dir", "link")


def frames(direction: Direction) -> Iterator[bytes]:
    """Yield recorded frames of one direction, of each operation and type of resource."""
    yield from _some(
        (_kind(entry.text), entry.text.encode("utf-8", "surrogatepass"))
        for path in sorted(DATA.glob("[a-e]*_*.jsonl"))
        for entry in read_entries(path)
        if isinstance(entry, CloudFrame) and entry.direction == direction
    )


def to_edge() -> Iterator[bytes]:
    """Yield what the cloud sent."""
    return frames(Direction.TO_EDGE)


def to_cloud() -> Iterator[bytes]:
    """Yield what edges sent."""
    return frames(Direction.TO_CLOUD)


def contents(*types: str) -> Callable[[], Iterator[bytes]]:
    """Return what yields the contents of messages about resources of these types, as JSON; of all without any."""

    def some() -> Iterator[bytes]:
        yield from _some(
            (kind, json.dumps(document["content"]).encode())
            for direction in Direction
            for document in map(json.loads, frames(direction))
            for kind in [_type(document["route"].get("resource", ""))]
            if not types or kind in types
        )

    return some


def lines() -> Iterator[bytes]:
    """Yield lines of recordings, of each kind, of both versions."""
    paths = [DATA / "d_devices_twins.jsonl", DATA / "ours_demo.jsonl.zst"]
    yield from _some(
        (next((key for key in json.loads(line) if key not in _OF_EVERY_LINE), ""), line)
        for path in paths
        for _, line in read_lines(path)
    )


def http_heads() -> Iterator[bytes]:
    """Yield what was said by HTTP when an edge joined: heads with their bodies."""
    entries = read_entries(DATA / "a_connect_first_sync.jsonl")
    yield from (entry.head.encode() + b"\n" + entry.body for entry in entries if isinstance(entry, Http))


def values(*documents: Any) -> Callable[[], Iterable[bytes]]:
    """Return what yields these as JSON."""
    return lambda: [json.dumps(document).encode() for document in documents]


def texts(*given: str | bytes) -> Callable[[], Iterable[bytes]]:
    """Return what yields these as they are."""
    return lambda: [text.encode() if isinstance(text, str) else text for text in given]


def _some(found: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
    seen: dict[str, int] = {}
    for kind, data in found:
        if seen.get(kind, 0) < _OF_EACH and len(data) < LONGEST_BYTES // 4:
            seen[kind] = seen.get(kind, 0) + 1
            yield data


def _kind(text: str) -> str:
    try:
        route = json.loads(text)["route"]
    except (ValueError, KeyError):
        return ""
    return f"{route.get('operation')} {_type(route.get('resource', ''))}"


def _type(resource: str) -> str:
    parts = resource.split("/")
    return parts[1] if len(parts) > 1 else resource
