"""What a recording is, in figures: counted line by line, in a bounded amount of memory (pure)."""

from collections import Counter
from typing import Any, TypeVar, cast

from edgecore.recording.entries import SessionHead
from edgecore.recording.outline import Outline

MAX_WORDS = 1000
"""How many different routes, connections, or directions are told apart."""
MAX_NOTES = 50
"""How many notes are kept with their words."""
MAX_CHARACTERS = 1000
"""Of a note, of a name: nothing that a file says fills the memory."""

Words = TypeVar("Words", bound=tuple[str, ...])


class Summary:
    """The figures of one recording."""

    def __init__(self) -> None:
        self.head: SessionHead | None = None
        self.bytes = 0
        """Of its lines, unpacked."""
        self.kinds: Counter[str] = Counter()
        self.ways: Counter[tuple[str, str]] = Counter()
        """Kind and direction."""
        self.routes: Counter[tuple[str, str, str]] = Counter()
        """Which way, the source, the operation; on the bus the receiver is the way."""
        self.links: Counter[tuple[str]] = Counter()
        """Connection to its entries."""
        self.notes: list[tuple[int, int, str]] = []
        """Line, time, words."""
        self.first_ns = self.last_ns = 0
        self.first_n = self.last_n = 0
        self.lost = 0
        self.torn = ""
        """Where it ends too early, if it does."""

    def add(self, outline: Outline, length: int) -> None:
        """Count one line of that many bytes."""
        kind, t_ns = outline.kind, outline.t_ns
        self.bytes += length
        if not self.kinds:
            self.first_ns = self.last_ns = t_ns
            self.first_n = outline.n
        elif t_ns > self.last_ns:
            self.last_ns = t_ns
        elif t_ns < self.first_ns:
            self.first_ns = t_ns
        self.last_n = max(self.last_n, outline.n)
        self.kinds[kind] += 1
        if outline.dir:
            _count(self.ways, (kind, outline.dir))
        if outline.link is not None:
            _count(self.links, (str(outline.link),))
        if kind in ("text", "bus"):
            self._add_route(outline)
        elif kind == "note" and len(self.notes) < MAX_NOTES:
            self.notes.append((outline.line, t_ns, (outline.note or "")[:MAX_CHARACTERS]))
        elif kind == "lost":
            self.lost += outline.lost or 0

    def _add_route(self, outline: Outline) -> None:
        route = outline.route()
        way = outline.dir or f"bus to {outline.receiver}"
        _count(self.routes, (way, "", "no message") if route is None else (way, route.source, route.operation))

    @property
    def count(self) -> int:
        """How many entries there are, the head included."""
        return self.kinds.total()

    @property
    def version(self) -> int:
        """Of the format."""
        return self.head.version if self.head else 1

    def as_json(self) -> dict[str, Any]:
        """Return the figures, for programs."""
        head = self.head
        return {
            "version": self.version,
            "program": head.program if head else "",
            "node": head.node if head else "",
            "redacted": bool(head and head.redacted),
            "recorded_kinds": list(head.kinds) if head else [],
            "entries": self.count,
            "bytes": self.bytes,
            "first_ns": self.first_ns,
            "last_ns": self.last_ns,
            "first_n": self.first_n,
            "last_n": self.last_n,
            "lost": self.lost,
            "torn": self.torn,
            "kinds": dict(self.kinds.most_common()),
            "directions": [{"kind": kind, "dir": way, "entries": n} for (kind, way), n in self.ways.most_common()],
            "messages": [
                {"way": way, "source": source, "operation": operation, "entries": n}
                for (way, source, operation), n in self.routes.most_common()
            ],
            "links": {link: n for (link,), n in self.links.items()},
            "notes": [{"line": line, "t_ns": t_ns, "text": text} for line, t_ns, text in self.notes],
        }


def _count(counter: Counter[Words], words: Words) -> None:
    if words not in counter:
        words = cast("Words", tuple(word[:MAX_CHARACTERS] for word in words))
        if len(counter) >= MAX_WORDS and words not in counter:
            return
    counter[words] += 1
