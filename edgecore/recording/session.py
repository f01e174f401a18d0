"""One recording as a value: its entries by time, its frames taken apart, and which of them say something again."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from edgecore.recording.entries import CloudFrame, ConnectionEvent, Direction, Entry, MqttMessage
from edgecore.recording.frames import Frame, read_frame

LINKED = (CloudFrame, ConnectionEvent, MqttMessage)
"""Entries for which the edge has to be there."""


@dataclass(frozen=True)
class Recording:
    """One file, by the time of its entries."""

    name: str
    entries: tuple[Entry, ...]
    earlier: frozenset[str] = frozenset()
    """The ids of what the edge sent in the recordings before."""

    @cached_property
    def frames(self) -> dict[int, Frame]:
        """Each frame by its line."""
        return {one.line: read_frame(one.text, one.line) for one in self.entries if isinstance(one, CloudFrame)}

    def sent(self, direction: Direction) -> list[Frame]:
        """Return the frames of one direction."""
        entries = (one for one in self.entries if isinstance(one, CloudFrame) and one.direction == direction)
        return [self.frames[one.line] for one in entries]

    @cached_property
    def edge(self) -> list[Frame]:
        """What the edge sent."""
        return self.sent(Direction.TO_CLOUD)

    @cached_property
    def cloud(self) -> list[Frame]:
        """What the cloud sent."""
        return self.sent(Direction.TO_EDGE)

    @cached_property
    def answers(self) -> frozenset[str]:
        """The ids of the cloud's answers."""
        return frozenset(frame.id for frame in self.cloud if frame.parent)

    @cached_property
    def repeats(self) -> frozenset[int]:
        """The lines of what the edge had sent before, under the same id: no cloud of 1.3 confirms it."""
        known, found = set(self.earlier), set()
        for frame in self.edge:
            if frame.id in known:
                found.add(frame.line)
            known.add(frame.id)
        return frozenset(found)


def begins_within(entries: Sequence[Entry]) -> bool:
    """Whether a recording begins in the middle of a connection."""
    first = next((one for one in entries if isinstance(one, LINKED)), None)
    is_opened = isinstance(first, ConnectionEvent) and first.event == "open"
    return first is not None and not is_opened
