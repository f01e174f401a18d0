"""Messages on their way through a slow connection, one direction: first in, first out, however short a delay is.

As in TCP, what comes behind a delayed message waits for it. The delays of messages that are under way together run
together: a link that takes a second takes one second for all of them.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NamedTuple

from edgecore.clock import Clock, before

MAX_FRAMES = 10_000
MAX_BYTES = 64 * 1024 * 1024
"""Beyond either, whoever brings more waits: the sender then notices, as with full socket buffers."""


class Parcel(NamedTuple):
    """One message under way."""

    due_at: float
    """``monotonic`` seconds."""
    size: int
    hand_on: Callable[[], Awaitable[None]]


class Line:
    """Hands on what was put in, each when it is due; ``close`` loses what is under way."""

    def __init__(
        self,
        clock: Clock,
        on_idle: Callable[[], None],
        *,
        max_frames: int = MAX_FRAMES,
        max_bytes: int = MAX_BYTES,
    ) -> None:
        self._clock = clock
        self._on_idle = on_idle
        self._max_frames = max_frames
        self._max_bytes = max_bytes
        self._parcels: deque[Parcel] = deque()
        self._bytes = 0
        self._last_due_at = 0.0
        self._moved = asyncio.Event()
        self._closed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._parcels

    async def put(self, delay_s: float, size: int, hand_on: Callable[[], Awaitable[None]]) -> None:
        """Hand on after ``delay_s`` seconds and after all that was put in before; waits only for room."""
        while self._is_full() and not self._closed.is_set():
            self._moved.clear()
            await self._moved.wait()
        if self._closed.is_set():
            return
        self._last_due_at = max(self._clock.monotonic() + delay_s, self._last_due_at)
        self._parcels.append(Parcel(self._last_due_at, size, hand_on))
        self._bytes += size
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())

    def close(self) -> None:
        """Lose what is under way. What is being handed on at this moment is not interrupted."""
        self._closed.set()
        self._moved.set()
        self._parcels.clear()
        self._bytes = 0

    def _is_full(self) -> bool:
        return len(self._parcels) >= self._max_frames or self._bytes >= self._max_bytes

    async def _run(self) -> None:
        while self._parcels:
            parcel = self._parcels[0]
            if parcel.due_at > self._clock.monotonic():
                with suppress(TimeoutError):
                    await before(self._clock, parcel.due_at, self._closed.wait())
                continue
            # It stays first in line while it is handed on, so that nothing overtakes it.
            await parcel.hand_on()
            if self._parcels:
                self._parcels.popleft()
                self._bytes -= parcel.size
                self._moved.set()
        self._on_idle()
