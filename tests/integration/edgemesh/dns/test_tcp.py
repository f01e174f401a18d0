"""DNS over TCP on real connections: RFC 7766, and what a connection may not do."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
from dnslib import DNSRecord
from structlog.testing import capture_logs

from edgecore.modules.edgemesh.dns.listening.tcp import PIPELINE_LIMIT
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.published import Published, PublishedPort

WEB = bytes(DNSRecord.question("web.default.svc.cluster.local").pack())


def other(number: int) -> bytes:
    packet = bytes(DNSRecord.question(f"n{number}.example").pack())
    return number.to_bytes(2, "big") + packet[2:]


def framed(packet: bytes) -> bytes:
    return len(packet).to_bytes(2, "big") + packet


class Client:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    def ask(self, *packets: bytes) -> None:
        self.writer.write(b"".join(map(framed, packets)))

    async def reply(self) -> bytes:
        async with asyncio.timeout(10):
            size = int.from_bytes(await self.reader.readexactly(2), "big")
            return await self.reader.readexactly(size)

    async def end(self) -> bytes:
        """Return what comes until the server ends the connection."""
        try:
            async with asyncio.timeout(10):
                return await self.reader.read()
        except ConnectionError:
            return b""


@pytest.fixture
async def connect() -> AsyncIterator[Callable[..., Any]]:
    async with AsyncExitStack() as stack:

        async def start(address: tuple[str, int], source: str | None = None) -> Client:
            local = None if source is None else (source, 0)
            reader, writer = await asyncio.open_connection(*address, local_addr=local)
            stack.callback(writer.close)
            return Client(reader, writer)

        yield start


async def counted(server: Any, name: str) -> None:
    """Return once the server has ended a connection for that reason."""
    async with asyncio.timeout(10):
        while not server.figures()["connections"][name]:
            await asyncio.sleep(0)


async def test_service_is_answered_with_several_queries_a_connection(running, connect):
    async with running() as server:
        client = await connect(server.addresses[0])
        client.ask(WEB, WEB)
        for _ in range(2):
            assert [str(rr.rdata) for rr in DNSRecord.parse(await client.reply()).rr] == ["127.251.0.1"]
        client.ask(WEB)
        assert (await client.reply())[:2] == WEB[:2]
        assert server.counts["answered"] == 3
        assert server.status()["connections"] == {"open": 1, "accepted": 1}


async def test_query_that_comes_byte_by_byte_is_answered(running, connect):
    async with running() as server:
        client = await connect(server.addresses[0])
        for byte in framed(WEB):
            client.writer.write(bytes((byte,)))
            await client.writer.drain()
            await asyncio.sleep(0)
        assert (await client.reply())[:2] == WEB[:2]


async def test_answer_that_takes_long_does_not_hold_up_those_behind_it(running, connect, upstream, silent):
    slow = await upstream(silent)
    async with running(upstreams=[slow.address]) as server:
        client = await connect(server.addresses[0])
        client.ask(other(1), WEB)
        assert (await client.reply())[:2] == WEB[:2]
        await slow.asked()
        asked = slow.queries[0]
        slow.transport.sendto(asked[:2] + b"\x81\x83\0\1\0\0\0\0\0\0" + asked[12:-11], slow.askers[0])
        reply = await client.reply()
        assert (reply[:2], reply[3] & 15) == (b"\0\1", 3)


async def test_queries_beyond_the_pipeline_wait_and_are_answered_too(running, connect, upstream):
    quick = await upstream()
    async with running(upstreams=[quick.address]) as server:
        client = await connect(server.addresses[0])
        total = 2 * PIPELINE_LIMIT + 3
        client.ask(*map(other, range(total)))
        replies = [await client.reply() for _ in range(total)]
    assert sorted(reply[:2] for reply in replies) == [number.to_bytes(2, "big") for number in range(total)]
    assert {reply[3] & 15 for reply in replies} == {0}


async def test_client_that_has_asked_all_gets_its_answers_and_the_end(running, connect, upstream):
    quick = await upstream()
    async with running(upstreams=[quick.address]) as server:
        client = await connect(server.addresses[0])
        client.ask(other(7), WEB)
        client.writer.write_eof()
        assert sorted([(await client.reply())[:2], (await client.reply())[:2]]) == sorted([WEB[:2], b"\0\7"])
        assert await client.end() == b""


async def test_connection_without_queries_is_ended_after_ten_seconds(running, connect, clock):
    async with running() as server:
        busy, idle, half = [await connect(server.addresses[0]) for _ in range(3)]
        half.writer.write(framed(WEB)[:9])
        idle.ask(WEB)
        await idle.reply()
        await clock.advance(6)
        busy.ask(WEB)
        await busy.reply()
        await clock.advance(5)
        assert (await idle.end(), await half.end()) == (b"", b"")
        busy.ask(WEB)
        assert (await busy.reply())[:2] == WEB[:2]
        assert server.status()["connections"] == {"open": 1, "accepted": 3, "idle": 2}


async def test_query_under_way_keeps_its_connection(running, connect, upstream, silent, clock):
    slow = await upstream(silent)
    async with running(upstreams=[slow.address]) as server:
        client = await connect(server.addresses[0])
        client.ask(other(1))
        await slow.asked()
        await clock.advance(4.5)
        assert (await client.reply())[3] & 15 == 2


async def test_client_that_takes_no_answers_is_dropped(running, clock):
    async with running() as server:
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            client.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(client, server.addresses[0])
            sending = asyncio.create_task(loop.sock_sendall(client, framed(WEB) * 200_000))
            before = -1
            while server.counts["answered"] != before:  # until the server reads no more
                before = server.counts["answered"]
                for _ in range(200):
                    await asyncio.sleep(0)
            await clock.advance(6)
            await counted(server, "slow_reader")
            assert len(server._answering.listeners.connections) == 0
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "too_long"),
        (b"\0\5hello", "short"),
        (framed(WEB[:2] + b"\x81" + WEB[3:]), "not_a_query"),
    ],
    ids=["http", "short", "a reply"],
)
async def test_what_is_no_query_ends_the_connection_and_is_counted(sent, reason, running, connect, metrics):
    async with running() as server:
        client = await connect(server.addresses[0])
        client.writer.write(sent)
        assert await client.end() == b""
        assert server.status()["bad_packets"] == {reason: 1}
        assert server.status()["connections"] == {"open": 0, "accepted": 1, "no_query": 1}
        assert b'edgecore_dns_tcp_connections_total{outcome="no_query"} 1.0' in metrics.render()


async def test_unreadable_query_gets_formerr_and_the_connection_goes_on(running, connect):
    async with running() as server:
        client = await connect(server.addresses[0])
        client.ask(WEB[:-3], WEB)
        assert sorted([(await client.reply())[3] & 15 for _ in range(2)]) == [0, 1]


async def test_client_has_as_many_connections_as_are_free_and_others_find_some(running, connect):
    async with running(connections_limit=6) as server:
        mine = [await connect(server.addresses[0]) for _ in range(3)]
        assert await (await connect(server.addresses[0])).end() == b""
        theirs = await connect(server.addresses[0], "127.0.0.2")
        for client in (*mine, theirs):
            client.ask(WEB)
            assert (await client.reply())[:2] == WEB[:2]
        assert server.status()["connections"] == {"open": 4, "accepted": 4, "refused": 1}
        assert server.figures()["surplus"] == {"client_share": 1}


async def test_question_that_a_fault_of_ours_leaves_unanswered_is_logged_and_ends_its_connection(
    running, connect, names
):
    async with running() as server:

        async def fail(*_: Any) -> None:
            raise RuntimeError("a fault")

        server.resolver._answered = fail
        client = await connect(server.addresses[0])
        with capture_logs() as logs:
            client.ask(other(1))
            assert await client.end() == b""
        assert server.status()["in_flight"] == 0
    assert [entry["event"] for entry in logs if entry["log_level"] == "error"] == ["dns_query_not_handled"]


async def test_stop_ends_all_connections(running, connect):
    async with running() as server:
        client = await connect(server.addresses[0])
        client.ask(WEB)
        await client.reply()
        await server.stop()
        assert await client.end() == b""


async def test_long_answer_is_whole_over_tcp_and_truncated_over_udp(running, connect, send, names):
    ports = tuple(PublishedPort(f"port-number-{number:03}", "TCP", number + 1) for number in range(100))
    names.set(Published(ServiceKey("default", "many"), "127.251.0.7", ports))
    packet = bytes(DNSRecord.question("many.default.svc.cluster.local", "SRV").pack())
    async with running() as server:
        cut = await send(server.addresses[0], packet)()
        client = await connect(server.addresses[0])
        client.ask(packet)
        whole = await client.reply()
    assert (cut[2] & 2, len(cut) <= 512) == (2, True)
    assert (whole[2] & 2, len(DNSRecord.parse(whole).rr)) == (0, 100)
