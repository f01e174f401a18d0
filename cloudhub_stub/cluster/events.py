"""What happened to objects, in words for people: what ``describe`` shows as events (pure).

Events are not kept on disk; of each object the newest few are, and of all objects a bounded number.
"""

from typing import NamedTuple

from cloudhub_stub.cluster.kinds import ObjectKey
from edgecore.clock import Clock

NORMAL = "Normal"
WARNING = "Warning"
EVENTS_EACH = 20
OBJECTS = 10_000


class Event(NamedTuple):
    """One thing that happened, a number of times, last at ``at_ms``."""

    at_ms: int
    type: str
    reason: str
    message: str
    times: int = 1


class Events:
    """The events of all objects."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._events: dict[ObjectKey, dict[tuple[str, str], Event]] = {}

    def note(self, key: ObjectKey, type_: str, reason: str, message: str) -> None:
        """Something happened to an object; the same once more is counted."""
        events = self._events.pop(key, {})
        self._events[key] = events
        before = events.pop((reason, message), None)
        events[reason, message] = Event(
            self._clock.now_ms(), type_, reason, message, 1 if before is None else before.times + 1
        )
        if len(events) > EVENTS_EACH:
            del events[next(iter(events))]
        if len(self._events) > OBJECTS:
            del self._events[next(iter(self._events))]

    def of(self, key: ObjectKey) -> list[Event]:
        """Return the events of an object, the newest last."""
        return list(self._events.get(key, {}).values())
