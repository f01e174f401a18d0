"""Verdicts for people: what changed, with the exact field and the entries of both sides, coloured if asked (pure)."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import takewhile

from edgecore.verdict.checks import ABSENT
from edgecore.verdict.verdict import Difference, Verdict

SHOWN = 20
"""So many differences of a recording are shown, if nothing else is asked for."""

_CONTEXT = 60
"""So many characters stay before and after what differs in a long value."""
_LONGEST = 400
_BOLD, _DIM, _RED, _GREEN, _MARKED = "1", "2", "31", "32", "7"


def report(verdicts: Sequence[Verdict], *, colour: bool, limit: int | None = SHOWN) -> str:
    """Return the verdicts as text; with ``limit``, no more than so many differences of each recording."""
    pen = _Pen(colour)
    blocks = ["\n".join(_block(pen, one, limit)) for one in verdicts]
    if len(verdicts) > 1:
        different = sum(not one.is_equal for one in verdicts)
        told = f"{different} of {len(verdicts)} recordings different" if different else f"all {len(verdicts)} equal"
        blocks.append(pen(_RED if different else _GREEN, told))
    return "\n\n".join(blocks) + "\n"


class _Pen:
    """Paints, or does not."""

    def __init__(self, colour: bool) -> None:
        self._colour = colour

    def __call__(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self._colour and text else text


def _block(pen: _Pen, verdict: Verdict, limit: int | None) -> Iterator[str]:
    word = pen(_GREEN, "equal") if verdict.is_equal else pen(_RED, "different")
    yield f"{pen(_BOLD, _safe(verdict.recording))}: {word}"
    yield f"  {_counts(verdict)}"
    if verdict.used:
        told = ", ".join(f"{_safe(line)} ×{count}" for line, count in sorted(verdict.used.items()))  # noqa: RUF001
        yield f"  known differences met: {told}"
    for why, count in sorted(verdict.passed_over.items()):
        yield f"  not compared: {count} ({why})"
    for number, one in enumerate(verdict.differences[:limit], 1):
        yield ""
        yield from _difference(pen, number, one)
    if limit is not None and len(verdict.differences) > limit:
        yield ""
        yield f"  … and {len(verdict.differences) - limit} more: {_kinds(verdict.differences[limit:])}"


def _counts(verdict: Verdict) -> str:
    told = f"compared {verdict.compared.total()}: {verdict.equal.total()} equal"
    told += f", {verdict.explained.total()} with known differences" if verdict.explained.total() else ""
    if verdict.differences:
        count = len(verdict.differences)
        told += f"; {count} difference{'s' if count != 1 else ''}: {_kinds(verdict.differences)}"
    return told


def _kinds(differences: Sequence[Difference]) -> str:
    counts = Counter(one.kind for one in differences)
    return ", ".join(f"{kind} {count}" for kind, count in counts.most_common())


def _difference(pen: _Pen, number: int, one: Difference) -> Iterator[str]:
    yield f"  {number}. {one.kind}: {_safe(one.what)}"
    places = [f"entry {one.recorded_entry} of the recording"] if one.recorded_entry is not None else []
    places += [f"entry {one.our_entry} of the replay"] if one.our_entry is not None else []
    if places:
        yield "     " + pen(_DIM, ", ".join(places))
    yield "     " + pen(_BOLD, _safe(one.path))
    recorded, ours = _shown(one.recorded), _shown(one.ours)
    before = _common(recorded, ours)
    after = _common(recorded[before:][::-1], ours[before:][::-1])
    if recorded[0] != ours[0]:  # values of two types: nothing in them is the same
        before = after = 0
    yield pen(_RED, "       - ") + _marked(pen, _RED, recorded, before, after)
    yield pen(_GREEN, "       + ") + _marked(pen, _GREEN, ours, before, after)


def _marked(pen: _Pen, code: str, text: str, before: int, after: int) -> str:
    """Return the text with what differs marked; what is the same far before and behind it is left out."""
    end = len(text) - after
    head, middle, tail = text[:before], text[before:end], text[end:]
    if len(text) > _LONGEST:
        head = f"…{head[-_CONTEXT:]}" if len(head) > _CONTEXT else head
        middle = f"{middle[:_LONGEST]}… ({len(middle)} characters)" if len(middle) > _LONGEST else middle
        tail = f"{tail[:_CONTEXT]}…" if len(tail) > _CONTEXT else tail
    mark = f"{code};{_MARKED}" if head or tail else code
    return pen(code, _safe(head)) + pen(mark, _safe(middle)) + pen(code, _safe(tail))


def _common(one: str, other: str) -> int:
    """Return how many characters two texts have in common at their beginning."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))


def _shown(value: object) -> str:
    return ABSENT if value == ABSENT else json.dumps(value, ensure_ascii=False)


def _safe(text: str) -> str:
    """Return text without anything that would move a terminal's cursor."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
