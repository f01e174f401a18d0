"""The settings of EdgeMesh's names: ``modules.edgeMesh.dns``."""

from ipaddress import IPv6Network
from typing import Annotated, Literal

from edgecore.config import rules
from edgecore.config.addresses import AUTO, HostPort, ListenAddress, listen_address, parse_host_port, parse_zone_servers
from edgecore.config.keys import Key, Section


class MeshDns(Section, frozen=True, kw_only=True):
    """``modules.edgeMesh.dns``."""

    listen: Annotated[
        tuple[str, ...],
        Key(
            help="Where DNS is served; one address or a list. auto: 127.0.0.1, the first free port from 10053.",
            rule=rules.LISTENS,
        ),
    ] = (AUTO,)
    domains: Annotated[
        tuple[str, ...],
        Key(help="More cluster domains, besides modules.edged.clusterDomain.", rule=rules.CLUSTER_DOMAINS),
    ] = ()
    namespace: Annotated[
        str,
        Key(
            help="The namespace of names of one label.",
            rule=rules.NAMESPACE_OR_NOTHING,
            shown="$POD_NAMESPACE, or default",
        ),
    ] = ""
    ttl: Annotated[int, Key(help="How long an answer may be remembered.", rule=rules.between(0, 86_400, "seconds"))] = (
        64
    )
    unready: Annotated[
        Literal["resolve", "nxdomain"],
        Key(help="What a service without a backend that is ready gets: its address, or NXDOMAIN."),
    ] = "resolve"
    ipv6_prefix: Annotated[
        str,
        Key(
            help="A /96: AAAA of a service is this with its fake IP behind it. Without it there is no AAAA. "
            "In mode intercept ::ffff:0:0/96 alone is used.",
            rule=rules.IPV6_PREFIX,
        ),
    ] = ""
    autopath: Annotated[
        bool,
        Key(
            help="Answer the first question of a resolver that has a pod's search list as its last one would be.",
        ),
    ] = False
    resolv_conf: Annotated[
        str, Key(help="The file whose nameservers are asked when upstreams is empty.", rule=rules.FILE)
    ] = "/etc/resolv.conf"
    upstreams: Annotated[
        tuple[str, ...], Key(help="Name servers for all other names; port 53 if none.", rule=rules.NAME_SERVERS)
    ] = ()
    upstream_zones: Annotated[
        tuple[str, ...],
        Key(
            help="Name servers for the names of one zone, as zone=server or zone=server,server.",
            rule=rules.ZONE_SERVERS,
        ),
    ] = ()
    intercept: Annotated[
        bool,
        Key(
            help="In mode intercept, lead questions to the name servers of resolvConf here, by rules that go with the "
            "node. Not while manageResolvConf is on."
        ),
    ] = True
    cache_size: Annotated[
        int, Key(help="Answers of name servers kept; 0: none.", rule=rules.between(0, 10_000_000))
    ] = 10_000
    cache_max_ttl: Annotated[
        int, Key(help="The longest that one is kept.", rule=rules.between(0, 604_800, "seconds"))
    ] = 3600
    serve_stale: Annotated[
        int,
        Key(
            help="How long after its end an answer is still given if no name server answers (RFC 8767); 0: never.",
            rule=rules.between(0, 604_800, "seconds"),
        ),
    ] = 86_400
    prefetch: Annotated[bool, Key(help="Ask for what is popular again shortly before its answer ends.")] = True
    workers: Annotated[int, Key(help="Processes that answer; 1: the node itself.", rule=rules.between(1, 64))] = 1
    manage_resolv_conf: Annotated[
        bool,
        Key(
            help="Put this server first in resolvConf while the node runs. Needs port 53 and the right to write there."
        ),
    ] = False

    @property
    def binds(self) -> tuple[ListenAddress, ...]:
        """Where to listen."""
        return tuple(listen_address(one, HostPort("127.0.0.1", 10053)) for one in self.listen)

    @property
    def ipv6_network(self) -> IPv6Network | None:
        """``ipv6_prefix`` as a network."""
        return IPv6Network(self.ipv6_prefix) if self.ipv6_prefix else None

    @property
    def upstream_addresses(self) -> tuple[HostPort, ...]:
        """``upstreams`` taken apart; empty: read ``resolv_conf``."""
        return tuple(parse_host_port(server, 53) for server in self.upstreams)

    @property
    def zone_addresses(self) -> dict[str, tuple[HostPort, ...]]:
        """``upstream_zones`` taken apart: zone, without a dot behind it, to its servers."""
        return dict(parse_zone_servers(one) for one in self.upstream_zones)
