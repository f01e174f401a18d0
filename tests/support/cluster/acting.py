"""An edge without a connection, for tests: it takes what lies in its queue, and keeps it as MetaManager does."""

import json
from typing import Any

from cloudhub_stub.answers import Answer, answer
from cloudhub_stub.cloud import Cloud
from cloudhub_stub.delivery.parcel import Parcel
from cloudhub_stub.delivery.queue import Prove
from cloudhub_stub.session import Session
from cloudhub_stub.upgrade import Upgrade
from edgecore.beehive.message import Header, Message, Route
from edgecore.beehive.wire import decode, encode
from edgecore.clock import VirtualClock, settle

LABELS = {"node-role.kubernetes.io/edge": "", "node-role.kubernetes.io/agent": ""}


class ActingEdge:
    """One node, which does what the test says."""

    def __init__(self, cloud: Cloud, name: str, clock: VirtualClock) -> None:
        self.name = name
        self.store: dict[str, Any] = {}
        """What it holds, by resource."""
        self.cloud = cloud
        self._clock = clock
        self._session: Session | None = None
        self._ids = iter(range(10**9))

    async def join(self) -> list[str]:
        """Connect, register, be ready, and take what comes."""
        self.connect()
        self.register()
        self.post()
        return await self.take()

    def connect(self) -> None:
        _, self._session = self.cloud.nodes.connect(Upgrade(self.name, "", "edgecore"))
        self._queue.connect(None)
        self.cloud.plane.connection_changed(self.name, is_connected=True)

    def disconnect(self) -> None:
        assert self._session is not None
        self._queue.disconnect()
        self.cloud.delivery.settle(self.name)
        self.cloud.nodes.disconnect(self._session)
        self.cloud.plane.connection_changed(self.name, is_connected=False)

    def register(self) -> None:
        self.say("insert", f"default/nodestatus/{self.name}", {"metadata": {"labels": LABELS}})

    def post(self, ready: str = "True") -> None:
        """Post the status of the node."""
        conditions = [{"type": "Ready", "status": ready}]
        self.say("update", f"default/nodestatus/{self.name}", {"Status": {"conditions": conditions}})

    def report(self, pod: str, phase: str = "Running", **status: Any) -> None:
        """Report a pod: it runs and is ready, if nothing else is said."""
        conditions = [{"type": "Ready", "status": "True" if phase == "Running" else "False"}]
        containers = [{"name": "c", "ready": phase == "Running", "state": {"running": {}}}]
        told = {"phase": phase, "conditions": conditions, "podIP": "1.2.3.4", "containerStatuses": containers, **status}
        self.say("update", f"default/podstatus/{pod}", {"Status": told})

    def say(self, operation: str, resource: str, content: Any = None, source: str = "edged") -> Answer:
        """Say something to the cloud; answers that are due an acknowledgement get into the queue."""
        node = self.cloud.nodes.get(self.name)
        assert node is not None
        route = Route(source, "resource" if source == "twin" else "meta", operation, resource)
        request = decode(encode(Message(Header(f"{self.name}-{next(self._ids)}"), route, content)))
        return answer(request, node, self.cloud.plane, self.cloud.objects, is_ours=True)

    async def take(self, count: int = 10**9) -> list[str]:
        """Take at most ``count`` messages, acknowledge them, and return them in words."""
        lines: list[str] = []
        await settle()
        while len(lines) < count and (found := self._queue.take(self._clock.monotonic())) is not None:
            if isinstance(found, Prove):
                self._prove()
            else:
                lines.append(f"{found.operation} {found.resource}")
                self._keep(found)
                if found.due_ack:
                    self._queue.acknowledge(found.id)
            self.cloud.delivery.settle(self.name)
            await settle(2)
        self._prove()
        self.cloud.delivery.settle(self.name)
        await settle()
        return lines

    async def pass_time(self, seconds: float) -> None:
        await self._clock.advance(seconds)

    async def written(self) -> list[str]:
        """Take what is written without an acknowledgement, and return it in words."""
        await settle()
        found = self._queue.take(self._clock.monotonic())
        self.cloud.delivery.settle(self.name)
        return [f"{found.operation} {found.resource}"] if isinstance(found, Parcel) else []

    def _prove(self) -> None:
        message_id = f"proof-{next(self._ids)}"
        self._queue.proving(message_id, self._clock.monotonic())
        self._queue.acknowledge(message_id)

    def _keep(self, parcel: Parcel) -> None:
        content = json.loads(parcel.data)["content"]
        namespace, _, rest = parcel.resource.partition("/")
        if namespace == "namespace":
            kind = rest.partition("/")[2]
            for each in content:
                metadata = each["metadata"]
                self.store[f"{metadata['namespace']}/{kind}/{metadata['name']}"] = each
        elif parcel.operation == "delete":
            self.store.pop(parcel.resource, None)
            if rest.startswith("service/"):
                self.store.pop(parcel.resource.replace("/service/", "/podlist/"), None)
        elif parcel.group == "resource":
            self.store[parcel.resource] = content

    @property
    def _queue(self) -> Any:
        return self.cloud.delivery.queue(self.name)
