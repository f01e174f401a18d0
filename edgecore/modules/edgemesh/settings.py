"""What the settings of EdgeMesh come to: the values that its parts are made from."""

import json
from collections.abc import Iterator
from ipaddress import IPv6Network
from pathlib import Path
from typing import Any, cast

import msgspec
import structlog

from edgecore.config.meshdns import MeshDns
from edgecore.config.modules import EdgeMesh
from edgecore.modules.edgemesh.dns.host.hijack import Refused
from edgecore.modules.edgemesh.dns.recipe import NameRecipe, Recipe
from edgecore.modules.edgemesh.dns.resolver.resolvconf import search_domains
from edgecore.modules.edgemesh.dns.resolver.resolved import ResolverSettings
from edgecore.modules.edgemesh.footing import Wanted
from edgecore.modules.edgemesh.intercept.keeper.protocol import Tool
from edgecore.modules.edgemesh.intercept.kernel.planes import Unable
from edgecore.modules.edgemesh.intercept.mark import MARK
from edgecore.modules.edgemesh.intercept.settings import InterceptSettings
from edgecore.modules.edgemesh.proxy.accesslog.accesslog import AccessSettings
from edgecore.modules.edgemesh.proxy.limits import ProxyLimits, fitting
from edgecore.modules.edgemesh.proxy.options import ProxyOptions
from edgecore.modules.edgemesh.proxy.workers.recipe import ProxyRecipe
from edgecore.modules.edgemesh.upstream.policy import HashBy, Policy

log = structlog.get_logger("edgemesh")

_MAPPED = IPv6Network("::ffff:0:0/96")


def default_policy(mesh: EdgeMesh) -> Policy:
    """Return how traffic is treated where no annotation says otherwise."""
    traffic = mesh.traffic
    hash_by, _, hash_name = traffic.hash_key.partition(":")
    return Policy(
        strategy=mesh.lb_strategy,
        hash_by=cast("HashBy", hash_by),
        hash_name=hash_name,
        affinity_timeout_s=traffic.affinity_timeout,
        connect_timeout_s=mesh.limits.connect_timeout,
        request_timeout_s=mesh.limits.request_timeout,
        idle_timeout_s=traffic.tcp_idle_timeout,
        udp_idle_timeout_s=traffic.udp_idle_timeout,
        retries=traffic.retries,
        retry_budget=traffic.retry_budget / 100,
        retry_budget_min=traffic.retry_budget_min,
        eject_after=traffic.eject_after,
        eject_base_s=traffic.eject_base,
        eject_max_s=traffic.eject_max,
        eject_max_share=traffic.eject_max_share / 100,
        panic_share=traffic.panic_share / 100,
        checks=traffic.checks,
        drain_s=traffic.drain_timeout,
    )


def told_settings(mesh: EdgeMesh) -> dict[str, str]:
    """Return the path of each setting of EdgeMesh, such as ``modules.edgeMesh.lbStrategy``, and its value as text."""
    return dict(_flat("modules.edgeMesh", msgspec.to_builtins(mesh)))


def _flat(path: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, below in value.items():
            yield from _flat(f"{path}.{key}", below)
    else:
        yield path, json.dumps(value) if isinstance(value, bool | list) else str(value)


def proxy_recipe(mesh: EdgeMesh, files: int) -> ProxyRecipe:
    """Return what the proxy takes on, and how it forwards. ``files``: so many may be open in each of its processes."""
    limits = ProxyLimits(
        max_header_bytes=mesh.limits.max_header_bytes,
        max_connections=mesh.limits.max_connections,
        idle_timeout_s=mesh.limits.idle_timeout,
        max_flows=mesh.traffic.max_flows,
        sniff_timeout_s=mesh.traffic.sniff_timeout,
    )
    options = ProxyOptions(forwarded_headers=mesh.traffic.forwarded_headers)
    limits = fitting(limits, files * mesh.traffic.workers)
    return ProxyRecipe(limits=limits, options=options, processes=mesh.traffic.workers)


def access_settings(mesh: EdgeMesh) -> AccessSettings | None:
    """Return where the access log goes; ``None``: there is none."""
    traffic = mesh.traffic
    if not traffic.access_log:
        return None
    return AccessSettings(traffic.access_log, traffic.access_log_max_size, traffic.access_log_files)


def dns_recipe(dns: MeshDns, cluster_domain: str, namespace: str, *, mark: int = 0, intercepts: bool = False) -> Recipe:
    """Return what the settings say of answering; ``namespace`` is that of names of one label.

    ``mark`` is that of questions to upstream servers; 0: none. ``intercepts``: rules lead IPv4 alone, so an address of
    IPv6 that is not one of IPv4 in disguise (RFC 4291, 2.5.5.2) would lead nowhere, and is not told.
    """
    prefix = dns.ipv6_network
    if intercepts and prefix is not None and prefix != _MAPPED:
        log.warning("ipv6_prefix_unused", prefix=dns.ipv6_prefix, reason="mode intercept leads IPv4 alone")
        prefix = None
    names = NameRecipe(
        cluster_domain=cluster_domain,
        ttl_s=dns.ttl,
        domains=dns.domains,
        namespace=namespace,
        hide_unready=dns.unready == "nxdomain",
        ipv6_prefix=str(prefix) if prefix is not None else "",
        host_domains=_host_domains(Path(dns.resolv_conf)) if dns.autopath else None,
    )
    resolving = ResolverSettings(
        cache_size=dns.cache_size,
        max_ttl_s=dns.cache_max_ttl,
        stale_s=dns.serve_stale,
        prefetch=dns.prefetch,
    )
    return Recipe(
        names=names,
        upstreams=dns.upstream_addresses or None,
        resolv_conf=dns.resolv_conf,
        zones=dns.zone_addresses,
        resolving=resolving,
        processes=dns.workers,
        mark=mark,
    )


def hijack_refusal(dns: MeshDns, why_no_mark: str) -> Refused:
    """Return why questions to the host's name servers are not to be led here; two empty words: they are.

    ``why_no_mark``: why our own questions cannot be told from others; empty: they can.
    """
    if dns.manage_resolv_conf:
        return "manage_resolv_conf", "programs ask the node as its line in the file says (dns.manageResolvConf)"
    if not dns.intercept:
        return "off", "modules.edgeMesh.dns.intercept is false"
    if why_no_mark:
        text = f"cannot lead questions here: our own could not be told from them: {why_no_mark} (SO_MARK)"
        return "no_mark", f"{text}; give the node CAP_NET_ADMIN"
    return "", ""


def footing_wanted(mesh: EdgeMesh, *, interface_named: bool) -> Wanted:
    """Return which mode is asked for, and its fake IPs."""
    return Wanted(
        mode=mesh.mode,
        interface_named=interface_named,
        subnet=mesh.network,
        rootless_subnet=mesh.rootless_network,
    )


def intercept_settings(mesh: EdgeMesh, *, interface_named: bool) -> InterceptSettings:
    """Return how traffic is intercepted; ``interface_named``: listenInterface is not the default."""
    intercept = mesh.intercept
    return InterceptSettings(
        interface=mesh.listen_interface,
        is_named=interface_named,
        create_interface=intercept.create_interface,
        address=intercept.interface_address,
        subnet=str(mesh.network),
        mark=MARK,
        tool=intercept.tool,
        kernel_plane=intercept.kernel_plane,
        linger_s=intercept.linger,
        check_interval_s=intercept.check_interval,
        repair=intercept.repair,
    )


def kernel_unable(settings: InterceptSettings, nftables: Tool) -> Unable:
    """Return why the kernel balances no port by itself; empty: it may. ``nftables``: how that can be spoken here."""
    if not settings.kernel_plane:
        return "off"
    return "iptables" if settings.tool == "iptables" or nftables == "missing" else ""


def _host_domains(resolv_conf: Path) -> tuple[str, ...]:
    """Return how the search lists of pods go on: as the host's does now."""
    try:
        # Opening a named pipe would wait for its writer.
        text = resolv_conf.read_text(errors="replace") if resolv_conf.is_file() else ""
    except OSError as error:
        log.warning("resolv_conf_unreadable", path=str(resolv_conf), reason=str(error))
        text = ""
    return tuple(search_domains(text))
