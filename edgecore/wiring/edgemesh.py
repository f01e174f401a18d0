"""Makes EdgeMesh: the services, their names, how traffic is led to them and forwarded."""

import os
from functools import partial
from ipaddress import IPv4Network
from pathlib import Path
from typing import NamedTuple

import structlog

from edgecore.beehive import resource as r
from edgecore.beehive.port import Port
from edgecore.config.addresses import AUTO
from edgecore.config.host import pod_namespace
from edgecore.control.openfiles import file_limit
from edgecore.ids import random_query_id
from edgecore.metaclient import MetaClient
from edgecore.modules.edgemesh.directory import ServiceDirectory
from edgecore.modules.edgemesh.dns.byhand.handquery import HandQuery
from edgecore.modules.edgemesh.dns.host.hijack import Hijack
from edgecore.modules.edgemesh.dns.host.hostresolver import HostResolver
from edgecore.modules.edgemesh.dns.listening.listeners import Bind
from edgecore.modules.edgemesh.dns.recipe import Recipe
from edgecore.modules.edgemesh.dns.server import DnsServer
from edgecore.modules.edgemesh.footing import Footing, Wanted
from edgecore.modules.edgemesh.heldname import Held
from edgecore.modules.edgemesh.intercept.alone import Alone
from edgecore.modules.edgemesh.intercept.capability import has_interface, may_intercept
from edgecore.modules.edgemesh.intercept.interceptmode import InterceptMode
from edgecore.modules.edgemesh.intercept.interceptor import Interceptor
from edgecore.modules.edgemesh.intercept.keeper.libnftables import find_nftables
from edgecore.modules.edgemesh.intercept.keeper.link import KeeperLink
from edgecore.modules.edgemesh.intercept.kernel.kernel import Kernel
from edgecore.modules.edgemesh.intercept.ledplaces import LedPlaces
from edgecore.modules.edgemesh.intercept.mark import why_no_mark as interception_mark
from edgecore.modules.edgemesh.intercept.plain import BoundListener
from edgecore.modules.edgemesh.intercept.rootless import Listener, RootlessListeners, most_listeners
from edgecore.modules.edgemesh.intercept.settings import InterceptSettings
from edgecore.modules.edgemesh.module import Dns, EdgeMesh
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.proxy.accesslog.accesslog import open_access_log
from edgecore.modules.edgemesh.proxy.accesslog.loggedproxy import LoggedProxy
from edgecore.modules.edgemesh.proxy.server import MeshProxy
from edgecore.modules.edgemesh.proxy.workers.crew import ForwardingCrew
from edgecore.modules.edgemesh.proxy.workers.crewedproxy import CrewedProxy
from edgecore.modules.edgemesh.services import ServiceTable
from edgecore.modules.edgemesh.settings import (
    access_settings,
    default_policy,
    dns_recipe,
    footing_wanted,
    hijack_refusal,
    intercept_settings,
    kernel_unable,
    proxy_recipe,
)
from edgecore.modules.edgemesh.upstream.health.judge import HealthJudge
from edgecore.modules.edgemesh.upstream.spec import Transport
from edgecore.modules.edgemesh.upstream.upstreams import Upstreams
from edgecore.wiring.parts import Parts

log = structlog.get_logger("edgemesh.proxy")


class MadeMesh(NamedTuple):
    """The module, and the parts of it that commands ask."""

    module: EdgeMesh
    dns: DnsServer
    directory: ServiceDirectory
    hand_query: HandQuery
    interceptor: Interceptor | None


def make_edgemesh(parts: Parts, port: Port) -> MadeMesh:
    """Return the module ``edgemesh``, and the parts of it that commands ask."""
    mesh = parts.config.modules.edge_mesh
    cluster_domain = parts.cluster_domain
    namespace = mesh.dns.namespace or pod_namespace(os.environ)
    spread = parts.outside.new_random()  # spreads load
    health = HealthJudge(parts.clock, spread)
    upstreams = Upstreams(parts.clock, spread, health.judge)
    table = ServiceTable(upstreams, default_policy(mesh), pod_addresses=mesh.traffic.pod_addresses)
    named = "modules.edgeMesh.listenInterface" in parts.loaded.given
    settings = intercept_settings(mesh, interface_named=named)
    # `auto` never makes an interface: printed configurations name docker0, on machines without Docker too.
    wanted = footing_wanted(mesh, interface_named=named and has_interface(mesh.listen_interface))
    why_no_mark = interception_mark() if wanted.may_intercept else ""
    mark = settings.mark if wanted.may_intercept and not why_no_mark else 0
    intercepts = wanted.may_intercept and may_intercept()
    recipe = dns_recipe(mesh.dns, cluster_domain, namespace, mark=mark, intercepts=intercepts)
    server = _dns_server(parts, recipe)
    hand_query = HandQuery(server.names, server.resolver)
    directory = ServiceDirectory(table, cluster_domain, domains=mesh.dns.domains, namespace=namespace)
    node, crewed, proxy = _proxy(parts, directory, upstreams)
    path = Path(mesh.dns.resolv_conf)
    dns: Dns = HostResolver(server, path, parts.clock, wanted=mesh.dns.manage_resolv_conf)
    intercepting = None
    if wanted.may_intercept:
        intercepting = _intercepting(parts, settings, upstreams, node, crewed)
        dns = hijack = Hijack(
            dns,
            server,
            intercepting.interceptor.rules,
            path,
            clock=parts.clock,
            metrics=parts.metrics,
            address=intercepting.interceptor.listening_address,
            listens=AUTO in mesh.dns.listen,
            refused=hijack_refusal(mesh.dns, why_no_mark),
        )
        hand_query = HandQuery(server.names, server.resolver, hijack.told)
    footing = _footing(parts, wanted, proxy, intercepting)
    module = EdgeMesh(
        port=port,
        meta=MetaClient(port, r.EDGEMESH),
        store=parts.store,
        clock=parts.clock,
        metrics=parts.metrics,
        table=table,
        names=server.feed,
        dns=dns,
        proxy=proxy,
        footing=footing,
        ttl_s=mesh.dns.ttl,
        plain_address=mesh.plain_bind.host,
        plain_port=mesh.plain_bind.port,
        health=health,
    )
    interceptor = intercepting.interceptor if intercepting is not None else None
    return MadeMesh(module, server, directory, hand_query, interceptor)


class _Nowhere:
    """A port that nobody reaches, of an address that nobody else needs."""

    def close(self) -> None:
        """See ``Listener``."""


async def _listen_nowhere(_address: str, _port: int, _service: ServiceKey, _transport: Transport) -> Listener:
    return _Nowhere()


def _lock_nothing(_subnet: IPv4Network) -> Held:
    return _Nowhere()


def _dns_server(parts: Parts, recipe: Recipe) -> DnsServer:
    binds = parts.config.modules.edge_mesh.dns.binds if parts.outside.listens else ()
    return DnsServer(
        recipe.names.table(),
        recipe,
        tuple(Bind(*bind) for bind in binds),
        clock=parts.clock,
        metrics=parts.metrics,
        random_id=random_query_id,
        watch=parts.watch,
    )


def _footing(
    parts: Parts,
    wanted: Wanted,
    proxy: CrewedProxy | LoggedProxy[BoundListener],
    intercepting: InterceptMode | None,
) -> Footing:
    """Return how the mesh gets at traffic; a node that listens nowhere takes nothing of the machine."""
    listen, lock = (proxy.listen, None) if parts.outside.listens else (_listen_nowhere, _lock_nothing)
    rebind_s = parts.config.modules.edge_mesh.limits.rebind_interval
    rootless = partial(RootlessListeners, listen, parts.clock, rebind_s, most_listeners(file_limit()))
    return Footing(wanted, rootless, intercepting, try_lock=lock)


def _intercepting(
    parts: Parts, settings: InterceptSettings, upstreams: Upstreams, node: MeshProxy, proxy: CrewedProxy
) -> InterceptMode:
    mesh, clock = parts.config.modules.edge_mesh, parts.clock
    interceptor = Interceptor(settings, clock, lambda on_end: KeeperLink(clock, on_end), Alone())
    unable = kernel_unable(settings, find_nftables().tool)
    kernel = Kernel(upstreams, interceptor.rules, interceptor.list_counters, clock, unable)
    node.add_figures_of(kernel.figures)
    rebind_s = mesh.limits.rebind_interval
    places = LedPlaces(proxy, interceptor.rules, kernel.plane, clock, port=mesh.listen_port, rebind_s=rebind_s)
    return InterceptMode(interceptor, places, kernel)


def _proxy(
    parts: Parts, directory: ServiceDirectory, upstreams: Upstreams
) -> tuple[MeshProxy, CrewedProxy, CrewedProxy | LoggedProxy[BoundListener]]:
    """Return the proxy of this process, that with its workers, and that with its log."""
    mesh, clock, metrics = parts.config.modules.edge_mesh, parts.clock, parts.metrics
    recipe, settings = proxy_recipe(mesh, file_limit()), access_settings(mesh)
    if recipe.limits.max_connections < mesh.limits.max_connections or recipe.limits.max_flows < mesh.traffic.max_flows:
        found = {"max_connections": recipe.limits.max_connections, "max_flows": recipe.limits.max_flows}
        log.info("proxy_limits_lowered", open_files=file_limit(), **found, hint="raise the limit of open files")
    access = open_access_log(settings, clock) if settings is not None else None
    node = MeshProxy(
        directory,
        upstreams,
        clock,
        metrics,
        recipe.share,
        options=recipe.options,
        access=access.tell if access is not None else None,
    )
    log_access = access.pass_on if access is not None else None
    crew = ForwardingCrew(recipe, upstreams, clock, metrics, log_access, watch=parts.watch)
    parts.watch.follow(lambda: node.show(parts.watch.request))
    proxy = CrewedProxy(node, crew)
    return node, proxy, LoggedProxy(proxy, access, metrics) if access is not None else proxy
