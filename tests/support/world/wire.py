"""A connection between the stub and an edge without sockets: frames in order, late, and lost behind a point."""

import asyncio
from collections import deque
from collections.abc import Callable

from cloudhub_stub.errors import NodeLost
from cloudhub_stub.link import Link
from edgecore.clock import Clock


class Wire:
    """One connection. Each direction delivers what was put in ``latency_s`` seconds ago, in order.

    ``cut`` lets so many more frames pass in each direction, and loses the rest without a word; each end hears that the
    connection is gone from ``close_edge`` and ``close_stub``.
    """

    def __init__(self, clock: Clock, take: Callable[[bytes], None], lost: Callable[["Wire"], None], latency_s: float):
        self._clock = clock
        self._take = take
        self._lost = lost
        self._latency_s = latency_s
        self.link: Link | None = None
        self.passing_down: int | None = None
        self.passing_up: int | None = None
        self.is_open_for_edge = True
        self.is_open_for_stub = True
        self.loses: Callable[[bytes], bool] = lambda _: False
        """Which frames of the edge vanish though all others pass."""
        self._down: deque[bytes] = deque()
        self._up: deque[bytes] = deque()
        self._arrived: deque[bytes] = deque()
        self._reader: asyncio.Task[None] | None = None

    def cut(self, down: int, up: int) -> None:
        if self.passing_down is None or self.passing_up is None:  # else it is cut already
            self.passing_down, self.passing_up = down, up

    # The stub's end: the protocol ``Socket`` of its link.

    async def send(self, data: bytes) -> None:
        if not self.is_open_for_stub:
            raise NodeLost("cannot send: closed")
        self._after_latency(self._down, data, self._deliver_down)

    def hang_up(self, reason: str) -> None:
        self.is_open_for_stub = False
        if self.passing_down is None:  # else the edge hears nothing of it
            self._clock.call_at(self._clock.monotonic() + self._latency_s, self.close_edge)

    def close_stub(self) -> None:
        """The stub hears that the connection is gone."""
        self.is_open_for_stub = False
        if self.link is not None:
            self.link.end("connection_closed")

    # The edge's end.

    def write(self, data: bytes) -> None:
        if self.is_open_for_edge and not self.loses(data):
            self._after_latency(self._up, data, self._deliver_up)

    def close_edge(self) -> None:
        """The edge hears that the connection is gone."""
        if self.is_open_for_edge:
            self.is_open_for_edge = False
            self._lost(self)

    def forget_edge(self) -> None:
        """The edge's process is gone."""
        self.is_open_for_edge = False

    # Between them.

    def _after_latency(self, queue: deque[bytes], data: bytes, deliver: Callable[[], None]) -> None:
        queue.append(data)
        if self._latency_s:
            self._clock.call_at(self._clock.monotonic() + self._latency_s, deliver)
        else:
            asyncio.get_running_loop().call_soon(deliver)

    def _deliver_down(self) -> None:
        data = self._down.popleft()
        if self.passing_down is not None:
            if not self.passing_down:
                return
            self.passing_down -= 1
        if self.is_open_for_edge:
            self._take(data)

    def _deliver_up(self) -> None:
        data = self._up.popleft()
        if self.passing_up is not None:
            if not self.passing_up:
                return
            self.passing_up -= 1
        self._arrived.append(data)
        if self._reader is None:
            self._reader = asyncio.get_running_loop().create_task(self._read(), name="wire reader")

    async def _read(self) -> None:
        """Hand the link one frame after the other, as the server of the stub does."""
        try:
            while self._arrived and self.link is not None and self.is_open_for_stub:
                await self.link.receive(self._arrived.popleft())
        finally:
            self._reader = None
