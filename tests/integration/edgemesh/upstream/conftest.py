"""Both event loops, and servers that do as a test tells them."""

import asyncio
import contextlib
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import pytest
import uvloop

from edgecore.modules.edgemesh.names import Endpoint

Serve = Callable[[StreamReader, StreamWriter], Coroutine[Any, Any, None]]
StartServer = Callable[..., Awaitable[Endpoint]]


@pytest.hookimpl(optionalhook=True)
def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.SelectorEventLoop}


@pytest.fixture
async def start_server() -> AsyncIterator[StartServer]:
    """start_server(serve, **options of asyncio.start_server): a server on loopback; all is stopped afterwards."""
    servers: list[asyncio.Server] = []
    tasks: set[asyncio.Task[Any]] = set()

    async def start(serve: Serve, *, host: str = "127.0.0.1", port: int = 0, **options: Any) -> Endpoint:
        async def accepted(reader: StreamReader, writer: StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await serve(reader, writer)
            tasks.discard(task)
            writer.transport.abort()

        server = await asyncio.start_server(accepted, host, port, **options)
        servers.append(server)
        return Endpoint(*server.sockets[0].getsockname()[:2])

    yield start
    for server in servers:
        server.close()
    for task in list(tasks):
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
