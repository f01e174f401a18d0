"""Every query of the recording, through a whole server; the table of the unit test says what each is to get."""

import asyncio
from collections.abc import Callable
from ipaddress import IPv4Network
from typing import Any

import pytest
from dnslib import RR, A, DNSRecord

from edgecore.modules.edgemesh.dns.zone.nametable import NameTable
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.published import Published
from fuzz.packets import HEADER_BYTES, fault, recorded_queries

OUTSIDE = "203.0.113.7"
"""What the upstream server of the recording had for a.test."""


@pytest.fixture
def names() -> NameTable:
    table = NameTable()
    table.serve_pool(IPv4Network("9.251.0.0/16"))
    table.set(Published(ServiceKey("default", "nginx-svc"), "9.251.0.2"))
    table.set(Published(ServiceKey("default", "ext-svc"), None, external_name="a.test"))
    return table


def script(query: bytes) -> list[bytes]:
    asked = DNSRecord.parse(query)
    reply = asked.reply(aa=0)
    if asked.q.qname != "a.test":
        reply.header.rcode = 3
    elif asked.q.qtype == 1:
        reply.add_answer(RR("a.test", rdata=A(OUTSIDE), ttl=300))
    return [bytes(reply.pack())]


def has_answer(packet: bytes) -> bool:
    return len(packet) >= HEADER_BYTES and not packet[2] & 0x80


async def test_every_recorded_query_is_answered_as_it_must_be(
    running: Callable[..., Any], upstream: Callable[..., Any], send: Callable[..., Any]
) -> None:
    other = await upstream(script)
    async with running(upstreams=[other.address]) as server:
        for packet in recorded_queries():
            receive = send(server.addresses[0], packet)
            if has_answer(packet):
                reply = await receive()
                assert not fault(packet, reply), packet.hex()
        assert server.counts["dropped"] == 2
    assert all(b"\x07cluster\x05local" not in query for query in other.queries)


async def test_recorded_queries_over_tcp_have_the_answers_of_udp(
    running: Callable[..., Any], upstream: Callable[..., Any], send: Callable[..., Any]
) -> None:
    other = await upstream(script)
    packets = [packet for packet in recorded_queries() if has_answer(packet)]
    async with running(upstreams=[other.address]) as server:
        reader, writer = await asyncio.open_connection(*server.addresses[0])
        for packet in packets:
            expected = await send(server.addresses[0], packet)()
            writer.write(len(packet).to_bytes(2, "big") + packet)
            async with asyncio.timeout(10):
                reply = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
            assert reply == expected, packet.hex()
        writer.close()
        await writer.wait_closed()
