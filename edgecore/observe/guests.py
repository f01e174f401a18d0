"""Who is connected to an HTTP listener of ours: so many at a time, each with so long to ask and to take its answer.

::

    waiting   nothing is asked, or the answer is on its way; ``WAIT_S`` at most
    served    somebody works at its request; the worker says for how long

Where there are too many, the one that has waited the longest leaves for the newcomer; where all are served, the
newcomer does. So half-open connections, however many, keep nobody out.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import cast

from edgecore.clock import Clock, SystemClock, Timer
from edgecore.observe.metrics import Metrics
from edgecore.observe.throttle import Throttle

WAIT_S = 30.0
"""From the connection, or the end of an answer's making, to a whole head of a request."""

_STEP_S = 1.0

Accept = Callable[[], asyncio.Protocol]
"""Makes the protocol that serves one connection."""


class Guests:
    """The connections of one listener. ``name`` is the module that refusals are counted for.

    They are waited for by real time, whatever clock the process has: whoever asks lives in it.
    """

    def __init__(self, name: str, limit: int, metrics: Metrics | None = None, clock: Clock | None = None) -> None:
        self.clock = clock or SystemClock()
        self._name = name
        self._limit = limit
        self._metrics = metrics
        self._refusals = Throttle(self.clock, self._report)
        self._waiting: OrderedDict[asyncio.BaseTransport, float] = OrderedDict()
        self._served: set[asyncio.BaseTransport] = set()
        self._timer: Timer | None = None

    def __len__(self) -> int:
        return len(self._waiting) + len(self._served)

    def received_by(self, accept: Accept) -> Accept:
        """Return what makes the same protocols, and sees who comes and goes."""
        return lambda: _Guest(self, accept())

    @contextmanager
    def serving(self, transport: asyncio.BaseTransport | None) -> Iterator[None]:
        """Count a guest as served within."""
        if transport is None or self._waiting.pop(transport, None) is None:
            yield  # it has left
            return
        self._served.add(transport)
        try:
            yield
        finally:
            if transport in self._served:
                self._served.discard(transport)
                self._wait(transport)

    def close(self) -> None:
        """Report what is held back, and forget everybody."""
        self._refusals.close()
        self._waiting.clear()
        self._served.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def came(self, guest: asyncio.Transport) -> bool:
        """Take a guest in; False: there is no room."""
        if len(self) >= self._limit and not self._leave_one():
            self._refusals.complain("too_many_connections", _peer(guest))
            guest.abort()
            return False
        self._wait(guest)
        return True

    def went(self, guest: asyncio.BaseTransport) -> None:
        """Take note that a guest has left."""
        self._waiting.pop(guest, None)
        self._served.discard(guest)

    def _wait(self, guest: asyncio.BaseTransport) -> None:
        self._waiting[guest] = self.clock.monotonic()
        if self._timer is None:
            self._timer = self.clock.call_at(self.clock.monotonic() + WAIT_S, self._look)

    def _leave_one(self) -> bool:
        guest = next(iter(self._waiting), None)
        if guest is None:
            return False
        self._cut(guest, "too_many_connections")
        return True

    def _look(self) -> None:
        self._timer = None
        over = self.clock.monotonic() - WAIT_S
        for guest in [guest for guest, since in self._waiting.items() if since <= over]:
            self._cut(guest, "too_slow")
        if self._waiting:
            first = next(iter(self._waiting.values())) + WAIT_S
            self._timer = self.clock.call_at(max(first, self.clock.monotonic() + _STEP_S), self._look)

    def _cut(self, guest: asyncio.BaseTransport, reason: str) -> None:
        self._waiting.pop(guest, None)
        self._refusals.complain(reason, _peer(guest))
        cast("asyncio.Transport", guest).abort()

    def _report(self, reason: str, peer: str, left_out: int, _details: str) -> None:
        if self._metrics is not None:
            self._metrics.bad_input(self._name, reason, peer, left_out=left_out)


class _Guest(asyncio.Protocol):
    """Hands everything on, but for guests that there is no room for."""

    def __init__(self, guests: Guests, inner: asyncio.Protocol) -> None:
        self._guests = guests
        self._inner = inner
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        made = cast("asyncio.Transport", transport)
        if self._guests.came(made):
            self._transport = made
            self._inner.connection_made(made)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._guests.went(self._transport)
            self._inner.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._transport is not None:
            self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received() if self._transport is not None else None

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()


def _peer(guest: asyncio.BaseTransport) -> str:
    address = guest.get_extra_info("peername")
    return f"{address[0]}:{address[1]}" if isinstance(address, tuple) else "local"
