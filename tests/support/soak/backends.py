"""What stands for the containers of pods: servers on loopback that say in each answer at which port they are."""

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

TRIES = 50


class Backends:
    """HTTP, TCP and UDP servers, each at one port of all ``addresses``, from their making to ``close``."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = addresses
        self._servers: list[asyncio.Server] = []
        self._datagrams: list[asyncio.DatagramTransport] = []
        self._serving: set[asyncio.Task[Any]] = set()

    async def http(self) -> int:
        """Start one that answers each request with ``PORT METHOD PATH``; return its port."""
        return await self._stream(_serve_http)

    async def tcp(self) -> int:
        """Start one that sends back each line, its port before it; return its port."""
        return await self._stream(_serve_lines)

    async def udp(self) -> int:
        """Start one that sends back each packet, its port before it; return its port."""
        loop = asyncio.get_running_loop()
        for _ in range(TRIES):
            port = _free_port(self._addresses[0], socket.SOCK_DGRAM)
            opened: list[asyncio.DatagramTransport] = []
            with suppress(OSError):
                for address in self._addresses:
                    transport, _ = await loop.create_datagram_endpoint(lambda: _Echo(port), local_addr=(address, port))  # noqa: B023
                    opened.append(transport)
                self._datagrams += opened
                return port
            for transport in opened:
                transport.close()
        raise OSError("no port is free at all of the addresses")

    async def _stream(self, serve: Any) -> int:
        for _ in range(TRIES):
            port = _free_port(self._addresses[0], socket.SOCK_STREAM)

            async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int = port) -> None:
                task = asyncio.current_task()
                assert task is not None
                self._serving.add(task)
                try:
                    with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                        await serve(reader, writer, port)
                finally:
                    self._serving.discard(task)
                    writer.close()

            with suppress(OSError):
                self._servers.append(await asyncio.start_server(accept, list(self._addresses), port))
                return port
        raise OSError("no port is free at all of the addresses")

    async def close(self) -> None:
        """End all of them."""
        for server in self._servers:
            server.close()
        for transport in self._datagrams:
            transport.close()
        for task in self._serving:
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)
        await asyncio.gather(*(server.wait_closed() for server in self._servers))


class _Echo(asyncio.DatagramProtocol):
    def __init__(self, port: int) -> None:
        self._port = port

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        self._transport.sendto(b"%d %b" % (self._port, data), addr)


async def _serve_http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        for line in head.lower().split(b"\r\n"):
            if line.startswith(b"content-length:"):
                await reader.readexactly(int(line.partition(b":")[2]))
        method, path, _ = head.split(b" ", 2)
        body = b"%d %b %b" % (port, method, path)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
        await writer.drain()


async def _serve_lines(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int) -> None:
    while line := await reader.readline():
        writer.write(b"%d %b" % (port, line))
        await writer.drain()


def _free_port(address: str, kind: int) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port
