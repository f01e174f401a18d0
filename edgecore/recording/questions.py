"""Which names were asked for: what the snapshot at the end of a recording answers once more (pure)."""

import re
from collections.abc import Iterable

MOST = 1000
"""So many different questions are remembered, the first ones."""
LONGEST = 512
"""A longer query is none that asks for one name."""
_HEADER = 12
_TYPES = {1: "A", 5: "CNAME", 6: "SOA", 12: "PTR", 15: "MX", 16: "TXT", 28: "AAAA", 33: "SRV"}
_INTERNET = 1
_LABEL = re.compile(rb"[A-Za-z0-9_-]+").fullmatch


class Questions:
    """The questions of one recording; ``add`` is quick, for it is called in the event loop."""

    def __init__(self) -> None:
        self._asked: set[bytes] = set()

    def add(self, query: bytes) -> None:
        """Remember what a packet asks for."""
        if len(self._asked) < MOST and len(query) <= LONGEST:
            self._asked.add(query[_HEADER:])

    @property
    def texts(self) -> list[str]:
        """Each as ``NAME TYPE``, in order; what asks for something unusual is left out."""
        return sorted(set(filter(None, map(_text, self._asked))))


def _text(asked: Iterable[int]) -> str:
    """Return the first question in a packet without its header."""
    data, at, labels = bytes(asked), 0, []
    while at < len(data) and (length := data[at]):
        label = data[at + 1 : at + 1 + length]
        if _LABEL(label) is None:
            return ""
        labels.append(label.decode().lower())
        at += 1 + length
    kind, family = data[at + 1 : at + 3], data[at + 3 : at + 5]
    name = _TYPES.get(int.from_bytes(kind))
    if not labels or name is None or int.from_bytes(family) != _INTERNET:
        return ""
    return f"{'.'.join(labels)} {name}"
