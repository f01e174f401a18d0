"""Comparing what our stub wrote with what the Go cloud wrote in a recording, by what it means (pure).

Ids, versions and times are not the same in two clusters. Uids and ids of events stand for each other one to one;
versions do so too, and grow in the same order; times lie within some seconds. All else is compared as it is.
"""

import itertools
import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from edgecore.recording.frames import Frame, Json
from edgecore.verdict.checks import ABSENT
from fidelity.clusterrules import ClusterRules, Rule, Sides

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_FIRST_MS = 1_000_000_000_000
_PATIENCE_MS = 2000
"""How far the same instants lie apart: Kubernetes counts seconds, and did what it was told a little later."""
_VERSIONS = ("resourceVersion", "resourceversion", "expected_version.cloud")
_UNPAIRED = 10_000
"""What it costs to leave a message alone that might have a partner; more than any number of fields that differ."""
_SKIPPED = ("header.msg_id", "header.parent_msg_id")

_LISTS = ("podlist", "servicelist", "endpointslist", "membership", "twin/cloud_updated")


class Said(NamedTuple):
    """A frame of one side."""

    at_ms: int
    frame: Frame
    link: int
    awaited: bool
    """Whether the cloud waits for its acknowledgement before it sends the next one that it waits for."""


class Fault(NamedTuple):
    """What differs and has no name."""

    where: str
    path: str
    recorded: Json
    ours: Json

    def __str__(self) -> str:
        return f"{self.where}, {self.path}: recorded {self.recorded!r}, ours {self.ours!r}"


@dataclass
class Compared:
    """What came out of one recording."""

    recorded: int = 0
    equal: int = 0
    """Messages that mean the same."""
    explained: int = 0
    """Those that differ in fields under a name."""
    named: Counter[str] = field(default_factory=Counter)
    """Messages and fields that differ, by the line of ``docs/fidelity.md`` that says why."""
    rules: set[Rule] = field(default_factory=set)
    """The rules that said so."""
    faults: list[Fault] = field(default_factory=list)


def is_awaited(frame: Frame) -> bool:
    """Whether a Go cloud waits for the acknowledgement (``kubeedge cloud/pkg/cloudhub/channelq@v1.3.1``, 3.9)."""
    source, _, operation, resource = frame.route
    is_list = any(word in resource for word in _LISTS)
    is_answer = operation == "response" and frame.document["content"] in ("OK", "")
    return not (is_list or is_answer or (source == "edgecontroller" and resource.split("/")[1:2] == ["node"]))


class Meaning:
    """Two clusters' names for the same things. ``uids`` has, by recorded uid, ours."""

    def __init__(self, uids: dict[str, str], *, apart_s: float) -> None:
        """What stands for the same was written ``apart_s`` seconds from each other at most."""
        self._ours = uids
        self.apart_ms = apart_s * 1000
        self._versions: dict[int, int] = {}

    def differences(self, was: Json, our: Json, path: str = "") -> Iterator[tuple[str, Json, Json]]:
        """Yield path, recorded value and our value of what means something else."""
        if isinstance(was, dict) and isinstance(our, dict):
            for key in sorted(was.keys() | our.keys()):
                below = f"{path}.{key}" if path else key
                if below not in _SKIPPED:
                    yield from self.differences(was.get(key, ABSENT), our.get(key, ABSENT), below)
        elif isinstance(was, list) and isinstance(our, list) and len(was) == len(our):
            for index, (one, other) in enumerate(zip(was, our, strict=True)):
                yield from self.differences(one, other, f"{path}[{index}]")
        elif not self._is_same(was, our, path):
            yield path, was, our

    def _is_same(self, was: Json, our: Json, path: str) -> bool:
        if type(was) is not type(our):
            return False
        if path.endswith(_VERSIONS):
            return was == our or (_is_version(was) and _is_version(our))
        if isinstance(was, int) and min(was, our) > _FIRST_MS:
            return abs(was - our) <= (self.apart_ms if path == "header.timestamp" else _PATIENCE_MS)
        if isinstance(was, str):
            if _UUID.fullmatch(was) and _UUID.fullmatch(our):
                return self._ours.get(was, our) == our
            if _TIME.fullmatch(was) and _TIME.fullmatch(our):
                return abs(_unix_ms(was) - _unix_ms(our)) <= _PATIENCE_MS
        return bool(was == our)

    def learn(self, was: Json, our: Json, path: str = "") -> None:
        """These two stand for the same: so do the ids and versions in them."""
        if isinstance(was, dict) and isinstance(our, dict):
            for key in sorted(was.keys() & our.keys()):
                below = f"{path}.{key}" if path else key
                if below not in _SKIPPED:
                    self.learn(was[key], our[key], below)
        elif isinstance(was, list) and isinstance(our, list):
            for one, other in zip(was, our, strict=False):
                self.learn(one, other, path)
        elif self._is_version_pair(path, was, our):
            self._versions.setdefault(int(was), int(our))
        elif isinstance(was, str) and isinstance(our, str) and _UUID.fullmatch(was):
            self._ours.setdefault(was, our)

    def version_faults(self, was: Json, our: Json, path: str = "") -> Iterator[tuple[str, Json, Json]]:
        """Yield the versions in a learnt pair that stand for another version elsewhere."""
        if isinstance(was, dict) and isinstance(our, dict):
            for key in sorted(was.keys() & our.keys()):
                yield from self.version_faults(was[key], our[key], f"{path}.{key}" if path else key)
        elif isinstance(was, list) and isinstance(our, list):
            for index, (one, other) in enumerate(zip(was, our, strict=False)):
                yield from self.version_faults(one, other, f"{path}[{index}]")
        elif self._is_version_pair(path, was, our) and self._versions[int(was)] != int(our):
            yield path, was, our

    def _is_version_pair(self, path: str, was: Json, our: Json) -> bool:
        return path.endswith(_VERSIONS) and _is_version(was) and _is_version(our)

    def disorder(self) -> list[tuple[int, int]]:
        """Return the pairs of versions of which ours does not grow with the recorded one."""
        pairs = sorted(self._versions.items())
        return [pair for before, pair in itertools.pairwise(pairs) if pair[1] <= before[1]]

    def shared(self) -> list[str]:
        """Return our ids that stand for several recorded ones."""
        return [ours for ours, count in Counter(self._ours.values()).items() if count > 1]


def compare(
    recording: str, theirs: Sequence[Said], ours: Sequence[Said], meaning: Meaning, rules: ClusterRules
) -> Compared:
    """Compare the messages of two clouds in one recording."""
    found = Compared(recorded=len(theirs))
    pairs: list[tuple[Said, Said]] = []
    for was, our in _paired(theirs, ours, meaning):
        if was is not None and our is not None:
            pairs.append((was, our))
            continue
        said = was or our
        assert said is not None
        side = Sides.THEIRS if our is None else Sides.OURS
        _note(found, rules.alone(recording, side, said.frame), _where(said), "message", side, said.frame.short)
    for was, our in pairs:
        _compare_pair(found, recording, was, our, meaning, rules)
    sequences: defaultdict[tuple[bool, bool], list[tuple[Said, Said]]] = defaultdict(list)
    for was, our in pairs:  # an answer has its cause in what it answers, and in nothing else
        sequences[was.awaited, bool(was.frame.parent) and not was.awaited].append((was, our))
    for sequence in sequences.values():
        _compare_order(found, recording, sequence, ours, rules)
    return found


def _compare_pair(found: Compared, recording: str, was: Said, our: Said, meaning: Meaning, rules: ClusterRules) -> None:
    meaning.learn(was.frame.document, our.frame.document)
    wrong = [
        *meaning.differences(was.frame.document, our.frame.document),
        *meaning.version_faults(was.frame.document, our.frame.document),
    ]
    if was.awaited != our.awaited:
        wrong.append(("lane", was.awaited, our.awaited))
    before = len(found.faults)
    for path, one, other in wrong:
        _note(found, rules.field(recording, was.frame, path, one, other), _where(was), path, one, other)
    found.equal += not wrong
    found.explained += bool(wrong) and len(found.faults) == before


def _note(found: Compared, rule: Rule | None, where: str, path: str, recorded: Json, ours: Json) -> None:
    if rule is None:
        found.faults.append(Fault(where, path, recorded, ours))
    else:
        found.rules.add(rule)
        found.named[rule[0]] += 1


def _where(said: Said) -> str:
    return f"link {said.link}, {said.frame.short[:110]}"


# Which message stands for which.


def _paired(
    theirs: Sequence[Said], ours: Sequence[Said], meaning: Meaning
) -> Iterator[tuple[Said | None, Said | None]]:
    """Yield each message with the one of the other side that stands for it: of the same route, connection and parent,
    in order; where one side has more of them, those that differ least."""
    groups: dict[tuple[object, ...], tuple[list[Said], list[Said]]] = defaultdict(lambda: ([], []))
    for side, all_said in enumerate((theirs, ours)):
        for said in all_said:
            groups[said.link, said.frame.parent, said.frame.route][side].append(said)
    for was, our in groups.values():
        yield from _aligned(was, our, lambda one, other: _distance(one, other, meaning))


def _distance(was: Said, our: Said, meaning: Meaning) -> int:
    apart_ms = abs(was.at_ms - our.at_ms)
    if apart_ms > meaning.apart_ms:
        return 3 * _UNPAIRED
    return len(list(meaning.differences(was.frame.document, our.frame.document))) * 100 + min(apart_ms // 1000, 99)


def _aligned(
    one: list[Said], other: list[Said], distance: Callable[[Said, Said], int]
) -> Iterator[tuple[Said | None, Said | None]]:
    """Yield the pairs of the cheapest alignment of two sequences, and what it leaves alone."""
    costs = [[0] * (len(other) + 1) for _ in range(len(one) + 1)]
    for row in range(len(one), -1, -1):
        for column in range(len(other), -1, -1):
            choices = []
            if row < len(one):
                choices.append(costs[row + 1][column] + _UNPAIRED)
            if column < len(other):
                choices.append(costs[row][column + 1] + _UNPAIRED)
            if row < len(one) and column < len(other):
                choices.append(costs[row + 1][column + 1] + distance(one[row], other[column]))
            costs[row][column] = min(choices, default=0)
    row = column = 0
    while row < len(one) or column < len(other):
        here = costs[row][column]
        if (
            row < len(one)
            and column < len(other)
            and here == costs[row + 1][column + 1] + distance(one[row], other[column])
        ):
            yield one[row], other[column]
            row, column = row + 1, column + 1
        elif row < len(one) and here == costs[row + 1][column] + _UNPAIRED:
            yield one[row], None
            row += 1
        else:
            yield None, other[column]
            column += 1


# In which order.


def _compare_order(
    found: Compared, recording: str, pairs: list[tuple[Said, Said]], ours: Sequence[Said], rules: ClusterRules
) -> None:
    place = {id(said): index for index, said in enumerate(ours)}
    pairs = sorted(pairs, key=lambda pair: pair[0].frame.line)
    places = [place[id(our)] for _, our in pairs]
    in_order = _longest_rising(places)
    for (was, our), at in zip(pairs, places, strict=True):
        if at not in in_order:
            _note(found, rules.moved(recording, was.frame), _where(was), "order", was.frame.line, our.frame.line)


def _longest_rising(numbers: list[int]) -> set[int]:
    """Return a longest subsequence that rises."""
    tails: list[int] = []
    before: dict[int, int | None] = {}
    for number in numbers:
        place = bisect_left(tails, number)
        before[number] = tails[place - 1] if place else None
        tails[place:] = [number] if place == len(tails) else [number, *tails[place + 1 :]]
    found: set[int] = set()
    last = tails[-1] if tails else None
    while last is not None:
        found.add(last)
        last = before[last]
    return found


def _is_version(value: Json) -> bool:
    return str(value).isdigit()


def _unix_ms(text: str) -> float:
    return datetime.fromisoformat(text).timestamp() * 1000
