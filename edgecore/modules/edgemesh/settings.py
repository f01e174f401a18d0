"""What the settings of EdgeMesh come to: the values that its parts are made from."""

from pathlib import Path
from typing import cast

import structlog

from edgecore.config.meshdns import MeshDns
from edgecore.config.modules import EdgeMesh
from edgecore.modules.edgemesh.dns.recipe import NameRecipe, Recipe
from edgecore.modules.edgemesh.dns.resolver.resolvconf import search_domains
from edgecore.modules.edgemesh.dns.resolver.resolved import ResolverSettings
from edgecore.modules.edgemesh.proxy.accesslog.accesslog import AccessSettings
from edgecore.modules.edgemesh.proxy.limits import ProxyLimits
from edgecore.modules.edgemesh.proxy.options import ProxyOptions
from edgecore.modules.edgemesh.proxy.workers.recipe import ProxyRecipe
from edgecore.modules.edgemesh.upstream.policy import HashBy, Policy

log = structlog.get_logger("edgemesh")


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


def proxy_recipe(mesh: EdgeMesh) -> ProxyRecipe:
    """Return what the proxy takes on, and how it forwards."""
    limits = ProxyLimits(
        max_header_bytes=mesh.limits.max_header_bytes,
        max_connections=mesh.limits.max_connections,
        idle_timeout_s=mesh.limits.idle_timeout,
        max_flows=mesh.traffic.max_flows,
        sniff_timeout_s=mesh.traffic.sniff_timeout,
    )
    options = ProxyOptions(forwarded_headers=mesh.traffic.forwarded_headers)
    return ProxyRecipe(limits=limits, options=options, processes=mesh.traffic.workers)


def access_settings(mesh: EdgeMesh) -> AccessSettings | None:
    """Return where the access log goes; ``None``: there is none."""
    traffic = mesh.traffic
    if not traffic.access_log:
        return None
    return AccessSettings(traffic.access_log, traffic.access_log_max_size, traffic.access_log_files)


def dns_recipe(dns: MeshDns, cluster_domain: str, namespace: str) -> Recipe:
    """Return what the settings say of answering; ``namespace`` is that of names of one label."""
    names = NameRecipe(
        cluster_domain=cluster_domain,
        ttl_s=dns.ttl,
        domains=dns.domains,
        namespace=namespace,
        hide_unready=dns.unready == "nxdomain",
        ipv6_prefix=dns.ipv6_prefix,
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
    )


def _host_domains(resolv_conf: Path) -> tuple[str, ...]:
    """Return how the search lists of pods go on: as the host's does now."""
    try:
        # Opening a named pipe would wait for its writer.
        text = resolv_conf.read_text(errors="replace") if resolv_conf.is_file() else ""
    except OSError as error:
        log.warning("resolv_conf_unreadable", path=str(resolv_conf), reason=str(error))
        text = ""
    return tuple(search_domains(text))
