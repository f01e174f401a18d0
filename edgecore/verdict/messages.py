"""The messages of two edges, each compared with the one that has the same cause, and their order (pure)."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property

from edgecore.recording import frames as f
from edgecore.recording.entries import CloudFrame
from edgecore.recording.frames import Frame, Json
from edgecore.recording.session import Recording, begins_within
from edgecore.verdict.checks import ABSENT
from edgecore.verdict.fields import differences, form_of, paired
from edgecore.verdict.rules import Rules, Side
from edgecore.verdict.unpaired import Unpaired, partners, read_alike
from edgecore.verdict.verdict import MESSAGE, ORDER, Difference, Verdict

NO_CAUSE = "what it answers is not in the recording"
NO_ANSWER = "the recording ends before it was answered"
NO_PACE = "the recording is too short for one of that kind"
NOT_COMPARED = "a rule says that it is not compared"

_GRACE_NS = 2_000_000_000
"""An answer that came later than this after the last entry need not be in the recording."""

Kinds = defaultdict[str, list[Frame]]


class Messages:
    """What two edges said to their clouds, into a verdict."""

    def __init__(self, found: Verdict, rules: Rules, recorded: Recording, replayed: Recording) -> None:
        self._found = found
        self._rules = rules
        self._recorded = recorded
        self._replayed = replayed
        self._missing: list[Unpaired] = []
        self._extra: list[Unpaired] = []
        self._formed: dict[int, str] = {}
        self._uncaused: set[str] = set()

    def compare(self, sent: Sequence[Frame], periodic: Sequence[Frame], said: frozenset[str]) -> None:
        """Compare them all; see ``judge``."""
        self._found.repeated = len(self._recorded.repeats)
        theirs = self._by_kind(self._caused(one for one in self._recorded.edge if not self._is_repeat(one)))
        own = self._by_kind(self._once(said))
        self._leave_unchanged(theirs[f.TWIN])
        for kind in sorted(theirs.keys() | own.keys()):
            pace = self._rules.pace_of(kind)
            if pace is None:
                self._compare_caused(kind, theirs[kind], own[kind])
            elif not pace.is_optional or (theirs[kind] and own[kind]):
                elsewhere = [one for one in periodic if f.kind_of(one) == kind]
                self._compare_paced(kind, theirs[kind], own[kind], elsewhere)
            else:
                self._know_optional(kind, own[kind])
        self._tell_unpaired(theirs)
        self._compare_order(theirs[f.ACK], own[f.ACK], sent)

    # Which messages are compared.

    def _is_repeat(self, frame: Frame) -> bool:
        return frame.line in self._recorded.repeats

    def _caused(self, frames: Iterable[Frame]) -> list[Frame]:
        """Leave out answers to what was said before the recording began, or was filtered out."""
        found = []
        for frame in frames:
            if frame.parent and frame.parent not in self._said_by_cloud:
                self._found.passed_over[NO_CAUSE] += 1
                self._uncaused.add(frame.parent)
            else:
                found.append(frame)
        return found

    @cached_property
    def _said_by_cloud(self) -> frozenset[str]:
        return frozenset(frame.id for frame in self._recorded.cloud)

    def _once(self, said: frozenset[str]) -> list[Frame]:
        """Leave out what was sent before under the same id: in another connection, about a device, or as it was then.

        And what answers to what is not in the recording, where it was recorded too.
        """
        again = {self._recorded.frames[line].id for line in self._recorded.repeats}
        links = {one.line: one.link for one in self._replayed.entries if isinstance(one, CloudFrame)}
        seen: dict[str, object] = dict.fromkeys(said)
        found = []
        for frame in self._replayed.edge:
            link = links[frame.line]
            may_repeat = frame.id in again or f.kind_of(frame) == f.TWIN
            if frame.id in seen and (may_repeat or seen[frame.id] != link):
                continue
            seen.setdefault(frame.id, link)
            if frame.parent not in self._uncaused:
                found.append(frame)
        return found

    def _by_kind(self, frames: Iterable[Frame]) -> Kinds:
        kinds: Kinds = defaultdict(list)
        for frame in frames:
            kind = f.kind_of(frame, self._recorded.answers)
            if self._rules.is_uncompared(kind, frame.resource):
                self._found.passed_over[NOT_COMPARED] += 1
            else:
                kinds[kind].append(frame)
        return kinds

    def _leave_unchanged(self, twins: list[Frame]) -> None:
        """Take out recorded reports of what had been reported, where that is known."""
        for frame in unchanged(twins):
            known = self._rules.known_message(Side.RECORDED, f.TWIN, frame.resource, unchanged=True)
            if known is not None:
                twins.remove(frame)
                self._found.used[known.ledger] += 1
                self._found.theirs_alone += 1

    # Kinds at a pace of their own.

    def _compare_paced(self, kind: str, recorded: list[Frame], ours: list[Frame], elsewhere: list[Frame]) -> None:
        """Compare each message with the one of the other side most like it; what ours says alone counts once."""
        theirs, own = self._forms(kind, recorded), self._forms(kind, ours)
        told: set[tuple[str, str]] = set()
        for frame in recorded:
            self._found.compared[kind] += 1
            if (nearest := self._nearest(kind, frame, own)) is None:
                self._missing.append(Unpaired(kind, frame))
            else:
                pair = self._form(kind, frame), self._form(kind, nearest)
                self._compare_fields(kind, frame, nearest, is_told=pair in told)
                told.add(pair)
        compared_with = theirs or self._forms(kind, elsewhere)
        lines: set[str] = set()
        for form, frame in own.items():
            if form in theirs:
                continue
            if known := self._rules.known_message(Side.OURS, kind, frame.resource):
                lines.add(known.ledger)
            elif not compared_with and begins_within(self._recorded.entries):
                self._found.passed_over[NO_PACE] += 1
            elif (nearest := self._nearest(kind, frame, compared_with)) is None:
                self._extra.append(Unpaired(kind, frame))
            elif (self._form(kind, nearest), form) not in told:
                self._found.differences += self._unknown(kind, nearest, frame)
        self._found.used.update(lines)

    def _form(self, kind: str, frame: Frame) -> str:
        """Return the form of a message; of each it is made once."""
        form = self._formed.get(id(frame))
        if form is None:
            form = self._formed[id(frame)] = form_of(self._rules, kind, frame.document)
        return form

    def _forms(self, kind: str, frames: Iterable[Frame]) -> dict[str, Frame]:
        forms: dict[str, Frame] = {}
        for frame in frames:
            forms.setdefault(self._form(kind, frame), frame)
        return forms

    def _nearest(self, kind: str, frame: Frame, others: Mapping[str, Frame]) -> Frame | None:
        if same := others.get(self._form(kind, frame)):
            return same
        return min(
            others.values(),
            key=lambda other: sum(1 for _ in differences(self._rules, kind, frame.document, other.document)),
            default=None,
        )

    def _know_optional(self, kind: str, ours: list[Frame]) -> None:
        for frame in ours:
            if known := self._rules.known_message(Side.OURS, kind, frame.resource):
                self._found.used[known.ledger] += 1

    # Kinds of which each message has its cause.

    def _compare_caused(self, kind: str, recorded: list[Frame], ours: list[Frame]) -> None:
        """Compare each message with the one of ours that answers the same or, failing that, is about the same."""
        groups: defaultdict[str, tuple[list[Frame], list[Frame]]] = defaultdict(lambda: ([], []))
        for side, frames in enumerate((recorded, ours)):
            for frame in frames:
                groups[frame.parent or frame.resource][side].append(frame)
        for theirs, own in groups.values():
            for was, our in paired(theirs, own, lambda one: self._form(kind, one)):
                self._compare_pair(kind, was, our)

    def _compare_pair(self, kind: str, was: Frame | None, our: Frame | None) -> None:
        if was is not None and our is not None:
            self._found.compared[kind] += 1
            self._compare_fields(kind, was, our)
        elif was is not None:
            if known := self._rules.known_message(Side.RECORDED, kind, was.resource):
                self._found.used[known.ledger] += 1
                self._found.theirs_alone += 1
            else:
                self._found.compared[kind] += 1
                self._missing.append(Unpaired(kind, was))
        elif our is not None:
            if known := self._rules.known_message(Side.OURS, kind, our.resource):
                self._found.used[known.ledger] += 1
            elif our.parent in self._last_said:
                self._found.passed_over[NO_ANSWER] += 1
            else:
                self._extra.append(Unpaired(kind, our))

    @cached_property
    def _last_said(self) -> frozenset[str]:
        """What the cloud said at the very end of the recording, in a connection that was still there."""
        entries = self._recorded.entries
        until = entries[-1].t_ns - _GRACE_NS if entries else 0
        said = [one for one in entries if isinstance(one, CloudFrame) and one.t_ns >= until]
        return frozenset(self._recorded.frames[one.line].id for one in said if one.line in self._recorded.frames)

    def _compare_fields(self, kind: str, recorded: Frame, ours: Frame, *, is_told: bool = False) -> None:
        wrong = list(differences(self._rules, kind, recorded.document, ours.document))
        lines = [self._rules.known_field(kind, *one) for one in wrong]
        self._found.used.update(line.ledger for line in lines if line is not None)
        unknown = [one for one, line in zip(wrong, lines, strict=True) if line is None]
        if not is_told:
            self._found.differences += [self._difference(kind, recorded, ours, one) for one in unknown]
        self._found.equal[kind] += not wrong
        self._found.explained[kind] += bool(wrong) and not unknown

    def _unknown(self, kind: str, recorded: Frame, ours: Frame) -> list[Difference]:
        wrong = differences(self._rules, kind, recorded.document, ours.document)
        return [self._difference(kind, recorded, ours, one) for one in wrong if not self._rules.known_field(kind, *one)]

    # What stays alone.

    def _tell_unpaired(self, theirs: Kinds) -> None:
        """Tell what is missing and what is too many; where one is nearly the other, the fields instead."""
        paced = [
            Unpaired(kind, frame)
            for kind, frames in theirs.items()
            if self._rules.pace_of(kind)
            for frame in self._forms(kind, frames).values()
        ]
        for was, our in partners(self._rules, self._missing, self._extra, paced):
            if was is not None and our is not None:
                self._found.differences += self._unknown(was.kind, was.frame, read_alike(was.frame, our.frame))
            elif was is not None:
                self._found.differences.append(
                    self._difference(was.kind, was.frame, None, (MESSAGE, was.short, ABSENT))
                )
            elif our is not None:
                self._found.differences.append(
                    self._difference(our.kind, None, our.frame, (MESSAGE, ABSENT, our.short))
                )

    # In which order.

    def _compare_order(self, recorded: list[Frame], ours: list[Frame], sent: Sequence[Frame]) -> None:
        """Acknowledgements of objects leave in the recorded order; among all of them ours leave in that of arrival."""
        theirs, own = _first_by_parent(recorded), _first_by_parent(ours)
        was = [parent for parent in theirs if parent in own]
        our = [parent for parent in own if parent in theirs]
        if was == our:
            return
        arrival = {message.id: place for place, message in enumerate(sent)}
        arrived = sorted(our, key=lambda parent: arrival.get(parent, 0))
        objects = {parent for parent, frame in theirs.items() if not frame.is_list}
        for expected, found in (
            ([one for one in was if one in objects], [one for one in our if one in objects]),
            (arrived, our),
        ):
            first = next((pair for pair in zip(expected, found, strict=True) if pair[0] != pair[1]), None)
            if first is not None:
                self._found.differences.append(self._disorder(theirs[first[0]], own[first[1]]))
                return
        moved = sum(one != other for one, other in zip(was, our, strict=True))
        if moved and (known := self._rules.known_order(f.ACK)):
            self._found.used[known.ledger] += moved

    def _disorder(self, expected: Frame, found: Frame) -> Difference:
        return self._difference(f.ACK, expected, found, (ORDER, expected.resource, found.resource))

    # Differences.

    def _difference(
        self, kind: str, recorded: Frame | None, ours: Frame | None, field: tuple[str, Json, Json]
    ) -> Difference:
        source, _, operation, resource = (recorded or ours or _NOBODY).route
        return Difference(
            kind=kind,
            what=f"{source} {operation} {resource}",
            path=field[0],
            recorded=field[1],
            ours=field[2],
            recorded_entry=self._recorded_numbers[recorded.line] if recorded and self._is_here(recorded) else None,
            our_entry=self._our_numbers.get(ours.line) if ours else None,
        )

    def _is_here(self, frame: Frame) -> bool:
        """Whether a frame is of this recording, not of another with which ours was compared."""
        return self._recorded.frames.get(frame.line) is frame

    @cached_property
    def _recorded_numbers(self) -> dict[int, int]:
        return numbers(self._recorded)

    @cached_property
    def _our_numbers(self) -> dict[int, int]:
        return numbers(self._replayed)


_NOBODY = Frame(0, "", {"header": {}, "route": dict.fromkeys(("source", "group", "operation", "resource"), "")})


def _first_by_parent(frames: Iterable[Frame]) -> dict[str, Frame]:
    found: dict[str, Frame] = {}
    for frame in frames:
        found.setdefault(frame.parent, frame)
    return found


def numbers(recording: Recording) -> dict[int, int]:
    """Return, by line, the number of each entry: in version 1, where there is none, the line."""
    return {entry.line: entry.n or entry.line for entry in recording.entries}


def unchanged(frames: Sequence[Frame]) -> list[Frame]:
    """Return the reports about devices that say again what had been reported."""
    known: dict[tuple[str, str], Json] = {}
    found = []
    for frame in frames:
        content = frame.document["content"]
        twins = content.get("twin") if f.kind_of(frame) == f.TWIN and isinstance(content, dict) else None
        if not isinstance(twins, dict):
            continue
        said = {
            (frame.resource, key): [_value(twin, side) for side in ("expected", "actual")]
            for key, twin in twins.items()
        }
        if all(known.get(key) == values for key, values in said.items()):
            found.append(frame)
        known.update(said)
    return found


def _value(twin: Json, side: str) -> Json:
    value = twin.get(side) if isinstance(twin, dict) else None
    return value.get("value") if isinstance(value, dict) else None
