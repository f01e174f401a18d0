"""Accepting as the event loop does it: more handles of a socket while it is busy."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator

import pytest

from edgecore.clock import VirtualClock
from edgecore.modules.edgemesh.proxy.entrance.loopacceptor import CALM_S, HANDLES, LOOK_EVERY, LoopAcceptor
from edgecore.modules.edgemesh.proxy.gateway import Gateway
from edgecore.modules.edgemesh.proxy.limits import ProxyLimits
from edgecore.observe.metrics import Metrics
from tests.integration.edgemesh.proxy.conftest import FakeDirectory


class Greeting(asyncio.Protocol):
    def connection_made(self, transport) -> None:
        transport.write(b"hello")
        transport.close()


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def sock() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0), backlog=256) as sock:
        sock.setblocking(False)
        yield sock


@pytest.fixture
async def acceptor(clock: VirtualClock, sock: socket.socket) -> AsyncIterator[LoopAcceptor]:
    directory = FakeDirectory(clock)
    gateway = Gateway(directory, directory.upstreams, clock, Metrics(), ProxyLimits())
    acceptor = LoopAcceptor(sock, gateway, Greeting)
    await acceptor.start()
    yield acceptor
    acceptor.close()
    await gateway.close()


async def come(sock: socket.socket, number: int) -> None:
    """Be so many clients, and wait until all were served."""

    async def client() -> None:
        reader, writer = await asyncio.open_connection(*sock.getsockname())
        assert await reader.read() == b"hello"
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(client() for _ in range(number)))


async def test_busy_socket_has_more_handles_until_it_is_calm(acceptor, clock, sock) -> None:
    assert acceptor.handles == 1
    await come(sock, LOOK_EVERY - 1)
    assert acceptor.handles == 1
    await come(sock, LOOK_EVERY)
    assert acceptor.handles == HANDLES
    await clock.advance(CALM_S)
    await come(sock, LOOK_EVERY)
    assert acceptor.handles == 1
    await come(sock, 2 * LOOK_EVERY)
    assert acceptor.handles == HANDLES


async def test_few_clients_need_no_more_handles(acceptor, clock, sock) -> None:
    for _ in range(2 * LOOK_EVERY):
        await clock.advance(0.01)
        await come(sock, 1)
    assert acceptor.handles == 1


async def test_nobody_comes_in_once_it_is_closed_however_many_handles_there_were(acceptor, sock) -> None:
    await come(sock, 2 * LOOK_EVERY)
    address = sock.getsockname()
    acceptor.close()
    acceptor.close()
    sock.close()
    await asyncio.sleep(0)
    assert acceptor.handles == 0
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(*address)


async def test_socket_stays_as_it_is_when_no_file_descriptor_is_left(acceptor, sock, monkeypatch) -> None:
    def nothing_left(sock: socket.socket) -> socket.socket:
        raise OSError(24, "too many open files")

    monkeypatch.setattr(socket.socket, "dup", nothing_left)
    await come(sock, 2 * LOOK_EVERY)
    assert acceptor.handles == 1
