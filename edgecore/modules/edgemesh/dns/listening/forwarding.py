"""Has names that are not ours resolved, and answers with what comes of it.

A client may have as many questions that wait for upstream servers as are free (``Shares``).
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from edgecore.modules.edgemesh.dns.listening.asker import Asker
from edgecore.modules.edgemesh.dns.listening.clients import Shares, client_of
from edgecore.modules.edgemesh.dns.packets.packet import Query, name_text, read_query
from edgecore.modules.edgemesh.dns.resolver.resolved import Resolved
from edgecore.modules.edgemesh.dns.resolver.resolver import Resolver
from edgecore.modules.edgemesh.dns.tally import Tally
from edgecore.modules.edgemesh.dns.zone.aliases import Chase
from edgecore.modules.edgemesh.dns.zone.answers import Forward

log = structlog.get_logger("edgemesh.dns")

_OUTCOMES = {"hit": "cached", "stale": "cached", "remembered": "failed", "failed": "failed", "busy": "busy"}
"""How a question for another name was resolved, as an outcome; all else is ``forwarded``."""


class Forwarding:
    """Resolves by ``resolver``, for ``limit`` askers at one time.

    ``failed(reason, peer, name)`` is told why one is not answered; ``surplus(client)`` whose question is not even put,
    as others would have to wait for it.
    """

    def __init__(
        self,
        resolver: Resolver,
        tally: Tally,
        limit: int,
        *,
        failed: Callable[[str, str, str], object],
        surplus: Callable[[str, int], object],
    ) -> None:
        self._resolver = resolver
        self._tally = tally
        self._failed = failed
        self._surplus = surplus
        self._shares = Shares(limit)
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def in_flight(self) -> int:
        """Queries that wait."""
        return self._shares.taken

    def forward(self, forward: Forward, asker: Asker) -> None:
        """Answer ``asker``, now or later."""
        query = read_query(forward.packet)
        if not isinstance(query, Query):  # a decision to forward is about one that can be read
            return
        known = self._resolver.at_once(forward.packet, query, is_tcp=asker.is_tcp)
        client = client_of(asker.host)
        if known is None and not self._admits(client):
            known = self._resolver.busy(forward.packet, query, is_tcp=asker.is_tcp)
        if known is not None:
            self._send(known, forward.question, asker)
            return
        resolving = self._resolver.resolve(forward.packet, query, is_tcp=asker.is_tcp, client=client)
        self._later(resolving, forward.question, asker, client)

    def chase(self, chase: Chase, asker: Asker) -> None:
        """Answer ``asker``, now or later."""
        question = chase.question(chase.targets[-1])
        client = client_of(asker.host)
        if self._admits(client):
            self._later(self._resolver.chase(chase, client=client), question, asker, client)
        else:
            self._send(self._resolver.busy_chase(chase), question, asker)

    async def close(self) -> None:
        """Forget the queries that wait."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._resolver.close()

    def _admits(self, client: str) -> bool:
        if self._shares.take(client):
            return True
        self._surplus(client, 1)
        return False

    def _later(self, work: Coroutine[Any, Any, Resolved], question: bytes, asker: Asker, client: str) -> None:
        """Send what comes of ``work``; ``client`` has a place for it."""

        async def answer() -> None:
            try:
                self._send(await work, question, asker)
            except Exception:
                log.exception("dns_query_not_handled", question=question.hex())
                asker.drop()

        def done(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            self._shares.give_back(client)
            work.close()  # if it was never begun

        task = asyncio.get_running_loop().create_task(answer())
        self._tasks.add(task)
        task.add_done_callback(done)

    def _send(self, resolved: Resolved, question: bytes, asker: Asker) -> None:
        how = resolved.how
        outcome = _OUTCOMES.get(how.outcome, "forwarded")
        self._tally.queries[outcome] += 1
        if outcome in ("failed", "busy"):
            self._failed(how.reason, asker.text, name_text(question))
        asker.send(resolved.reply)
