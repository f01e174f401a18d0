"""The answering part of one process, the node's or a worker's: listeners, and what they ask."""

from collections.abc import Callable
from ipaddress import ip_address

from edgecore.clock import Clock
from edgecore.modules.edgemesh.dns.listening.listeners import Listeners
from edgecore.modules.edgemesh.dns.listening.responder import Report, Responder
from edgecore.modules.edgemesh.dns.recipe import LEAST_CONNECTIONS, Recipe
from edgecore.modules.edgemesh.dns.resolver.exchange import Server
from edgecore.modules.edgemesh.dns.tally import Figures, Tally
from edgecore.modules.edgemesh.dns.zone.nametable import NameTable
from edgecore.modules.edgemesh.workers.sharing import Sharing


class Answering:
    """Answers by ``names`` and ``recipe``. ``on_bound`` is told of each address that is listened at.

    ``random_id`` returns an unpredictable number from 0 to 65535; ``report`` has what is to be logged.
    """

    def __init__(
        self,
        names: NameTable,
        recipe: Recipe,
        *,
        clock: Clock,
        random_id: Callable[[], int],
        report: Report,
        sharing: Sharing = Sharing.ALONE,
        on_bound: Callable[[Server], object] = lambda address: None,
    ) -> None:
        self._names = names
        self._on_bound = on_bound
        self.tally = Tally()
        self.resolver = recipe.resolver(
            names, clock=clock, random_id=random_id, listening=lambda: self.listeners.addresses
        )
        self.responder = Responder(
            names, self.resolver, self.tally, limit=recipe.in_flight_limit, clock=clock, report=report
        )
        self.listeners = Listeners(
            self.responder,
            clock,
            sharing=sharing,
            connections_limit=recipe.share(recipe.connections_limit, LEAST_CONNECTIONS),
            on_bound=self._bound,
        )

    def figures(self) -> Figures:
        """Return what was counted since the process began, and under ``now`` what there is."""
        resolver = self.resolver
        self.tally.replies["ignored"] = resolver.upstream.ignored
        return {
            **self.tally.figures(),
            "resolved": dict(resolver.counts),
            "cache": {"evicted": resolver.cache.evicted, "prefetches": resolver.prefetches},
            **resolver.upstream.health.figures(),
            "now": {
                "in_flight": self.responder.forwarding.in_flight,
                "questions": resolver.in_flight,
                "connections": len(self.listeners.connections),
                "cache_entries": len(resolver.cache),
                "cache_bytes": resolver.cache.bytes,
            },
        }

    async def stop(self) -> None:
        """Close the sockets and forget the queries in flight; may be called again."""
        await self.listeners.stop()
        await self.responder.close()

    def _bound(self, address: Server) -> None:
        hosts = dict.fromkeys(ip_address(host) for host, _ in self.listeners.addresses)
        self._names.server_addresses = tuple(host for host in hosts if not host.is_unspecified)
        self._on_bound(address)
