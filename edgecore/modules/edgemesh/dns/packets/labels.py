"""Names as sequences of labels, and how they are written on the wire (RFC 1035 section 3.1)."""

import re
from collections.abc import Sequence

LABEL_LIMIT_BYTES = 63
NAME_LIMIT_BYTES = 255

Labels = tuple[bytes, ...]
"""The first one is the leftmost; the root is ``()``."""

_PLAIN = re.compile(rb"[a-z0-9_-]{1,63}", re.IGNORECASE)


def folded(labels: Sequence[bytes]) -> Labels:
    """Return ``labels`` in small letters: names are equal whatever their case (RFC 4343)."""
    return tuple([label.lower() for label in labels])


def wire(labels: Sequence[bytes]) -> bytes:
    """Return ``labels`` as they are written out in a packet."""
    return b"".join([bytes((len(label),)) + label for label in labels]) + b"\0"


def wire_bytes(labels: Sequence[bytes]) -> int:
    """Return the length of ``wire(labels)``."""
    return sum(map(len, labels)) + len(labels) + 1


def fits(labels: Sequence[bytes]) -> bool:
    """Say whether ``labels`` have room in a name, and each of them in a label."""
    return all(0 < len(label) <= LABEL_LIMIT_BYTES for label in labels) and wire_bytes(labels) <= NAME_LIMIT_BYTES


def plain_label(text: str) -> bytes | None:
    """Return ``text`` in small letters as a label of letters, digits, ``-`` and ``_``; ``None`` if it is none."""
    label = text.encode(errors="replace").lower()
    return label if _PLAIN.fullmatch(label) else None


def plain_name(text: str) -> Labels | None:
    """Return a name of such labels, with or without a dot behind it; ``None`` if it is none or has no room."""
    labels = tuple(plain_label(part) for part in text.removesuffix(".").split("."))
    known = tuple(label for label in labels if label is not None)
    return known if len(known) == len(labels) and fits(known) else None


def is_within(name: Labels, zone: Labels) -> bool:
    """Say whether ``name`` is ``zone`` or below it; both in small letters."""
    return not zone or name[-len(zone) :] == zone
