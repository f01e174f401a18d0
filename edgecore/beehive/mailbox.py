"""A module's bounded mailbox, and what is counted about it."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NamedTuple, Protocol

from edgecore.beehive.message import Message


class Blocked(NamedTuple):
    """A sender that waits for room, with the message it holds."""

    room: asyncio.Future[None]
    message: Message
    admitted: Callable[[], None]
    """Counts the message for its sender, once it lies in the mailbox."""


class Gate(Protocol):
    """What may hold the first message of a mailbox back (``gates.py``)."""

    passed: Message | None

    async def opens(self) -> None:
        """Return when the first message may be taken, or none is left."""


class MailboxStatistics(NamedTuple):
    """One module's traffic since it was registered."""

    module: str
    group: str
    depth: int
    """Messages lying in the mailbox now."""
    capacity: int
    high_water: int
    """The most that ever lay in it."""
    blocked: int
    """Senders that wait for room now."""
    sent: int
    """Messages this module put into mailboxes, replies included."""
    received: int
    """Messages this module took out of its mailbox."""
    dropped: dict[str, int]
    """Messages of this module that went nowhere, by reason."""
    waited_s: float
    """Seconds that messages have lain in the mailbox, all together, those still lying there included."""


class Mailbox:
    """Messages on their way to one module, in the order in which they were put.

    Fields are open to ``port.py``, which inlines ``put`` where each message passes, and takes out by itself. Two rules
    hold between any two calls: ``high_water`` is never less than the depth; and whoever is blocked is blocked by a full
    mailbox. So a depth below ``high_water`` is all a sender has to check.

    ``lain`` is the sum of the instants at which messages were taken less the sum of those at which they were put; with
    ``depth * now`` added it is the time that all of them have waited, at the price of two additions a message.
    """

    __slots__ = ("blocked", "capacity", "gate", "group", "high_water", "lain", "name", "queue", "received", "taker")

    def __init__(self, name: str, group: str, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"a mailbox holds at least one message, not {capacity}")
        self.name = name
        self.group = group
        self.capacity = capacity
        self.queue: deque[Message] = deque()
        self.blocked: deque[Blocked] = deque()
        self.taker: asyncio.Future[None] | None = None
        self.gate: Gate | None = None
        self.high_water = 0
        self.received = 0
        self.lain = 0.0

    def put(self, message: Message, now: float) -> bool:
        """Put ``message`` in and wake who waits for it; return whether there was room."""
        depth = len(self.queue)
        if depth >= self.high_water:
            if depth >= self.capacity:
                return False
            self.high_water = depth + 1
        self.queue.append(message)
        self.lain -= now
        if not depth:  # nobody waits for a message while there is one
            self.wake()
        return True

    def wake(self) -> None:
        """Wake the taker, if one waits."""
        taker, self.taker = self.taker, None
        if taker is not None and not taker.done():
            taker.set_result(None)

    def admit(self, now: float) -> None:
        """Let the first blocked sender's message into the place that has just become free."""
        while self.blocked:
            room, message, admitted = self.blocked.popleft()
            if not room.done():
                self.queue.append(message)
                self.lain -= now
                room.set_result(None)
                admitted()
                return

    def leave(self, blocked: Blocked) -> None:
        """Take a sender out of the line, if it still stands there."""
        room = blocked.room
        if room.done() and not room.cancelled() and room.exception() is None:
            return  # it was let in: who would look for it in a long line, each time, looks for ever
        if blocked in self.blocked:
            self.blocked.remove(blocked)
        room.cancel()  # if it has failed already, that is no error nobody looked at

    def statistics(self, sent: int, dropped: dict[str, int], now: float) -> MailboxStatistics:
        """Return the module's figures; what it ``sent`` and what of it was ``dropped`` is counted at its port."""
        depth = len(self.queue)
        return MailboxStatistics(
            module=self.name,
            group=self.group,
            depth=depth,
            capacity=self.capacity,
            high_water=self.high_water,
            blocked=len(self.blocked),
            sent=sent,
            received=self.received,
            dropped=dict(dropped),
            waited_s=max(0.0, self.lain + depth * now),
        )

    def fail(self, error: Exception) -> None:
        """End every wait at this mailbox with ``error``."""
        while self.blocked:
            room = self.blocked.popleft().room
            if not room.done():
                room.set_exception(error)
        taker, self.taker = self.taker, None
        if taker is not None and not taker.done():
            taker.set_exception(error)
