"""The composition root of the stub: every part is made and joined here, and started and stopped in order."""

import os
from collections import Counter
from collections.abc import Callable
from typing import Any

import structlog

from cloudhub_stub.answers import Manners
from cloudhub_stub.calls import Caller
from cloudhub_stub.certificates.joining import Joining
from cloudhub_stub.cloud import Cloud
from cloudhub_stub.controlplane import ControlPlane
from cloudhub_stub.delivery.journal import Journal
from cloudhub_stub.delivery.queues import Delivery
from cloudhub_stub.delivery.trace import Trace
from cloudhub_stub.faults.injector import Injector
from cloudhub_stub.faults.routes import fault_routes
from cloudhub_stub.faults.views import families as fault_families
from cloudhub_stub.hub import Hub
from cloudhub_stub.nodes import Nodes
from cloudhub_stub.objectroutes import object_routes
from cloudhub_stub.objects import Objects
from cloudhub_stub.replay.player import Player
from cloudhub_stub.routes import device_routes, ledger_routes, routes, token_routes
from cloudhub_stub.sender import Sender
from cloudhub_stub.server import CONNECTIONS_LIMIT, CloudHubServer
from cloudhub_stub.settings import OBSERVE_BASE_PORT, OBSERVE_OFF, Settings
from cloudhub_stub.store.tables import StoredRows
from cloudhub_stub.views import metric_families, nodes_view, queues_view
from edgecore import __version__
from edgecore.addresses import split_address
from edgecore.clock import Clock, SystemClock
from edgecore.control.server import ControlServer
from edgecore.control.signals import stop_on_signal
from edgecore.ids import NewId, random_ids
from edgecore.observe.ledger import UP, Ledger
from edgecore.observe.metrics import Metrics
from edgecore.observe.server import ObserveServer
from edgecore.recording.recorder.recorder import Recorder
from edgecore.recording.redaction import Redactor
from edgecore.recording.watch import Watch

log = structlog.get_logger("cloudhub")

RECORDED = ("text", "event", "note", "fault")
"""The kinds of entries of the cloud's side."""


class Stub:
    """One stub: CloudHub, the https listener for certificates, control socket, observation port."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Clock | None = None,
        new_id: NewId | None = None,
    ) -> None:
        """Raises ``ValueError`` where ``listen`` or ``https`` is no address."""
        self._settings = settings
        self._clock = SystemClock() if clock is None else clock
        ids = random_ids() if new_id is None else new_id
        self.metrics = Metrics()
        self.watch = Watch()
        self.recorder: Recorder | None = None
        self.rows = StoredRows(settings.state_dir)
        self.cloud = self._cloud(ids)
        self.trace = Trace(self._clock)
        self.cloud.delivery.watchers.append(self.trace.note)
        self.hub = Hub(self.cloud)
        self.player = Player(self.cloud, self.hub)
        self.sender = Sender(self.cloud, self.hub)
        host, port = split_address(settings.listen)
        self.joining = Joining(settings, self.metrics, self._clock, faithful=settings.faithful)
        self.faults = Injector(self._clock, certifier=self.joining, tokens=self.joining)
        self.server = CloudHubServer(
            self.hub,
            self.metrics,
            self.faults,
            host,
            port,
            max_message_bytes=settings.max_message_bytes,
            connections_limit=max(CONNECTIONS_LIMIT, 2 * settings.node_limit),
            watch=self.watch,
        )
        self.server.tls = lambda: self.joining.link_tls
        self.faults.restarts(self.server, self.joining)
        self.control = ControlServer(
            settings.control_path,
            {
                **object_routes(self.cloud.plane, self.trace, self._clock),
                **routes(self.cloud, self.player, self.sender, self.rows, self.status),
                **ledger_routes(self._ledger),
                **device_routes(self.cloud, self._caller(ids)),
                **token_routes(self.joining),
                **fault_routes(self.faults),
            },
            process="cloudhub-stub",
            metrics=self.metrics,
        )
        self.observe = self._observe() if settings.observe != OBSERVE_OFF else None
        self.metrics.pull(lambda: metric_families(self.cloud))
        self.metrics.pull(lambda: fault_families(self.faults.faults))
        self._started_at = self._clock.monotonic()

    async def start(self) -> None:
        """Open the file and listen everywhere.

        Raises ``ListenError``, ``ConfigError`` or ``StoreError``, with nothing left open.
        """
        self._started_at = self._clock.monotonic()
        try:
            # The control socket first: it says whether a stub with this state directory is running already.
            await self.control.start()
            self.rows.open()
            self.cloud.objects.load()
            self.cloud.plane.load()
            self.cloud.delivery.load()
            await self._record()
            await self.joining.start()
            await self.server.start()
            if self.observe is not None:
                await self.observe.start()
            self.faults.start(self._settings.scenario)
        except BaseException:
            await self.stop()
            raise
        log.info(
            "stub_started",
            listen=self.server.url,
            https=self.joining.url,
            control=str(self.control.path),
            version=__version__,
        )

    async def stop(self) -> None:
        """Close every connection and every listener; does nothing the second time."""
        await self.faults.stop()
        await self.server.stop()
        self.faults.show = None
        if self.recorder is not None:
            await self.recorder.stop()
        await self.joining.stop()
        await self.control.stop()
        self.cloud.plane.stop()
        if self.observe is not None:
            await self.observe.stop()
        await self.rows.close()

    def status(self) -> dict[str, Any]:
        """Return what this process is and does."""
        nodes = self.cloud.nodes
        return {
            "version": __version__,
            "pid": os.getpid(),
            "uptime_s": round(self._clock.monotonic() - self._started_at, 3),
            "listen": self.server.url,
            **self.joining.status(),
            "control": str(self.control.path),
            "observe": None if self.observe is None else f"http://{self.observe.address}",
            "nodes_connected": [node.name for node in nodes.connected()],
            "nodes_known": len(nodes.known()),
            "faithful": self._settings.faithful,
            "queues": queues_view(self.cloud),
            "unexplained": self.cloud.ledger.unexplained,
            "cluster": dict(sorted(Counter(each["kind"] for each in self.cloud.plane.registry.every()).items())),
            "resource_version": self.cloud.plane.registry.version,
            "objects_held": len(self.cloud.objects),
            "objects_held_bytes": self.cloud.objects.held_bytes,
            "objects_dropped": self.cloud.objects.dropped,
            "recording": None if self.recorder is None else self.recorder.figures(),
            "bad_input": {f"{module}/{reason}": n for (module, reason), n in self.metrics.bad_input_counts.items()},
        }

    async def _record(self) -> None:
        """Begin to record, where that is wanted. Whose edges these are nobody knows yet. Raises ``RecordingError``."""
        settings = self._settings
        if settings.record is None:
            return
        recorder = Recorder(
            settings.record,
            RECORDED,
            clock=self._clock,
            watch=self.watch,
            redactor=None if settings.record_secrets else Redactor(os.urandom(32)),
        )
        await recorder.start()
        self.recorder = recorder
        self.faults.show = recorder.fault

    def _cloud(self, new_id: NewId) -> Cloud:
        settings, clock = self._settings, self._clock
        nodes = Nodes(
            clock,
            keepalive_timeout_s=settings.keepalive_timeout_s,
            max_nodes=settings.node_limit,
            faithful=settings.faithful,
            write_timeout_s=settings.write_timeout_s,
        )
        ledger = Ledger(clock.monotonic)
        journal = Journal(self.rows)
        ledger.hold(UP, journal.is_pending)
        delivery = Delivery(settings.queue_rules, self.rows, ledger, self.metrics)
        plane = ControlPlane(
            self.rows,
            delivery,
            self.metrics,
            clock=clock,
            new_id=new_id,
            is_connected=nodes.is_connected,
            controllers=frozenset(settings.controllers),
            node_grace_s=settings.node_grace_s,
        )
        return Cloud(
            clock,
            new_id,
            self.metrics,
            ledger,
            nodes,
            Objects(self.rows),
            delivery,
            journal,
            plane,
            settings.faithful,
            settings.answer_delay_s,
            Manners(settings.confirm_reports, settings.tell_devices),
        )

    def _caller(self, new_id: NewId) -> Caller:
        cloud = self.cloud
        return Caller(cloud.calls, cloud.nodes, cloud.delivery, self.metrics, clock=self._clock, new_id=new_id)

    def _ledger(self) -> dict[str, Any]:
        """Return what became of every message, and what was made to go wrong."""
        return {**self.cloud.ledger.view(), "faults": self.faults.view()}

    def _observe(self) -> ObserveServer:
        return ObserveServer(
            self._settings.observe,
            OBSERVE_BASE_PORT,
            self.metrics,
            health=lambda: {"status": "ok"},
            debug={
                "status": self.status,
                "nodes": lambda: nodes_view(self.cloud),
                "ledger": self._ledger,
                "faults": self.faults.view,
            },
        )


async def run_until_signal(stub: Stub, announce: Callable[[], None]) -> None:
    """Run ``stub`` until a signal tells it to stop; ``announce`` is called once it listens."""
    stopped = stop_on_signal()
    await stub.start()
    try:
        announce()
        await stopped.wait()
        log.info("stub_stopping")
    finally:
        await stub.stop()
