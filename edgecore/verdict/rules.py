"""In what a replay may differ from what was recorded, and why: volatile fields, known differences (pure)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import NamedTuple

from edgecore.recording import frames as f
from edgecore.recording.entries import ConnectionEvent, SessionHead
from edgecore.recording.session import Recording
from edgecore.verdict.checks import EVERY, Check
from edgecore.verdict.verdict import MESSAGE, ORDER

OUR_PROGRAM = "edgecore"
"""What ``SessionHead.program`` of a session of our own edge begins with."""
_AGENT = re.compile(rf"^node [^,]+, {OUR_PROGRAM}\b")
MQTT, SERVICE, DNS, DEVICE = "mqtt", "service", "dns", "device"
ROW = "row "
"""What the kind of a row begins with; its type follows."""
KINDS = frozenset(
    {
        *(f.KEEPALIVE, f.REGISTRATION, f.NODE_STATUS, f.ACK, f.ANSWER_ACK, f.POD_STATUS, f.POD_END, f.POD_STATUS_LIST),
        *(f.POD_DELETE, f.CONFIGMAP_QUERY, f.SECRET_QUERY, f.QUERY, f.TWIN, f.BUS, f.ERROR, f.TRANSPORT_PING),
        *(f.TRANSPORT_ACK, f.OTHER, MQTT, SERVICE, DNS, DEVICE),
    }
)
"""What rules may be about, beside rows."""

_REMEMBERED = 200_000
"""So many fields of which the rule is known; then they are looked up anew."""


class Side(StrEnum):
    """Who says something that the other does not."""

    OURS = "ours"
    RECORDED = "recorded"


class Volatile(NamedTuple):
    """Fields that are looked at by a check, on both sides, instead of compared.

    In ``fields``, ``[*]`` is any element of a list, ``*`` any key, ``**`` any path.
    """

    kinds: tuple[str, ...]
    fields: tuple[str, ...]
    check: Check
    why: str


class Known(NamedTuple):
    """A difference that is on purpose: fields with what both sides say there, a message of one side, or an order."""

    ledger: str
    """The id of its line in ``docs/fidelity.md``, or any word of a user's own file."""
    kinds: tuple[str, ...]
    fields: tuple[str, ...]
    recorded: Check | None = None
    ours: Check | None = None
    side: Side | None = None
    """Of a message: who alone sends it."""
    recording: str = EVERY
    """A pattern of file names for the name of the recording, without its suffixes."""
    resource: str = EVERY
    """A pattern of file names for what the message is about."""
    is_unchanged: bool = False
    """Only messages that say again what was said."""
    why: str = ""
    ours_too: bool = True
    """Whether it counts where the recording is of our own program too."""


class Paced(NamedTuple):
    """A kind that is sent at a pace of its own: what it says is compared, not how many there are."""

    kind: str
    why: str
    is_optional: bool = False
    """Whether there may be none of it on either side."""


class Uncompared(NamedTuple):
    """Messages that are not looked at."""

    kind: str
    resource: str
    why: str


@dataclass(frozen=True)
class Rules:
    """All of them."""

    volatile: Sequence[Volatile] = ()
    known: Sequence[Known] = ()
    paced: Sequence[Paced] = ()
    uncompared: Sequence[Uncompared] = ()
    _found: dict[tuple[str, str], Volatile | None] = field(default_factory=dict, compare=False, repr=False)

    def fitting(self, recorded: Recording) -> "Rules":
        """Return those that count for this recording: differences from Go only where Go's edge was recorded."""
        known = [one for one in self.known if one.ours_too or not is_ours(recorded)]
        known = [one for one in known if fnmatchcase(recorded.name, one.recording)]
        return Rules(self.volatile, known, self.paced, self.uncompared)

    def volatile_at(self, kind: str, path: str) -> Volatile | None:
        """Return the rule that says how the field at ``path`` is looked at, or ``None`` if it is compared."""
        key = kind, path
        if key not in self._found:
            if len(self._found) >= _REMEMBERED:
                self._found.clear()
            self._found[key] = next((one for one in self.volatile if _meets(one, kind, path)), None)
        return self._found[key]

    def known_field(self, kind: str, path: str, recorded: object, ours: object) -> Known | None:
        """Return the known difference that this is, if any."""
        for one in self.known:
            if one.recorded is None or one.ours is None or not _meets(one, kind, path):
                continue
            if one.recorded.accepts(recorded) and one.ours.accepts(ours):
                return one
        return None

    def known_message(self, side: Side, kind: str, resource: str, *, unchanged: bool = False) -> Known | None:
        """Return the known difference that such a message of one side alone is, if any."""
        for one in self.known:
            is_meant = one.side is side and one.is_unchanged is unchanged and MESSAGE in one.fields
            if is_meant and _has_kind(one.kinds, kind) and fnmatchcase(resource, one.resource):
                return one
        return None

    def known_order(self, kind: str) -> Known | None:
        """Return the known difference that another order of such messages is, if any."""
        return next((one for one in self.known if ORDER in one.fields and _has_kind(one.kinds, kind)), None)

    def pace_of(self, kind: str) -> Paced | None:
        """Return how a kind is paced; ``None`` if each of its messages has its cause."""
        return next((one for one in self.paced if one.kind == kind), None)

    def is_uncompared(self, kind: str, resource: str) -> bool:
        """Whether such messages are not looked at."""
        return any(one.kind in (EVERY, kind) and fnmatchcase(resource, one.resource) for one in self.uncompared)

    def is_recorded_alone(self, recorded: Recording, kind: str, resource: str, is_unchanged: bool) -> bool:
        """Whether such a message is known to be one that our node does not send: nobody should wait for it.

        ``is_unchanged``: it says again what was said.
        """
        return any(
            one.side is Side.RECORDED
            and (is_unchanged or not one.is_unchanged)
            and _has_kind(one.kinds, kind)
            and fnmatchcase(recorded.name, one.recording)
            and fnmatchcase(resource, one.resource)
            and (one.ours_too or not is_ours(recorded))
            for one in self.known
        )


def is_ours(recorded: Recording) -> bool:
    """Whether the recording says that it was our edge that was recorded: in its head, or, where the cloud recorded it
    and cannot know before, in how those who connected named themselves."""
    head = next((one for one in recorded.entries[:1] if isinstance(one, SessionHead)), None)
    if head is None or head.program:
        return head is not None and head.program.partition(" ")[0] == OUR_PROGRAM
    opened = [one for one in recorded.entries if isinstance(one, ConnectionEvent) and one.event == "open"]
    return bool(opened) and all(_AGENT.search(one.detail) is not None for one in opened)


def path_matches(pattern: str, path: str) -> bool:
    """Whether ``path`` is one of those that ``pattern`` means."""
    return _compiled(pattern).fullmatch(path) is not None


def _meets(rule: Volatile | Known, kind: str, path: str) -> bool:
    return _has_kind(rule.kinds, kind) and any(path_matches(one, path) for one in rule.fields)


def _has_kind(kinds: tuple[str, ...], kind: str) -> bool:
    return kind in kinds or EVERY in kinds or (kind.startswith(ROW) and f"{ROW}{EVERY}" in kinds)


_PARTS = {"[*]": r"\[\d+\]", "**": r".+", "*": r"[^.\[]+"}


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"(\[\*\]|\*\*|\*)", pattern)
    return re.compile("".join(_PARTS.get(part, re.escape(part)) for part in parts))
