"""A name server for all names that are not the cluster's: each has the address that its own text says."""

import asyncio
from typing import Any
from zlib import crc32

from dnsreplies import address, reply

TTL_S = 7


def address_of_name(name: str) -> str:
    """Return the address that a name has there, of 198.18.0.0/15 (RFC 2544)."""
    number = crc32(name.encode()) & 0xFFFF
    return f"198.18.{number >> 8}.{number & 255}"


class NameServer(asyncio.DatagramProtocol):
    """Answers every question for an address."""

    def __init__(self) -> None:
        self.asked = 0

    @classmethod
    async def open(cls) -> "NameServer":
        made = cls()
        await asyncio.get_running_loop().create_datagram_endpoint(lambda: made, local_addr=("127.0.0.1", 0))
        return made

    @property
    def place(self) -> str:
        host, port = self._transport.get_extra_info("sockname")
        return f"{host}:{port}"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self.asked += 1
        labels, at = [], 12
        while length := data[at]:
            labels.append(data[at + 1 : at + 1 + length].decode())
            at += 1 + length
        name = ".".join(labels)
        self._transport.sendto(reply(data, address(name, address_of_name(name.lower()), TTL_S)), addr)

    def close(self) -> None:
        self._transport.close()
