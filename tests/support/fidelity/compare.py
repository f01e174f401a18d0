"""Comparing what our node sent with what the Go edgecore sent in a recording (pure)."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from fidelity import frames as f
from fidelity.frames import Frame, Json
from fidelity.rules import (
    ABSENT,
    ACK_ORDER,
    OURS_ALONE,
    STUB_ALONE,
    THEIRS_ALONE,
    UNCHANGED,
    named,
    named_field,
    rule_for,
)


class Difference(NamedTuple):
    """A field that is not what it was, a message that is missing or too many, or an order that changed."""

    kind: str
    where: str
    path: str
    recorded: Json
    ours: Json

    def __str__(self) -> str:
        return f"{self.kind}, {self.where}, {self.path}: recorded {self.recorded!r}, ours {self.ours!r}"


@dataclass
class Comparison:
    """What came out of one recording."""

    recording: str
    compared: Counter[str] = field(default_factory=Counter)
    """Recorded messages that were compared, by kind."""
    equal: Counter[str] = field(default_factory=Counter)
    explained: Counter[str] = field(default_factory=Counter)
    """Those that differ in fields for reasons that are named."""
    repeated: int = 0
    """Recorded messages that the Go edgecore sent again under their ids, because no cloud of 1.3 confirms them."""
    named: Counter[str] = field(default_factory=Counter)
    """Differences that ``docs/fidelity.md`` explains, by the id of the line."""
    theirs_alone: int = 0
    """Recorded messages that our node does not send, for a reason that is named."""
    differences: list[Difference] = field(default_factory=list)
    """Those that nothing explains."""


def differences(kind: str, recorded: Json, ours: Json, path: str = "") -> Iterator[tuple[str, Json, Json]]:
    """Yield path, recorded value and our value of each field that differs, by the rules for ``kind``."""
    rule = rule_for(kind, path)
    if rule is not None and rule.check.accepts(recorded) and rule.check.accepts(ours):
        return
    if isinstance(recorded, dict) and isinstance(ours, dict):
        for key in sorted(recorded.keys() | ours.keys()):
            below = f"{path}.{key}" if path else key
            yield from differences(kind, recorded.get(key, ABSENT), ours.get(key, ABSENT), below)
    elif isinstance(recorded, list) and isinstance(ours, list) and len(recorded) == len(ours):
        for index, (one, other) in enumerate(zip(recorded, ours, strict=True)):
            yield from differences(kind, one, other, f"{path}[{index}]")
    elif type(recorded) is not type(ours) or recorded != ours:
        yield path, recorded, ours


def compare(
    recording: str,
    recorded: Sequence[Frame],
    ours: Sequence[Frame],
    *,
    answers: frozenset[str] = frozenset(),
    periodic: Sequence[Frame] = (),
    played: Sequence[Frame] = (),
    repeats: frozenset[int] = frozenset(),
    said: frozenset[str] = frozenset(),
) -> Comparison:
    """Compare the messages of two edges in one recording.

    ``answers`` holds the ids of the cloud's answers. ``periodic`` are messages of other recordings with which ours of
    a periodic kind may be compared too. ``played`` are the cloud's messages in the order in which our node got them.
    ``repeats`` are lines of what was sent before under the same id, ``said`` the ids that ours had sent before: what is
    said again is not compared again.
    """
    found = Comparison(recording)
    theirs = _by_kind([frame for frame in recorded if frame.line not in repeats], answers)
    own = _by_kind(_once(ours, said), answers)
    for frame in unchanged(theirs[f.TWIN]):
        theirs[f.TWIN].remove(frame)
        found.named[UNCHANGED] += 1
        found.theirs_alone += 1
    found.repeated = len(repeats)
    for kind in theirs.keys() | own.keys():
        if kind in f.PERIODIC:
            _compare_forms(found, kind, theirs[kind], own[kind], [one for one in periodic if f.kind_of(one) == kind])
        else:
            _compare_pairs(found, kind, theirs[kind], own[kind])
    _compare_order(found, theirs[f.ACK], own[f.ACK], played)
    return found


def compare_answers(
    recording: str, requests: Sequence[Frame], recorded: Sequence[Frame], ours: Sequence[Frame]
) -> Comparison:
    """Compare what two clouds answered to the same requests; one that neither answered is equal."""
    found = Comparison(recording)
    theirs, own = _by_parent(recorded), _by_parent(ours)
    for request in requests:
        kind = f.kind_of(request)
        was, our = theirs.get(request.id, []), own.pop(request.id, [])
        if line := len(our) > len(was) == 0 and named(STUB_ALONE, recording, kind, request.resource):
            found.named[line] += 1
            continue
        found.compared[kind] += 1
        wrong = [_missing(f.CLOUD_ANSWER, answer) for answer in was[len(our) :]]
        wrong += [_too_many(f.CLOUD_ANSWER, answer) for answer in our[len(was) :]]
        wrong += [each for pair in zip(was, our, strict=False) for each in _field_differences(f.CLOUD_ANSWER, *pair)]
        found.differences += wrong
        found.equal[kind] += not wrong
    found.differences += [_too_many(f.CLOUD_ANSWER, answer) for left in own.values() for answer in left]
    return found


def _once(frames: Sequence[Frame], said: frozenset[str]) -> list[Frame]:
    """Leave out words about devices that were sent before under the same id."""
    seen, found = set(said), []
    for frame in frames:
        if f.kind_of(frame) == f.TWIN:
            if frame.id in seen:
                continue
            seen.add(frame.id)
        found.append(frame)
    return found


def unchanged(frames: Sequence[Frame]) -> list[Frame]:
    """Return the reports about devices that say again what had been reported."""
    known: dict[tuple[str, str], Json] = {}
    found = []
    for frame in frames:
        content = frame.document["content"]
        if f.kind_of(frame) != f.TWIN or "twin" not in content:
            continue
        said = {
            (frame.resource, key): [_value(twin, side) for side in ("expected", "actual")]
            for key, twin in content["twin"].items()
        }
        if all(known.get(key) == values for key, values in said.items()):
            found.append(frame)
        known.update(said)
    return found


def _value(twin: Json, side: str) -> Json:
    return (twin.get(side) or {}).get("value")


def _by_parent(answers: Sequence[Frame]) -> dict[str, list[Frame]]:
    found: defaultdict[str, list[Frame]] = defaultdict(list)
    for answer in answers:
        found[answer.parent].append(answer)
    return dict(found)


def _by_kind(frames: Sequence[Frame], answers: frozenset[str]) -> defaultdict[str, list[Frame]]:
    kinds: defaultdict[str, list[Frame]] = defaultdict(list)
    for frame in frames:
        kinds[f.kind_of(frame, answers)].append(frame)
    return kinds


def _compare_forms(
    found: Comparison, kind: str, recorded: list[Frame], ours: list[Frame], elsewhere: list[Frame]
) -> None:
    """Compare each message with the one of the other side that is most like it; a name counts once, however often."""
    for frame in recorded:
        found.compared[kind] += 1
        if (nearest := _nearest(kind, frame, ours)) is None:
            found.differences.append(_missing(kind, frame))
        else:
            _compare_fields(found, kind, frame, nearest)
    known = {_form(kind, frame) for frame in recorded}
    lines: set[str] = set()
    for frame in ours:
        if _form(kind, frame) in known:
            continue
        if line := named(OURS_ALONE, found.recording, kind, frame.resource):
            lines.add(line)
        elif (nearest := _nearest(kind, frame, recorded or elsewhere)) is None:
            found.differences.append(_too_many(kind, frame))
        else:
            found.differences += [one for one in _field_differences(kind, nearest, frame) if not _line_of(one)]
    found.named.update(lines)


def _nearest(kind: str, frame: Frame, others: list[Frame]) -> Frame | None:
    form = _form(kind, frame)
    same = next((other for other in others if _form(kind, other) == form), None)
    return same or min(
        others, key=lambda other: len(list(differences(kind, frame.document, other.document))), default=None
    )


def _form(kind: str, frame: Frame) -> str:
    """Return the message with the name of the rule in place of each value that keeps to it."""
    return json.dumps(_ruled(kind, frame.document, ""), sort_keys=True)


def _ruled(kind: str, value: Json, path: str) -> Json:
    rule = rule_for(kind, path)
    if rule is not None and rule.check.accepts(value):
        return f"<{rule.check.name}>"
    if isinstance(value, dict):
        return {key: _ruled(kind, below, f"{path}.{key}" if path else key) for key, below in value.items()}
    if isinstance(value, list):
        return [_ruled(kind, below, f"{path}[{index}]") for index, below in enumerate(value)]
    return value


def _compare_pairs(found: Comparison, kind: str, recorded: list[Frame], ours: list[Frame]) -> None:
    """Compare each message with the one of ours that answers the same or, failing that, is about the same."""
    left: defaultdict[str, list[Frame]] = defaultdict(list)
    for frame in ours:
        left[_pairing(frame)].append(frame)
    for frame in recorded:
        if left[_pairing(frame)]:
            found.compared[kind] += 1
            _compare_fields(found, kind, frame, left[_pairing(frame)].pop(0))
        elif line := named(THEIRS_ALONE, found.recording, kind, frame.resource):
            found.named[line] += 1
            found.theirs_alone += 1
        else:
            found.compared[kind] += 1
            found.differences.append(_missing(kind, frame))
    for frame in (frame for frames in left.values() for frame in frames):
        if line := named(OURS_ALONE, found.recording, kind, frame.resource):
            found.named[line] += 1
        else:
            found.differences.append(_too_many(kind, frame))


def _pairing(frame: Frame) -> str:
    return frame.parent or frame.resource


def _compare_fields(found: Comparison, kind: str, recorded: Frame, ours: Frame) -> None:
    wrong = _field_differences(kind, recorded, ours)
    lines = [_line_of(one) for one in wrong]
    found.named.update(line for line in lines if line is not None)
    found.differences += [one for one, line in zip(wrong, lines, strict=True) if line is None]
    found.equal[kind] += not wrong
    found.explained[kind] += bool(wrong) and all(lines)


def _field_differences(kind: str, recorded: Frame, ours: Frame) -> list[Difference]:
    where = f"line {recorded.line}"
    return [
        Difference(kind, where, path, was, our)
        for path, was, our in differences(kind, recorded.document, ours.document)
    ]


def _line_of(difference: Difference) -> str | None:
    """Return the id of the line that names it, if there is one."""
    return named_field(difference.kind, difference.path, difference.recorded, difference.ours)


def _missing(kind: str, frame: Frame) -> Difference:
    return Difference(kind, f"line {frame.line}", "message", frame.short, ABSENT)


def _too_many(kind: str, frame: Frame) -> Difference:
    return Difference(kind, "not in the recording", "message", ABSENT, frame.short)


def _compare_order(found: Comparison, recorded: list[Frame], ours: list[Frame], played: Sequence[Frame]) -> None:
    """Acknowledgements of objects leave in the recorded order; among all of them ours leave in the order of arrival."""
    own = {frame.parent for frame in ours}
    theirs = {frame.parent for frame in recorded}
    was = list(dict.fromkeys(frame.parent for frame in recorded if frame.parent in own))
    our = list(dict.fromkeys(frame.parent for frame in ours if frame.parent in theirs))
    objects = {frame.parent for frame in recorded if not frame.is_list}
    arrival = {message.id: place for place, message in enumerate(played)}
    in_order = [parent for parent in was if parent in objects], [parent for parent in our if parent in objects]
    if in_order[0] != in_order[1]:
        found.differences.append(Difference(f.ACK, "acknowledgements of objects", "order", *in_order))
    elif our != sorted(our, key=lambda parent: arrival.get(parent, 0)):
        found.differences.append(Difference(f.ACK, "all acknowledgements", "order", "as they arrived", our))
    elif moved := sum(one != other for one, other in zip(was, our, strict=True)):
        found.named[ACK_ORDER] += moved
