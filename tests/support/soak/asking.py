"""What users do: ask for names, send requests, lines and packets; each returns what came, as text."""

import asyncio
import socket
from contextlib import suppress
from ipaddress import IPv4Address
from typing import Any

from dnsreplies import A, query, records

PATIENCE_S = 10.0
"""How long an answer may take, by the machine's clock."""
Address = tuple[str, int]


async def resolve(server: Address, name: str, *, by_tcp: bool = False) -> list[str]:
    """Return the addresses of a name; none where there is no such name."""
    asked = query(name)
    packet = await (_framed(server, asked) if by_tcp else exchange(server, asked))
    assert packet[:2] == asked[:2], "the answer to another question"
    rcode = packet[3] & 15
    assert rcode in (0, 3), f"{name}: response code {rcode}"
    return [str(IPv4Address(data)) for _, rtype, _, data in records(packet) if rtype == A]


async def exchange(server: Address, packet: bytes) -> bytes:
    """Send a packet, and return the one that comes back."""
    answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Waiting(answer), remote_addr=server
    )
    try:
        transport.sendto(packet)
        return await asyncio.wait_for(answer, PATIENCE_S)
    finally:
        transport.close()


class _Waiting(asyncio.DatagramProtocol):
    def __init__(self, answer: asyncio.Future[bytes]) -> None:
        self._answer = answer

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if not self._answer.done():
            self._answer.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self._answer.done():
            self._answer.set_exception(exc)


async def get(server: Address, host: str, path: str, method: str = "GET") -> tuple[int, str]:
    """Return status and body of a request; the connection ends with it."""
    async with asyncio.timeout(PATIENCE_S):
        reader, writer = await asyncio.open_connection(*server)
        try:
            writer.write(f"{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            body = await reader.read()
            return int(head.split(b" ", 2)[1]), body.decode()
        finally:
            await hang_up(writer)


async def scrape(address: str) -> str:
    """Return the page for Prometheus of a program that is observed at ``address``."""
    host, _, port = address.rpartition(":")
    status, page = await get((host, int(port)), address, "/metrics")
    assert status == 200, page[:200]
    return page


class Lines:
    """A connection that stays: a line there, a line back."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @classmethod
    async def open(cls, server: Address) -> "Lines":
        async with asyncio.timeout(PATIENCE_S):
            return cls(*await asyncio.open_connection(*server))

    async def ask(self, line: str) -> str:
        async with asyncio.timeout(PATIENCE_S):
            self._writer.write(f"{line}\n".encode())
            return (await self._reader.readline()).decode().rstrip("\n")

    async def request(self, host: str, path: str) -> str:
        """Send a request, and return the body; the connection stays."""
        async with asyncio.timeout(PATIENCE_S):
            self._writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            head = (await self._reader.readuntil(b"\r\n\r\n")).lower()
            size = head.partition(b"content-length:")[2].split(b"\r\n")[0]
            return (await self._reader.readexactly(int(size))).decode()

    async def close(self) -> None:
        await hang_up(self._writer)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def _framed(server: Address, packet: bytes) -> bytes:
    async with asyncio.timeout(PATIENCE_S):
        reader, writer = await asyncio.open_connection(*server)
        try:
            writer.write(len(packet).to_bytes(2, "big") + packet)
            return await reader.readexactly(int.from_bytes(await reader.readexactly(2), "big"))
        finally:
            await hang_up(writer)


def free_port(address: str = "127.0.0.1") -> int:
    """Return a port that is free there for TCP."""
    with socket.socket() as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port
