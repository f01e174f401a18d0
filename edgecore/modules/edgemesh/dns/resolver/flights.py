"""Questions on their way to the upstream servers, each once however many ask it, and the askers that wait for them."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from edgecore.clock import Clock
from edgecore.modules.edgemesh.dns.resolver.findings import Finding
from edgecore.modules.edgemesh.dns.resolver.inquiry import Asked


class Landed(NamedTuple):
    """What came of a question."""

    finding: Finding | None
    asked: Asked
    zone: str
    reason: str = ""
    """Why there is no good answer: a fixed snake_case word."""


class Flight:
    """A question that is being asked, in a task of its own: an asker that goes away takes nothing from the others."""

    def __init__(self, work: Coroutine[Any, Any, Landed], started_at: float) -> None:
        self.task = asyncio.ensure_future(work)
        self.started_at = started_at

    async def landed(self, clock: Clock, until: float | None) -> Landed | None:
        """Return what came of it; ``None`` if that is not known at ``until``, or the question is given up."""
        if until is None:
            await asyncio.wait([self.task])
        elif not self.task.done() and clock.monotonic() < until:
            overdue: asyncio.Future[None] = asyncio.get_running_loop().create_future()

            def wake() -> None:
                if not overdue.done():
                    overdue.set_result(None)

            timer = clock.call_at(until, wake)
            try:
                await asyncio.wait((self.task, overdue), return_when=asyncio.FIRST_COMPLETED)
            finally:
                timer.cancel()
        return self.task.result() if self.task.done() and not self.task.cancelled() else None


class Waiting:
    """Counts askers that wait."""

    def __init__(self) -> None:
        self.total = 0
        self._by_client: dict[str, int] = {}

    def of(self, client: str) -> int:
        """Return how many wait for ``client``."""
        return self._by_client.get(client, 0)

    @contextmanager
    def one(self, client: str) -> Iterator[None]:
        """Count one more for ``client``, for as long as this lasts."""
        self.total += 1
        self._by_client[client] = self.of(client) + 1
        try:
            yield
        finally:
            self.total -= 1
            self._by_client[client] -= 1
            if not self._by_client[client]:
                del self._by_client[client]
