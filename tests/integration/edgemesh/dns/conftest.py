"""Real sockets on loopback: scripted upstream servers, a client, and the server; on asyncio's loop and on uvloop."""

import asyncio
import itertools
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from typing import Any

import pytest
import uvloop
from dnslib import RR, A, DNSRecord

from edgecore.clock import VirtualClock
from edgecore.modules.edgemesh.dns.listening.listeners import Bind
from edgecore.modules.edgemesh.dns.recipe import Recipe
from edgecore.modules.edgemesh.dns.server import DnsServer
from edgecore.modules.edgemesh.dns.zone.nametable import NameTable
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.published import Published

Script = Callable[[bytes], list[bytes]]


@pytest.hookimpl(optionalhook=True)
def pytest_asyncio_loop_factories(config: Any, item: Any) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


class ScriptedServer(asyncio.DatagramProtocol):
    """An upstream server that answers each query with the datagrams that its script returns."""

    def __init__(self, script: Script) -> None:
        self.queries: list[bytes] = []
        self.streamed: list[bytes] = []
        """Queries over TCP."""
        self.askers: list[tuple[str, int]] = []
        self.address = ("", 0)
        self._script = script
        self._asked = asyncio.Condition()
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.address = transport.get_extra_info("sockname")[:2]

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        self.queries.append(data)
        self.askers.append(addr[:2])
        for reply in self._script(data):
            self.transport.sendto(reply, addr)
        task = asyncio.ensure_future(self._tell())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _tell(self) -> None:
        async with self._asked:
            self._asked.notify_all()

    async def asked(self, times: int = 1) -> None:
        """Return once the server has had that many queries."""
        async with asyncio.timeout(10), self._asked:
            await self._asked.wait_for(lambda: len(self.queries) >= times)


def address_reply(query: bytes, address: str = "127.0.9.9") -> bytes:
    record = DNSRecord.parse(query)
    reply = record.reply(aa=0)
    reply.add_answer(RR(record.q.qname, rdata=A(address), ttl=300))
    return bytes(reply.pack())


StreamScript = Callable[[bytes], bytes | None]
"""Returns what is sent for a query over TCP, its length included, before the end; ``None``: nothing, and no end."""


@pytest.fixture
async def upstream() -> AsyncIterator[Callable[..., Awaitable[ScriptedServer]]]:
    """upstream(script): a server on loopback; without a script it gives the address 127.0.9.9.

    With ``stream`` it listens on TCP too; without it, TCP is refused.
    """
    async with AsyncExitStack() as stack:

        async def start(
            script: Script = lambda query: [address_reply(query)],
            host: str = "127.0.0.1",
            stream: StreamScript | None = None,
        ) -> ScriptedServer:
            for _ in range(50):
                transport, server = await asyncio.get_running_loop().create_datagram_endpoint(
                    lambda: ScriptedServer(script), local_addr=(host, 0)
                )
                try:
                    if stream is not None:
                        await listen(server, stream)
                except OSError:  # somebody else has that port for TCP
                    transport.close()
                    continue
                stack.callback(transport.close)
                return server
            raise AssertionError("no port is free for both UDP and TCP")

        async def listen(server: ScriptedServer, script: StreamScript) -> None:
            async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
                try:
                    size = int.from_bytes(await reader.readexactly(2), "big")
                    query = await reader.readexactly(size)
                    server.streamed.append(query)
                    sent = script(query)
                    if sent is None:
                        await reader.read()
                    else:
                        writer.write(sent)
                        await writer.drain()
                except (OSError, asyncio.IncompleteReadError):
                    pass
                finally:
                    writer.close()

            listening = await asyncio.start_server(serve, *server.address)
            stack.push_async_callback(listening.wait_closed)
            stack.callback(listening.close)

        yield start
        await asyncio.sleep(0)


@pytest.fixture
def silent() -> Script:
    return lambda _: []


@pytest.fixture
def dead_address() -> Iterator[tuple[str, int]]:
    """An address where the system answers for nobody: connected sockets take datagrams of their peer only."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.connect(("127.0.0.1", 9))
        yield sock.getsockname()


@pytest.fixture
def send() -> Iterator[Callable[[tuple[str, int], bytes], Callable[[], Awaitable[bytes]]]]:
    """receive = send(address, packet); reply = await receive()."""
    with ExitStack() as stack:

        def start(address: tuple[str, int], packet: bytes) -> Callable[[], Awaitable[bytes]]:
            sock = stack.enter_context(
                socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_DGRAM)
            )
            sock.setblocking(False)
            sock.connect(address)
            sock.send(packet)

            async def receive() -> bytes:
                async with asyncio.timeout(10):
                    return await asyncio.get_running_loop().sock_recv(sock, 65535)

            return receive

        yield start


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def names() -> NameTable:
    table = NameTable()
    table.set(Published(ServiceKey("default", "web"), "127.251.0.1"))
    return table


@pytest.fixture
def random_id() -> Callable[[], int]:
    """Not random at all: 0xaa00, 0xaa01 and so on."""
    return itertools.count(0xAA00).__next__


@pytest.fixture
def running(names, clock, metrics, random_id, tmp_path) -> Callable[..., Any]:
    """``async with running(upstreams=[...]) as server``."""

    @asynccontextmanager
    async def run(**settings: Any) -> AsyncIterator[DnsServer]:
        listen = settings.pop("listen", [("127.0.0.1", 0)])
        upstreams = settings.pop("upstreams", [])
        watch = settings.pop("watch", None)
        zones = {zone: tuple(servers) for zone, servers in settings.pop("zones", {}).items()}
        recipe = Recipe(
            upstreams=None if upstreams is None else tuple(upstreams),
            resolv_conf=str(tmp_path / "resolv.conf"),
            zones=zones,
            **settings,
        )
        binds = [Bind(*bind) for bind in listen]
        server = DnsServer(names, recipe, binds, clock=clock, metrics=metrics, random_id=random_id, watch=watch)
        await server.start()
        try:
            yield server
        finally:
            await server.stop()

    return run
