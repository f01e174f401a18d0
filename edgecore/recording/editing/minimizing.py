"""The smallest part of a recording that still fails a test: delta debugging (pure; Zeller and Hildebrandt, 2002).

What belongs together goes together: first whole connections, then all messages about one object, then each message of
the cloud with all that followed from it, and single entries last, if that is asked for. What remains fails, and does
not without any one of its parts.
"""

from array import array
from collections.abc import Generator, Hashable, Mapping, Sequence
from hashlib import blake2b
from itertools import pairwise
from typing import NamedTuple

import msgspec

from edgecore.recording import frames as f
from edgecore.recording.entries import (
    BusMessage,
    CloudFrame,
    ConnectionEvent,
    Direction,
    Entry,
    Http,
    MqttMessage,
    Note,
    SessionHead,
)

Level = Mapping[int, Hashable]
"""Place of an entry to the part that it belongs to; what has no part stays."""
Parts = Sequence[Sequence[int]]


class _Header(msgspec.Struct):
    msg_id: str = ""
    parent_msg_id: str = ""


class _Route(msgspec.Struct):
    source: str = ""
    group: str = ""
    operation: str = ""
    resource: str = ""


class _Message(msgspec.Struct):
    header: _Header
    route: _Route


_NO_MESSAGE = _Message(_Header(), _Route())
_decode = msgspec.json.Decoder(_Message).decode


class Search:
    """Says which part to try next, and learns whether it failed. The whole is taken to fail."""

    def __init__(self, entries: Sequence[Entry], *, single: bool = False) -> None:
        """With ``single`` it goes down to single entries; only the head and the ends of connections stay then."""
        self.best: tuple[int, ...] = tuple(range(len(entries)))
        """The places, from 0, of the smallest part so far that fails."""
        self.tried = 0
        """How many parts were tried; none is tried twice."""
        self._verdicts: dict[bytes, bool] = {}
        self._steps = self._search(_levels(entries, single=single))
        self._trial: tuple[int, ...] | None = next(self._steps, None)

    @property
    def trial(self) -> tuple[int, ...] | None:
        """The places to try next; ``None`` when nothing can be left out any more."""
        return self._trial

    def tell(self, fails: bool) -> None:
        """Say what became of ``trial``."""
        if self._trial is None:
            return
        self.tried += 1
        self._verdicts[_digest(self._trial)] = fails
        try:
            self._trial = self._steps.send(fails)
        except StopIteration:
            self._trial = None

    def _search(self, levels: Sequence[Level]) -> Generator[tuple[int, ...], bool, None]:
        before: tuple[int, ...] = ()
        while before != self.best:
            before = self.best
            for level in levels:
                yield from self._reduce(level)

    def _reduce(self, level: Level) -> Generator[tuple[int, ...], bool, None]:
        kept = [place for place in self.best if place not in level]
        parts: dict[Hashable, list[int]] = {}
        for place in self.best:
            if place in level:
                parts.setdefault(level[place], []).append(place)
        steps = _ddmin(list(parts.values()))
        fails: bool | None = None
        try:
            while True:
                chosen = steps.send(fails)  # type: ignore[arg-type]  # None begins it
                trial = tuple(sorted([*kept, *(place for part in chosen for place in part)]))
                known = self._known(trial)
                fails = (yield trial) if known is None else known
                if fails:
                    self.best = trial
        except StopIteration:
            return

    def _known(self, trial: tuple[int, ...]) -> bool | None:
        return True if trial == self.best else self._verdicts.get(_digest(trial))


def _digest(places: Sequence[int]) -> bytes:
    return blake2b(array("L", places).tobytes(), digest_size=16).digest()


def _ddmin(parts: Parts) -> Generator[Parts, bool, None]:
    """Yield what to try; end when no part can be left out of the last one that failed."""
    if not parts or (yield ()):
        return
    grain = 2
    while len(parts) > 1:
        grain = min(grain, len(parts))
        bounds = [len(parts) * number // grain for number in range(grain + 1)]
        chunks = [parts[start:end] for start, end in pairwise(bounds)]
        for chunk in chunks:
            if (yield chunk):
                parts, grain = chunk, 2
                break
        else:
            for start, end in pairwise(bounds):
                rest = [*parts[:start], *parts[end:]]
                if (yield rest):
                    parts, grain = rest, max(grain - 1, 2)
                    break
            else:
                if grain == len(parts):
                    return
                grain *= 2


# What belongs together.


class _Subject(NamedTuple):
    """Which object a message is about."""

    namespace: str
    name: str


_NODE_ITSELF = (SessionHead, ConnectionEvent)
_REPEATED = f.PERIODIC | {f.TRANSPORT_PING}
_DEVICE_TOPIC = "$hw/events/device/"
_PUBLISHED = "mqtt publish "


def _levels(entries: Sequence[Entry], *, single: bool) -> tuple[Level, ...]:
    messages = [_message_of(entry) for entry in entries]
    roots = _roots(entries, messages)
    subjects = [_subject_of(entry, message.route.resource) for entry, message in zip(entries, messages, strict=True)]
    kept = _kept(entries, messages, roots, subjects)
    free = [place for place in range(len(entries)) if place not in kept]
    levels: tuple[Level, ...] = (
        {place: link for place, entry in enumerate(entries) if (link := _link_of(entry)) is not None},
        {place: subjects[roots[place]] or roots[place] for place in free},
        {place: roots[place] for place in free},
    )
    if single:
        singles = {place: place for place, entry in enumerate(entries) if not isinstance(entry, _NODE_ITSELF)}
        levels = *levels, singles
    return levels


def _link_of(entry: Entry) -> int | str | None:
    return entry.link if isinstance(entry, CloudFrame | Http | ConnectionEvent) else None


def _message_of(entry: Entry) -> _Message:
    """Return header and route of what an entry holds; empty ones where there is no message in it."""
    match entry:
        case CloudFrame(text=text) | BusMessage(text=text):
            try:
                return _decode(text)
            except (msgspec.DecodeError, UnicodeError, RecursionError):
                return _NO_MESSAGE
        case MqttMessage(message_id=message_id):
            return _Message(_Header(message_id), _Route())
    return _NO_MESSAGE


def _roots(entries: Sequence[Entry], messages: Sequence[_Message]) -> list[int]:
    """Return, for each entry, the place of the first one of all that follow from each other."""
    leads = list(range(len(entries)))

    def root(place: int) -> int:
        while leads[place] != place:
            leads[place] = leads[leads[place]]
            place = leads[place]
        return place

    def join(one: int, other: int) -> None:
        first, second = sorted((root(one), root(other)))
        leads[second] = first

    by_id: dict[str, int] = {}
    by_number: dict[int, int] = {}
    for place, (entry, message) in enumerate(zip(entries, messages, strict=True)):
        for known in (message.header.msg_id, message.header.parent_msg_id):
            if known:
                join(place, by_id.setdefault(known, place))
        for cause in entry.causes:
            if cause in by_number:
                join(place, by_number[cause])
        if entry.n:
            by_number[entry.n] = place
    return [root(place) for place in range(len(entries))]


def _kept(
    entries: Sequence[Entry],
    messages: Sequence[_Message],
    roots: Sequence[int],
    subjects: Sequence[_Subject | None],
) -> set[int]:
    """Return the places of what a replay needs in any case: who and where it is, and what an edge says on its own.

    Of what it says at a pace of its own it is the first; and nothing about objects of which somebody else spoke.
    """
    own = [isinstance(entry, CloudFrame) and entry.direction == Direction.TO_CLOUD for entry in entries]
    others = {subject for place, subject in enumerate(subjects) if roots[place] == place and not own[place]}
    kept_roots: set[int] = set()
    seen: set[str] = set()
    for place, message in enumerate(messages):
        if roots[place] != place or not own[place] or message is _NO_MESSAGE:
            continue
        kind = f.kind_of_route(*_words(message.route))
        if kind == f.POD_STATUS_LIST or subjects[place] in others - {None} or kind in seen & _REPEATED:
            continue
        seen.add(kind)
        kept_roots.add(place)
    return {place for place, one in enumerate(entries) if isinstance(one, _NODE_ITSELF) or roots[place] in kept_roots}


def _words(route: _Route) -> tuple[str, str, str, str]:
    return route.source, route.group, route.operation, route.resource


def _subject_of(entry: Entry, resource: str) -> _Subject | None:
    match entry:
        case Note(text=text) if text.startswith(_PUBLISHED + _DEVICE_TOPIC):
            resource = text.removeprefix(_PUBLISHED)
        case MqttMessage(topic=topic) if topic.startswith(_DEVICE_TOPIC):
            resource = topic
    parts = resource.removeprefix("$hw/events/").split("/")
    if parts[:1] == ["node"]:
        parts = parts[2:]
    if len(parts) < 2:
        return None
    return _Subject("device", parts[1]) if parts[0] == "device" else _Subject(parts[0], parts[-1])
