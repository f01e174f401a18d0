"""The DNS server: UDP sockets in front, the name table for cluster names, the upstream servers for all others."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import structlog
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from edgecore.addresses import join_address
from edgecore.clock import Clock
from edgecore.modules.edgemesh.dns.answers import Drop, Forward, Reply, decide, servfail
from edgecore.modules.edgemesh.dns.exchange import Server, is_ourselves
from edgecore.modules.edgemesh.dns.listener import Listener, bind_all, bind_udp_auto
from edgecore.modules.edgemesh.dns.nameservers import Nameservers
from edgecore.modules.edgemesh.dns.nametable import NameTable
from edgecore.modules.edgemesh.dns.packet import name_text
from edgecore.modules.edgemesh.dns.upstream import Upstream
from edgecore.observe.metrics import Metrics
from edgecore.observe.throttle import Throttle

log = structlog.get_logger("edgemesh.dns")

IN_FLIGHT_LIMIT = 512
"""Forwarded queries at one time: each holds a socket for up to 4.5 s."""

OUTCOMES = (
    "answered",
    "nodata",
    "nxdomain",
    "forwarded",
    "failed",  # no upstream server answered: SERVFAIL
    "busy",  # too many queries in flight: SERVFAIL
    "refused",
    "notimp",
    "badvers",
    "formerr",
    "dropped",
)

_SHOWN_BYTES = 100


class DnsServer:
    """Answers DNS queries on UDP.

    ``listen``: IP addresses and ports, port 0 for any; ``None`` for 127.0.0.1 and the first free port from
    ``first_port`` on.
    ``upstreams``: the servers for other names; ``None`` for those in ``resolv_conf``. ``random_id`` returns an
    unpredictable number from 0 to 65535. Raises ``ConfigError`` if an upstream server is not an IP address and a port.
    """

    def __init__(
        self,
        names: NameTable,
        listen: Sequence[Server] | None,
        *,
        upstreams: Sequence[Server] | None,
        resolv_conf: Path,
        clock: Clock,
        metrics: Metrics,
        random_id: Callable[[], int],
        first_port: int,
        in_flight_limit: int = IN_FLIGHT_LIMIT,
    ) -> None:
        self.names = names
        self.counts = dict.fromkeys(OUTCOMES, 0)
        """Outcome to the number of queries that had it."""
        self._listen = listen
        self._first_port = first_port
        self._nameservers = Nameservers(upstreams, resolv_conf, clock)
        self._upstream = Upstream(clock, random_id, lambda: self.addresses)
        self._bad_packets = Throttle(
            clock,
            lambda reason, peer, left_out, packet: metrics.bad_input(
                "edgemesh.dns", reason, peer, packet=packet, left_out=left_out
            ),
        )
        self._failures = Throttle(
            clock,
            lambda reason, peer, left_out, name: log.warning(
                "dns_query_failed", reason=reason, peer=peer, name=name, left_out=left_out
            ),
        )
        self._in_flight_limit = in_flight_limit
        self._tasks: set[asyncio.Task[None]] = set()
        self._listeners: list[Listener] = []
        self._unsent_before = 0  # by listeners that are closed
        metrics.pull(self._collect)

    @property
    def addresses(self) -> tuple[Server, ...]:
        """Where the server listens; empty when it does not."""
        return tuple(listener.address for listener in self._listeners)

    async def start(self) -> None:
        """Bind all sockets or none. Raises ``ListenError``."""
        loop = asyncio.get_running_loop()
        for sock in [bind_udp_auto(self._first_port)] if self._listen is None else bind_all(self._listen):
            _, listener = await loop.create_datagram_endpoint(self._listener, sock=sock)
            self._listeners.append(listener)
        log.info("dns_listening", addresses=[join_address(*address) for address in self.addresses])

    async def stop(self) -> None:
        """Close the sockets and forget the queries in flight; may be called again."""
        self._unsent_before = self._unsent()
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, *(listener.closed for listener in listeners), return_exceptions=True)
        self._bad_packets.close()
        self._failures.close()

    def status(self) -> dict[str, Any]:
        """Return what the server did and does, as JSON values."""
        return {
            "listening": [join_address(*address) for address in self.addresses],
            "names": len(self.names),
            "upstreams": [join_address(*server) for server in self._servers()],
            "queries": {outcome: count for outcome, count in self.counts.items() if count},
            "bad_packets": dict(self._bad_packets.counts),
            "in_flight": len(self._tasks),
            "replies_ignored": self._upstream.ignored,
            "replies_unsent": self._unsent(),
        }

    def _listener(self) -> Listener:
        return Listener(self.names.ready, self._receive, self.counts)

    def _unsent(self) -> int:
        return self._unsent_before + sum(listener.unsent for listener in self._listeners)

    def _receive(self, packet: bytes, peer: tuple[Any, ...], listener: Listener) -> None:
        """Deal with a packet that no ready answer was found for."""
        match decide(packet, self.names):
            case Reply(reply, outcome, reason):
                self.counts[outcome] += 1
                if reason:
                    self._bad_packets.complain(reason, join_address(*peer[:2]), packet[:_SHOWN_BYTES].hex())
                listener.send(reply, peer)
            case Drop(reason):
                self.counts["dropped"] += 1
                self._bad_packets.complain(reason, join_address(*peer[:2]), packet[:_SHOWN_BYTES].hex())
            case Forward() as forward:
                self._forward(forward, peer, listener)

    def _forward(self, forward: Forward, peer: tuple[Any, ...], listener: Listener) -> None:
        if len(self._tasks) >= self._in_flight_limit:
            self._fail("busy", forward, peer, listener, "too_many_in_flight")
            return
        task = asyncio.get_running_loop().create_task(self._ask_upstream(forward, peer, listener))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _ask_upstream(self, forward: Forward, peer: tuple[Any, ...], listener: Listener) -> None:
        servers = self._servers()
        reply = await self._upstream.ask(forward.packet, forward.question, servers)
        if reply is None:
            self._fail("failed", forward, peer, listener, "no_reply" if servers else "no_upstream")
        else:
            self.counts["forwarded"] += 1
            listener.send(reply, peer)

    def _fail(self, outcome: str, forward: Forward, peer: tuple[Any, ...], listener: Listener, reason: str) -> None:
        self.counts[outcome] += 1
        self._failures.complain(reason, join_address(*peer[:2]), name_text(forward.question))
        listener.send(servfail(forward.packet), peer)

    def _servers(self) -> tuple[Server, ...]:
        addresses = self.addresses
        return tuple(server for server in self._nameservers.current() if not is_ourselves(server, addresses))

    def _collect(self) -> Iterable[Metric]:
        queries = CounterMetricFamily("edgecore_dns_queries", "DNS queries, by what they got.", labels=["outcome"])
        for outcome, count in self.counts.items():
            queries.add_metric([outcome], count)
        bad = CounterMetricFamily("edgecore_dns_bad_packets", "DNS packets that are no query.", labels=["reason"])
        for reason, count in self._bad_packets.counts.items():
            bad.add_metric([reason], count)
        yield queries
        yield bad
        yield CounterMetricFamily("edgecore_dns_replies_unsent", "Replies that no socket took.", value=self._unsent())
        yield CounterMetricFamily(
            "edgecore_dns_replies_ignored", "Upstream packets that answer nothing.", value=self._upstream.ignored
        )
        yield GaugeMetricFamily("edgecore_dns_names", "Services that can be asked for.", value=len(self.names))
        yield GaugeMetricFamily("edgecore_dns_in_flight", "Queries that upstream servers have.", value=len(self._tasks))
