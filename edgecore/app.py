"""The composition root of the node: every part is made and joined here, and started and stopped in order.

::

    clock, ids, metrics ──▶ store, bus ──▶ modules ──▶ control socket, observation port
"""

import asyncio
import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import structlog

from edgecore import __version__
from edgecore.beehive import resource as r
from edgecore.beehive.bus import Bus
from edgecore.beehive.module import Module
from edgecore.beehive.port import Port
from edgecore.beehive.runner import ModuleRunner
from edgecore.clock import Clock, SystemClock, bounded
from edgecore.config.load import LoadedConfig
from edgecore.config.schema import EdgeCoreConfig
from edgecore.control.routes import Routes
from edgecore.control.server import ControlServer
from edgecore.ids import NewId, random_ids
from edgecore.modules.devicetwin import tables as device_tables
from edgecore.modules.devicetwin.module import DeviceTwin
from edgecore.modules.edged.module import Edged
from edgecore.modules.edgehub import tables as hub_tables
from edgecore.modules.edgehub.module import EdgeHub
from edgecore.modules.edgehub.outbox import DURABLE_FACTOR
from edgecore.modules.edgemesh import tables as mesh_tables
from edgecore.modules.edgemesh.explain.sight import Node as ExplainedNode
from edgecore.modules.edgemesh.settings import told_settings
from edgecore.modules.eventbus import tables as bus_tables
from edgecore.modules.eventbus.mirror.settings import Sights
from edgecore.modules.metamanager import tables as meta_tables
from edgecore.modules.metamanager.module import MetaManager
from edgecore.nodestate import NodeState
from edgecore.observe.ledger import CAPACITY, Ledger
from edgecore.observe.logs import configure_logging
from edgecore.observe.metrics import Metrics
from edgecore.observe.remarks import Remarks
from edgecore.observe.server import ObserveServer
from edgecore.recording.recorder.desk import RecordingDesk, Wish
from edgecore.recording.watch import Watch
from edgecore.reloading import Apply, Reloader
from edgecore.routes.devices import device_routes
from edgecore.routes.explain import Explainer, explain_routes
from edgecore.routes.intercept import intercept_routes
from edgecore.routes.meta import meta_routes
from edgecore.routes.node import node_routes
from edgecore.routes.pods import pod_routes
from edgecore.routes.recording import recording_routes
from edgecore.routes.reload import reload_routes
from edgecore.routes.tap import tap_routes
from edgecore.snapshot import snapshot
from edgecore.store import outbox as outbox_rows
from edgecore.store.store import Store, open_store
from edgecore.wiring.devicetwin import make_devicetwin
from edgecore.wiring.edged import make_edged
from edgecore.wiring.edgehub import make_edgehub
from edgecore.wiring.edgemesh import MadeMesh, make_edgemesh
from edgecore.wiring.eventbus import make_eventbus
from edgecore.wiring.gates import make_gates
from edgecore.wiring.metamanager import make_metamanager
from edgecore.wiring.outside import Outside
from edgecore.wiring.parts import Parts, cluster_domain
from edgecore.wiring.servicebus import make_servicebus

log = structlog.get_logger("node")

SCHEMA = (
    *device_tables.SCHEMA,
    *meta_tables.SCHEMA,
    *mesh_tables.SCHEMA,
    *hub_tables.SCHEMA,
    *bus_tables.SCHEMA,
    *outbox_rows.SCHEMA,
)

SECTIONS = {
    r.EDGEHUB: "modules.edgeHub",
    r.METAMANAGER: "modules.metaManager",
    r.EDGEMESH: "modules.edgeMesh",
    r.EDGED: "modules.edged",
    r.TWIN: "modules.deviceTwin",
    r.EVENTBUS: "modules.eventBus",
    r.SERVICEBUS: "modules.serviceBus",
}
"""Where the settings of each module stand; one that has ``reload`` goes by others while it runs (``Apply``)."""
DOOR_STOP_S = 0.6
SETTLE_S, SETTLE_STEP_S, QUIET_TURNS = 1.0, 0.005, 3
"""How long a node may go on before what it knows is recorded, and how often in a row nothing must be under way."""


class Node:
    """One edge node, from ``start`` to ``stop``. To be made inside the event loop that runs it."""

    def __init__(
        self,
        loaded: LoadedConfig,
        *,
        clock: Clock | None = None,
        new_id: NewId | None = None,
        reread: Callable[[], LoadedConfig] | None = None,
        outside: Outside | None = None,
        record: Wish | None = None,
        remarks: Remarks | None = None,
    ) -> None:
        """``reread`` returns the configuration as it is when the node is told to reload it; see ``Reloader``.

        ``record``: what is recorded from before the first module starts. ``remarks``: what ``configure_logging`` shows
        the log of this process.
        """
        self._loaded = loaded
        self.config = loaded.config
        self.clock = clock or SystemClock()
        self.metrics = Metrics()
        self.watch = Watch()
        self.remarks = remarks or Remarks()
        self._outside = outside or Outside()
        # Room for all that the outbox may hold, durable messages included: none may have to be forgotten.
        held = self.config.modules.edge_hub.outbox_size * (1 + DURABLE_FACTOR)
        self.ledger = Ledger(self.clock.monotonic, capacity=CAPACITY + held)
        self.bus = Bus(
            self.clock,
            new_id or random_ids(),
            capacity=self.config.bus.mailbox_size,
            send_timeout_s=self.config.bus.send_timeout,
        )
        self._record = record
        self.recordings = RecordingDesk(
            clock=self.clock,
            node=self.config.node_name,
            program=f"edgecore {__version__}",
            bus=self.bus,
            watch=self.watch,
            known=(self.config.modules.edge_hub.token, self.config.modules.event_bus.mqtt_password),
            new_key=partial(os.urandom, 32),
            look=self._look,
        )
        self.gates = make_gates(self.bus, self.ledger, self.recordings)
        self.store: Store | None = None
        self.meta: MetaManager | None = None
        self.runner = ModuleRunner((), self.clock, self.bus)
        self._reread = reread
        self.reloader = Reloader(self.config, reread, {}, self.clock)
        self._told_settings: dict[str, str] = {}
        self.mesh: MadeMesh | None = None
        self.hub: EdgeHub | None = None
        self.devices: DeviceTwin | None = None
        self.edged: Edged | None = None
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
            self.store = open_store(
                self.config.database.path,
                SCHEMA,
                clock=self.clock,
                at_once=self._outside.writes_at_once,
                watch=self.watch,
            )
            if self._record is not None:
                await self.recordings.start(self._record)
            self.runner = ModuleRunner(self._modules(self.store), self.clock, self.bus, self._returned)
            state = NodeState(
                self.config.node_name,
                bus=self.bus,
                runner=self.runner,
                metrics=self.metrics,
                ledger=self.ledger,
                store=self.store,
                gates=self.gates,
                recordings=self.recordings,
                remarks=self.remarks,
            )
            self.reloader = Reloader(self.config, self._reread, self._reloadable(), self.clock)
            self.control = ControlServer(
                self.config.control_socket, self._routes(state, self.store), metrics=self.metrics
            )
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

    def _routes(self, state: NodeState, store: Store) -> Routes:
        """Return what commands may ask of the node."""
        mesh = self.mesh
        return {
            **reload_routes(self.reloader),
            **node_routes(state, mesh.hand_query if mesh else None, mesh.module.view if mesh else None),
            **tap_routes(self.bus, self.gates),
            **intercept_routes(mesh.interceptor if mesh else None),
            **meta_routes(self.config.node_name, store, self.meta, self.clock),
            **pod_routes(self.edged, self.clock),
            **explain_routes(self._explainer(state)),
            **device_routes(self.devices),
            **recording_routes(self.recordings),
        }

    async def stop(self) -> None:
        """Stop in three stages: the modules, the last started first; the doors; the file. Safe to call twice.

        Modules and doors have a time (``STOP_S``, ``DOOR_STOP_S``) after which the next stage begins. What the node
        knows is recorded before, and the recording ends after them.
        """
        log.info("node_stopping", node=self.config.node_name)
        await self.reloader.close()
        self.gates.close()
        await self.recordings.last_look()
        stubborn = await self.runner.stop(self.bus.close)
        if stubborn:
            log.error("modules_would_not_stop", modules=stubborn)
        await asyncio.gather(*(_close(door, self.clock) for door in (self.observe, self.control) if door is not None))
        await self.recordings.close()
        if self.store is not None:
            await self.store.close()
        log.info("node_stopped", node=self.config.node_name)

    async def snapshot(self, names: Iterable[str] = ()) -> dict[str, Any]:
        """Return what the node knows; see ``snapshot.py``. To be called between ``start`` and ``stop``.

        Raises ``StoreError``.
        """
        if self.store is None:
            return {}
        mesh = self.mesh
        return await snapshot(
            self.store,
            look=mesh.module.view if mesh else None,
            zone=mesh.hand_query if mesh else None,
            devices=self.devices,
            names=names,
        )

    async def _look(self, names: Iterable[str]) -> dict[str, Any]:
        """Return what the node knows once it has come to the end of what it was told, but in ``SETTLE_S``."""
        deadline = self.clock.monotonic() + SETTLE_S
        quiet = 0
        while quiet < QUIET_TURNS and self.clock.monotonic() < deadline:
            waiting = self.store.statistics().waiting if self.store is not None else 0
            busy = waiting or any(mailbox.queue for mailbox in self.bus.mailboxes.values())
            quiet = 0 if busy else quiet + 1
            await self.clock.sleep(SETTLE_STEP_S)
        return await self.snapshot(names)

    def _modules(self, store: Store) -> Sequence[Module]:
        """Register every enabled module on the bus, then make them, in the order in which they start.

        They stop in the other order: what hands on to another module is started after it and stopped before it.
        """
        modules = self.config.modules
        parts = Parts(self._loaded, self.clock, self.metrics, self.ledger, store, self.watch, self._outside)
        wanted = {
            r.EDGEHUB: (modules.edge_hub.enable and modules.edge_hub.websocket.enable, r.GROUP_HUB),
            r.METAMANAGER: (modules.meta_manager.enable, r.GROUP_META),
            r.EDGEMESH: (modules.edge_mesh.enable, r.GROUP_MESH),
            r.EDGED: (modules.edged.enable, r.GROUP_EDGED),
            r.TWIN: (modules.device_twin.enable, r.GROUP_TWIN),
            r.EVENTBUS: (modules.event_bus.enable, r.GROUP_BUS),
            r.SERVICEBUS: (modules.service_bus.enable, r.GROUP_BUS),
        }
        ports = {name: self.bus.register(name, group) for name, (enabled, group) in wanted.items() if enabled}
        return [self._make(name, parts, port) for name, port in ports.items()]

    def _make(self, name: str, parts: Parts, port: Port) -> Module:
        match name:
            case r.EDGEHUB:
                self.hub = make_edgehub(parts, port)
                return self.hub
            case r.METAMANAGER:
                self.meta = make_metamanager(parts, port)
                return self.meta
            case r.EDGEMESH:
                self.mesh = make_edgemesh(parts, port)
                return self.mesh.module
            case r.EDGED:
                self.edged = make_edged(parts, port)
                return self.edged
            case r.TWIN:
                self.devices = make_devicetwin(parts, port)
                return self.devices
            case r.EVENTBUS:
                return make_eventbus(parts, port, self.bus, self._sights(), redaction_key=os.urandom(32))
            case r.SERVICEBUS:
                return make_servicebus(parts, port)
        raise ValueError(name)

    def _sights(self) -> Sights:
        """Return what brokers are shown of the node (``modules.eventBus.mirror``)."""
        hub, mesh, edged = self.hub, self.mesh, self.edged
        return Sights(
            hub.status if hub is not None else dict,
            (lambda: mesh.module.view().every()) if mesh is not None else tuple,
            edged.pod_rows if edged is not None else tuple,
        )

    def _returned(self, module: Module) -> None:
        """Tell a module that started later than the others how the link to the cloud is."""
        if self.hub is not None:
            self.hub.welcome(module.name, module.group)

    def _reloadable(self) -> dict[str, Apply]:
        """Return who goes by settings that have changed, by the section they stand in."""

        async def log_so(config: EdgeCoreConfig) -> None:
            configure_logging(config.observe.log_level, config.observe.log_format, also=self.remarks.note)

        parts: dict[str, Apply] = {"observe": log_so}
        for module in self.runner.modules:
            section = SECTIONS.get(module.name)
            apply = getattr(module, "reload", None)
            if section is not None and apply is not None:
                parts[section] = apply
        if self.mesh is not None:
            parts[SECTIONS[r.EDGEMESH]] = self._reload_mesh
        return parts

    async def _reload_mesh(self, config: EdgeCoreConfig) -> None:
        if self.mesh is not None:
            await self.mesh.module.reload(config)
            self._told_settings.update(told_settings(config.modules.edge_mesh))

    def _explainer(self, state: NodeState) -> Explainer | None:
        if self.mesh is None:
            return None
        mesh = self.config.modules.edge_mesh
        self._told_settings = told_settings(mesh)
        node = ExplainedNode(
            self.mesh.directory,
            state.origin,
            settings=self._told_settings,
            given=self._loaded.given,
            domain=cluster_domain(self.config),
            processes=mesh.traffic.workers,
        )
        return Explainer(self.mesh.hand_query, self.mesh.dns, self.mesh.module, node, self.hub)


async def _close(door: ObserveServer | ControlServer, clock: Clock) -> None:
    try:
        await bounded(clock, clock.monotonic() + DOOR_STOP_S, door.stop(), grace_s=0.1)
    except Exception:
        log.exception("door_would_not_close", door=type(door).__name__)


def modules_not_built(config: EdgeCoreConfig) -> list[str]:
    """Return the keys of what is enabled and what this version does not have."""
    modules = config.modules
    enabled = {
        "modules.dbTest": modules.db_test.enable,
        "modules.edgeHub.quic": modules.edge_hub.enable and modules.edge_hub.quic.enable,
        "modules.edgeStream": modules.edge_stream.enable,
    }
    return [name for name, is_enabled in enabled.items() if is_enabled]
