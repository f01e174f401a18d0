"""Queries as the resolvers of other systems write them: flags, EDNS options, sizes."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from dnslib import DNSRecord

from fuzz.packets import opt, query, wire

COOKIE = b"\0\x0a\0\x08\x01\x23\x45\x67\x89\xab\xcd\xef"
KEEPALIVE = b"\0\x0b\0\0"
PADDING = b"\0\x0c\0\x10" + bytes(16)
UNDERSTOOD = b"\0\x05\0\7\x05\x07\x08\x0a\x0d\x0e\x0f"  # DAU (RFC 6975): algorithms, as validating stubs send them
RD, AD, CD = 0x0100, 0x0020, 0x0010
STUBS = {
    "musl, and glibc without options": (RD, b""),
    "glibc with options edns0": (RD, opt(1232)),
    "glibc with options edns0 trust-ad": (RD | AD, opt(1232)),
    "Go": (RD | AD, opt(1232)),
    "c-ares": (RD, opt(1232, data=COOKIE)),
    "systemd-resolved": (RD, opt(512)),
    "systemd-resolved on loopback, DNSSEC=allow-downgrade": (RD | CD, opt(65494, flags=0x8000, data=UNDERSTOOD)),
    "systemd-resolved after a failure, plain UDP": (RD, b""),
    "unbound as a forwarder": (RD | CD, opt(1232, flags=0x8000)),
    "dnsmasq as a forwarder": (RD, opt(4096)),
    "BIND as a forwarder": (RD | CD, opt(1232, flags=0x8000, data=COOKIE)),
    "Android over TLS": (RD | AD, opt(8192, data=PADDING)),
    "Windows": (RD, b""),
    "getdns over TCP": (RD, opt(1232, data=KEEPALIVE + PADDING)),
    "a prober without RD": (0, opt(4096, flags=0x8000)),
}
NAME = wire("web.default.svc.cluster.local")
NOWHERE = wire("nothing.default.svc.cluster.local")


async def by_tcp(address: tuple[str, int], packet: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(len(packet).to_bytes(2, "big") + packet)
    async with asyncio.timeout(10):
        reply = await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
    writer.close()
    await writer.wait_closed()
    return reply


@pytest.mark.parametrize("is_tcp", [False, True], ids=["udp", "tcp"])
@pytest.mark.parametrize("stub", STUBS)
async def test_stub_gets_what_it_can_use(stub: str, is_tcp: bool, running: Any, send: Callable[..., Any]) -> None:
    flags, edns = STUBS[stub]
    dnssec_ok = bool(edns) and edns[7] >> 7
    async with running() as server:
        for name, qtype, expected in [(NAME, 1, (0, 1, 0)), (NAME, 28, (0, 0, 1)), (NOWHERE, 1, (3, 0, 1))]:
            packet = query(name, qtype, edns=edns, flags=flags)
            address = server.addresses[0]
            reply = await by_tcp(address, packet) if is_tcp else await send(address, packet)()
            seen = DNSRecord.parse(reply)
            header = seen.header
            assert reply[12 : 12 + len(name) + 4] == packet[12 : 12 + len(name) + 4]
            assert (header.rcode, len(seen.rr), len(seen.auth)) == expected
            assert (header.qr, header.aa, header.tc, header.ra, header.ad) == (1, 1, 0, 1, 0)
            assert (header.rd, header.cd) == (flags >> 8 & 1, flags >> 4 & 1)
            if edns:
                (record,) = seen.ar
                assert (record.edns_len, record.edns_ver, record.edns_do, record.rdata) == (1232, 0, dnssec_ok, [])
            else:
                assert seen.ar == []
