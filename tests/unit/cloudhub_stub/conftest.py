"""Doubles and builders for tests of the stub without sockets."""

import json
from typing import Any, Protocol

import pytest

from cloudhub_stub.cloud import Cloud
from cloudhub_stub.errors import NodeLost
from cloudhub_stub.nodes import Nodes
from cloudhub_stub.objects import Objects
from edgecore.beehive.message import Header, Message, Route
from edgecore.beehive.wire import encode
from edgecore.clock import VirtualClock
from edgecore.ids import NewId
from edgecore.observe.metrics import Metrics


class RecordingSocket:
    """Keeps what is sent; ``broken`` makes it refuse like a closed connection."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.hung_up: list[str] = []
        self.broken = False

    async def send(self, data: bytes) -> None:
        if self.broken:
            raise NodeLost("cannot send: closed")
        self.frames.append(data)

    def hang_up(self, reason: str) -> None:
        self.hung_up.append(reason)

    @property
    def sent(self) -> list[dict[str, Any]]:
        return [json.loads(frame) for frame in self.frames]


class MakeMessage(Protocol):
    def __call__(self, operation: str, resource: str, content: Any = None, **header: str) -> Message: ...


@pytest.fixture
def cloud(vclock: VirtualClock, ids: NewId, metrics: Metrics) -> Cloud:
    nodes = Nodes(vclock, ids, keepalive_timeout_s=30.0, max_nodes=3)
    return Cloud(vclock, ids, metrics, nodes, Objects())


@pytest.fixture
def make_socket() -> type[RecordingSocket]:
    return RecordingSocket


@pytest.fixture
def message() -> MakeMessage:
    def make(operation: str, resource: str, content: Any = None, **header: str) -> Message:
        source, group = header.pop("source", "edged"), header.pop("group", "meta")
        head = Header(header.get("id", "m1"), header.get("parent", ""), 1, header.get("version", ""))
        return Message(head, Route(source, group, operation, resource), content)

    return make


@pytest.fixture
def frame(message: MakeMessage) -> Any:
    """Return the bytes of a message, as ``message`` takes its parts."""

    def make(*parts: Any, **header: str) -> bytes:
        return encode(message(*parts, **header)) + b"\n"

    return make
