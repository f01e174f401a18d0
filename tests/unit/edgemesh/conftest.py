"""Objects of the mesh as tests need them: services and pods written short, messages, and the recorded traffic."""

import asyncio
import json
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest

from edgecore import kube
from edgecore.beehive import wire
from edgecore.beehive.message import Header, Message, Route
from edgecore.errors import ListenError
from edgecore.modules.edgemesh.names import Endpoint, ServiceKey
from edgecore.modules.edgemesh.upstream.spec import Transport
from edgecore.recording.entries import CloudFrame, Direction
from edgecore.recording.reader import read_entries
from edgecore.store.store import Statement

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture
def make_message() -> Callable[..., Message]:
    """``make_message(operation, resource, content)``: a message of the cloud, its content still bytes of the wire."""
    numbers = count(1)

    def make(operation: str, resource: str, content: Any = None) -> Message:
        header = Header(f"message-{next(numbers)}")
        route = Route("edgecontroller", "resource", operation, resource)
        return Message(header, route, None if content is None else msgspec.Raw(json.dumps(content).encode()))

    return make


@pytest.fixture
def make_service() -> Callable[..., kube.Service]:
    """``make_service(key, (name, port, target), ...)``: a service with TCP ports."""

    def make(key: ServiceKey, *ports: tuple[str, int, int | str]) -> kube.Service:
        return kube.Service(
            kube.ServiceMetadata(key.name, key.namespace),
            kube.ServiceSpec(
                tuple(kube.ServicePort(name, "TCP", port, target) for name, port, target in ports), {"app": key.name}
            ),
        )

    return make


@pytest.fixture
def make_pod() -> Callable[..., kube.Pod]:
    """``make_pod(name, host_ip, (container_port, host_port), ...)``: a running pod with TCP ports."""

    def make(name: str, host_ip: str, *ports: tuple[int, int]) -> kube.Pod:
        declared = tuple(kube.ContainerPort("", "TCP", container, host) for container, host in ports)
        return kube.Pod(
            kube.Metadata(name, "default"),
            kube.PodSpec((kube.Container("main", declared),)),
            kube.PodStatus("Running", host_ip),
        )

    return make


@pytest.fixture
def make_named_pod(make_pod: Callable[..., kube.Pod]) -> Callable[..., kube.Pod]:
    """``make_named_pod(hostname, service, host_ip, (container_port, host_port), ...)``: one that has a name."""

    def make(hostname: str, service: str, host_ip: str = "10.0.0.1", *ports: tuple[int, int]) -> kube.Pod:
        pod = make_pod(hostname, host_ip, *(ports or ((80, 8000),)))
        return msgspec.structs.replace(
            pod, spec=msgspec.structs.replace(pod.spec, hostname=hostname, subdomain=service)
        )

    return make


@pytest.fixture
def make_external() -> Callable[[ServiceKey, str], kube.Service]:
    """``make_external(key, name)``: a service of type ExternalName."""

    def make(key: ServiceKey, name: str) -> kube.Service:
        spec = kube.ServiceSpec(type="ExternalName", external_name=name)
        return kube.Service(kube.ServiceMetadata(key.name, key.namespace), spec)

    return make


@pytest.fixture
def recorded_messages() -> Callable[[str], list[Message]]:
    """``recorded_messages(name)``: what the cloud sent in a recording and nobody had asked for, in order."""

    def read(name: str) -> list[Message]:
        frames = [entry for entry in read_entries(DATA / name) if isinstance(entry, CloudFrame)]
        messages = [wire.decode(frame.text) for frame in frames if frame.direction is Direction.TO_EDGE]
        return [message for message in messages if message.route.operation != "response"]

    return read


class FakeMeta:
    """MetaManager's rows as EdgeMesh sees them; what it is asked and told is in ``calls``."""

    def __init__(self) -> None:
        self.stored_services: list[bytes] = []
        self.pod_lists: dict[tuple[str, str], bytes] = {}
        self.stored_pods: list[bytes] = []
        self.stored_endpoints: list[bytes] = []
        self.listener_rows: dict[tuple[str, str], str] = {}
        self.calls: list[tuple[str, ...]] = []
        self.failures: list[Exception] = []
        """Raised by the next calls, one each."""
        self.open = asyncio.Event()
        """While it is cleared, nobody is told which services there are."""
        self.open.set()

    def _call(self, *call: str) -> None:
        self.calls.append(call)
        if self.failures:
            raise self.failures.pop(0)

    async def services(self) -> list[bytes]:
        self._call("services")
        await self.open.wait()
        return list(self.stored_services)

    async def every_endpoints(self) -> list[bytes]:
        self._call("every_endpoints")
        return list(self.stored_endpoints)

    async def pods(self) -> list[bytes]:
        self._call("pods")
        return list(self.stored_pods)

    async def pod_list(self, namespace: str, name: str) -> bytes | None:
        self._call("pod_list", namespace, name)
        return self.pod_lists.get((namespace, name))

    async def listener(self, namespace: str, name: str) -> str | None:
        self._call("listener", namespace, name)
        return self.listener_rows.get((namespace, name))

    async def listeners(self) -> list[bytes]:
        self._call("listeners")
        return list(map(msgspec.json.encode, self.listener_rows.values()))

    async def set_listener(self, namespace: str, name: str, address: str) -> None:
        self._call("set_listener", namespace, name, address)
        self.listener_rows[namespace, name] = address

    async def delete_listener(self, namespace: str, name: str) -> None:
        self._call("delete_listener", namespace, name)
        del self.listener_rows[namespace, name]


class FakeStore:
    """Takes statements and commits them when it is let."""

    def __init__(self) -> None:
        self.committed: list[tuple[Any, ...]] = []
        """First word of each statement, and its parameters, in the order of the commits."""
        self.failures: list[Exception] = []
        self.begun = 0
        """How many writes were asked for."""
        self.open = asyncio.Event()
        self.open.set()
        self.answers: dict[str, list[tuple[Any, ...]]] = {}
        """Table name to the rows that a query of it returns."""

    async def write(self, *statements: Statement) -> None:
        self.begun += 1
        if self.failures:
            raise self.failures.pop(0)
        await self.open.wait()
        self.committed.extend((statement.sql.split()[0], *statement.params) for statement in statements)

    def submit(self, *statements: Statement) -> asyncio.Future[None]:
        return asyncio.ensure_future(self.write(*statements))

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        return next((rows for table, rows in self.answers.items() if table in sql), [])


@pytest.fixture
def meta() -> FakeMeta:
    return FakeMeta()


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


class FakeListener:
    """Listens nowhere; ``closed`` says that it was closed."""

    def __init__(self, address: Endpoint) -> None:
        self.address = address
        self.closed = False

    def close(self) -> None:
        self.closed = True


class ScriptedListen:
    """Gives out listeners, or the errors that it was told to raise for an address and port."""

    def __init__(self) -> None:
        self.tried: list[tuple[str, int]] = []
        self.listeners: dict[tuple[str, int], FakeListener] = {}
        self.errors: dict[tuple[str, int], Exception] = {}
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(
        self, address: str, port: int, service: ServiceKey | None, transport: Transport = "tcp"
    ) -> FakeListener:
        self.tried.append((address, port))
        await self.open.wait()
        if (address, port) in self.errors:
            raise self.errors[address, port]
        listener = self.listeners[address, port] = FakeListener(Endpoint(address, port))
        return listener

    @property
    def listening(self) -> list[tuple[str, int]]:
        return [place for place, listener in self.listeners.items() if not listener.closed]

    def refuse(self, address: str, port: int, reason: str = "in_use") -> None:
        self.errors[address, port] = ListenError(f"{address}:{port}", reason, "refused by the test")


@pytest.fixture
def listen() -> ScriptedListen:
    return ScriptedListen()
