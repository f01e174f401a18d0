"""The header lines of one message, in their order and spelling, and how they are looked up."""

import re
from collections.abc import Iterable

import msgspec

# RFC 9110 section 5.5 and 5.6.2: a token, a colon at once, and no control character but the tab. Nothing of this may
# differ between us and the backend, or the two would see different requests (no folding, no bare CR or LF, no NUL).
LINE = rb"[!#-'*+\-.0-9A-Z^-z|~]++:[\t\x20-\x7e\x80-\xff]*+"
_BLOCK = re.compile(rb"(?:" + LINE + rb"\r\n)*+")
FIELD_LINE = re.compile(LINE)


class Fields(msgspec.Struct, frozen=True, gc=False):
    """Header lines without their line ends. ``names[i]`` is the lower-case name of ``lines[i]``."""

    names: list[bytes]
    lines: list[bytes]

    def values(self, name: bytes) -> list[bytes]:
        """Return the values of all lines called ``name`` (lower case), without the spaces around them."""
        if name not in self.names:
            return []
        skipped = len(name) + 1
        return [
            line[skipped:].strip(b" \t") for found, line in zip(self.names, self.lines, strict=True) if found == name
        ]

    def tokens(self, name: bytes) -> list[bytes]:
        """Return the members of the comma-separated list that the lines called ``name`` hold, in lower case."""
        if name not in self.names:
            return []
        members = b",".join(self.values(name)).lower().split(b",")
        return [token for token in map(bytes.strip, members) if token]


def parse_fields(block: bytes) -> Fields | None:
    """Return the lines of ``block``, each of which ends with CRLF; None if any of them is no header line."""
    return split_fields(block) if _BLOCK.fullmatch(block) else None


def split_fields(block: bytes) -> Fields:
    """Return the lines of ``block``, of which it is known that they are header lines, each with its CRLF."""
    lines = block.split(b"\r\n")
    lines.pop()
    return Fields([line[: line.index(b":")].lower() for line in lines], lines)


def cut_out(head: bytes, offset: int, lines: Iterable[re.Match[bytes]]) -> bytes:
    """Return ``head`` without some of its lines, which were found, LF to CR, in what begins at ``offset``, in order."""
    kept, at = [], 0
    for line in lines:
        kept.append(head[at : offset + line.start() + 1])
        at = offset + line.end() + 1
    kept.append(head[at:])
    return b"".join(kept)
