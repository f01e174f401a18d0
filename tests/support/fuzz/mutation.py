"""Recorded frames, changed in every way that a wrong peer, or a bad line, might change them.

A changed frame follows from a seed and a number alone, so that each can be made once more. The seed is that of the test
run (``--randomly-seed``), or ``EDGECORE_FUZZ_SEED``; ``EDGECORE_FUZZ_FRAMES=120:170`` makes those numbers only.
"""

import json
import random
import re
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

from edgecore.beehive import resource as protocol
from edgecore.recording.entries import CloudFrame, Direction
from edgecore.recording.reader import read_entries

DATA = Path(__file__).parents[2] / "data"
"""Recordings of the link begin with a letter and an underscore, or a digit between."""
PARENT = "@parent@"
"""Stands in a changed frame where the sender puts the id of a message that waits for its answer."""

WORDS = sorted({word for name, word in vars(protocol).items() if name.isupper() and isinstance(word, str)})
JUNK: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**63 - 1, 2**63, -(2**63), 10**30, 0.5, -1e-320, 1e308,
    "", " ", "/", "//", "a", "ns/pod/x", "OK", "null", "{}", "\0", "\ud800", "\u2028", "é" * 40, "x" * 300, "../..",
    [], [None], [[]], [1, "a", None], {}, {"": None}, {"metadata": None}, {"metadata": {"name": "x", "namespace": "y"}},
]  # fmt: skip
PIECES = [
    b"\0", b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\\ud83d", b"\\u0000", b'"', b"\\", b"{", b"}",
    b"[", b"]", b",", b":", b"null", b"true", b"1e999", b"-1e999", b"9" * 400, b"-0", b"NaN", b"Infinity", b"\n",
    b"\r\n{}", b"/*", b"\t",
]  # fmt: skip
KEYS = [b"header", b"route", b"content", b"msg_id", b"parent_msg_id", b"timestamp", b"sync", b"source", b"group",
        b"operation", b"resource", b"resourceversion", b"metadata", b"spec", b"ports", b"status", b"name"]  # fmt: skip

_ID = re.compile(rb'"msg_id":"[^"]*"')


class Changed(NamedTuple):
    """One changed frame."""

    number: int
    how: str
    payload: bytes

    def on_the_wire(self, waiting: Sequence[str]) -> tuple[bytes | list[bytes], bool]:
        """Return the payload, most of the time whole, else in fragments, and whether it goes as text.

        ``waiting`` are ids of messages of the other side that one may pretend to answer.
        """
        rng = random.Random(self.number)
        payload = self.payload.replace(PARENT.encode(), rng.choice(waiting).encode()) if waiting else self.payload
        return _fragments(payload, rng), rng.random() < 0.9


def _fragments(payload: bytes, rng: random.Random) -> bytes | list[bytes]:
    share = rng.random()
    if share < 0.75:
        return payload
    if share < 0.8:
        return [*(payload[at : at + 1] for at in range(min(len(payload), 500))), payload[500:]]
    places = sorted(rng.randint(0, len(payload)) for _ in range(rng.randint(1, 6)))
    return [payload[start:end] for start, end in zip([0, *places], [*places, len(payload)], strict=True)]


class Mutator:
    """Changes the frames of one direction."""

    def __init__(self, seeds: list[bytes], seed: int, numbers: range) -> None:
        self.seed = seed
        self.numbers = numbers
        self._seeds = seeds

    def frame(self, number: int) -> Changed:
        """Return the changed frame of that number. Its id is its own, unless the change is about the id."""
        rng = random.Random(f"{self.seed}/{number}")
        payload = rng.choice(self._seeds)
        if rng.random() < 0.96:
            payload = _ID.sub(b'"msg_id":"f-%d"' % number, payload, count=1)
        done = []
        for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
            change = rng.choice(_CHANGES)
            done.append(change.__name__.strip("_"))
            payload = change(payload, rng, self._seeds)
        return Changed(number, "+".join(done) or "unchanged", payload)

    def batches(self, size: int) -> Iterator[list[Changed]]:
        """Yield all frames in order, so many at a time."""
        for first in range(self.numbers.start, self.numbers.stop, size):
            yield [self.frame(number) for number in range(first, min(first + size, self.numbers.stop))]

    def repeat_with(self, batch: list[Changed], what: object) -> str:
        """Return the text that lets people make these frames once more."""
        lines = [
            f"{what}",
            f"again: EDGECORE_FUZZ_SEED={self.seed} EDGECORE_FUZZ_FRAMES={batch[0].number}:{batch[-1].number + 1}",
            *(f"  {frame.number} ({frame.how}): {_shown(frame.payload)}" for frame in batch),
        ]
        return "\n".join(lines)


def _shown(payload: bytes) -> str:
    return (
        repr(payload) if len(payload) <= 4000 else f"{payload[:2000]!r} ... {payload[-200:]!r} ({len(payload)} bytes)"
    )


# Changes of bytes.


def _flip(payload: bytes, rng: random.Random, _seeds: list[bytes]) -> bytes:
    changed = bytearray(payload)
    for _ in range(rng.choice((1, 1, 2, 8))):
        if changed:
            changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _insert(payload: bytes, rng: random.Random, _seeds: list[bytes]) -> bytes:
    at = rng.choice((0, len(payload), rng.randint(0, len(payload))))
    return payload[:at] + rng.choice(PIECES) + payload[at:]


def _overwrite(payload: bytes, rng: random.Random, _seeds: list[bytes]) -> bytes:
    at, piece = rng.randint(0, len(payload)), rng.choice(PIECES)
    return payload[:at] + piece + payload[at + len(piece) :]


def _delete(payload: bytes, rng: random.Random, _seeds: list[bytes]) -> bytes:
    at = rng.randint(0, len(payload))
    return payload[:at] + payload[at + rng.choice((1, 1, 2, 20, 200)) :]


def _truncate(payload: bytes, rng: random.Random, _seeds: list[bytes]) -> bytes:
    return payload[: rng.randint(0, len(payload))]


def _splice(payload: bytes, rng: random.Random, seeds: list[bytes]) -> bytes:
    other = rng.choice(seeds)
    return payload[: rng.randint(0, len(payload))] + other[rng.randint(0, len(other)) :]


def _repeat(payload: bytes, rng: random.Random, _seeds: list[bytes]) -> bytes:
    start = rng.randint(0, len(payload))
    piece = payload[start : start + rng.choice((1, 10, 100, len(payload)))]
    return payload[:start] + piece * rng.choice((2, 3, 50)) + payload[start:]


def _number(payload: bytes, rng: random.Random, _seeds: list[bytes]) -> bytes:
    """Put another number where one stands."""
    found = list(re.finditer(rb"[:\[,](\d+)", payload))
    if not found:
        return payload
    start, end = rng.choice(found).span(1)
    number = rng.choice((b"0", b"-1", b"65536", b"99999999999999999999", b"1e999", b"0.1", b"1e2", b"01", b"9" * 5000))
    return payload[:start] + number + payload[end:]


def _case(payload: bytes, rng: random.Random, _seeds: list[bytes]) -> bytes:
    key = rng.choice(KEYS)
    return payload.replace(b'"%b":' % key, b'"%b":' % rng.choice((key.upper(), key.title(), key.swapcase())), 1)


def _double(payload: bytes, rng: random.Random, _seeds: list[bytes]) -> bytes:
    """Have a key twice, the other time with another value."""
    key = rng.choice(KEYS)
    value = rng.choice((b"null", b'""', b"{}", b"[]", b"1", b'"twice"'))
    at = payload.find(b"{", rng.randint(0, len(payload))) + 1
    return payload[:at] + b'"%b":%b,' % (key, value) + payload[at:]


def _deep(payload: bytes, rng: random.Random, _seeds: list[bytes]) -> bytes:
    levels = rng.choice((3, 100, 508, 513, 3000, 100_000))
    opened, closed = rng.choice(((b"[", b"]"), (b'{"a":', b"}")))
    closed = rng.choice((closed, b""))
    at = payload.find(b'"content":') + len(b'"content":')
    return payload[:at] + opened * levels + b"1" + closed * levels + b"}"


def _long(payload: bytes, rng: random.Random, _seeds: list[bytes]) -> bytes:
    found = list(re.finditer(rb'"[^"\\]*"', payload))
    if not found:
        return payload
    start, end = rng.choice(found).span()
    piece = rng.choice((b"x", "\u00e9".encode(), b"\\u00e9", b"a/"))
    return payload[:start] + b'"' + piece * rng.choice((64, 254, 5000, 60_000)) + b'"' + payload[end:]


# Changes of values. What is no JSON any more, by an earlier change, is left to the changes of bytes.


def _of_json(change: Callable[[Any, random.Random], None]) -> Callable[[bytes, random.Random, list[bytes]], bytes]:
    def apply(payload: bytes, rng: random.Random, seeds: list[bytes]) -> bytes:
        try:
            document = json.loads(payload)
        except (ValueError, RecursionError):
            return _flip(payload, rng, seeds)
        if not isinstance(document, dict):
            return _insert(payload, rng, seeds)
        try:
            change(document, rng)
            text = json.dumps(document, ensure_ascii=rng.random() < 0.5, separators=(",", ":"))
        except (RecursionError, ValueError):  # too deep, or within itself
            return payload
        return text.encode("utf-8", "surrogatepass") + b"\n"

    apply.__name__ = change.__name__
    return apply


def _places(value: Any, depth: int = 0) -> Iterator[tuple[Any, Any]]:
    """Yield (object or list, key or index) of every value."""
    if depth > 40:
        return
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield value, key
        yield from _places(inner, depth + 1)


def _junk(rng: random.Random) -> Any:
    return deepcopy(rng.choice(JUNK))


def _place(document: Any, rng: random.Random) -> tuple[Any, Any]:
    return rng.choice(list(_places(document)) or [({"": None}, "")])


def _part(document: Any, name: str) -> dict[str, Any]:
    part = document.get(name)
    if not isinstance(part, dict):
        part = document[name] = {}
    return part


@_of_json
def _retype(document: Any, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 1, 3))):
        holder, key = _place(document, rng)
        holder[key] = _junk(rng)


@_of_json
def _drop(document: Any, rng: random.Random) -> None:
    holder, key = _place(document, rng)
    del holder[key]


@_of_json
def _add(document: Any, rng: random.Random) -> None:
    holder, _ = _place(document, rng)
    if isinstance(holder, dict):
        holder[rng.choice(KEYS).decode() if rng.random() < 0.5 else rng.choice(WORDS)] = _junk(rng)
    else:
        holder.insert(0, _junk(rng))


@_of_json
def _swap(document: Any, rng: random.Random) -> None:
    """Exchange two values, half of the time the halves of the frame."""
    if rng.random() < 0.5:
        one, other = rng.sample(("header", "route", "content"), 2)
        document[one], document[other] = document.get(other), document.get(one)
        return
    (holder, key), (other_holder, other_key) = _place(_part(document, "route"), rng), _place(document, rng)
    holder[key], other_holder[other_key] = None, holder[key]


@_of_json
def _reroute(document: Any, rng: random.Random) -> None:
    route = _part(document, "route")
    for _ in range(rng.choice((1, 1, 2))):
        key = rng.choice(("operation", "group", "source", "operation", "group", "source", "resource"))
        route[key] = rng.choice(WORDS) if rng.random() < 0.8 else _junk(rng)


@_of_json
def _resource(document: Any, rng: random.Random) -> None:
    parts = [rng.choice((*WORDS, "default", "x", "", "nginx-svc", "edge-1")) for _ in range(rng.randint(0, 6))]
    if len(parts) > 1 and rng.random() < 0.6:
        parts[1] = rng.choice(("pod", "service", "endpoints", "podlist", "servicelist", "endpointslist", "configmap",
                               "secret", "node", "nodestatus", "podstatus", "listener", "volume"))  # fmt: skip
    _part(document, "route")["resource"] = "/".join(parts)


@_of_json
def _content(document: Any, rng: random.Random) -> None:
    content = document.get("content")
    document["content"] = rng.choice(
        (_junk(rng), [content], [content] * 3, {"content": content}, json.dumps(content), [None, content, {}])
    )


@_of_json
def _nulls(document: Any, rng: random.Random) -> None:
    share = rng.choice((0.1, 0.5, 1.0))
    for holder, key in list(_places(document)):
        if rng.random() < share:
            holder[key] = None


@_of_json
def _many(document: Any, rng: random.Random) -> None:
    """Make a long list, of something that stands in the frame."""
    holder, key = _place(document.get("content"), rng)
    small = len(json.dumps(holder[key])) < 200
    holder[key] = [holder[key]] * rng.choice((10, 300, 3000) if small else (2, 20))


@_of_json
def _ids(document: Any, rng: random.Random) -> None:
    header = _part(document, "header")
    key = rng.choice(("msg_id", "parent_msg_id"))
    header[key] = rng.choice(("", "same", "\0", "x" * 5000, "é", header.get("msg_id"), _junk(rng)))


@_of_json
def _answer(document: Any, rng: random.Random) -> None:
    """Pretend to be the answer to something that waits for one."""
    _part(document, "header")["parent_msg_id"] = PARENT
    if rng.random() < 0.7:
        _part(document, "route")["operation"] = rng.choice(("response", "response", "error", "update"))


_BYTES = (_flip, _insert, _overwrite, _delete, _truncate, _splice, _repeat, _number, _case, _double, _deep, _long)
_VALUES = (_retype, _drop, _add, _swap, _reroute, _resource, _content, _nulls, _many, _ids, _answer)
_CHANGES = (*_BYTES, *_VALUES, *_VALUES)


# Where they come from.


def recorded(direction: Direction) -> list[bytes]:
    """Return every frame that went this way, each once."""
    frames = {
        entry.text.encode()
        for path in sorted(DATA.glob("[a-f]*_*.jsonl"))
        for entry in read_entries(path)
        if isinstance(entry, CloudFrame) and entry.direction is direction
    }
    samples = json.loads((DATA / "samples.json").read_text())
    frames |= {sample["text"].encode() for name, sample in samples.items() if name.startswith(direction)}
    return sorted(frames)
