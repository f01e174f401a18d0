"""Control servers on sockets of their own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from edgecore.control.client import ControlClient
from edgecore.control.routes import Routes
from edgecore.control.server import ControlServer

Serve = Callable[[Routes], Awaitable[ControlServer]]
Ask = Callable[..., Coroutine[Any, Any, bytes]]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "node.sock"


@pytest.fixture
def client(path: Path) -> ControlClient:
    """A client of what listens on ``path``. It blocks: to be called in a thread."""
    return ControlClient(path, timeout_s=10)


@pytest.fixture
async def serve(path: Path) -> AsyncIterator[Serve]:
    """Start a server with the given routes; it is stopped after the test."""
    servers: list[ControlServer] = []

    async def start(routes: Routes) -> ControlServer:
        server = ControlServer(path, routes)
        await server.start()
        servers.append(server)
        return server

    yield start
    for server in servers:
        await server.stop()


@pytest.fixture
def ask(path: Path) -> Ask:
    """Send a request line and more, and return all that comes back until the end."""

    async def send(line: str, body: bytes = b"") -> bytes:
        reader, writer = await asyncio.open_unix_connection(path)
        head = f"{line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n"
        writer.write(head.encode() + body)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
        return answer

    return send
