"""A stub with real sockets on loopback, and edges that are written out message by message."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect

from cloudhub_stub.app import Stub
from cloudhub_stub.settings import Settings
from edgecore.clock import Clock
from edgecore.ids import NewId, seeded_ids

IDENTITY = [("Node_id", "edge-1"), ("Project_id", "p"), ("Connectionuse", "msg"), ("Connectionuse", "msg")]


class ScriptedEdge:
    """An edge node that does what the test says."""

    def __init__(self, connection: ClientConnection, new_id: NewId) -> None:
        self.connection = connection
        self.new_id = new_id
        self.taken: list[dict[str, Any]] = []
        """What ``take_and_acknowledge`` has taken."""

    async def send(self, operation: str, resource: str, content: Any = None, **header: str) -> str:
        """Send a message as edged does, and return its id."""
        message_id = self.new_id()
        await self.connection.send(self.text(message_id, operation, resource, content, **header))
        return message_id

    def text(self, message_id: str, operation: str, resource: str, content: Any = None, **header: str) -> str:
        source, group = header.pop("source", "edged"), header.pop("group", "meta")
        document = {
            "header": {"msg_id": message_id, "timestamp": 5, **header},
            "route": {"source": source, "group": group, "operation": operation, "resource": resource},
            "content": content,
        }
        return json.dumps(document) + "\n"

    async def receive(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(await self.connection.recv())
        return document

    async def ask(self, operation: str, resource: str, content: Any = None) -> dict[str, Any]:
        """Send a request and return the answer to it."""
        message_id = await self.send(operation, resource, content)
        answer = await self.receive()
        assert answer["header"]["parent_msg_id"] == message_id
        return answer

    async def acknowledge(self, document: dict[str, Any]) -> None:
        await self.send(
            "response",
            document["route"]["resource"],
            "OK",
            parent_msg_id=document["header"]["msg_id"],
            source="edgecontroller",
            group="resource",
        )

    async def take_and_acknowledge(self, count: int) -> None:
        for _ in range(count):
            document = await self.receive()
            self.taken.append(document)
            await self.acknowledge(document)


MakeStub = Callable[..., Awaitable[Stub]]
MakeEdge = Callable[..., Awaitable[ScriptedEdge]]


@pytest.fixture
async def make_stub(tmp_path: Path) -> AsyncIterator[MakeStub]:
    """Start stubs on free ports; stopped at the end."""
    async with AsyncExitStack() as stack:

        async def make(clock: Clock | None = None, **settings: Any) -> Stub:
            all_settings = {"state_dir": tmp_path, "listen": "127.0.0.1:0", "observe": "off", **settings}
            stub = Stub(Settings(**all_settings), clock=clock, new_id=seeded_ids(1))
            await stub.start()
            stack.push_async_callback(stub.stop)
            return stub

        yield make


@pytest.fixture
async def make_edge() -> AsyncIterator[MakeEdge]:
    """Connect edges; closed at the end."""
    async with AsyncExitStack() as stack:

        async def make(
            stub: Stub, node: str = "edge-1", *, path: str = "/p/edge-1/events", agent: str = "edgecore"
        ) -> ScriptedEdge:
            headers = [(name, node if name == "Node_id" else value) for name, value in IDENTITY]
            connection = await connect(
                stub.server.url + path,
                additional_headers=headers,
                user_agent_header=agent,
                compression=None,
                ping_interval=None,
                close_timeout=1,
                max_size=None,
                proxy=None,
            )
            stack.push_async_callback(connection.close)
            return ScriptedEdge(connection, seeded_ids(2))

        yield make


@pytest.fixture
def turns() -> Callable[[Callable[[], bool]], Awaitable[None]]:
    """Return a function that lets everything go on until a condition holds; the test's own timeout ends it."""

    async def until(holds: Callable[[], bool]) -> None:
        while not holds():
            await asyncio.sleep(0.001)

    return until
