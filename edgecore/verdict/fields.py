"""Two JSON values compared field by field, by the rules for their kind; and values as forms of what counts (pure)."""

import json
from collections.abc import Callable, Iterator, Sequence
from difflib import SequenceMatcher
from itertools import zip_longest
from typing import TypeVar

from edgecore.recording.frames import Json
from edgecore.verdict.checks import ABSENT
from edgecore.verdict.rules import Rules

T = TypeVar("T")

_ALIGNED = 250_000
"""The largest product of two lengths of which a best alignment is looked for."""


def differences(
    rules: Rules, kind: str, recorded: Json, ours: Json, path: str = ""
) -> Iterator[tuple[str, Json, Json]]:
    """Yield path, recorded value and our value of each field that differs, by the rules for ``kind``."""
    if isinstance(recorded, dict) and isinstance(ours, dict):
        if recorded != ours and not _passes(rules, kind, path, recorded, ours):
            for key in sorted(recorded.keys() | ours.keys()):
                below = f"{path}.{key}" if path else key
                yield from differences(rules, kind, recorded.get(key, ABSENT), ours.get(key, ABSENT), below)
    elif isinstance(recorded, list) and isinstance(ours, list) and len(recorded) == len(ours):
        if not _passes(rules, kind, path, recorded, ours):
            for index, (one, other) in enumerate(zip(recorded, ours, strict=True)):
                yield from differences(rules, kind, one, other, f"{path}[{index}]")
    elif not (type(recorded) is type(ours) and recorded == ours) and not _passes(rules, kind, path, recorded, ours):
        yield path, recorded, ours


def _passes(rules: Rules, kind: str, path: str, recorded: Json, ours: Json) -> bool:
    rule = rules.volatile_at(kind, path)
    return rule is not None and rule.check.accepts(recorded) and rule.check.accepts(ours)


def form_of(rules: Rules, kind: str, value: Json) -> str:
    """Return the value with the name of the check in place of each field that keeps to it."""
    return json.dumps(_ruled(rules, kind, value, ""), sort_keys=True)


def _ruled(rules: Rules, kind: str, value: Json, path: str) -> Json:
    rule = rules.volatile_at(kind, path)
    if rule is not None and rule.check.accepts(value):
        return f"<{rule.check.name}>"
    if isinstance(value, dict):
        return {key: _ruled(rules, kind, below, f"{path}.{key}" if path else key) for key, below in value.items()}
    if isinstance(value, list):
        return [_ruled(rules, kind, below, f"{path}[{index}]") for index, below in enumerate(value)]
    return value


def paired(recorded: Sequence[T], ours: Sequence[T], form: Callable[[T], str]) -> Iterator[tuple[T | None, T | None]]:
    """Yield who stands for whom in two sequences about the same thing, in order; ``None`` stands for nobody.

    Of as many on both sides each stands for the one at its place. Else those of the same form do, in order, and what
    lies between them one by one.
    """
    if len(recorded) == len(ours) or not recorded or not ours or len(recorded) * len(ours) > _ALIGNED:
        yield from zip_longest(recorded, ours)
        return
    matcher = SequenceMatcher(None, [form(one) for one in recorded], [form(one) for one in ours], autojunk=False)
    for _, start, end, our_start, our_end in matcher.get_opcodes():
        yield from zip_longest(recorded[start:end], ours[our_start:our_end])
