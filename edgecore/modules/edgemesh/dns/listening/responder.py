"""Answers one packet after the other, wherever it came in: what there is to do for it, done.

Every process that answers has one of its own. What is to be logged is handed to ``report``, as the log is the node's.
"""

from collections.abc import Callable
from functools import partial
from typing import Literal

from edgecore.clock import Clock
from edgecore.modules.edgemesh.dns.listening.amplification import Allowance, come_by_tcp, is_long
from edgecore.modules.edgemesh.dns.listening.asker import Asker, limit_bytes
from edgecore.modules.edgemesh.dns.listening.forwarding import Forwarding
from edgecore.modules.edgemesh.dns.listening.shownasker import ShownAsker
from edgecore.modules.edgemesh.dns.resolver.resolver import Resolver
from edgecore.modules.edgemesh.dns.tally import Tally
from edgecore.modules.edgemesh.dns.zone.aliases import Chase
from edgecore.modules.edgemesh.dns.zone.answers import Drop, Forward, Reply, decide
from edgecore.modules.edgemesh.dns.zone.nametable import NameTable
from edgecore.observe.throttle import Throttle
from edgecore.recording.watch import ShowDns

Kind = Literal["bad_packet", "failure", "surplus"]
Report = Callable[[Kind, str, str, int, str], object]
"""``report(kind, reason, peer, left_out, details)``: see ``Throttle``. ``details`` are the packet, or the name."""

_SHOWN_BYTES = 100


class Responder:
    """Answers by ``names``, and by ``resolver`` for all others. See ``asker.Answers``.

    ``limit``: queries that wait for upstream servers at one time.
    """

    def __init__(
        self, names: NameTable, resolver: Resolver, tally: Tally, *, limit: int, clock: Clock, report: Report
    ) -> None:
        self.tally = tally
        self.ready: Callable[[bytes], bytes | None] = names.ready
        self.show: ShowDns | None = None
        self.cached = resolver.cached
        self._names = names
        self._clock = clock
        self._allowance = Allowance()
        self._bad_packets = Throttle(clock, partial(report, "bad_packet"))
        self._failures = Throttle(clock, partial(report, "failure"))
        self._surplus = Throttle(clock, partial(report, "surplus"))
        tally.bad_packets = self._bad_packets.counts
        self.forwarding = Forwarding(resolver, tally, limit, failed=self._failures.complain, surplus=self.surplus)

    def receive(self, packet: bytes, asker: Asker) -> None:
        """Answer a packet that no ready answer was found for."""
        if self.show is not None:
            asker = ShownAsker(asker, packet, self.show, self._clock)
        match decide(packet, self._names, limit_bytes(asker)):
            case Reply(reply, outcome, reason):
                self.tally.queries[outcome] += 1
                if reason:
                    self.no_query(reason, asker.text, packet)
                asker.send(reply)
            case Drop(reason):
                self.tally.queries["dropped"] += 1
                self.no_query(reason, asker.text, packet)
                asker.drop()
            case Forward() as forward:
                self.forwarding.forward(forward, asker)
            case Chase() as chase:
                self.forwarding.chase(chase, asker)

    def fitted(self, query: bytes, reply: bytes, host: str) -> bytes:
        """See ``Answers``."""
        if not is_long(len(query), len(reply)) or self._allowance.allows(host, len(reply), self._clock.monotonic()):
            return reply
        self.tally.replies["come_by_tcp"] += 1
        return come_by_tcp(query, reply)

    def surplus(self, client: str, queries: int) -> None:
        """See ``Answers``."""
        self.tally.surplus["client_share"] += queries
        self._surplus.complain("client_share", client, str(queries))

    def no_query(self, reason: str, peer: str, packet: bytes) -> None:
        """See ``Answers``."""
        self._bad_packets.complain(reason, peer, packet[:_SHOWN_BYTES].hex())

    async def close(self) -> None:
        """Forget the queries that wait, and report what is held back."""
        await self.forwarding.close()
        for throttle in (self._bad_packets, self._failures, self._surplus):
            throttle.close()
