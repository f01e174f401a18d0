import asyncio
import errno
import socket
from collections.abc import AsyncIterator

import pytest

from edgecore.clock import VirtualClock, settle
from edgecore.errors import ListenError
from edgecore.modules.edgemesh.intercept.rootless import Place, RootlessListeners
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.upstream.spec import Transport

WEB = ServiceKey("default", "web")
ADDRESS = "127.218.0.1"

pytestmark = pytest.mark.skipif(
    not hasattr(socket, "SO_DOMAIN"), reason="only Linux has the whole of 127.0.0.0/8 on its loopback interface"
)


async def listen(address: str, port: int, service: ServiceKey, transport: Transport) -> asyncio.Server:
    """Listen with a server that says the service's name."""

    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(str(service).encode())
        writer.close()

    try:
        return await asyncio.start_server(greet, address, port)
    except OSError as error:
        reason = "in_use" if error.errno == errno.EADDRINUSE else "failed"
        raise ListenError(f"{address}:{port}", reason, str(error)) from error


async def greeting(port: int) -> bytes:
    reader, writer = await asyncio.open_connection(ADDRESS, port)
    text = await reader.read()
    writer.close()
    await writer.wait_closed()
    return text


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
async def listeners(clock: VirtualClock) -> AsyncIterator[RootlessListeners]:
    listeners = RootlessListeners(listen, clock, 5.0)
    yield listeners
    await listeners.stop()


@pytest.fixture
def wildcard() -> socket.socket:
    """A listener on all addresses, as any other program may have."""
    listening = socket.socket()
    listening.bind(("0.0.0.0", 0))
    listening.listen()
    return listening


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((ADDRESS, 0))
        return int(probe.getsockname()[1])


async def test_a_fake_ip_is_listened_at_without_privilege(listeners: RootlessListeners) -> None:
    port = free_port()

    listeners.set(WEB, ADDRESS, [(port, "tcp")])
    await settle()

    assert await greeting(port) == b"default/web"


async def test_a_removed_service_refuses_connections_at_once(listeners: RootlessListeners) -> None:
    port = free_port()
    listeners.set(WEB, ADDRESS, [(port, "tcp")])
    await settle()

    listeners.remove(WEB)

    with pytest.raises(ConnectionRefusedError):
        await greeting(port)


async def test_a_port_taken_by_a_wildcard_listener_is_bound_once_that_is_gone(
    listeners: RootlessListeners, clock: VirtualClock, wildcard: socket.socket
) -> None:
    port = wildcard.getsockname()[1]
    listeners.set(WEB, ADDRESS, [(port, "tcp")])
    await settle()
    assert listeners.problem(Place(WEB, ADDRESS, port)) == "in_use"

    wildcard.close()
    await clock.advance(5.0)

    assert listeners.problem(Place(WEB, ADDRESS, port)) is None
    assert await greeting(port) == b"default/web"
