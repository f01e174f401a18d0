"""Runs the pods: asks MetaManager which there are, gives them to the runtime, posts what comes of them.

One task does one thing after the other, in the order that ``pods.py`` decides, so that what is posted of a pod arrives
in order however long MetaManager takes.
"""

import asyncio

import structlog

from edgecore.beehive import resource as r
from edgecore.beehive.message import Message, content_json
from edgecore.beehive.port import Port
from edgecore.clock import until_set
from edgecore.errors import BusClosed, ContentError, EdgecoreError
from edgecore.metaclient import MetaClient
from edgecore.modules.edged.asking import Asking
from edgecore.modules.edged.nodestatus import rfc3339
from edgecore.modules.edged.podinput import Fault
from edgecore.modules.edged.pods import RETRY_AFTER_S, Ask, Delete, Kill, Pods, Post, Start, Update
from edgecore.modules.edged.references import References
from edgecore.modules.edged.runtime import Containers, PodRuntime
from edgecore.observe.metrics import Metrics

log = structlog.get_logger("edged")


class PodWorker:
    """Between the pods, the runtime and MetaManager."""

    def __init__(
        self, port: Port, meta: MetaClient, metrics: Metrics, *, pods: Pods, runtime: PodRuntime, asking: Asking
    ) -> None:
        self._port = port
        self._clock = port.clock
        self._meta = meta
        self._metrics = metrics
        self._pods = pods
        self._runtime = runtime
        self._asking = asking
        self._changed = asyncio.Event()
        self._is_listed = False
        self.error = ""
        runtime.watch(self._observed)
        asking.watch(self._supplied)

    def take(self, resource: r.EdgeResource, message: Message) -> None:
        """Take a message about a pod; what is to be done about it is done by ``run``."""
        try:
            data = content_json(message)
        except ContentError as error:
            self._count(Fault("pod_malformed", str(error)), message.route.source, message.header.id)
            return
        fault = self._pods.apply(message.route.operation, resource, data, self._now())
        if fault is not None:
            self._count(fault, message.route.source, message.header.id)
        self._changed.set()

    async def run(self) -> None:
        """Work until cancelled, or until the bus is closed."""
        try:
            while not self._is_listed:
                await self._list()
            while True:
                await self._do_what_is_due()
                await self._until_something_is_due()
        except BusClosed:
            return

    async def close(self) -> None:
        """Let go of the runtime."""
        await self._runtime.close()

    async def _list(self) -> None:
        """Ask for what an earlier process left, the pods last: no message overtakes that answer."""
        try:
            statuses = await self._meta.pod_statuses()
            pods = await self._meta.pods()
        except BusClosed:
            raise
        except EdgecoreError as error:
            self._trouble("pods_not_listed", error)
            await self._clock.sleep(RETRY_AFTER_S)
            return
        for fault in self._pods.listed(pods, statuses, self._now()):
            self._count(fault, r.METAMANAGER)
        self._is_listed = True
        self._runtime.keep_only([known.uid for known in self._pods.known])
        self.error = ""
        if pods:
            log.info("pods_taken_up_again", pods=len(pods))

    async def _do_what_is_due(self) -> None:
        while (action := self._pods.next(self._clock.monotonic())) is not None:
            match action:
                case Ask(uid, references):
                    self._use(uid, references)
                case Start(order, references):
                    pod = order.pod
                    log.info("pod_starting", namespace=pod.metadata.namespace, name=pod.metadata.name)
                    if not self._runtime.reads_objects:
                        self._use(pod.metadata.uid, references)
                    self._runtime.start(order)
                case Update(order):
                    self._runtime.update(order)
                case Kill(uid, grace_s):
                    log.info("pod_ending", uid=uid)
                    self._asking.release(uid)
                    self._runtime.kill(uid, grace_s)
                case Post() | Delete():
                    await self._send(action)

    def _use(self, uid: str, references: References) -> None:
        if fault := self._asking.use(uid, references):
            self._count(fault, r.METAMANAGER)

    async def _send(self, action: Post | Delete) -> None:
        namespace, name = action.key
        try:
            if isinstance(action, Post):
                await self._meta.update_pod_status(namespace, name, action.request)
            else:
                await self._meta.delete_pod(namespace, name, action.uid)
        except BusClosed:
            raise
        except EdgecoreError as error:
            self._pods.failed(action, self._clock.monotonic())
            self._trouble("pod_not_reported", error, namespace=namespace, name=name)
            return
        self._pods.done(action)
        self.error = ""
        status = action.request["Status"] if isinstance(action, Post) else {"phase": "Deleted"}
        log.info("pod_reported", namespace=namespace, name=name, phase=status["phase"], reason=status.get("reason", ""))

    async def _until_something_is_due(self) -> None:
        await until_set(self._clock, self._changed, self._pods.next_at())
        self._changed.clear()

    def _observed(self, uid: str, containers: Containers) -> None:
        if self._pods.observed(uid, containers):
            self._asking.release(uid)
        self._changed.set()

    def _supplied(self, uid: str) -> None:
        self._pods.supplied(uid)
        self._changed.set()

    def _now(self) -> str:
        return rfc3339(self._clock.now_ms())

    def _trouble(self, event: str, error: EdgecoreError, **details: str) -> None:
        self.error = str(error)
        log.warning(event, error=self.error, again_in_s=RETRY_AFTER_S, **details)

    def _count(self, fault: Fault, source: str, message_id: str = "") -> None:
        peer = source or "unknown"
        self._metrics.bad_input(r.EDGED, fault.reason, peer=peer, id=message_id, detail=fault.detail)
