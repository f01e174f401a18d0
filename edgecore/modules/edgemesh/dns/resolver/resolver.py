"""Answers questions for all names that are not ours: from the cache, or by asking the upstream servers.

=============================================  ======================================================================
a question                                     its asker gets
=============================================  ======================================================================
whose answer is kept and holds                 that: ``hit``
that nobody has asked                          what the servers say: ``miss``
that is being asked already                    the same as the first asker: ``joined``
whose answer holds no more, and no server is   the old answer, with a TTL of 30 s (RFC 8767): ``stale``
there, or none has answered after 1.8 s, or
they all refuse
that failed a moment ago                       the same again (RFC 9520): ``remembered``
that no server answers                         SERVFAIL within 4.5 s: ``failed``
beyond what may be in flight                   that too, else SERVFAIL at once: ``busy``
=============================================  ======================================================================
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import structlog

from edgecore.clock import Clock, before
from edgecore.modules.edgemesh.dns.packets.messages import Question
from edgecore.modules.edgemesh.dns.packets.packet import TCP_LIMIT_BYTES, Malformed, Query, read_query
from edgecore.modules.edgemesh.dns.resolver.askers import (
    NO_REACHABLE_AUTHORITY,
    STALE_ANSWER,
    Asker,
    read_asker,
)
from edgecore.modules.edgemesh.dns.resolver.cache import Cache, Entry, Source
from edgecore.modules.edgemesh.dns.resolver.cachedreplies import CachedReplies, OwnNames
from edgecore.modules.edgemesh.dns.resolver.exchange import TOTAL_S, Server, is_ourselves
from edgecore.modules.edgemesh.dns.resolver.findings import NOTHING_FOUND, Finding
from edgecore.modules.edgemesh.dns.resolver.flights import Flight, Landed, Waiting
from edgecore.modules.edgemesh.dns.resolver.health import Change
from edgecore.modules.edgemesh.dns.resolver.inquiry import Asked, Inquiry
from edgecore.modules.edgemesh.dns.resolver.nameservers import Nameservers
from edgecore.modules.edgemesh.dns.resolver.resolved import HOW, How, Resolved, ResolverSettings
from edgecore.modules.edgemesh.dns.resolver.upstream import Upstream
from edgecore.modules.edgemesh.dns.resolver.zones import Zones
from edgecore.modules.edgemesh.dns.zone.aliases import Chase

log = structlog.get_logger("edgemesh.dns")

PATIENCE_S = 1.8
"""How long an asker waits for the servers where there is an old answer (RFC 8767 section 5)."""
STALE_TTL_S = 30
_FAILURES = ("remembered", "failed", "busy")


class Resolver:
    """Resolves through ``nameservers``, or those of a zone in ``zones``.

    ``random_id`` returns an unpredictable number from 0 to 65535; ``listening`` our own addresses, which are never
    asked; ``mark`` is that of our packets (``asking_socket``).
    """

    def __init__(
        self,
        nameservers: Nameservers,
        zones: Zones,
        names: OwnNames,
        settings: ResolverSettings,
        *,
        clock: Clock,
        random_id: Callable[[], int],
        listening: Callable[[], Sequence[Server]],
        mark: int = 0,
    ) -> None:
        self.cache = Cache(settings.cache_size if settings.max_ttl_s else 0, stale_s=settings.stale_s)
        self.counts = dict.fromkeys(HOW, 0)
        """Outcome to the number of askers that had it."""
        self.prefetches = 0
        self.waiting = Waiting()
        """Askers that wait for upstream servers, in all and by client."""
        self.upstream = Upstream(
            clock,
            random_id,
            listening,
            on_change=self._changed,
            max_ttl_s=settings.max_ttl_s or 604_800,
            mark=mark,
        )
        self._nameservers = nameservers
        self._zones = zones
        self._names = names
        self._settings = settings
        self._clock = clock
        self._listening = listening
        self._flights: dict[bytes, Flight] = {}
        self.cached = CachedReplies(self.cache.entries, names, clock, self._make_ready, self.counts).reply
        """The quick way from a packet to its cached reply."""

    @property
    def in_flight(self) -> int:
        """Questions that upstream servers have."""
        return len(self._flights)

    def at_once(self, packet: bytes, query: Query, *, is_tcp: bool) -> Resolved | None:
        """Return what needs no waiting: an answer that is kept, or a failure of just now."""
        resolved = self._known(read_asker(packet, query, is_tcp=is_tcp), is_none_of_ours=True)
        if resolved is not None:
            self.counts[resolved.how.outcome] += 1
        return resolved

    def resolve(self, packet: bytes, query: Query, *, is_tcp: bool, client: str = "") -> Coroutine[Any, Any, Resolved]:
        """Return the reply to ``packet``, which reads as ``query``; after ``TOTAL_S`` at the latest.

        The name is none of ours at this call; it may be one of them by the time that the coroutine begins.
        """
        return self._answered(read_asker(packet, query, is_tcp=is_tcp), client, self._names.version)

    def busy(self, packet: bytes, query: Query, *, is_tcp: bool) -> Resolved:
        """Return the reply to a question that there is no room for: an old answer, or SERVFAIL."""
        resolved = self._busy(read_asker(packet, query, is_tcp=is_tcp))
        self.counts[resolved.how.outcome] += 1
        return resolved

    def chase(self, chase: Chase, *, client: str = "") -> Coroutine[Any, Any, Resolved]:
        """Return the reply to a question for a name of ours that leads outside; after ``TOTAL_S`` at the latest.

        Its targets are none of ours at this call.
        """
        return self._chased(chase, client, self._names.version)

    async def _chased(self, chase: Chase, client: str, names_version: int) -> Resolved:
        work = self._chase(chase, client, names_version)
        try:
            return await before(self._clock, self._clock.monotonic() + TOTAL_S, work)
        except TimeoutError:
            return Resolved(chase.finished(chase.targets[-1], None)[0], How("failed", reason="no_reply"))

    def busy_chase(self, chase: Chase) -> Resolved:
        """Return SERVFAIL for such a question that there is no room for."""
        self.counts["busy"] += 1
        return Resolved(chase.finished(chase.targets[0], None)[0], How("busy", reason="too_many_in_flight"))

    def servers(self, name: bytes) -> tuple[str, tuple[Server, ...]]:
        """Return the zone of ``name``, in wire form and lower case, and whom to ask for it: never ourselves."""
        zone, servers = self._zones.find(name) or ("", self._nameservers.current())
        listening = self._listening()
        return zone, tuple(server for server in servers if not is_ourselves(server, listening))

    def all_servers(self) -> list[tuple[str, Server]]:
        """Return every server with the zone that it is for, as they are now; forgets how others did."""
        groups = [("", self.servers(b"\0")[1]), *self._zones.all]
        servers = [(zone, server) for zone, group in groups for server in group]
        self.upstream.health.keep(server for _, server in servers)
        return servers

    async def close(self) -> None:
        """Give up all questions; the cache stays."""
        flights, self._flights = self._flights, {}
        for flight in flights.values():
            flight.task.cancel()
        if flights:
            await asyncio.wait([flight.task for flight in flights.values()])
        self.upstream.close()

    # What is known already.

    def _make_ready(self, key: bytes, entry: Entry, now: float) -> bool:
        """Make a fresh entry's records ready for the next second; return whether it is fresh."""
        if now >= entry.expires_at:
            return False
        if self.cache.make_ready(entry, now) and self._settings.prefetch:
            self._prefetch(key, entry.names_version)
        return True

    def _known(self, asker: Asker, *, is_none_of_ours: bool = False) -> Resolved | None:
        """Return what needs no waiting; ``is_none_of_ours``: our own names were looked at just now."""
        key, now = asker.question.key, self._clock.monotonic()
        entry = self.cache.fresh(key, now)
        if entry is not None:
            if is_none_of_ours:
                entry.names_version = self._names.version
            if now >= entry.ready_until:
                self._make_ready(key, entry, now)
            return Resolved(asker.reply(entry.finding, entry.body), self._how_kept("hit", asker, entry, now))
        failure = self.cache.failed(key, now)
        if failure is None:
            return None
        stale = self._stale(asker, failure.reason, now)
        if stale is not None:
            return stale
        finding, reason = failure.finding, failure.reason
        if finding.is_truncated and asker.limit_bytes == TCP_LIMIT_BYTES:
            finding = NOTHING_FOUND
        reply = asker.reply(finding, finding.aged(0), extended_error=_extended_error(finding, reason))
        return Resolved(reply, How("remembered", self._zone(asker.question), reason=reason))

    def _stale(self, asker: Asker, reason: str, now: float) -> Resolved | None:
        entry = self.cache.stale(asker.question.key, now)
        if entry is None:
            return None
        how = self._how_kept("stale", asker, entry, now)._replace(reason=reason)
        body = entry.finding.stale(STALE_TTL_S)
        return Resolved(asker.reply(entry.finding, body, extended_error=STALE_ANSWER), how)

    def _how_kept(self, outcome: str, asker: Asker, entry: Entry, now: float) -> How:
        source = entry.source
        zone = self._zone(asker.question)
        return How(outcome, zone, source.server, source.rtt_s, entry.age_s(now), source.is_prefetched)

    def _zone(self, question: Question) -> str:
        found = self._zones.find(question.name)
        return "" if found is None else found[0]

    # What has to be asked for.

    async def _answered(self, asker: Asker, client: str, names_version: int) -> Resolved:
        resolved = await self._resolve(asker, client, names_version)
        self.counts[resolved.how.outcome] += 1
        return resolved

    async def _resolve(self, asker: Asker, client: str, names_version: int) -> Resolved:
        known = self._known(asker)
        if known is not None:
            return known
        question = asker.question
        flight = self._flights.get(question.key)
        is_first = flight is None
        if self.waiting.of(client) >= self._settings.client_limit or (
            is_first and len(self._flights) >= self._settings.in_flight_limit
        ):
            return self._busy(asker)
        flight = flight or self._start(question, names_version)
        overdue_at = self._overdue_at(question, flight)
        with self.waiting.one(client):
            landed = await flight.landed(self._clock, overdue_at)
        if landed is None:
            reason = "no_server" if overdue_at == 0.0 else "slow"
            stale = self._stale(asker, reason, self._clock.monotonic())
            if stale is not None:
                return stale
            with self.waiting.one(client):  # it went from the cache meanwhile
                landed = await flight.landed(self._clock, None) or Landed(None, Asked(None), "", "no_reply")
        return self._reply(asker, landed, "miss" if is_first else "joined")

    def _overdue_at(self, question: Question, flight: Flight) -> float | None:
        """Return when the asker has the old answer instead; ``None``: there is none."""
        if self.cache.stale(question.key, self._clock.monotonic()) is None:
            return None
        _, servers = self.servers(question.name)
        return 0.0 if self.upstream.health.all_away(servers) else flight.started_at + PATIENCE_S

    def _reply(self, asker: Asker, landed: Landed, outcome: str) -> Resolved:
        finding, asked = landed.finding, landed.asked
        if finding is None or finding.is_failure or finding.is_truncated:
            stale = self._stale(asker, landed.reason, self._clock.monotonic())
            if stale is not None:
                return Resolved(stale.reply, stale.how._replace(tried=asked.tried))
        if finding is None:
            return self._nothing(asker, "failed", landed.reason, landed)
        if finding.is_truncated and asker.limit_bytes == TCP_LIMIT_BYTES:
            return self._nothing(asker, "failed", "truncated", landed)
        how = How(outcome, landed.zone, asked.server, asked.rtt_s, reason=landed.reason, tried=asked.tried)
        return Resolved(asker.reply(finding, finding.aged(0)), how)

    async def _chase(self, chase: Chase, client: str, names_version: int) -> Resolved:
        reply, how, target = None, How("failed", reason="unusable_question"), chase.targets[0]
        for target in chase.targets:
            packet = chase.asking(target)
            query = read_query(packet)
            if isinstance(query, Malformed):
                break
            is_tcp = chase.limit_bytes >= TCP_LIMIT_BYTES
            asker = read_asker(packet, query, is_tcp=is_tcp)
            reply, how = await self._answered(asker, client, names_version)
            if chase.exists(reply):
                break
        finished, is_answer = chase.finished(target, reply)
        if not is_answer and how.outcome not in _FAILURES:
            how = how._replace(outcome="failed", reason=how.reason or "unusable_reply")
        return Resolved(finished, how)

    def _nothing(self, asker: Asker, outcome: str, reason: str, landed: Landed | None = None) -> Resolved:
        zone = self._zone(asker.question)
        how = How(outcome, zone, reason=reason, tried=() if landed is None else landed.asked.tried)
        reply = asker.reply(NOTHING_FOUND, extended_error=_extended_error(NOTHING_FOUND, reason))
        return Resolved(reply, how)

    def _busy(self, asker: Asker) -> Resolved:
        reason = "too_many_in_flight"
        return self._stale(asker, reason, self._clock.monotonic()) or self._nothing(asker, "busy", reason)

    def _start(self, question: Question, names_version: int, *, is_prefetch: bool = False) -> Flight:
        flight = Flight(self._ask(question, names_version, is_prefetch), self._clock.monotonic())
        self._flights[question.key] = flight
        flight.task.add_done_callback(lambda _: self._ended(question.key, flight))
        return flight

    def _ended(self, key: bytes, flight: Flight) -> None:
        if self._flights.get(key) is flight:
            del self._flights[key]

    async def _ask(self, question: Question, names_version: int, is_prefetch: bool) -> Landed:
        """Ask, and keep what comes of it; at ``names_version`` the name was none of ours."""
        key = question.key
        zone, servers = self.servers(question.name)
        if not servers:
            return Landed(None, Asked(None), zone, "no_upstream")
        try:
            asked = await Inquiry(self.upstream, question, servers).run()
        except Exception:
            log.exception("dns_question_not_asked", key=key.hex())
            asked = Asked(None)
        now = self._clock.monotonic()
        finding = asked.finding
        if finding is None:
            self.cache.fail(key, NOTHING_FOUND, "no_reply", now)
            return Landed(None, asked, zone, "no_reply")
        if finding.is_failure or finding.is_truncated:
            reason = "truncated" if finding.is_truncated else "refused"
            self.cache.fail(key, finding, reason, now)
            return Landed(finding, asked, zone, reason)
        entry = self.cache.put(key, finding, Source(asked.server, asked.rtt_s, is_prefetch), now)
        if entry is not None:
            entry.names_version = names_version
        return Landed(finding, asked, zone)

    def _prefetch(self, key: bytes, names_version: int) -> None:
        if key not in self._flights and len(self._flights) < self._settings.in_flight_limit // 2:
            self.prefetches += 1
            self._start(Question.of_key(key), names_version, is_prefetch=True)

    def _changed(self, change: Change) -> None:
        host, port = change.server
        if change.is_away:
            log.warning("dns_upstream_away", server=host, port=port, reason=change.reason)
        else:
            self.cache.forgive()
            log.info("dns_upstream_back", server=host, port=port, away_s=round(change.away_s, 3))


def _extended_error(finding: Finding, reason: str) -> int | None:
    return NO_REACHABLE_AUTHORITY if finding is NOTHING_FOUND and reason in ("no_reply", "no_upstream") else None
