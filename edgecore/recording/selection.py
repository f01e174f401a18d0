"""Which entries of a recording are meant: a part of its time line, and what they are about (pure)."""

import fnmatch
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

from edgecore.errors import ContentError
from edgecore.recording.entries import KEYS, Direction, Entry, MqttDirection
from edgecore.recording.kinds import WORDS
from edgecore.recording.outline import Outline, Route, outline_of_entry

KIND_WORDS = {**WORDS, "loss": "lost", **{key: key for key in KEYS if key != "session"}}
"""What a kind may be called, with or without an ``s`` at its end, to its key."""

WAY_WORDS = {
    "to-edge": Direction.TO_EDGE.value,
    "to-cloud": Direction.TO_CLOUD.value,
    "to-node": MqttDirection.IN.value,
    "to-broker": MqttDirection.OUT.value,
}
"""What a direction may be called where ``>`` means something to the shell."""

ROUTE_FILTERS = ("source", "group", "operation", "resource")
FILTERS = ("kind", "direction", "link", "from", "to", *ROUTE_FILTERS)
"""What a filter can ask for."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_Test = Callable[[Outline], bool]


class Bound(NamedTuple):
    """Where a part begins or ends; what stands there belongs to the part."""

    by: Literal["time", "seconds", "number", "line", "note"]
    value: int | str
    """Nanoseconds (since 1970, or since the first entry), a number, or words of the note."""


class Filter(NamedTuple):
    """What entries must be about. It asks only those that have what it asks for: a note has no resource, and stays."""

    name: str
    """One of ``FILTERS``."""
    patterns: tuple[str, ...]
    """Of which one must match: ``*``, ``?`` and ``[…]`` as in file names; ``*`` stands for slashes too."""
    is_negated: bool = False
    """Whether none must match."""


class Selection(NamedTuple):
    """A part of a recording. Without anything it is the whole. The head of a session always belongs to it."""

    first: Bound | None = None
    last: Bound | None = None
    """Seconds count from the place of ``first``, unless that is said in seconds too."""
    filters: tuple[Filter, ...] = ()

    def begin(self) -> "Selector":
        """Return what decides over the entries of one recording, one after the other."""
        return Selector(self)

    def select(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Yield those of ``entries`` that are meant."""
        selector = self.begin()
        for entry in entries:
            if selector.takes(entry):
                yield entry
            elif selector.is_over:
                return


class Selector:
    """Decides over the entries of one recording, in the order of its lines."""

    def __init__(self, selection: Selection) -> None:
        self.is_over = False
        """Whether no later entry can be meant."""
        self._start_ns: int | None = None
        self._tests: list[_Test] = []
        if selection.first is not None:
            self._tests.append(self._first_test(selection.first))
        if selection.last is not None:
            is_length = selection.first is not None and selection.first.by != "seconds"
            self._tests.append(self._last_test(selection.last, is_length=is_length))
        self._tests += [_test_of(one) for one in selection.filters if one.name not in ROUTE_FILTERS]
        self._routes = [_route_test(one) for one in selection.filters if one.name in ROUTE_FILTERS]

    def takes(self, entry: Entry) -> bool:
        """Return whether ``entry`` is meant."""
        return self.takes_outline(outline_of_entry(entry))

    def takes_outline(self, outline: Outline) -> bool:
        """Return whether the entry of that outline is meant."""
        if self._start_ns is None:
            self._start_ns = outline.t_ns
        if outline.kind == "session":
            return True
        for test in self._tests:
            if not test(outline):
                return False
        if self._routes:
            route = outline.route()
            if route is not None:
                return all(test(route) for test in self._routes)
        return True

    def _first_test(self, bound: Bound) -> _Test:
        if bound.by != "note":
            place = self._place_by(bound.by)
            least = int(bound.value)
            return lambda outline: place(outline) >= least
        words, has_begun = str(bound.value), False

        def test(outline: Outline) -> bool:
            nonlocal has_begun
            has_begun = has_begun or words in (outline.note or "")
            return has_begun

        return test

    def _last_test(self, bound: Bound, *, is_length: bool) -> _Test:
        if bound.by == "seconds" and is_length:
            return _within(int(bound.value))
        if bound.by != "note":
            place = self._place_by(bound.by)
            most = int(bound.value)

            def is_before(outline: Outline) -> bool:
                is_in = place(outline) <= most
                self.is_over = not is_in and bound.by == "line"  # the others only nearly follow the lines
                return is_in

            return is_before
        words = str(bound.value)

        def test(outline: Outline) -> bool:
            if self.is_over:
                return False
            self.is_over = words in (outline.note or "")
            return True

        return test

    def _place_by(self, by: str) -> Callable[[Outline], int]:
        match by:
            case "time":
                return lambda outline: outline.t_ns
            case "seconds":
                return lambda outline: outline.t_ns - (self._start_ns or 0)
            case "number":
                return lambda outline: outline.n or outline.line
            case _:
                return lambda outline: outline.line


def _within(length_ns: int) -> _Test:
    """Return a test for what is not later than that after the first entry that is asked for."""
    last_ns: int | None = None

    def test(outline: Outline) -> bool:
        nonlocal last_ns
        if last_ns is None:
            last_ns = outline.t_ns + length_ns
        return outline.t_ns <= last_ns

    return test


def parse_bound(text: str) -> Bound:
    """Return the bound in ``text``. Raises ``ContentError``.

    ``2026-01-02T03:04:05.5Z`` (UTC where no zone is given), ``+SECONDS`` from the first entry, ``#N`` the number of the
    entry (in version 1 that of its line), ``N`` that of the line, ``note:WORDS`` the next note with these words in it.
    """
    if text.startswith("note:") and text != "note:":
        return Bound("note", text.removeprefix("note:"))
    if re.fullmatch(r"\+[0-9]{1,12}(\.[0-9]{1,9})?", text, re.ASCII):
        whole, _, fraction = text[1:].partition(".")
        return Bound("seconds", int(whole) * 10**9 + int(fraction.ljust(9, "0")))
    if re.fullmatch(r"#?[0-9]{1,18}", text, re.ASCII):
        return Bound("number" if text.startswith("#") else "line", int(text.removeprefix("#")))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ContentError(
            f"cannot read place {text!r}: expected a time such as 2026-01-02T03:04:05Z, +SECONDS from the start, "
            "#N for an entry, N for a line, or note:WORDS"
        ) from error
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return Bound("time", (moment - _EPOCH) // timedelta(microseconds=1) * 1000)


def parse_filter(text: str) -> Filter:
    """Return the filter in ``text``, ``NAME=PATTERN[,PATTERN…]`` or ``NAME!=…``. Raises ``ContentError``."""
    name, equals, rest = text.partition("=")
    is_negated = name.endswith("!")
    name = name.removesuffix("!").strip()
    patterns = tuple(pattern.strip() for pattern in rest.split(",") if pattern.strip())
    if not equals or not patterns:
        raise ContentError(f"cannot read filter {text!r}: expected NAME=PATTERN, such as operation=insert,update")
    if name not in FILTERS:
        raise ContentError(f"cannot read filter {text!r}: no {name!r}; expected one of {', '.join(FILTERS)}")
    if name == "kind":
        patterns = tuple(_key(text, word) for word in patterns)
    if name == "direction":
        patterns = tuple(_way(text, word) for word in patterns)
    return Filter(name, patterns, is_negated)


def _key(text: str, word: str) -> str:
    key = KIND_WORDS.get(word) or KIND_WORDS.get(f"{word}s") or KIND_WORDS.get(word.removesuffix("s"))
    if key is None:
        raise ContentError(f"cannot read filter {text!r}: no kind {word!r}; expected one of {', '.join(KIND_WORDS)}")
    return key


def _way(text: str, word: str) -> str:
    if word in WAY_WORDS.values():
        return word
    way = WAY_WORDS.get(word)
    if way is None:
        raise ContentError(
            f"cannot read filter {text!r}: no direction {word!r}; expected one of {', '.join(WAY_WORDS)}"
        )
    return way


_FIELDS: dict[str, Callable[[Outline], str | None]] = {
    "kind": lambda outline: outline.kind,
    # Whoever opened or ended a connection, the whole of it does not go one way.
    "direction": lambda outline: None if outline.kind == "event" else outline.dir or None,
    "link": lambda outline: None if outline.link is None else str(outline.link),
    "from": lambda outline: outline.sender or None,
    "to": lambda outline: outline.receiver or None,
}


def _test_of(one: Filter) -> _Test:
    field, matches = _FIELDS[one.name], _matcher(one)

    def test(outline: Outline) -> bool:
        value = field(outline)
        return value is None or matches(value)

    return test


def _route_test(one: Filter) -> Callable[[Route], bool]:
    matches, name = _matcher(one), one.name
    return lambda route: matches(getattr(route, name))


def _matcher(one: Filter) -> Callable[[str], bool]:
    is_negated = one.is_negated
    if not any(set(pattern) & set("*?[") for pattern in one.patterns):
        words = frozenset(one.patterns)
        return lambda value: (value in words) is not is_negated
    match = re.compile("|".join(fnmatch.translate(pattern) for pattern in one.patterns)).match
    return lambda value: (match(value) is not None) is not is_negated
