"""The slots of requests that wait for a reply, and the one timer that ends waits whose deadline has come."""

import asyncio

from edgecore.beehive.message import Message
from edgecore.beehive.pending import PendingReplies, Waiter
from edgecore.clock import Clock, Timer
from edgecore.errors import ReplyTimeout

Slot = asyncio.Future[Message]


class ReplySlots:
    """Every request of the bus that waits for a reply. To be made inside the event loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._pending: PendingReplies[Slot] = PendingReplies()
        self.settle = self._pending.settle
        """Stop waiting under this id; return who did, or ``None``."""
        self._reaper: Timer | None = None
        self._reaps_at = 0.0

    def __len__(self) -> int:
        return len(self._pending)

    def __contains__(self, message_id: object) -> bool:
        return message_id in self._pending

    def open(self, message_id: str, module: str, deadline: float) -> Slot:
        """Return the slot for the reply to message ``message_id``, which ``module`` waits for until ``deadline``.

        It fails with ``ReplyTimeout`` then. Raises ``KeyError`` if somebody waits under this id already.
        """
        slot: Slot = self._loop.create_future()
        self._pending.enter(message_id, Waiter(deadline, module, slot))
        self._reap_by(deadline)
        return slot

    def fail(self, error: Exception) -> None:
        """End every wait with ``error``."""
        if self._reaper is not None:
            self._reaper.cancel()
        for waiter in self._pending.clear():
            if not waiter.slot.done():
                waiter.slot.set_exception(error)

    def _reap_by(self, deadline: float) -> None:
        """See to it that waits are ended once ``deadline`` has come."""
        if self._reaper is not None:
            if self._reaps_at <= deadline:
                return
            self._reaper.cancel()
        self._reaps_at = deadline
        self._reaper = self._clock.call_at(deadline, self._reap)

    def _reap(self) -> None:
        self._reaper = None
        for waiter in self._pending.expired(self._clock.monotonic()):
            if not waiter.slot.done():
                waiter.slot.set_exception(ReplyTimeout("timeout to get response"))
        deadline = self._pending.next_deadline()
        if deadline is not None:
            self._reap_by(deadline)
