"""The stub goes away and comes back: its listeners close, and open again on the same ports."""

import asyncio
from contextlib import suppress
from typing import Protocol

import structlog

from edgecore.clock import Clock, before
from edgecore.errors import EdgecoreError

log = structlog.get_logger("cloudhub")

RETRY_S = 1.0
"""How long to wait when another program has taken a port meanwhile."""


class Listener(Protocol):
    """What can be stopped, and started again where it was."""

    async def start(self) -> None:
        """Listen. Raises ``EdgecoreError``, and is then tried again."""

    async def stop(self) -> None:
        """End all connections and stop listening; does nothing the second time."""


class Restarter:
    """Restarts listeners, one restart at a time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._listeners: tuple[Listener, ...] = ()
        self._stopped = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def away(self) -> bool:
        """Whether a restart is under way."""
        return self._task is not None and not self._task.done()

    def manage(self, *listeners: Listener) -> None:
        """Restart these from now on: stopped in this order, started in the other."""
        self._listeners = listeners

    def begin(self, down_s: float) -> None:
        """Go away for ``down_s`` seconds; call it only when not ``away``."""
        self._task = asyncio.get_running_loop().create_task(self._run(down_s))

    async def stop(self) -> None:
        """Stay away: after this nothing is started any more."""
        self._stopped.set()
        if self._task is not None:
            await self._task

    async def _run(self, down_s: float) -> None:
        for listener in self._listeners:
            await listener.stop()
        await self._wait(down_s)
        for listener in reversed(self._listeners):
            await self._start(listener)
        if not self._stopped.is_set():
            log.info("stub_restarted", away_s=down_s)

    async def _start(self, listener: Listener) -> None:
        while not self._stopped.is_set():
            try:
                await listener.start()
            except EdgecoreError as error:
                log.error("stub_cannot_return", reason=str(error), retry_s=RETRY_S)
                await listener.stop()  # one that is made of several may have begun to listen
                await self._wait(RETRY_S)
            else:
                return

    async def _wait(self, seconds: float) -> None:
        """Return after ``seconds``, or once ``stop`` is called."""
        with suppress(TimeoutError):
            await before(self._clock, self._clock.monotonic() + seconds, self._stopped.wait())
