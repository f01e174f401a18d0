"""What a worker shows to who looks at the node: many things at a time, and only while somebody looks."""

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from msgspec import Struct

from edgecore.clock import Clock, Timer
from edgecore.modules.edgemesh.workers.link import Link

BATCH = 250
BATCH_EVERY_S = 0.1

T = TypeVar("T")


class Look(Struct, frozen=True, tag="look"):
    """To a worker: somebody looks, or nobody any more."""

    on: bool


class Relay(Generic[T]):
    """Sends what ``news`` makes of what is taken, and of how much was dropped since the node did not listen."""

    def __init__(self, link: Link[Struct], clock: Clock, news: Callable[[Sequence[T], int], Struct]) -> None:
        self._link = link
        self._clock = clock
        self._news = news
        self._taken: list[T] = []
        self._dropped = 0
        self._timer: Timer | None = None

    def take(self, one: T) -> None:
        """Have it sent soon."""
        self._taken.append(one)
        if self._timer is None:
            self._timer = self._clock.call_at(self._clock.monotonic() + BATCH_EVERY_S, self._tick)
        elif len(self._taken) >= BATCH:
            self._send()

    def stop(self) -> None:
        """Send what is left."""
        if self._timer is not None:
            self._timer.cancel()
            self._tick()

    def _tick(self) -> None:
        self._timer = None
        self._send()

    def _send(self) -> None:
        taken, self._taken = self._taken, []
        if not self._link.has_room:
            self._dropped += len(taken)
        elif taken:
            self._link.tell(self._news(taken, self._dropped))
            self._dropped = 0
