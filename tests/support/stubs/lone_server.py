"""A program: the DNS server on port 53 of 127.0.0.1, with services of every kind and an upstream server of its own.

It is to run where nobody else has that port: in a network namespace. It says ``ready``, and ends when its standard
input does. For each question that comes, and for each that the upstream server gets, it writes a line.
"""

import asyncio
import random
import sys
from ipaddress import IPv4Network
from typing import Any

from dnslib import QTYPE, RR, A, DNSRecord

from edgecore.clock import SystemClock
from edgecore.modules.edgemesh.dns.listening.listeners import Bind
from edgecore.modules.edgemesh.dns.recipe import Recipe
from edgecore.modules.edgemesh.dns.server import DnsServer
from edgecore.modules.edgemesh.dns.zone.nametable import NameTable
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.published import Published, PublishedPod, PublishedPort
from edgecore.observe.metrics import Metrics

LISTEN = ("127.0.0.1", 53)
UPSTREAM = ("127.0.0.53", 53)
MANY = 120
"""Pods whose addresses have no room in a packet of UDP."""
OUTSIDE = {"www.example.": ["192.0.2.7"], "big.example.": [f"192.0.2.{number}" for number in range(1, 121)]}


def services() -> NameTable:
    """Return the names."""
    names = NameTable()
    names.serve_pool(IPv4Network("127.251.0.0/16"))
    ports = (PublishedPort("http", "TCP", 80), PublishedPort("dns", "UDP", 53))
    few = tuple(PublishedPod(f"web-{number}", f"127.251.1.{number}") for number in range(2))
    many = tuple(PublishedPod(f"m-{number}", f"127.251.2.{number}") for number in range(MANY))
    for service in [
        Published(ServiceKey("default", "web"), "127.251.0.1", ports),
        Published(ServiceKey("default", "pods"), "127.251.0.2", ports[:1], few),
        Published(ServiceKey("default", "many"), None, (), many),
        Published(ServiceKey("default", "site"), None, external_name="www.example"),
        Published(ServiceKey("prod", "db"), "127.251.0.3"),
    ]:
        names.set(service)
    return names


def outside(query: bytes) -> bytes:
    """Return what the upstream server says."""
    asked = DNSRecord.parse(query)
    name = str(asked.q.qname).lower()
    sys.stdout.write(f"upstream {name} {QTYPE[asked.q.qtype]}\n")
    reply = asked.reply(aa=0)
    if name not in OUTSIDE:
        reply.header.rcode = 3
    elif asked.q.qtype == QTYPE.A:
        for address in OUTSIDE[name]:
            reply.add_answer(RR(asked.q.qname, rdata=A(address), ttl=300))
    return bytes(reply.pack())


class Upstream(asyncio.DatagramProtocol):
    """Answers on UDP; what is too long is cut."""

    def connection_made(self, transport: Any) -> None:
        """See ``asyncio.BaseProtocol``."""
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """See ``asyncio.DatagramProtocol``."""
        reply = outside(data)
        if len(reply) > 512:
            cut = DNSRecord.parse(data).reply(aa=0)
            cut.header.tc = 1
            reply = bytes(cut.pack())
        self._transport.sendto(reply, addr)


async def serve_stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one query on TCP."""
    query = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
    reply = outside(query)
    writer.write(len(reply).to_bytes(2, "big") + reply)
    writer.close()


async def main() -> None:
    """Serve until standard input ends."""
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(Upstream, local_addr=UPSTREAM)
    stream = await asyncio.start_server(serve_stream, *UPSTREAM)
    server = DnsServer(
        services(),
        Recipe(upstreams=(UPSTREAM,)),
        [Bind(*LISTEN)],
        clock=SystemClock(),
        metrics=Metrics(),
        random_id=lambda: random.randrange(65_536),
    )
    await server.start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await loop.run_in_executor(None, sys.stdin.read)
    await server.stop()
    transport.close()
    stream.close()


asyncio.run(main())
