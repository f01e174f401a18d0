"""The DNS server: listeners and workers in front, the name table for cluster names, the upstream servers for others."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from edgecore.addresses import join_address
from edgecore.clock import Clock
from edgecore.modules.edgemesh.dns.answering import Answering
from edgecore.modules.edgemesh.dns.listening.listeners import Bind
from edgecore.modules.edgemesh.dns.listening.responder import Kind
from edgecore.modules.edgemesh.dns.recipe import Recipe
from edgecore.modules.edgemesh.dns.resolver.exchange import Server
from edgecore.modules.edgemesh.dns.resolver.resolver import Resolver
from edgecore.modules.edgemesh.dns.resolver.resolverstatus import resolver_families, resolver_status
from edgecore.modules.edgemesh.dns.tally import Figures, added
from edgecore.modules.edgemesh.dns.workers.crew import AnsweringCrew
from edgecore.modules.edgemesh.dns.workers.feed import Feed
from edgecore.modules.edgemesh.dns.zone.nametable import NameTable
from edgecore.modules.edgemesh.workers.sharing import Sharing
from edgecore.observe.metrics import Metrics
from edgecore.recording.watch import Watch

log = structlog.get_logger("edgemesh.dns")


class DnsServer:
    """Answers DNS queries on UDP and TCP at ``binds``, by ``names`` and ``recipe``, in ``recipe.processes`` processes.

    ``random_id`` returns an unpredictable number from 0 to 65535. Raises ``ConfigError`` if an upstream server is not
    an IP address and a port.
    """

    def __init__(
        self,
        names: NameTable,
        recipe: Recipe,
        binds: Sequence[Bind],
        *,
        clock: Clock,
        metrics: Metrics,
        random_id: Callable[[], int],
        watch: Watch | None = None,
    ) -> None:
        self.names = names
        self._watch = watch or Watch()
        self.feed = Feed(names)
        """Whoever tells names tells them here, so that the workers hear of them."""
        self._binds = tuple(binds)
        self._metrics = metrics
        self._crew = AnsweringCrew(recipe.processes - 1, recipe, self.feed, clock, self._report, watch=self._watch)
        self._answering = Answering(
            names,
            recipe,
            clock=clock,
            random_id=random_id,
            report=self._report,
            sharing=Sharing.FIRST if recipe.processes > 1 else Sharing.ALONE,
            on_bound=self._crew.listen,
        )
        metrics.pull(self._collect)
        self._watch.follow(self._look)

    @property
    def addresses(self) -> tuple[Server, ...]:
        """Where the server listens; empty when it does not."""
        return self._answering.listeners.addresses

    @property
    def counts(self) -> dict[str, int]:
        """Outcome to the number of queries that had it, in all processes."""
        return self.figures()["queries"]

    @property
    def resolver(self) -> Resolver:
        """What resolves other names in this process."""
        return self._answering.resolver

    async def start(self) -> None:
        """Listen: at an address that cannot be bound, as soon as it can."""
        self._crew.start()
        await self._answering.listeners.listen(self._binds)

    def leave_unmarked(self) -> None:
        """Have our questions carry no mark, for no rule looks for it; to be called before ``start``."""
        self._crew.leave_unmarked()
        self.resolver.upstream.mark = 0

    async def listen(self, *binds: Bind) -> None:
        """Listen at these addresses too; to be called after ``start``."""
        await self._answering.listeners.listen(binds)

    async def stop(self) -> None:
        """Close the sockets and forget the queries in flight; may be called again."""
        await self._crew.stop()
        await self._answering.stop()

    def figures(self) -> Figures:
        """Return what all processes counted."""
        return added((self._answering.figures(), self._crew.figures()))

    def status(self) -> dict[str, Any]:
        """Return what the server did and does, as JSON values."""
        figures = self.figures()
        return {
            "listening": [join_address(*address) for address in self.addresses],
            "not_listening": [
                {"address": str(it.bind), "reason": it.reason, "text": it.text, "since_ms": it.since_ms}
                for it in self._answering.listeners.not_bound
            ],
            "names": len(self.names),
            "queries": _only_some(figures["queries"]),
            "bad_packets": figures["bad_packets"],
            "surplus": _only_some(figures["surplus"]),
            "in_flight": figures["now"]["in_flight"],
            "replies_unsent": figures["replies"]["unsent"],
            "connections": {"open": figures["now"]["connections"], **_only_some(figures["connections"])},
            "workers": self._crew.status(),
            **resolver_status(self.resolver, figures),
        }

    def _look(self) -> None:
        self._answering.responder.show = self._watch.dns

    def _report(self, kind: Kind, reason: str, peer: str, left_out: int, details: str) -> None:
        if kind == "bad_packet":
            self._metrics.bad_input("edgemesh.dns", reason, peer, packet=details, left_out=left_out)
        elif kind == "failure":
            log.warning("dns_query_failed", reason=reason, peer=peer, name=details, left_out=left_out)
        else:
            log.warning("dns_queries_dropped", reason=reason, client=peer, queries=details, left_out=left_out)

    def _collect(self) -> Iterable[Metric]:
        figures = self.figures()
        now, replies = figures["now"], figures["replies"]
        for family, name, text, label in (
            ("queries", "queries", "DNS queries, by what they got.", "outcome"),
            ("bad_packets", "bad_packets", "DNS packets that are no query.", "reason"),
            ("surplus", "dropped", "Queries dropped, or refused, so that others need not wait.", "reason"),
            ("connections", "tcp_connections", "TCP connections accepted, refused, and ended by us.", "outcome"),
        ):
            metric = CounterMetricFamily(f"edgecore_dns_{name}", text, labels=[label])
            for value, count in figures[family].items():
                metric.add_metric([value], count)
            yield metric
        for label, text in (
            ("unsent", "Replies that no socket took."),
            ("ignored", "Upstream packets that answer nothing."),
            ("come_by_tcp", "Long UDP replies cut short, as one network had enough of them."),
        ):
            yield CounterMetricFamily(f"edgecore_dns_replies_{label}", text, value=replies[label])
        yield GaugeMetricFamily("edgecore_dns_names", "Services that can be asked for.", value=len(self.names))
        yield GaugeMetricFamily("edgecore_dns_in_flight", "Queries that upstream servers have.", value=now["in_flight"])
        yield GaugeMetricFamily("edgecore_dns_tcp_open", "TCP connections.", value=now["connections"])
        yield CounterMetricFamily(
            "edgecore_dns_worker_restarts", "Workers that ended and were started again.", value=self._crew.restarts
        )
        yield from resolver_families(self.resolver, figures)


def _only_some(counts: dict[str, int]) -> dict[str, int]:
    return {label: count for label, count in counts.items() if count}
