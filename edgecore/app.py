"""The composition root of the node: every part is made and joined here, and started and stopped in order.

::

    clock, ids, metrics ──▶ store, bus ──▶ modules ──▶ control socket, observation port
"""

import os
import random
from collections.abc import Sequence
from pathlib import Path

import structlog

from edgecore import __version__
from edgecore.beehive import resource as r
from edgecore.beehive.bus import Bus
from edgecore.beehive.module import Module, ModuleRunner
from edgecore.beehive.port import Port
from edgecore.clock import Clock, SystemClock
from edgecore.config.addresses import AUTO
from edgecore.config.host import pod_namespace
from edgecore.config.load import LoadedConfig
from edgecore.config.schema import EdgeCoreConfig
from edgecore.control.server import ControlServer
from edgecore.explainroutes import Explainer, explain_routes
from edgecore.ids import NewId, random_ids, random_query_id
from edgecore.interceptroutes import intercept_routes
from edgecore.metaclient import MetaClient
from edgecore.metaroutes import meta_routes
from edgecore.modules.edged.hostfacts import read_host_facts
from edgecore.modules.edged.module import Edged
from edgecore.modules.edged.nodestatus import NodeIdentity
from edgecore.modules.edged.simulated import SimulatedRuntime
from edgecore.modules.edgehub import tables as hub_tables
from edgecore.modules.edgehub.certificates.authority import Authority
from edgecore.modules.edgehub.certificates.credentials import Credentials
from edgecore.modules.edgehub.certificates.keyfiles import KeyFiles
from edgecore.modules.edgehub.module import EdgeHub
from edgecore.modules.edgehub.outbox import DURABLE_FACTOR
from edgecore.modules.edgehub.transport import CloudAddress
from edgecore.modules.edgemesh import tables as mesh_tables
from edgecore.modules.edgemesh.directory import ServiceDirectory
from edgecore.modules.edgemesh.dns.byhand.handquery import HandQuery
from edgecore.modules.edgemesh.dns.host.hijack import Hijack
from edgecore.modules.edgemesh.dns.host.hostresolver import HostResolver
from edgecore.modules.edgemesh.dns.listening.listeners import Bind
from edgecore.modules.edgemesh.dns.recipe import Recipe
from edgecore.modules.edgemesh.dns.server import DnsServer
from edgecore.modules.edgemesh.explain.sight import Node as ExplainedNode
from edgecore.modules.edgemesh.footing import Footing
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
from edgecore.modules.edgemesh.intercept.rootless import RootlessListeners
from edgecore.modules.edgemesh.intercept.settings import InterceptSettings
from edgecore.modules.edgemesh.module import Dns, EdgeMesh
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
    told_settings,
)
from edgecore.modules.edgemesh.upstream.health.judge import HealthJudge
from edgecore.modules.edgemesh.upstream.upstreams import Upstreams
from edgecore.modules.metamanager import tables as meta_tables
from edgecore.modules.metamanager.module import MetaManager
from edgecore.nodestate import NodeState
from edgecore.observe.ledger import CAPACITY, Ledger
from edgecore.observe.metrics import Metrics
from edgecore.observe.server import ObserveServer
from edgecore.routes import node_routes
from edgecore.store import kubeedge
from edgecore.store import outbox as outbox_rows
from edgecore.store.store import Store, open_store

log = structlog.get_logger("node")

CLUSTER_DOMAIN = "cluster.local"
SCHEMA = (*kubeedge.DEVICES, *meta_tables.SCHEMA, *mesh_tables.SCHEMA, *hub_tables.SCHEMA, *outbox_rows.SCHEMA)


class Node:
    """One edge node, from ``start`` to ``stop``. To be made inside the event loop that runs it."""

    def __init__(self, loaded: LoadedConfig, *, clock: Clock | None = None, new_id: NewId | None = None) -> None:
        self._loaded = loaded
        self.config = loaded.config
        self.clock = clock or SystemClock()
        self.metrics = Metrics()
        # Room for all that the outbox may hold, durable messages included: none may have to be forgotten.
        held = self.config.modules.edge_hub.outbox_size * (1 + DURABLE_FACTOR)
        self.ledger = Ledger(self.clock.monotonic, capacity=CAPACITY + held)
        self.bus = Bus(
            self.clock,
            new_id or random_ids(),
            capacity=self.config.bus.mailbox_size,
            send_timeout_s=self.config.bus.send_timeout,
        )
        self.store: Store | None = None
        self.meta: MetaManager | None = None
        self.runner = ModuleRunner((), self.clock, self.bus.withdraw)
        self.mesh: EdgeMesh | None = None
        self.hand_query: HandQuery | None = None
        self.interceptor: Interceptor | None = None
        self.hub: EdgeHub | None = None
        self.dns: DnsServer | None = None
        self.directory: ServiceDirectory | None = None
        self.control: ControlServer | None = None
        self.observe: ObserveServer | None = None

    async def start(self) -> None:
        """Open the file, start the modules, listen for commands.

        Raises ``EdgecoreError``, with nothing left open, where the node cannot run at all; a module that cannot start
        is one of the things that ``status`` tells.
        """
        for problem in self._loaded.warnings:
            log.warning("config_warning", origin=self._loaded.origin, problem=str(problem))
        for name in modules_not_built(self.config):
            log.warning("module_not_built", module=name, hint="it is enabled in the configuration; it does not run")
        try:
            self.store = open_store(self.config.database.path, SCHEMA, clock=self.clock)
            self.runner = ModuleRunner(self._modules(self.store), self.clock, self.bus.withdraw)
            state = NodeState(
                self.config.node_name,
                bus=self.bus,
                runner=self.runner,
                metrics=self.metrics,
                ledger=self.ledger,
                store=self.store,
            )
            routes = {
                **node_routes(self.bus, state, self.hand_query, self.mesh.view if self.mesh else None),
                **intercept_routes(self.interceptor),
                **meta_routes(self.config.node_name, self.store, self.meta, self.clock),
                **explain_routes(self._explainer(state)),
            }
            self.control = ControlServer(self.config.control_socket, routes)
            await self.control.start()
            self.observe = ObserveServer(
                self.config.observe.listen,
                self.config.observe.bind.port,
                self.metrics,
                health=state.health,
                debug=state.debug(),
            )
            await self.observe.start()
            state.listening = {
                "control": str(self.config.control_socket),
                "observe": f"http://{self.observe.address}",
            }
            self.metrics.pull(state.families)
            await self.runner.start()
        except BaseException:
            await self.stop()
            raise
        log.info("node_started", node=self.config.node_name, version=__version__, pid=os.getpid(), **state.listening)

    async def stop(self) -> None:
        """Stop in three stages: the modules, the last started first; the doors; the file. Safe to call twice."""
        log.info("node_stopping", node=self.config.node_name)
        stubborn = await self.runner.stop(self.bus.close)
        if stubborn:
            log.error("modules_would_not_stop", modules=stubborn)
        if self.observe is not None:
            await self.observe.stop()
        if self.control is not None:
            await self.control.stop()
        if self.store is not None:
            await self.store.close()
        log.info("node_stopped", node=self.config.node_name)

    def _modules(self, store: Store) -> Sequence[Module]:
        """Register every enabled module on the bus, then make them; the hub first, so that it stops last."""
        modules = self.config.modules
        wanted = {
            r.EDGEHUB: (modules.edge_hub.enable and modules.edge_hub.websocket.enable, r.GROUP_HUB),
            r.METAMANAGER: (modules.meta_manager.enable, r.GROUP_META),
            r.EDGEMESH: (modules.edge_mesh.enable, r.GROUP_MESH),
            r.EDGED: (modules.edged.enable, r.GROUP_EDGED),
        }
        ports = {name: self.bus.register(name, group) for name, (enabled, group) in wanted.items() if enabled}
        made: list[Module] = []
        if r.EDGEHUB in ports:
            self.hub = self._edgehub(ports[r.EDGEHUB], store)
            made.append(self.hub)
        if r.METAMANAGER in ports:
            self.meta = MetaManager(
                ports[r.METAMANAGER],
                store,
                self.metrics,
                ledger=self.ledger,
                hub=modules.meta_manager.context_send_module,
                hub_group=modules.meta_manager.context_send_group,
                pod_status_sync_s=modules.meta_manager.pod_status_sync_interval,
            )
            made.append(self.meta)
        if r.EDGEMESH in ports:
            self.mesh = self._edgemesh(ports[r.EDGEMESH], store)
            made.append(self.mesh)
        if r.EDGED in ports:
            made.append(self._edged(ports[r.EDGED]))
        return made

    def _edgehub(self, port: Port, store: Store) -> EdgeHub:
        hub = self.config.modules.edge_hub
        server = hub.websocket.address
        jitter = random.Random()  # noqa: S311 - spreads reconnects and renewals, guards nothing
        files = KeyFiles(Path(hub.tls_ca_file), Path(hub.tls_cert_file), Path(hub.tls_private_key_file))
        credentials = Credentials(
            files,
            Authority(hub.http_server),
            hub.token,
            clock=self.clock,
            jitter=jitter,
            cloud_version=hub.cloud_version,
            node=self.config.node_name,
        )
        return EdgeHub(
            port,
            self.metrics,
            self.ledger,
            store,
            CloudAddress(server.scheme, server.host, server.port, hub.project_id, self.config.node_name),
            heartbeat_s=hub.heartbeat,
            handshake_timeout_s=hub.websocket.handshake_timeout,
            max_message_bytes=hub.max_message_bytes,
            jitter=jitter,
            outbox_size=hub.outbox_size,
            ping=hub.websocket.ping,
            cloud_version=hub.cloud_version,
            credentials=credentials if server.scheme == "wss" else None,
        )

    def _edgemesh(self, port: Port, store: Store) -> EdgeMesh:
        mesh = self.config.modules.edge_mesh
        cluster_domain = self.config.modules.edged.cluster_domain or CLUSTER_DOMAIN
        namespace = mesh.dns.namespace or pod_namespace(os.environ)
        spread = random.Random()  # noqa: S311 - spreads load, guards nothing
        health = HealthJudge(self.clock, spread)
        upstreams = Upstreams(self.clock, spread, health.judge)
        table = ServiceTable(upstreams, default_policy(mesh), pod_addresses=mesh.traffic.pod_addresses)
        named = "modules.edgeMesh.listenInterface" in self._loaded.given
        settings = intercept_settings(mesh, interface_named=named)
        # `auto` never makes an interface: printed configurations name docker0, on machines without Docker too.
        wanted = footing_wanted(mesh, interface_named=named and has_interface(mesh.listen_interface))
        why_no_mark = interception_mark() if wanted.may_intercept else ""
        mark = settings.mark if wanted.may_intercept and not why_no_mark else 0
        intercepts = wanted.may_intercept and may_intercept()
        recipe = dns_recipe(mesh.dns, cluster_domain, namespace, mark=mark, intercepts=intercepts)
        server = self.dns = self._dns_server(recipe)
        self.hand_query = HandQuery(server.names, server.resolver)
        directory = ServiceDirectory(table, cluster_domain, domains=mesh.dns.domains, namespace=namespace)
        self.directory = directory
        node, crewed, proxy = self._proxy(directory, upstreams)
        path = Path(mesh.dns.resolv_conf)
        dns: Dns = HostResolver(server, path, self.clock, wanted=mesh.dns.manage_resolv_conf)
        intercepting = None
        if wanted.may_intercept:
            intercepting = self._intercepting(settings, upstreams, node, crewed)
            self.interceptor = intercepting.interceptor
            dns = hijack = Hijack(
                dns,
                server,
                intercepting.interceptor.rules,
                path,
                clock=self.clock,
                metrics=self.metrics,
                address=intercepting.interceptor.listening_address,
                listens=AUTO in mesh.dns.listen,
                refused=hijack_refusal(mesh.dns, why_no_mark),
            )
            self.hand_query = HandQuery(server.names, server.resolver, hijack.told)
        rebind_s = mesh.limits.rebind_interval
        footing = Footing(wanted, lambda: RootlessListeners(proxy.listen, self.clock, rebind_s), intercepting)
        return EdgeMesh(
            port=port,
            meta=MetaClient(port, r.EDGEMESH),
            store=store,
            clock=self.clock,
            metrics=self.metrics,
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

    def _dns_server(self, recipe: Recipe) -> DnsServer:
        return DnsServer(
            recipe.names.table(),
            recipe,
            tuple(Bind(*bind) for bind in self.config.modules.edge_mesh.dns.binds),
            clock=self.clock,
            metrics=self.metrics,
            random_id=random_query_id,
        )

    def _explainer(self, state: NodeState) -> Explainer | None:
        if self.mesh is None or self.directory is None or self.dns is None or self.hand_query is None:
            return None
        mesh, edged = self.config.modules.edge_mesh, self.config.modules.edged
        node = ExplainedNode(
            self.directory,
            state.origin,
            settings=told_settings(mesh),
            given=self._loaded.given,
            domain=edged.cluster_domain or CLUSTER_DOMAIN,
            processes=mesh.traffic.workers,
        )
        return Explainer(self.hand_query, self.dns, self.mesh, node, self.hub)

    def _intercepting(
        self, settings: InterceptSettings, upstreams: Upstreams, node: MeshProxy, proxy: CrewedProxy
    ) -> InterceptMode:
        mesh, clock = self.config.modules.edge_mesh, self.clock
        interceptor = Interceptor(settings, clock, lambda on_end: KeeperLink(clock, on_end), Alone())
        unable = kernel_unable(settings, find_nftables().tool)
        kernel = Kernel(upstreams, interceptor.rules, interceptor.list_counters, clock, unable)
        node.add_figures_of(kernel.figures)
        rebind_s = mesh.limits.rebind_interval
        places = LedPlaces(proxy, interceptor.rules, kernel.plane, clock, port=mesh.listen_port, rebind_s=rebind_s)
        return InterceptMode(interceptor, places, kernel)

    def _proxy(
        self, directory: ServiceDirectory, upstreams: Upstreams
    ) -> tuple[MeshProxy, CrewedProxy, CrewedProxy | LoggedProxy[BoundListener]]:
        """Return the proxy of this process, that with its workers, and that with its log."""
        mesh, clock, metrics = self.config.modules.edge_mesh, self.clock, self.metrics
        recipe, settings = proxy_recipe(mesh), access_settings(mesh)
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
        crew = ForwardingCrew(recipe, upstreams, clock, metrics, access.pass_on if access is not None else None)
        proxy = CrewedProxy(node, crew)
        return node, proxy, LoggedProxy(proxy, access, metrics) if access is not None else proxy

    def _edged(self, port: Port) -> Edged:
        edged = self.config.modules.edged
        return Edged(
            port,
            MetaClient(port, r.EDGED),
            NodeIdentity(
                self.config.node_name,
                edged.register_node_namespace,
                edged.node_ip,
                f"edgecore-{__version__}",
                edged.max_pods,
            ),
            read_host_facts(),
            runtime=SimulatedRuntime(self.clock, edged.pod_start_delay),
            metrics=self.metrics,
            status_every_s=edged.node_status_update_frequency,
            register=edged.register_node,
        )


def modules_not_built(config: EdgeCoreConfig) -> list[str]:
    """Return the keys of what is enabled and what this version does not have."""
    modules = config.modules
    enabled = {
        "modules.dbTest": modules.db_test.enable,
        "modules.deviceTwin": modules.device_twin.enable,
        "modules.edgeHub.quic": modules.edge_hub.enable and modules.edge_hub.quic.enable,
        "modules.edgeStream": modules.edge_stream.enable,
        "modules.eventBus": modules.event_bus.enable,
        "modules.serviceBus": modules.service_bus.enable,
    }
    return [name for name, is_enabled in enabled.items() if is_enabled]
