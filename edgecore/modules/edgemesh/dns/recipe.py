"""What makes the answering part of a process, as values: so that it can be told to another process."""

from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv6Network
from pathlib import Path

from msgspec import Struct, field

from edgecore.clock import Clock
from edgecore.modules.edgemesh.dns.listening.tcp import CONNECTIONS_LIMIT
from edgecore.modules.edgemesh.dns.resolver.exchange import Server
from edgecore.modules.edgemesh.dns.resolver.nameservers import Nameservers
from edgecore.modules.edgemesh.dns.resolver.resolved import ResolverSettings
from edgecore.modules.edgemesh.dns.resolver.resolver import Resolver
from edgecore.modules.edgemesh.dns.resolver.zones import Zones
from edgecore.modules.edgemesh.dns.zone.nametable import DEFAULT_NAMESPACE, NameTable
from edgecore.modules.edgemesh.dns.zone.search import SearchList

LEAST_IN_FLIGHT, LEAST_CONNECTIONS = 64, 32
"""What one process has, however many there are."""


class NameRecipe(Struct, frozen=True, kw_only=True):
    """A table of names: see ``NameTable``."""

    cluster_domain: str = "cluster.local"
    ttl_s: int = 64
    domains: tuple[str, ...] = ()
    namespace: str = DEFAULT_NAMESPACE
    hide_unready: bool = False
    ipv6_prefix: str = ""
    """A /96; empty: no AAAA."""
    host_domains: tuple[str, ...] | None = None
    """The search domains of the host; ``None``: questions are not taken for the first one of a search."""

    def table(self) -> NameTable:
        """Return a table without names. Raises ``ConfigError``."""
        return NameTable(
            self.cluster_domain,
            self.ttl_s,
            domains=self.domains,
            namespace=self.namespace,
            hide_unready=self.hide_unready,
            ipv6_prefix=IPv6Network(self.ipv6_prefix) if self.ipv6_prefix else None,
            search=SearchList(self.host_domains) if self.host_domains is not None else None,
        )


class Recipe(Struct, frozen=True, kw_only=True):
    """The names, and how others are resolved.

    ``upstreams``: the servers for other names; ``None`` for those in ``resolv_conf``; ``zones``: those for the names of
    a zone. The limits, and the size of the cache, are those of all processes together, as far as each has enough.
    ``mark``: that of packets to upstream servers (``asking_socket``); 0: none.
    """

    names: NameRecipe = NameRecipe()
    upstreams: tuple[Server, ...] | None = None
    resolv_conf: str = "/etc/resolv.conf"
    zones: Mapping[str, tuple[Server, ...]] = field(default_factory=dict)
    resolving: ResolverSettings = ResolverSettings()
    connections_limit: int = CONNECTIONS_LIMIT
    processes: int = 1
    mark: int = 0

    def share(self, limit: int, least: int = 0) -> int:
        """Return what of a limit one process has; ``least`` of it at least.

        The system spreads clients by chance, and a client has half of what one process has.
        """
        return min(limit, max(-(-limit // self.processes), least))

    @property
    def in_flight_limit(self) -> int:
        """How many queries of one process wait for upstream servers at one time."""
        return self.share(self.resolving.in_flight_limit, LEAST_IN_FLIGHT)

    def resolver(
        self,
        names: NameTable,
        *,
        clock: Clock,
        random_id: Callable[[], int],
        listening: Callable[[], Sequence[Server]],
    ) -> Resolver:
        """Return the resolver of one process. Raises ``ConfigError`` if a server is not an IP address and a port."""
        limit = self.in_flight_limit
        settings = self.resolving._replace(
            cache_size=self.share(self.resolving.cache_size),
            in_flight_limit=limit,
            client_limit=limit,  # ``Forwarding`` gives each client its share
        )
        return Resolver(
            Nameservers(self.upstreams, Path(self.resolv_conf), clock),
            Zones(self.zones),
            names,
            settings,
            clock=clock,
            random_id=random_id,
            listening=listening,
            mark=self.mark,
        )
