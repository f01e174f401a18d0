"""Who waits for which reply, and until when (pure)."""

import heapq
from typing import Generic, NamedTuple, TypeVar

W = TypeVar("W")


class Waiter(NamedTuple, Generic[W]):
    """One caller that waits for the reply to its request."""

    deadline: float
    """The instant, on the clock's monotonic scale, after which it waits no longer."""
    module: str
    """The module that asked."""
    slot: W
    """Where the reply goes."""


class PendingReplies(Generic[W]):
    """The requests that wait for a reply, by message id.

    A request is entered before it is sent, so that no reply can be too quick for it (bug B2). Deadlines lie in a heap
    from which settled requests are removed only when they come up or when they outnumber the waiting ones: settling
    costs no search.
    """

    def __init__(self) -> None:
        self._waiters: dict[str, Waiter[W]] = {}
        self._deadlines: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._waiters)

    def __contains__(self, message_id: object) -> bool:
        return message_id in self._waiters

    def enter(self, message_id: str, waiter: Waiter[W]) -> None:
        """Begin to wait. Raises ``KeyError`` if somebody waits under this id already."""
        if message_id in self._waiters:
            raise KeyError(message_id)
        self._waiters[message_id] = waiter
        heapq.heappush(self._deadlines, (waiter.deadline, message_id))
        if len(self._deadlines) > 2 * len(self._waiters) + 64:
            self._deadlines = [(waiting.deadline, key) for key, waiting in self._waiters.items()]
            heapq.heapify(self._deadlines)

    def settle(self, message_id: str) -> Waiter[W] | None:
        """Stop waiting under this id; return who did, or ``None``."""
        return self._waiters.pop(message_id, None)

    def expired(self, now: float) -> list[Waiter[W]]:
        """Take out, and return in order, those whose deadline has come."""
        late: list[Waiter[W]] = []
        while (deadline := self.next_deadline()) is not None and deadline <= now:
            late.append(self._waiters.pop(heapq.heappop(self._deadlines)[1]))
        return late

    def next_deadline(self) -> float | None:
        """Return the first deadline that somebody still waits for."""
        while self._deadlines:
            deadline, message_id = self._deadlines[0]
            waiter = self._waiters.get(message_id)
            if waiter is not None and waiter.deadline == deadline:
                return deadline
            heapq.heappop(self._deadlines)
        return None

    def clear(self) -> list[Waiter[W]]:
        """Take out and return all."""
        waiters = list(self._waiters.values())
        self._waiters.clear()
        self._deadlines.clear()
        return waiters
