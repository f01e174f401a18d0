"""Changes of the cloud that could not be stored: each is tried again, in their order, for the cloud sends them once.

While one waits, what the cloud sends later waits behind it: an older change must not come after a newer one. What
devices say goes on meanwhile.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

import structlog

from edgecore.beehive.message import Message
from edgecore.clock import Clock
from edgecore.modules.devicetwin.requests import Request

log = structlog.get_logger("devicetwin")

TRIES = 5
AGAIN_S = 10.0
"""A change is tried so often, so far apart."""
WAITING = 64
"""Changes that wait; more are lost, and logged."""

Attempt = Callable[[Request, Message], Awaitable[bool]]
"""Tries once, and returns whether the change is stored. Raises what ends the module."""


class Again:
    """The changes that wait, the oldest first."""

    def __init__(self, clock: Clock, attempt: Attempt) -> None:
        self._clock = clock
        self._attempt = attempt
        self._waiting: deque[tuple[Request, Message]] = deque()
        self._some = asyncio.Event()
        self._tries = 1
        """How often the oldest was tried."""

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, request: Request, message: Message) -> None:
        """Let a change wait: one that was refused, or that came while another waits."""
        if len(self._waiting) >= WAITING:
            log.error("change_lost", id=message.header.id, reason="too_many_wait", waiting=WAITING)
            return
        self._waiting.append((request, message))
        self._some.set()

    async def run(self) -> None:
        """Try what waits when it is time, without end."""
        while True:
            await self._some.wait()
            await self._clock.sleep(AGAIN_S)
            await self._try_all()
            if not self._waiting:
                self._some.clear()

    async def _try_all(self) -> None:
        """Try one after the other, until one is refused that is to be tried once more."""
        while self._waiting:
            request, message = self._waiting[0]
            self._tries += 1
            if not await self._attempt(request, message):
                if self._tries < TRIES:
                    return
                log.error("change_lost", id=message.header.id, reason="refused", tries=self._tries)
            self._waiting.popleft()
            self._tries = 0  # those behind it were not tried yet
