"""Edged on the bus: registers the node with the cloud, then posts its status; hands what comes of pods to its worker.

==============  ==============================================================================
state           at each tick (``nodeStatusUpdateFrequency``, the first at once)
==============  ==============================================================================
unregistered    ask the cloud to create the node; "OK" (created, or there already) registers it
registered      post the node's status through MetaManager, Ready
==============  ==============================================================================
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog

from edgecore.beehive import resource as r
from edgecore.beehive.message import Message, Route, content_value, error_to
from edgecore.beehive.port import Port
from edgecore.clock import Pace
from edgecore.config.schema import EdgeCoreConfig
from edgecore.errors import BusClosed, EdgecoreError
from edgecore.metaclient import MetaClient
from edgecore.modules.edged.asking import OBJECT_TYPES, Asking
from edgecore.modules.edged.nodestatus import HostFacts, NodeIdentity, registration, status_request
from edgecore.modules.edged.podnetwork import PodNetwork
from edgecore.modules.edged.pods import Pods
from edgecore.modules.edged.podview import ContainerLog, find_log, pod_rows
from edgecore.modules.edged.podworker import PodWorker
from edgecore.modules.edged.runtime import PodRuntime
from edgecore.modules.edged.wanted import Wanted
from edgecore.observe.metrics import Metrics

log = structlog.get_logger("edged")

REGISTRATION_TIMEOUT_S = 60.0
OPERATIONS = frozenset({r.INSERT, r.UPDATE, r.DELETE})
KINDS_COUNTED = 64
"""Kinds of messages that are counted by name; a peer may invent more."""


class Edged:
    """The module ``edged``. ``read_facts`` tells what the machine is now; it is asked at each tick."""

    name = r.EDGED
    group = r.GROUP_EDGED

    def __init__(
        self,
        port: Port,
        meta: MetaClient,
        identity: NodeIdentity,
        read_facts: Callable[[], HostFacts],
        *,
        runtime: PodRuntime,
        metrics: Metrics,
        status_every_s: float,
        register: bool,
        hub: str = r.EDGEHUB,
    ) -> None:
        self._port = port
        self._meta = meta
        self._identity = identity
        self._read_facts = read_facts
        self._pace = Pace(port.clock, status_every_s)
        self._registered = not register
        self._hub = hub
        self._statuses = 0
        self._error = ""
        self._seen: Counter[str] = Counter()
        self._metrics = metrics
        self._runtime = runtime
        self._wanted = Wanted()
        self._asking = Asking(port, meta, self._wanted, keeps_values=runtime.reads_objects)
        supply = self._asking if runtime.reads_objects else None
        network = None if runtime.on_host_network else PodNetwork()
        self._pods = Pods(identity.name, identity.ip, network, capacity=identity.max_pods, supply=supply)
        self._worker = PodWorker(port, meta, metrics, pods=self._pods, runtime=runtime, asking=self._asking)

    async def start(self) -> None:
        """Nothing to bind."""

    async def run(self) -> None:
        """Tick until the bus is closed."""
        async with asyncio.TaskGroup() as tasks:
            reading = tasks.create_task(self._read(), name="edged read")
            ticking = tasks.create_task(self._tick_forever(), name="edged tick")
            working = tasks.create_task(self._worker.run(), name="edged pods")
            asking = tasks.create_task(self._asking.run(), name="edged questions")
            await reading  # ends when the bus is closed
            ticking.cancel()
            working.cancel()
            asking.cancel()

    async def reload(self, config: EdgeCoreConfig) -> None:
        """Go by ``nodeStatusUpdateFrequency`` as it is now."""
        self._pace.change(config.modules.edged.node_status_update_frequency)

    async def stop(self) -> None:
        """Let go of the pods. What is not posted yet is posted after the next start: the rows are compared then."""
        await self._asking.stop()
        await self._worker.close()

    def status(self) -> dict[str, Any]:
        """Return whether the node is registered, its pods, what they use, and what was received."""
        return {
            "node": self._identity.name,
            "registered": self._registered,
            "statuses_posted": self._statuses,
            "error": self._error,
            "pods": {**self._pods.view(), "error": self._worker.error},
            "objects": self._wanted.view(),
            "messages": dict(self._seen),
        }

    def pod_rows(self) -> list[dict[str, Any]]:
        """Return what there is to show of each pod."""
        return pod_rows(self._pods.known, self._identity.ip)

    def find_log(self, pod: str, container: str, *, previous: bool) -> ContainerLog:
        """Return which log is meant. Raises ``ContentError``."""
        return find_log(self._pods.known, pod, container, previous=previous)

    def log_file(self, log: ContainerLog) -> Path | None:
        """Return the file of a log; ``None`` where the runtime keeps none."""
        return self._runtime.log_file(log.pod_uid, log.container, log.restarts)

    async def _read(self) -> None:
        """Take what MetaManager sends, which has stored it, and the news of EdgeHub."""
        async for message in self._port:
            resource = r.parse_edge(message.route.resource)
            kind = f"{message.route.operation[:40]} {resource.type[:40] if resource else 'without type'}"
            if kind not in self._seen and len(self._seen) >= KINDS_COUNTED:
                kind = "other"
            self._seen[kind] += 1
            if resource is not None:
                self._dispatch(resource, message)

    def _dispatch(self, resource: r.EdgeResource, message: Message) -> None:
        operation = message.route.operation
        if resource.type == r.POD and operation in OPERATIONS:
            self._worker.take(resource, message)
        elif resource.type in OBJECT_TYPES and operation in OPERATIONS | {r.RESPONSE}:
            self._asking.take(resource, message)
        elif operation in r.VOLUME_OPERATIONS:
            self._refuse(message)
        elif (message.route.source, operation, message.content) == (r.LINK, r.PUBLISH, r.CLOUD_CONNECTED):
            self._asking.link_up()

    def _refuse(self, message: Message) -> None:
        """Say that a volume operation cannot be done. (Go's edged says nothing of a failure, and its asker waits.)"""
        route = message.route
        text = f"cannot {route.operation} {route.resource}: node {self._identity.name} has no CSI driver"
        peer = route.source or "unknown"
        self._metrics.bad_input(r.EDGED, "no_csi_driver", peer=peer, id=message.header.id, detail=text)
        if message.header.sync:
            self._port.respond(error_to(message, text, self._port.new_id, self._port.clock))

    async def _tick_forever(self) -> None:
        while True:
            try:
                self._error = await self._post_status() if self._registered else await self._register()
            except BusClosed:
                return
            except EdgecoreError as error:
                self._error = str(error)
                log.warning("node_status_not_posted", registered=self._registered, error=str(error))
            await self._pace.wait()

    async def _register(self) -> str:
        """Ask to be registered; return what is wrong with the answer, or nothing."""
        identity = self._identity
        route = Route(r.EDGED, r.GROUP_META, r.INSERT, f"{identity.namespace}/{r.NODESTATUS}/{identity.name}")
        request = self._port.build(route, registration(identity, self._read_facts()))
        answer = content_value(await self._port.send_sync(self._hub, request, REGISTRATION_TIMEOUT_S))
        if answer != r.OK:
            said = repr(answer)[:200]
            log.error("node_not_registered", node=identity.name, answer=said)
            return f"cannot register node {identity.name}: the cloud answered {said}"
        self._registered = True
        log.info("node_registered", node=identity.name)
        return ""

    async def _post_status(self) -> str:
        identity = self._identity
        request = status_request(identity, self._read_facts(), self._port.clock.now_ms())
        await self._meta.update_node_status(identity.namespace, identity.name, request)
        self._statuses += 1
        return ""
