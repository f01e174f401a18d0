"""What a recording asks of a replay: what is awaited where, and which answer belongs to which request (pure)."""

import re
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from edgecore.recording import frames as f
from edgecore.recording.entries import (
    CloudFrame,
    ConnectionEvent,
    Direction,
    Entry,
    SessionHead,
    Snapshot,
)
from edgecore.recording.frames import Frame, kind_of, read_frame
from edgecore.recording.session import Recording
from edgecore.verdict.messages import unchanged
from edgecore.verdict.snapshots import names_spoken_of

SAME_MOMENT_MS = 2000
"""A message may lie so long in the edge before it is sent."""
_MADE = re.compile(r'"timestamp":([0-9]{1,18})')
"""The time of a message: the header is its first part."""

Route = tuple[str, str, str, str]
Key = tuple[str, Route]
"""Kind and route: what is counted together."""

IsAlone = Callable[[Recording, str, str, bool], bool]
"""Says of a recording's message, by kind, resource and whether it says again what was said, if ours never sends it."""


class Expected(NamedTuple):
    """One recorded message of the edge."""

    frame: Frame
    kind: str
    before: int
    """How many of the same kind and route the edge had sent before in this recording, of those that ours sends too."""
    is_awaited: bool
    """Whether ours is to have sent as many before the replay goes on."""

    @property
    def key(self) -> Key:
        """See ``Key``."""
        return self.kind, self.frame.route


@dataclass(frozen=True)
class Script:
    """One recording, looked at in advance."""

    recording: Recording
    is_alone: IsAlone

    @cached_property
    def expected(self) -> Mapping[int, Expected]:
        """What the edge sent, by line."""
        counts: Counter[Key] = Counter()
        found = {}
        for frame in self.recording.edge:
            key = kind_of(frame), frame.route
            may_come = not self._is_theirs_alone(frame)
            found[frame.line] = Expected(frame, key[0], counts[key], may_come and self._is_awaited(frame))
            counts[key] += may_come
        return found

    def _is_awaited(self, frame: Frame) -> bool:
        kind = kind_of(frame, self.recording.answers)
        is_passing = kind in (*f.PERIODIC, f.TRANSPORT_PING, f.TRANSPORT_ACK)
        return not is_passing and frame.line not in self.recording.repeats

    def _is_theirs_alone(self, frame: Frame) -> bool:
        kind = kind_of(frame, self.recording.answers)
        return self.is_alone(self.recording, kind, frame.resource, frame.line in self._unchanged)

    @cached_property
    def _unchanged(self) -> frozenset[int]:
        once = [one for one in self.recording.edge if one.line not in self.recording.repeats]
        return frozenset(one.line for one in unchanged(once))

    @cached_property
    def following(self) -> tuple[Expected | None, ...]:
        """For each entry, what the edge next sent of its own accord on the same connection."""
        following: list[Expected | None] = []
        own = None
        for entry in reversed(self.recording.entries):
            if isinstance(entry, ConnectionEvent):
                own = None
            elif isinstance(entry, CloudFrame) and entry.direction == Direction.TO_CLOUD:
                this = self.expected[entry.line]
                own = this if not this.frame.parent and this.is_awaited else own
            following.append(own)
        return tuple(following[::-1])

    @cached_property
    def requests(self) -> Mapping[str, Frame]:
        """What the edge sent, by id; of what it sent again, the first."""
        return {frame.id: frame for frame in reversed(self.recording.edge)}

    def answers(self) -> defaultdict[Route, deque[Frame]]:
        """Return the answers of the cloud in order, by the route of the request."""
        found: defaultdict[Route, deque[Frame]] = defaultdict(deque)
        for answer in self.recording.cloud:
            if self.answers_something(answer):
                found[self.requests[answer.parent].route].append(answer)
        return found

    def answers_something(self, frame: Frame) -> bool:
        """Whether the recording has the request that this message of the cloud answers."""
        return bool(frame.parent) and frame.parent in self.requests

    @cached_property
    def questions(self) -> frozenset[str]:
        """What DNS is asked at the end: what it was asked then, and for each service, also one that is gone."""
        last = next((one for one in reversed(self.recording.entries) if isinstance(one, Snapshot)), None)
        return names_spoken_of(self.recording).union(last.state.get("dns") or () if last is not None else ())

    @cached_property
    def is_ours(self) -> bool:
        """Whether a node of ours recorded it: then it is the life of one process."""
        return any(isinstance(entry, SessionHead) and entry.program for entry in self.recording.entries[:1])

    def registers(self, opened: ConnectionEvent) -> bool:
        """Whether the edge registers itself on that connection: it is a new process then."""
        return any(
            isinstance(one, CloudFrame) and one.link == opened.link and self._is_registration(one)
            for one in self.recording.entries
        )

    def _is_registration(self, entry: CloudFrame) -> bool:
        return entry.direction == Direction.TO_CLOUD and self.expected[entry.line].kind == f.REGISTRATION


def said_before(entries: Sequence[Entry]) -> frozenset[str]:
    """Return the ids of what the edge had said before the recording began, and says again in it.

    Such a message bears a time before the first entry's.
    """
    if not entries:
        return frozenset()
    begun_ms = entries[0].t_ns / 1_000_000 - SAME_MOMENT_MS
    found = set()
    for entry in entries:
        if isinstance(entry, CloudFrame) and entry.direction == Direction.TO_CLOUD:
            made = _MADE.search(entry.text)
            if made is not None and int(made[1]) < begun_ms:
                found.add(read_frame(entry.text, entry.line).id)
    return frozenset(found)
