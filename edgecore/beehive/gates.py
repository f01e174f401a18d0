"""Gates before mailboxes: a message is held at its receiver until a person lets it go, drops it or changes it.

What a module is sent stays in order: while one message is held, those behind it wait. So there is one hold for each
module at most. A message that is held lies in its mailbox still; a task that is cancelled meanwhile loses nothing, and
who receives next finds it held. Replies to ``send_sync`` go past mailboxes and are never held.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from edgecore.beehive.bus import Bus
from edgecore.beehive.mailbox import Mailbox
from edgecore.beehive.message import Message
from edgecore.beehive.passages import PassageFilter
from edgecore.beehive.switchboard import Passage
from edgecore.clock import Timer

log = structlog.get_logger("gates")

GO = "go"
DROP = "drop"
EDIT = "edit"
TIMEOUT = "timeout"
HUNG_UP = "hung_up"
STOPPING = "stopping"
SENDERS_KEPT = 4096
BREAKS_MOST = 8


@dataclass(eq=False, kw_only=True)
class Hold:
    """One message that is held."""

    number: int
    sender: str
    """Empty where the message was sent before anybody asked for messages to be held."""
    mailbox: Mailbox
    message: Message
    at: float
    """Since when, on the clock's monotonic scale."""
    wanted: "Break"
    ended: asyncio.Future[None]
    timer: Timer | None = None

    @property
    def receiver(self) -> str:
        """The module before which it is held."""
        return self.mailbox.name


class Watcher(Protocol):
    """Who is told of holds; must be quick, and never raises."""

    def held(self, hold: Hold) -> None:
        """A message is held from now on."""

    def ended(self, hold: Hold, how: str) -> None:
        """It is held no more: one of the words above says why."""


class Break:
    """What somebody wants held, and for how long at most."""

    def __init__(self, wanted: PassageFilter, timeout_s: float, watcher: Watcher) -> None:
        self.wanted = wanted
        self.timeout_s = timeout_s
        self.watcher = watcher


Account = Callable[[str, Message], None]
"""Told the receiver and the message that was dropped before it, or that was put in the place of another."""


def _account_for_nothing(_receiver: str, _message: Message) -> None: ...


class Gates:
    """The gates of one bus. None is there while nobody wants anything held."""

    def __init__(
        self, bus: Bus, *, dropped: Account = _account_for_nothing, edited: Account = _account_for_nothing
    ) -> None:
        self._bus = bus
        self._dropped = dropped
        self._edited = edited
        self._breaks: tuple[Break, ...] = ()
        self._senders: OrderedDict[tuple[str, str], str] = OrderedDict()
        self._holds: dict[int, Hold] = {}
        self._number = 0
        self.counts = dict.fromkeys(("held", GO, DROP, EDIT, TIMEOUT, HUNG_UP, STOPPING), 0)

    @property
    def holds(self) -> tuple[Hold, ...]:
        """What is held now."""
        return tuple(self._holds.values())

    @property
    def is_full(self) -> bool:
        """Whether no further break may be set."""
        return len(self._breaks) >= BREAKS_MOST

    def view(self) -> list[dict[str, Any]]:
        """Return what is held now, as JSON values."""
        now = self._bus.clock.monotonic()
        return [
            {
                "hold": hold.number,
                "from": hold.sender,
                "to": hold.receiver,
                "id": hold.message.header.id[:80],
                "operation": hold.message.route.operation[:80],
                "resource": hold.message.route.resource[:200],
                "since_s": round(now - hold.at, 3),
            }
            for hold in self._holds.values()
        ]

    def add(self, wanted: Break) -> None:
        """Hold what ``wanted`` says, from now on."""
        if not self._breaks:
            self._bus.add_tap(self._remember)
            for mailbox in self._bus.boxes():
                mailbox.gate = Gate(mailbox, self)
        self._breaks = (*self._breaks, wanted)

    def remove(self, wanted: Break, why: str = HUNG_UP) -> None:
        """Hold nothing more for ``wanted``; what is held for it goes on."""
        self._breaks = tuple(one for one in self._breaks if one is not wanted)
        for hold in self.holds:
            if hold.wanted is wanted:
                self._release(hold, why)
        if not self._breaks:
            self._bus.remove_tap(self._remember)
            self._senders.clear()
            for mailbox in self._bus.boxes():
                mailbox.gate = None

    def close(self) -> None:
        """Let everything go: the node is stopping."""
        for wanted in self._breaks:
            self.remove(wanted, STOPPING)

    def go(self, number: int) -> bool:
        """Let a held message go on; false where none of that number is held."""
        hold = self._holds.get(number)
        if hold is not None:
            self._release(hold, GO)
        return hold is not None

    def drop(self, number: int) -> bool:
        """Throw a held message away; false where none of that number is held."""
        hold = self._holds.get(number)
        if hold is None:
            return False
        mailbox, message = hold.mailbox, hold.message
        now = self._bus.clock.monotonic()
        mailbox.queue.popleft()
        mailbox.lain += now
        mailbox.admit(now)
        self._bus.count_drop(hold.sender or hold.receiver, "break")
        self._tell("held_message_dropped", hold)
        self._dropped(hold.receiver, message)
        self._end(hold, DROP)
        return True

    def edit(self, number: int, message: Message) -> bool:
        """Let ``message`` go on in the place of a held one; false where none of that number is held."""
        hold = self._holds.get(number)
        if hold is None:
            return False
        hold.mailbox.queue[0] = message
        self._tell("held_message_edited", hold)
        self._edited(hold.receiver, message)
        self._bus.mark_injected(message.header.id)
        self._bus.show(hold.sender, hold.receiver, message)
        self._release(hold, EDIT, message)
        return True

    def find(self, number: int) -> Hold | None:
        """Return the hold of that number, if there is one."""
        return self._holds.get(number)

    def hold(self, mailbox: Mailbox, message: Message) -> Hold | None:
        """Return the hold of ``message``, which is the next one for its module; ``None``: it may go on."""
        sender = self._senders.pop((mailbox.name, message.header.id), "")
        wanted = next((one for one in self._breaks if one.wanted.takes(sender, mailbox.name, message)), None)
        if wanted is None:
            return None
        clock = self._bus.clock
        self._number += 1
        hold = Hold(
            number=self._number,
            sender=sender,
            mailbox=mailbox,
            message=message,
            at=clock.monotonic(),
            wanted=wanted,
            ended=self._bus.loop.create_future(),
        )
        self._holds[hold.number] = hold
        hold.timer = clock.call_at(hold.at + wanted.timeout_s, lambda: self._release(hold, TIMEOUT))
        self.counts["held"] += 1
        wanted.watcher.held(hold)
        return hold

    def _release(self, hold: Hold, how: str, message: Message | None = None) -> None:
        gate = hold.mailbox.gate
        if gate is not None:
            gate.passed = message or hold.message
        self._end(hold, how)

    def _end(self, hold: Hold, how: str) -> None:
        if self._holds.pop(hold.number, None) is None:
            return
        if hold.timer is not None:
            hold.timer.cancel()
        self.counts[how] += 1
        hold.ended.set_result(None)
        hold.wanted.watcher.ended(hold, how)

    def _remember(self, passage: Passage) -> None:
        self._senders[passage.receiver, passage.message.header.id] = passage.sender
        if len(self._senders) > SENDERS_KEPT:
            self._senders.popitem(last=False)

    def _tell(self, event: str, hold: Hold) -> None:
        header, route = hold.message.header, hold.message.route
        who = {"sender": hold.sender, "receiver": hold.receiver, "id": header.id, "parent": header.parent_id}
        log.warning(event, **who, operation=route.operation, resource=route.resource)


class Gate:
    """The gate before one mailbox; its port asks it before it takes a message out."""

    def __init__(self, mailbox: Mailbox, gates: Gates) -> None:
        self._mailbox = mailbox
        self._gates = gates
        self._hold: Hold | None = None
        self.passed: Message | None = None
        """The message that may go on, though it is wanted."""

    async def opens(self) -> None:
        """Return when the first message may be taken, or none is left."""
        queue = self._mailbox.queue
        while queue:
            if queue[0] is self.passed:
                self.passed = None  # sent once more, it is held once more
                return
            hold = self._hold
            if hold is None or hold.message is not queue[0] or hold.ended.done():
                hold = self._hold = self._gates.hold(self._mailbox, queue[0])
            if hold is None:
                return
            await asyncio.wait((hold.ended,))
