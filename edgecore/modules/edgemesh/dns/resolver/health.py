"""How each upstream server does, and so in which order they are asked (pure; times are ``Clock.monotonic``'s).

::

              answers                    silent, for the third time running, or cannot be reached
    ┌────┐ ◀──────────── ┌─────────┐ ────────────────────────────────────────────────────────────▶ ┌──────┐
    │ ok │               │ failing │                                                               │ away │
    └────┘ ────────────▶ └─────────┘                    answers: to ok                             └──────┘
              silent

A server that fails is left alone for 1 s, then twice as long each time, up to 30 s. After that a question is put to it
beside the one that is asked first: nobody waits for it. A server that does well and was not asked for a minute is tried
in the same way, to learn how quick it is. If all fail, they are asked all the same.

A server that answers SERVFAIL is there. One that answers REFUSED again and again is of no use, which is the same as
silent.
"""

from collections.abc import Iterable, Sequence
from enum import Enum

from msgspec import Struct

from edgecore.addresses import join_address
from edgecore.modules.edgemesh.dns.resolver.exchange import Server
from edgecore.modules.edgemesh.dns.tally import Figures

AWAY_AFTER = 3
BACK_OFF_MIN_S, BACK_OFF_MAX_S = 1.0, 30.0
TRY_AGAIN_S = 60.0
"""A server that does well is tried when it was not asked for so long."""
NO_EDNS_S = 3600.0
"""How long a server that cannot read EDNS is asked without it."""
_SMOOTHING = 0.25
"""The share of the newest round trip in the average."""
_BAND_S = 0.025
"""Round trips that differ by less do not change the order of the settings."""


class State(Enum):
    """How a server does."""

    UNTRIED = "untried"
    OK = "ok"
    FAILING = "failing"
    AWAY = "away"


class ServerHealth(Struct):
    """What is known of one server."""

    state: State = State.UNTRIED
    rtt_s: float | None = None
    failures_running: int = 0
    failed_at: float = 0.0
    retry_at: float = 0.0
    asked_at: float = float("-inf")
    edns_again_at: float = 0.0
    away_since: float = 0.0
    queries: int = 0
    answers: int = 0
    failures: int = 0


class Change(Struct, frozen=True):
    """A server has gone away or come back."""

    server: Server
    is_away: bool
    reason: str
    """What it did in the end: a fixed snake_case word."""
    away_s: float = 0.0
    """How long it was away, if it is back."""


class Health:
    """What is known of every server that was asked."""

    def __init__(self) -> None:
        self.servers: dict[Server, ServerHealth] = {}

    def figures(self) -> Figures:
        """Return how often each server was asked, and what came of it."""
        by_address = {join_address(*server): health for server, health in self.servers.items()}
        return {
            "upstream_queries": {address: health.queries for address, health in by_address.items()},
            "upstream_answers": {address: health.answers for address, health in by_address.items()},
            "upstream_failures": {address: health.failures for address, health in by_address.items()},
        }

    def of(self, server: Server) -> ServerHealth:
        """Return what is known of ``server``."""
        return self.servers.setdefault(server, ServerHealth())

    def keep(self, servers: Iterable[Server]) -> None:
        """Forget the servers that are not among ``servers``."""
        kept = set(servers)
        self.servers = {server: health for server, health in self.servers.items() if server in kept}

    def ranked(self, servers: Sequence[Server]) -> list[Server]:
        """Return ``servers``, the best first: those that do well by their round trips, then by when their rest ends."""
        return sorted(servers, key=self._rank)

    def due(self, servers: Sequence[Server], now: float) -> Server | None:
        """Return a server that is to be tried beside the first of ``servers``, which are ranked."""
        for server in servers[1:]:
            health = self.of(server)
            is_well = health.state in (State.OK, State.UNTRIED)
            if now >= (health.asked_at + TRY_AGAIN_S if is_well else health.retry_at):
                return server
        return None

    def all_away(self, servers: Sequence[Server]) -> bool:
        """Say whether none of ``servers`` is there, as far as is known."""
        return all(self.of(server).state is State.AWAY for server in servers)

    def takes_edns(self, server: Server, now: float) -> bool:
        """Say whether ``server`` is asked with EDNS."""
        return now >= self.of(server).edns_again_at

    def cannot_edns(self, server: Server, now: float) -> None:
        """Note that ``server`` answers without EDNS only."""
        self.of(server).edns_again_at = now + NO_EDNS_S

    def asked(self, server: Server, now: float) -> None:
        """Note that a query goes to ``server``."""
        health = self.of(server)
        health.queries += 1
        health.asked_at = now
        if health.failures_running:
            health.retry_at = max(health.retry_at, now + _back_off_s(health.failures_running))

    def answered(self, server: Server, rtt_s: float, now: float) -> Change | None:
        """Note that ``server`` answered after ``rtt_s``."""
        health = self.of(server)
        health.answers += 1
        was_away = health.state is State.AWAY
        # What it was like before it failed says little of what it is like now.
        before = None if health.failures_running else health.rtt_s
        health.rtt_s = rtt_s if before is None else before + _SMOOTHING * (rtt_s - before)
        health.state, health.failures_running, health.retry_at = State.OK, 0, 0.0
        return Change(server, False, "answered", now - health.away_since) if was_away else None

    def failed(self, server: Server, reason: str, sent_at: float, now: float) -> Change | None:
        """Note that ``server`` left unanswered what was sent at ``sent_at``, or cannot be reached (``unreachable``).

        What was sent before the failure that is known already is no further one.
        """
        health = self.of(server)
        health.failures += 1
        is_unreachable = reason == "unreachable"
        was_away = health.state is State.AWAY
        if health.failures_running and sent_at < health.failed_at and (was_away or not is_unreachable):
            return None
        health.failures_running += 1
        health.failed_at = now
        health.retry_at = now + _back_off_s(health.failures_running)
        is_away = is_unreachable or health.failures_running >= AWAY_AFTER
        health.state = State.AWAY if is_away or was_away else State.FAILING
        if was_away or not is_away:
            return None
        health.away_since = now
        return Change(server, True, reason)

    def _rank(self, server: Server) -> tuple[int, float]:
        health = self.of(server)
        if health.failures_running:
            return (2 if health.state is State.AWAY else 1), health.retry_at
        return 0, int((health.rtt_s or 0.0) / _BAND_S).bit_length()


def _back_off_s(failures: int) -> float:
    return min(BACK_OFF_MIN_S * 2.0 ** min(failures - 1, 16), BACK_OFF_MAX_S)
