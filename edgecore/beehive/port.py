"""A module's own door to the bus: sending, asking, receiving (what holds of them stands in ``bus.py``)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable
from typing import Any

import structlog

from edgecore.beehive.mailbox import Blocked, Mailbox, MailboxStatistics
from edgecore.beehive.message import Header, Message, Route, with_sync
from edgecore.beehive.switchboard import Switchboard
from edgecore.clock import Clock
from edgecore.errors import BusClosed, BusError, MailboxFull, UnknownModule
from edgecore.ids import NewId

log = structlog.get_logger("beehive")

SYNC_TIMEOUT_S = 30.0


class Port:
    """One module's door to the bus."""

    __slots__ = (
        "_accepted",
        "_bus",
        "_mailbox",
        "_mailboxes",
        "_monotonic",
        "_new_id",
        "_now_ms",
        "_sent",
        "dropped",
    )

    def __init__(self, bus: Switchboard, mailbox: Mailbox) -> None:
        self._bus = bus
        self._mailbox = mailbox
        self._mailboxes = bus.mailboxes
        self._accepted = bus.accepted
        self._monotonic = bus.clock.monotonic
        self._now_ms = bus.clock.now_ms
        self._new_id = bus.new_id
        self._sent = 0
        self.dropped: dict[str, int] = {}

    @property
    def name(self) -> str:
        """The module's name."""
        return self._mailbox.name

    @property
    def mailbox(self) -> Mailbox:
        """What is on its way to the module; for the bus."""
        return self._mailbox

    @property
    def clock(self) -> Clock:
        """The node's clock."""
        return self._bus.clock

    @property
    def new_id(self) -> NewId:
        """The node's source of ids."""
        return self._new_id

    # Sending.

    def build(self, route: Route, content: Any = None, parent_id: str = "") -> Message:
        """Return a fresh message."""
        return Message(Header(self._new_id(), parent_id, self._now_ms()), route, content)

    def post(self, to: str, route: Route, content: Any = None, parent_id: str = "") -> Awaitable[None]:
        """Build a message and send it to module ``to``; see ``send``."""
        message = Message(Header(self._new_id(), parent_id, self._now_ms()), route, content)
        # Most messages of modules go this way, so here stands the body of Mailbox.put, without the call.
        try:
            mailbox = self._mailboxes[to]
        except KeyError:
            return self._drop("unknown_module", message, to=to)
        queue = mailbox.queue
        depth = len(queue)
        if depth >= mailbox.high_water:
            if depth >= mailbox.capacity:
                return self._send_when_room(message, self._monotonic() + self._bus.send_timeout_s, mailbox)
            mailbox.high_water = depth + 1
        queue.append(message)
        mailbox.lain -= self._monotonic()
        if not depth:
            mailbox.wake()
        self._sent += 1
        if self._bus.taps:
            self._bus.show(self._mailbox.name, to, message)
        return self._accepted

    def send(self, to: str, message: Message) -> Awaitable[None]:
        """Put ``message`` into the mailbox of module ``to``; to be awaited.

        A message to a name that nobody has is counted, logged and dropped, as in Go. Raises ``MailboxFull`` when there
        was no room until the send deadline, ``BusClosed`` when the node is stopping.
        """
        mailbox = self._mailboxes.get(to)
        if mailbox is None:
            return self._drop("unknown_module", message, to=to)
        if not mailbox.put(message, self._monotonic()):
            return self._send_when_room(message, self._monotonic() + self._bus.send_timeout_s, mailbox)
        self._count(to, message)
        return self._accepted

    def offer(self, to: str, message: Message) -> bool:
        """Put ``message`` into the mailbox of module ``to`` if there is such a module and room; return whether."""
        mailbox = self._mailboxes.get(to)
        if mailbox is None or not mailbox.put(message, self._monotonic()):
            return False
        self._count(to, message)
        return True

    def inject(self, to: str, message: Message) -> bool:
        """As ``offer``, for a message that a person made: taps are told so."""
        self._bus.mark_injected(message.header.id)
        return self.offer(to, message)

    async def send_to_group(self, group: str, message: Message) -> int:
        """Put ``message`` into the mailbox of every member of ``group``; return how many there are.

        Members with room get it at once; those without are waited for, all at the same time. An unknown group is
        counted and logged; raises as ``send`` does, once every member has got it or had no room until the deadline.
        """
        members = self._bus.groups.get(group, ())
        if not members:
            await self._drop("unknown_group", message, group=group)
            return 0
        await self._send_when_room(message, self._monotonic() + self._bus.send_timeout_s, *members)
        return len(members)

    async def send_sync(self, to: str, message: Message, timeout_s: float = SYNC_TIMEOUT_S) -> Message:
        """Send ``message`` to module ``to`` and return the reply: the message whose parent is this one's id.

        Putting and waiting share one deadline; a timeout of zero or less means 30 seconds. Raises ``UnknownModule``,
        ``MailboxFull``, ``ReplyTimeout`` or ``BusClosed``. The texts are Go's (spec section 1.5).
        """
        bus = self._bus
        mailbox = self._mailboxes.get(to)
        if mailbox is None:
            await self._drop("unknown_module", message, to=to)
            raise UnknownModule(f"bad request module name({to})")
        message = with_sync(message, True)
        message_id = message.header.id
        timeout_s = timeout_s if timeout_s > 0 else SYNC_TIMEOUT_S
        now = self._monotonic()
        try:
            slot = bus.pending.open(message_id, self.name, now + timeout_s)
        except KeyError:
            raise BusError(f"cannot send message {message_id}: a reply to it is awaited already") from None
        try:
            if mailbox.put(message, now):
                self._count(to, message)
            else:
                await self._send_when_room(message, now + timeout_s, mailbox)
            return await slot
        finally:
            bus.pending.settle(message_id)
            slot.cancel()  # it may have failed while there was no room: not an error nobody looked at

    def respond(self, reply: Message) -> bool:
        """Hand ``reply`` to whoever waits for it (its parent id says who); return whether somebody did."""
        waiter = self._bus.pending.settle(reply.header.parent_id)
        if waiter is None or waiter.slot.done():
            self._drop("late_reply", reply)
            return False
        waiter.slot.set_result(reply)
        self._count(waiter.module, reply)
        return True

    def awaited(self, message_id: str) -> bool:
        """Return whether somebody waits for the reply to message ``message_id``."""
        return message_id in self._bus.pending

    def has_group(self, group: str) -> bool:
        """Return whether any module is in ``group``."""
        return group in self._bus.groups

    def members(self, group: str) -> tuple[str, ...]:
        """Return the names of the modules in ``group``."""
        return tuple(mailbox.name for mailbox in self._bus.groups.get(group, ()))

    def _count(self, to: str, message: Message) -> None:
        self._sent += 1
        if self._bus.taps:
            self._bus.show(self._mailbox.name, to, message)

    async def _send_when_room(self, message: Message, deadline: float, *mailboxes: Mailbox) -> None:
        """Put ``message`` into each of ``mailboxes``, waiting for room in those that are full.

        The receivers themselves move it in, so that the order stays.
        """
        if self._bus.closed:
            raise BusClosed("the bus is closed")
        waits: list[tuple[Mailbox, Blocked]] = []
        for mailbox in mailboxes:
            if mailbox.put(message, self._monotonic()):
                self._count(mailbox.name, message)
            else:
                waits.append((mailbox, self._stand_in_line(mailbox, message)))
        if not waits:
            return

        def expire() -> None:
            for _, blocked in waits:
                if not blocked.room.done():
                    blocked.room.set_exception(MailboxFull("timeout to send message"))

        timer = self._bus.clock.call_at(deadline, expire)
        failure: MailboxFull | None = None
        try:
            for mailbox, blocked in waits:
                try:
                    await blocked.room
                except MailboxFull as error:
                    await self._drop("full", message, to=mailbox.name)
                    failure = error
        finally:
            timer.cancel()
            for mailbox, blocked in waits:
                mailbox.leave(blocked)
        if failure is not None:
            raise failure

    def _stand_in_line(self, mailbox: Mailbox, message: Message) -> Blocked:
        """Wait for room in a full mailbox, behind whoever does already; refused at once to its own module."""
        blocked = Blocked(self._bus.loop.create_future(), message, lambda: self._count(mailbox.name, message))
        if mailbox is self._mailbox:
            text = f"cannot send to {mailbox.name}: its mailbox is full, and it is the sender itself"
            blocked.room.set_exception(MailboxFull(text))
        else:
            mailbox.blocked.append(blocked)
        return blocked

    def _drop(self, reason: str, message: Message, **where: str) -> Awaitable[None]:
        """Count and log a message that goes nowhere."""
        if self._bus.closed:
            closed: asyncio.Future[None] = self._bus.loop.create_future()
            closed.set_exception(BusClosed("the bus is closed"))
            closed.exception()  # a reply that came too late is not awaited by anybody
            return closed
        self.dropped[reason] = self.dropped.get(reason, 0) + 1
        route = message.route
        log.warning(
            "message_dropped",
            reason=reason,
            sender=self.name,
            **where,
            id=message.header.id,
            parent=message.header.parent_id,
            operation=route.operation,
            resource=route.resource,
        )
        return self._accepted

    # Receiving.

    async def receive(self) -> Message:
        """Return the next message, waiting for it. One task at a time may receive.

        Raises ``BusClosed`` when the node is stopping.
        """
        mailbox = self._mailbox
        queue = mailbox.queue
        while True:
            while not queue:
                await self._arrival()
            if mailbox.gate is not None:
                await mailbox.gate.opens()
                if not queue:
                    continue
            break
        message = queue.popleft()
        mailbox.received += 1
        mailbox.lain += self._monotonic()
        if mailbox.blocked:
            mailbox.admit(self._monotonic())
        return message

    async def __aiter__(self) -> AsyncIterator[Message]:
        """Yield the messages as they come, until the node stops."""
        mailbox = self._mailbox
        queue = mailbox.queue
        monotonic = self._monotonic
        while True:
            while not queue:
                try:
                    await self._arrival()
                except BusClosed:
                    return
            if mailbox.gate is not None:
                await mailbox.gate.opens()
                if not queue:
                    continue
            message = queue.popleft()
            mailbox.received += 1
            mailbox.lain += monotonic()
            if mailbox.blocked:
                mailbox.admit(monotonic())
            yield message

    def _arrival(self) -> Awaitable[None]:
        """Return a future that is done when a message has come."""
        if self._bus.closed:
            raise BusClosed("the bus is closed")
        mailbox = self._mailbox
        if mailbox.taker is not None and not mailbox.taker.cancelled():
            raise BusError(f"cannot receive for {mailbox.name}: another task receives already")
        mailbox.taker = self._bus.loop.create_future()
        return mailbox.taker

    def holds(self, message_id: str) -> bool:
        """Return whether a message of this id lies in the mailbox. All of it is looked through."""
        return any(message.header.id == message_id for message in self._mailbox.queue)

    def statistics(self) -> MailboxStatistics:
        """Return this module's figures."""
        return self._mailbox.statistics(self._sent, self.dropped, self._monotonic())
