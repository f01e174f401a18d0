"""What all ports of a bus share: mailboxes, groups, reply slots, taps."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

import structlog

from edgecore.beehive.mailbox import Mailbox
from edgecore.beehive.message import Message
from edgecore.beehive.replies import ReplySlots
from edgecore.clock import Clock
from edgecore.ids import NewId

log = structlog.get_logger("beehive")

INJECTED_KEPT = 1024
"""How many ids of messages that came from a person are known, the latest ones."""


class Passage(NamedTuple):
    """What a tap sees: one message going from one module to another."""

    at: float
    """When, on the clock's monotonic scale."""
    sender: str
    receiver: str
    message: Message
    injected: bool = False
    """Whether a person put it there (``Port.inject``), or held it and changed it (``gates.py``)."""


Tap = Callable[[Passage], None]


class Switchboard:
    """The state of one bus. Ports read it where each message passes; only the bus changes it, but for the replies."""

    def __init__(self, clock: Clock, new_id: NewId, send_timeout_s: float) -> None:
        self.clock = clock
        self.new_id = new_id
        self.send_timeout_s = send_timeout_s
        self.loop = asyncio.get_running_loop()
        self.accepted: asyncio.Future[None] = self.loop.create_future()
        self.accepted.set_result(None)  # what an unblocked send returns: awaiting it costs less than a coroutine
        self.mailboxes: dict[str, Mailbox] = {}
        self.groups: dict[str, tuple[Mailbox, ...]] = {}
        self.pending = ReplySlots(clock)
        self.taps: tuple[Tap, ...] = ()
        self.closed = False
        self._injected: OrderedDict[str, None] = OrderedDict()

    def add_tap(self, tap: Tap) -> None:
        """Show ``tap`` every message from now on. It must not block; one that raises is taken off."""
        self.taps = (*self.taps, tap)

    def remove_tap(self, tap: Tap) -> None:
        """Show ``tap`` nothing more."""
        self.taps = tuple(other for other in self.taps if other != tap)

    def mark_injected(self, message_id: str) -> None:
        """Note that the message of this id comes from a person, before it is shown to anybody."""
        self._injected[message_id] = None
        while len(self._injected) > INJECTED_KEPT:
            self._injected.popitem(last=False)

    def show(self, sender: str, receiver: str, message: Message) -> None:
        """Show the taps one message."""
        injected = bool(self._injected) and message.header.id in self._injected
        passage = Passage(self.clock.monotonic(), sender, receiver, message, injected)
        for tap in self.taps:
            try:
                tap(passage)
            except Exception:
                log.exception("tap_removed", tap=repr(tap), reason="it raised")
                self.remove_tap(tap)
