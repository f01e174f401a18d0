"""What a running node says of itself: for ``edgecore status``, ``/healthz``, ``/metrics`` and ``/debug``."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from edgecore import __version__
from edgecore.beehive.bus import Bus
from edgecore.beehive.gates import Gates
from edgecore.beehive.resource import EDGEHUB, EDGEMESH, METAMANAGER
from edgecore.beehive.runner import ModuleRunner
from edgecore.modules.metamanager.tables import read_origin
from edgecore.observe.ledger import Ledger
from edgecore.observe.metrics import Metrics, ledger_families
from edgecore.observe.remarks import Remarks
from edgecore.recording.recorder.desk import RecordingDesk
from edgecore.store.store import Store

Json = dict[str, Any]

_RECORDED = {
    "entries": "Entries of recordings that were written.",
    "bytes": "Bytes of their lines, before any packing.",
    "lost": "Entries that are missing in recordings: the disk was too slow, or refused.",
}
"""What is counted of all recordings of this process."""


class NodeState:
    """Reads the parts of a node; keeps nothing itself but where it listens and since when."""

    def __init__(
        self,
        node: str,
        *,
        bus: Bus,
        runner: ModuleRunner,
        metrics: Metrics,
        ledger: Ledger,
        store: Store,
        gates: Gates | None = None,
        recordings: RecordingDesk | None = None,
        remarks: Remarks | None = None,
    ) -> None:
        self._node = node
        self._bus = bus
        self._runner = runner
        self._metrics = metrics
        self.ledger = ledger
        self._store = store
        self._gates = gates
        self._recordings = recordings
        self._remarks = remarks or Remarks()
        self._started_at = bus.clock.monotonic()
        self.listening: dict[str, str] = {}
        """Where this process can be asked; the addresses of EdgeMesh are in its own part of ``status``."""

    def status(self) -> Json:
        """Return the whole state. ``state`` is ``ok`` or ``degraded``; ``reasons`` says why, a line each."""
        parts = self._runner.statuses()
        link, mesh = parts.get(EDGEHUB, {}), parts.get(EDGEMESH, {})
        modules = self._modules()
        store, condition = self._store.statistics(), self._store.condition
        unexplained = self.ledger.unexplained
        reasons = [
            *([store.failing] if store.failing else []),
            *condition.reasons(),
            *_reasons(modules, link, mesh),
            *(reason for part in parts.values() for reason in part.get("reasons", ())),
            *self._recorded().get("reasons", ()),
            *([f"{unexplained} messages of the link cannot be accounted for (edgecore ledger)"] if unexplained else []),
        ]
        return {
            "node": self._node,
            "version": __version__,
            "uptime_s": round(self._bus.clock.monotonic() - self._started_at, 3),
            "state": "degraded" if reasons else "ok",
            "reasons": reasons,
            "modules": modules,
            "link": link,
            "mesh": mesh,
            "parts": {name: part for name, part in parts.items() if name not in (EDGEHUB, EDGEMESH)},
            "ledger": {"under_way": self.ledger.under_way, "unexplained": unexplained},
            "store": {
                "path": str(self._store.path),
                **store._asdict(),
                "troubles": dict(self._store.condition.troubles),
            },
            "held": self._gates.view() if self._gates is not None else [],
            "recording": self._recorded(),
            "log": self._remarks.view(),
            "bad_input": {f"{module}/{reason}": n for (module, reason), n in self._metrics.bad_input_counts.items()},
            "listening": {**self.listening, **_mesh_listening(mesh)},
        }

    def _recorded(self) -> Json:
        return self._recordings.status() if self._recordings is not None else {}

    def origin(self, key: str) -> Json | None:
        """Return by which message a row of ``meta`` became what it is, and how long ago; ``None`` if there is none.

        Raises ``StoreError``.
        """
        origin = read_origin(self._store, key)
        if origin is None:
            return None
        return {"row": key, **origin._asdict(), "age_s": round((self._bus.clock.now_ms() - origin.at_ms) / 1000, 3)}

    def health(self) -> Mapping[str, Any]:
        """Return ``status`` and ``reasons``: what a supervisor wants to know."""
        status = self.status()
        return {"status": status["state"], "reasons": status["reasons"]}

    def debug(self) -> dict[str, Callable[[], Any]]:
        """Return what ``/debug`` shows, by name."""
        return {
            "status": self.status,
            "bus": lambda: {name: one._asdict() for name, one in self._bus.statistics().items()},
            "ledger": self.ledger.view,
            "modules": self._runner.statuses,
            "store": lambda: self._store.statistics()._asdict(),
        }

    def families(self) -> Iterator[Metric]:
        """Yield the figures of bus, link and store for Prometheus."""
        depth = GaugeMetricFamily("edgecore_mailbox_depth", "Messages in a module's mailbox.", labels=("module",))
        high = GaugeMetricFamily("edgecore_mailbox_high_water", "The most that ever lay there.", labels=("module",))
        sent = CounterMetricFamily("edgecore_messages_sent", "Messages a module sent.", labels=("module",))
        received = CounterMetricFamily("edgecore_messages_received", "Messages a module took.", labels=("module",))
        waited = CounterMetricFamily("edgecore_mailbox_waited_seconds", "Time messages lay there.", labels=("module",))
        dropped = CounterMetricFamily(
            "edgecore_messages_dropped", "Messages of a module that went nowhere.", labels=("module", "reason")
        )
        for name, one in self._bus.statistics().items():
            depth.add_metric((name,), one.depth)
            high.add_metric((name,), one.high_water)
            sent.add_metric((name,), one.sent)
            received.add_metric((name,), one.received)
            waited.add_metric((name,), one.waited_s)
            for reason, count in one.dropped.items():
                dropped.add_metric((name, reason), count)
        yield from (depth, high, sent, received, waited, dropped)
        held = CounterMetricFamily(
            "edgecore_held_messages", "Messages held before a module by hand, by how that ended.", labels=("how",)
        )
        for how, count in (self._gates.counts if self._gates is not None else {}).items():
            held.add_metric((how,), count)
        yield held
        yield from self._module_families()
        yield from ledger_families("edgecore", self.ledger)
        link = self._runner.statuses().get(EDGEHUB, {})
        yield GaugeMetricFamily(
            "edgecore_cloud_connected", "Whether the link is up.", value=float(link.get("state") == "connected")
        )
        yield GaugeMetricFamily("edgecore_outbox_messages", "Messages in the outbox.", value=link.get("outbox", 0))
        yield GaugeMetricFamily("edgecore_outbox_bytes", "Their bytes.", value=link.get("outbox_bytes", 0))
        yield CounterMetricFamily(
            "edgecore_cloud_sessions", "Connections that were made.", value=link.get("sessions", 0)
        )
        store = self._store.statistics()
        yield CounterMetricFamily("edgecore_store_writes", "Writes handed to the store.", value=store.writes)
        yield CounterMetricFamily("edgecore_store_commits", "Commits of the store.", value=store.commits)
        yield CounterMetricFamily("edgecore_store_failed", "Writes that SQLite refused.", value=store.failed)
        troubles = CounterMetricFamily("edgecore_store_troubles", "What SQLite said of the file.", labels=("trouble",))
        for word, count in self._store.condition.troubles.items():
            troubles.add_metric((word,), count)
        yield troubles
        yield CounterMetricFamily(
            "edgecore_metadata_rows_unchanged",
            "Rows not written again, because the message said nothing new.",
            value=self._runner.statuses().get(METAMANAGER, {}).get("rows_unchanged", 0),
        )

        yield from self._recording_families()

    def _recording_families(self) -> Iterator[Metric]:
        if self._recordings is None:
            return
        totals = self._recordings.totals()
        for name, help_text in _RECORDED.items():
            yield CounterMetricFamily(f"edgecore_recorded_{name}", help_text, value=totals[name])
        yield GaugeMetricFamily("edgecore_recording", "Whether a session is recorded.", value=float(totals["on"]))

    def _module_families(self) -> Iterator[Metric]:
        restarts = CounterMetricFamily(
            "edgecore_module_restarts",
            "Starts of a module after its first, and runs after one that failed.",
            labels=("module",),
        )
        state = GaugeMetricFamily(
            "edgecore_module_state",
            "1 for the state that a module is in (edgecore status).",
            labels=("module", "state"),
        )
        for name, one in self._runner.states().items():
            restarts.add_metric((name,), one["restarts"])
            state.add_metric((name, one["state"]), 1)
        yield from (restarts, state)

    def _modules(self) -> list[Json]:
        states = self._runner.states()
        return [
            {
                "name": name,
                "group": one.group,
                **states.get(name, {"state": "waiting", "restarts": 0, "error": "", "again_in_s": None}),
                "mailbox": {key: value for key, value in one._asdict().items() if key not in ("module", "group")},
            }
            for name, one in self._bus.statistics().items()
        ]


def _reasons(modules: list[Json], link: Json, mesh: Json) -> Iterator[str]:
    for module in modules:
        if module["state"] != "running":
            error = f": {module['error']}" if module["error"] else ""
            yield f"module {module['name']} is {module['state']}{error}"
    if link and link["state"] != "connected":
        error = f": {link['error']}" if link["error"] else ""
        yield f"the link to the cloud is {link['state']}{error}"
    for port in mesh.get("ports_not_bound", ()):
        yield f"port {port['address']}:{port['port']} of {port['service']} is not bound: {port['text']}"
    for missing in mesh.get("dns", {}).get("not_listening", ()):
        yield f"DNS {missing['text']}; it is tried again until it can (modules.edgeMesh.dns.listen)"
    interception = mesh.get("intercept", {})
    for finding in (*interception.get("findings", ()), *filter(None, (interception.get("problem"),))):
        yield f"interception: {finding} (edgecore intercept status)"
    if interception.get("state") == "removed":
        yield "interception: rules are taken out; edgecore intercept apply puts them back"
    for part in ("resolv_conf", "led"):
        if problem := mesh.get("dns", {}).get(part, {}).get("problem"):
            yield problem


def _mesh_listening(mesh: Json) -> Json:
    if not mesh:
        return {}
    return {"dns": ", ".join(mesh["dns"]["listening"]), "proxy": mesh["plain_listener"]}
