"""A whole server, its clients and its upstream server gone mad: changed packets through real sockets."""

import asyncio
import os
import random
import socket
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from ipaddress import IPv4Network, IPv6Network
from typing import Any

import pytest

from edgecore.clock import VirtualClock
from edgecore.modules.edgemesh.dns.packets.packet import QUERY_LIMIT_BYTES
from edgecore.modules.edgemesh.dns.resolver.resolved import ResolverSettings
from edgecore.modules.edgemesh.dns.server import DnsServer
from edgecore.modules.edgemesh.dns.zone.nametable import NameTable
from edgecore.modules.edgemesh.dns.zone.search import SearchList
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.published import Published, PublishedPod, PublishedPort
from fuzz.health import Complaints, Growth
from fuzz.packets import Packet, PacketMutator, fault, query, upstream_reply, wire

PACKETS = {"udp": 350_000, "tcp": 120_000, "lies": 50_000}
"""Of each kind on each of the two event loops, in a long run: a million in all."""
SHARE = 1 / 50
"""In a short run so many of them."""
CACHE_SIZE = 200
"""So few that it is full when the process is looked at for the first time."""
BATCH = 32
PATIENCE_S = 20.0
RESEND_S = 0.5
"""The system may drop a packet; real clients ask again, too."""
LIMIT_BYTES = 1232
"""What a reply on UDP may have."""
AMPLIFICATION_LIMIT = LIMIT_BYTES / 28
"""Bytes out for a byte in: such a reply needs a question for the root at least, with an OPT record."""
CLUSTER = "default.svc.cluster.local"
NAMES = (
    *("web", "web.default", "web.default.svc", f"web.{CLUSTER}", f"pods.{CLUSTER}", f"many.{CLUSTER}"),
    *(f"_http._tcp.web.{CLUSTER}", f"_http._tcp.many.{CLUSTER}", f"web-3.pods.{CLUSTER}", f"site.{CLUSTER}"),
    *(f"circle.{CLUSTER}", f"nothing.{CLUSTER}", CLUSTER, "cluster.local", "dns-version.cluster.local"),
    *("ns.dns.cluster.local", f"www.example.{CLUSTER}", f"web.default.{CLUSTER}", "db.prod.svc.cluster.local"),
    *("1.0.251.127.in-addr.arpa", "9.9.251.127.in-addr.arpa", "251.127.in-addr.arpa", "1.0.0.127.in-addr.arpa"),
    *("www.example", "a.test", "x.example", "", "local", "arpa", "example.svc", "*.example", "xn--bcher-kva.example"),
)


def filled() -> NameTable:
    """Return a table with something of every kind."""
    names = NameTable(
        ipv6_prefix=IPv6Network("fd00:ec::/96"), search=SearchList(["corp.example"]), domains=("edge.test",)
    )
    names.serve_pool(IPv4Network("127.251.0.0/16"))
    http, metrics = PublishedPort("http", "TCP", 80), PublishedPort("metrics", "UDP", 9090)
    few = tuple(PublishedPod(f"web-{number}", f"127.251.1.{number}") for number in range(5))
    many = tuple(PublishedPod(f"m-{number}", f"127.251.2.{number}") for number in range(200))
    for name, address, ports, pods, external in [
        ("web", "127.251.0.1", (http, metrics), (), ""),
        ("pods", "127.251.0.2", (http,), few, ""),
        ("many", None, (http, metrics), many, ""),
        ("site", None, (), (), "www.example"),
        ("inner", None, (), (), f"web.{CLUSTER}"),
        ("circle", None, (), (), f"circle.{CLUSTER}"),
    ]:
        names.set(Published(ServiceKey("default", name), address, ports, pods, external))
    names.set(Published(ServiceKey("prod", "db"), "127.251.0.3", is_ready=False))
    return names


@pytest.fixture
def names() -> NameTable:
    return filled()


@pytest.fixture
def packets(request: pytest.FixtureRequest, scale: int) -> Callable[[str], PacketMutator]:
    """packets(kind): what changes the packets of a test; the loops of a test have numbers of their own."""
    seed = int(os.environ.get("EDGECORE_FUZZ_SEED") or request.config.getoption("randomly_seed", default=1))

    def make(kind: str) -> PacketMutator:
        count = PACKETS[kind] if scale > 1 else int(PACKETS[kind] * SHARE)
        first = count if "uvloop" in request.node.name else 0
        numbers = os.environ.get("EDGECORE_FUZZ_FRAMES", f"{first}:{first + count}")
        start, end = map(int, numbers.split(":"))
        return PacketMutator(NAMES, seed, range(start, end))

    return make


@pytest.fixture
def tell(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """tell(line): print it, whether the test passes or not."""
    reporter = request.config.pluginmanager.get_plugin("terminalreporter")

    def write(line: str) -> None:
        with capsys.disabled():
            reporter.ensure_newline()
            reporter.write_line(f"  {line}")

    return write


class Upstream(asyncio.DatagramProtocol):
    """An upstream server, on UDP and TCP of one port. ``replies`` returns what it sends for its query of a number."""

    def __init__(self, replies: Callable[[int, bytes], list[bytes]]) -> None:
        self.replies = replies
        self.asked = 0
        self.address = ("", 0)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.address = transport.get_extra_info("sockname")[:2]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        for reply in self._next(data):
            self.transport.sendto(reply, addr)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the queries of one connection, each reply with a length before it that may be wrong."""
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                size = int.from_bytes(await reader.readexactly(2), "big")
                asked = await reader.readexactly(size)
                for reply in self._next(asked):
                    wrong = 1 if self.asked % 7 == 0 else 0
                    writer.write((len(reply) + wrong).to_bytes(2, "big") + reply)
                if self.asked % 3 == 0:
                    break
        writer.close()

    def _next(self, asked: bytes) -> list[bytes]:
        self.asked += 1
        return self.replies(self.asked, asked)


@pytest.fixture
async def other() -> AsyncIterator[Callable[..., Any]]:
    """``async with other(replies) as upstream``."""

    @asynccontextmanager
    async def run(replies: Callable[[int, bytes], list[bytes]]) -> AsyncIterator[Upstream]:
        for _ in range(50):
            transport, upstream = await asyncio.get_running_loop().create_datagram_endpoint(
                lambda: Upstream(replies), local_addr=("127.0.0.1", 0)
            )
            try:
                stream = await asyncio.start_server(upstream.serve, *upstream.address)
            except OSError:  # somebody else has that port for TCP
                transport.close()
            else:
                break
        else:
            raise AssertionError("no port is free for both UDP and TCP")
        try:
            yield upstream
        finally:
            transport.close()
            stream.close()
            await stream.wait_closed()
            await asyncio.sleep(0)

    return run


def honest(number: int, asked: bytes) -> list[bytes]:
    return [upstream_reply(asked, random.Random(number))]


class Ledger:
    """What was asked and what came back, and whether it is as it must be."""

    def __init__(self) -> None:
        self.sent = 0
        self.rcodes: Counter[int] = Counter()
        self.worst = 0.0
        self.worst_packet: tuple[bytes, bytes] = (b"", b"")
        self.longest = 0

    def check(self, asked: bytes, reply: bytes, *, is_tcp: bool = False) -> None:
        """Count a reply; fail if it is not as it must be."""
        wrong = fault(asked, reply, is_tcp=is_tcp)
        assert not wrong, f"{wrong}: {asked.hex()} got {reply.hex()}"
        self.rcodes[reply[3] & 15] += 1
        self.longest = max(self.longest, len(reply))
        gain = len(reply) / len(asked)
        if gain > self.worst:
            self.worst, self.worst_packet = gain, (asked, reply)

    def __str__(self) -> str:
        asked, reply = self.worst_packet
        return (
            f"{self.sent} packets, replies by rcode {dict(sorted(self.rcodes.items()))}, longest {self.longest}; "
            f"most bytes for one: {self.worst:.1f} ({len(reply)} for {len(asked)}: {asked.hex()})"
        )


def numbered(batch: list[Packet]) -> list[Packet]:
    """Return the packets with their number as the id, so that replies find them."""
    return [
        packet._replace(payload=(packet.number & 0xFFFF).to_bytes(2, "big") + packet.payload[2:])
        if len(packet.payload) > 1
        else packet
        for packet in batch
    ]


class MadClient:
    """A client on UDP that sends whatever it is given, and waits for what it must get."""

    def __init__(self, address: tuple[str, int], clock: VirtualClock, ledger: Ledger) -> None:
        self._sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sock.setblocking(False)
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._sock.connect(address)
        self._clock = clock
        self._ledger = ledger
        self._asked_twice: deque[int] = deque(maxlen=1000)

    async def ask(self, batch: list[Packet]) -> None:
        """Send all; return when each that is to have a reply has one, and no other has."""
        waiting = {packet.number & 0xFFFF: packet.payload for packet in batch if packet.has_reply}
        for packet in batch:
            self._sock.send(packet.payload)
            self._ledger.sent += 1
        loop = asyncio.get_running_loop()
        resend_at = loop.time() + RESEND_S
        async with asyncio.timeout(PATIENCE_S):
            while waiting:
                try:
                    reply = self._sock.recv(65535)
                except BlockingIOError:
                    await asyncio.sleep(0.0005)
                    await self._clock.advance(0.05)  # questions to silent servers end by this clock
                    if loop.time() > resend_at:
                        resend_at += RESEND_S
                        for number, payload in waiting.items():
                            self._asked_twice.append(number)
                            self._sock.send(payload)
                    continue
                number = int.from_bytes(reply[:2], "big")
                assert number in waiting or number in self._asked_twice, f"nobody waits for {reply.hex()}"
                if number in waiting:
                    self._ledger.check(waiting.pop(number), reply)

    def close(self) -> None:
        self._sock.close()


class MadStream:
    """A client on TCP: a connection for each batch, cut into segments anywhere, and then something that is no query."""

    def __init__(self, address: tuple[str, int], clock: VirtualClock, ledger: Ledger) -> None:
        self._address = address
        self._clock = clock
        self._ledger = ledger

    async def ask(self, batch: list[Packet]) -> None:
        """Send all queries; return when each has a reply, and the server has ended what had to be ended."""
        rng = random.Random(batch[0].number)
        queries = [packet for packet in batch if packet.has_reply and len(packet.payload) <= QUERY_LIMIT_BYTES]
        others = [packet.payload for packet in batch if packet not in queries]
        self._ledger.sent += len(queries) + bool(others)
        ticking = asyncio.ensure_future(self._tick())
        reader, writer = await asyncio.open_connection(*self._address)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._send(writer, b"".join(framed(packet.payload) for packet in queries), rng)
                is_done = rng.random() < 0.3
                if is_done:
                    writer.write_eof()
                await self._read_replies(reader, queries)
                if others and not is_done:
                    writer.write(framed(rng.choice(others)))
                elif not is_done:
                    writer.write(rng.choice((b"", b"\0", b"\x01\x00abc")))
                    writer.write_eof()
                with suppress(ConnectionResetError):
                    assert not await reader.read(), "more than was asked for"
        finally:
            ticking.cancel()
            writer.transport.abort()
            await asyncio.wait([ticking])

    async def _send(self, writer: asyncio.StreamWriter, frames: bytes, rng: random.Random) -> None:
        places = sorted(rng.randint(0, len(frames)) for _ in range(rng.choice((0, 1, 5, 20))))
        for start, end in zip([0, *places], [*places, len(frames)], strict=True):
            writer.write(frames[start:end])
            await asyncio.sleep(0)

    async def _read_replies(self, reader: asyncio.StreamReader, queries: list[Packet]) -> None:
        waiting = {packet.number & 0xFFFF: packet.payload for packet in queries}
        while waiting:
            reply = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
            number = int.from_bytes(reply[:2], "big")
            assert number in waiting, f"nobody waits for {reply.hex()}"
            self._ledger.check(waiting.pop(number), reply, is_tcp=True)

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(0.001)
            await self._clock.advance(0.05)  # questions to silent servers end by this clock

    def close(self) -> None:
        """Nothing is left open."""


def framed(payload: bytes) -> bytes:
    """Return a packet as it goes over TCP."""
    return len(payload).to_bytes(2, "big") + payload


async def ask_all(
    client: Any, source: PacketMutator, complaints: Complaints, growth: Growth, *, size: int = BATCH
) -> None:
    """Have the client ask everything, and look at the server's health meanwhile."""
    for number, batch in enumerate(map(numbered, source.batches(size)), 1):
        try:
            await client.ask(batch)
            assert not complaints.found
        except Exception as error:
            pytest.fail(source.repeat_with(batch, f"{type(error).__name__}: {error}; {complaints.found}"))
        if number % 50 == 0:
            growth.look(number * size)


async def check_after(server: DnsServer, address: tuple[str, int], send: Any, clock: VirtualClock) -> None:
    """The server answers as before, and nothing is left of what was asked."""
    reply = await send(address, query(wire("web")))()
    assert reply[-4:] == bytes((127, 251, 0, 1))
    await clock.advance(10)
    assert server.status()["in_flight"] == 0
    assert len(asyncio.all_tasks()) < 20


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", PACKETS)
async def test_no_packet_harms_the_server_and_every_reply_is_as_it_must_be(
    kind: str,
    running: Any,
    other: Any,
    send: Any,
    clock: VirtualClock,
    packets: Callable[[str], PacketMutator],
    complaints: Complaints,
    growth: Growth,
    tell: Callable[[str], None],
) -> None:
    source, ledger = packets(kind), Ledger()
    async with (
        other(source.lies if kind == "lies" else honest) as upstream,
        running(upstreams=[upstream.address], resolving=ResolverSettings(cache_size=CACHE_SIZE)) as server,
    ):
        client = (MadStream if kind == "tcp" else MadClient)(server.addresses[0], clock, ledger)
        try:
            await ask_all(client, source, complaints, growth)
        finally:
            client.close()
        await check_after(server, server.addresses[0], send, clock)
    growth.check()
    if kind != "tcp":
        assert ledger.worst <= AMPLIFICATION_LIMIT, str(ledger)
        assert ledger.longest <= LIMIT_BYTES
    tell(f"seed {source.seed}, {kind}: {ledger}; upstream asked {upstream.asked} times")
