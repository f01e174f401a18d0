"""The messages that wait for the link (pure): bounded, in order, a newer status in place of an older one.

Only while the link is away does anything lie here for long. A status that is superseded before it could be sent is
worth nothing to anybody; every other message is kept. When the box is full the oldest message leaves, and ``add`` says
so: never in silence.
"""

from collections import OrderedDict

from edgecore.beehive.message import Message
from edgecore.beehive.resource import INSERT, NODESTATUS, PODSTATUS, UPDATE, parse_edge

CAPACITY = 1024

_Key = tuple[str, str, str]


class Outbox:
    """Messages for the cloud, first in first out."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._messages: OrderedDict[_Key, Message] = OrderedDict()
        self.superseded = 0
        """Statuses that a newer one replaced."""

    def __len__(self) -> int:
        return len(self._messages)

    def add(self, message: Message) -> Message | None:
        """Put ``message`` at the end; return the oldest one if it had to make room."""
        key = _key(message)
        if self._messages.pop(key, None) is not None:
            self.superseded += 1
        self._messages[key] = message
        if len(self._messages) > self._capacity:
            return self._messages.popitem(last=False)[1]
        return None

    def first(self) -> Message | None:
        """Return the message to be sent next; it stays until ``remove``."""
        return next(iter(self._messages.values()), None)

    def remove(self, message: Message) -> None:
        """Take out a message that was written; does nothing if a newer one has taken its place meanwhile."""
        key = _key(message)
        if self._messages.get(key) is message:
            del self._messages[key]


def _key(message: Message) -> _Key:
    """Return what two messages share when the newer replaces the older; for all but statuses that is nothing."""
    route = message.route
    resource = parse_edge(route.resource)
    if route.operation in (INSERT, UPDATE) and resource is not None and resource.type in (NODESTATUS, PODSTATUS):
        return (route.source, route.operation, route.resource)
    return ("", "", message.header.id)
