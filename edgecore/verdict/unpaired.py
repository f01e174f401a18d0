"""Messages without a partner: which of them is another one with a field or two changed (pure)."""

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from edgecore.recording.frames import TEXT_OF, Frame
from edgecore.verdict.fields import differences
from edgecore.verdict.rules import Rules

_LONG = 40
"""A content of so many characters is not like another by chance."""
_LOOKED_AT = 300
"""So many messages of a side are looked at; where more stand alone, no field is to blame."""


class Unpaired(NamedTuple):
    """One message of one side that has none of the other."""

    kind: str
    frame: Frame

    @property
    def short(self) -> str:
        """The message in a line, for people."""
        content = json.dumps(self.frame.document["content"])
        return f"{'|'.join(map(str, self.frame.route))} {content[:80]}{'…' if len(content) > 80 else ''}"


def partners(
    rules: Rules, missing: Sequence[Unpaired], extra: Sequence[Unpaired], paced: Sequence[Unpaired]
) -> Iterator[tuple[Unpaired | None, Unpaired | None]]:
    """Yield what is missing beside what is too many where a field or two make the one of the other; else each alone.

    ``paced`` are recorded messages that come again and again: one of ours may be such a one with a field changed.
    """
    left = list(missing)
    for place, our in enumerate(extra):
        if place >= _LOOKED_AT:
            yield None, our
            continue
        was = _nearest(rules, our, left[:_LOOKED_AT])
        if was is not None:
            left.remove(was)
        yield was or _nearest(rules, our, paced), our
    for was in left:
        yield was, None


def _nearest(rules: Rules, our: Unpaired, others: Sequence[Unpaired]) -> Unpaired | None:
    costs = ((_cost(rules, was, our), place) for place, was in enumerate(others))
    cost, place = min(costs, default=(0, 0))
    return others[place] if 0 < cost <= _allowed(our.frame) else None


def _cost(rules: Rules, was: Unpaired, our: Unpaired) -> int:
    """Return how many fields differ, as far as that matters."""
    if was.frame.parent and was.frame.parent == our.frame.parent:
        return 1
    found = differences(rules, was.kind, was.frame.document, read_alike(was.frame, our.frame).document)
    return sum(1 for _ in islice(found, 3))


def read_alike(was: Frame, our: Frame) -> Frame:
    """Return our message with its text taken apart, if that of the recorded one is: only words of a twin are."""
    content = our.document["content"]
    is_inside = isinstance(was.document["content"], dict) and TEXT_OF in was.document["content"]
    if not is_inside or not isinstance(content, str):
        return our
    try:
        return our._replace(document={**our.document, "content": {TEXT_OF: json.loads(content)}})
    except (ValueError, RecursionError):
        return our


def _allowed(frame: Frame) -> int:
    """Return in how many fields a message may differ: the short ones are all alike."""
    content = frame.document["content"]
    return 2 if isinstance(content, dict | list) or len(str(content)) > _LONG else 1
