"""What stands for nginx in a pod: a page, served wherever a container would, run as a program of its own.

``python -m edgecore.lab.webserver POD NODE PORT...`` serves; ``python -m edgecore.lab.webserver publish ADDRESS
HOSTPORT:PORT...`` hands connections on to it, as Docker's proxy does for ports of the host.
"""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial

_PAGE = """\
<!DOCTYPE html>
<html>
<head>
<title>Welcome to nginx!</title>
</head>
<body>
<h1>Welcome to nginx!</h1>
<p>If you see this page, the lab's stand-in for the nginx web server works.</p>
<p><em>Pod {pod} on {node}.</em></p>
</body>
</html>
"""
_LIMIT_BYTES = 64 * 1024


def answer(head: bytes, page: bytes) -> bytes:
    """Return the answer to any request; HTTP/1.1, and the connection stays unless it asked otherwise."""
    method = head.split(b" ", 1)[0]
    body = b"" if method == b"HEAD" else page
    lines = [
        b"HTTP/1.1 200 OK",
        b"Server: edgecore-lab",
        b"Content-Type: text/html",
        b"Content-Length: %d" % len(page),
        b"",
        body,
    ]
    return b"\r\n".join(lines)


async def serve(pod: str, node: str, ports: Sequence[int]) -> None:
    """Serve until cancelled. Raises ``OSError`` where a port is taken."""
    page = _PAGE.format(pod=pod, node=node).encode()

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                writer.write(answer(head, page))
                await writer.drain()
        writer.close()

    async with AsyncExitStack() as servers:
        for port in ports:
            await servers.enter_async_context(await asyncio.start_server(speak, "0.0.0.0", port, limit=_LIMIT_BYTES))
        await asyncio.Event().wait()


async def publish(address: str, ports: Sequence[tuple[int, int]]) -> None:
    """Hand connections to ports of this machine on to ports of ``address``, until cancelled. Raises ``OSError``."""

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(_LIMIT_BYTES):
                writer.write(data)
                await writer.drain()
            if writer.can_write_eof():
                writer.write_eof()

    async def hand_on(port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            behind, there = await asyncio.open_connection(address, port)
            await asyncio.gather(pump(reader, there), pump(behind, writer))
            there.close()
        writer.close()

    async with AsyncExitStack() as servers:
        for host_port, port in ports:
            await servers.enter_async_context(await asyncio.start_server(partial(hand_on, port), "0.0.0.0", host_port))
        await asyncio.Event().wait()


def main(arguments: Sequence[str]) -> None:
    """Do what the arguments say."""
    first, second, *rest = arguments
    if first == "publish":
        pairs = [part.partition(":") for part in rest]
        asyncio.run(publish(second, [(int(outer), int(inner)) for outer, _, inner in pairs]))
    else:
        asyncio.run(serve(first, second, [int(port) for port in rest]))


if __name__ == "__main__":
    main(sys.argv[1:])
