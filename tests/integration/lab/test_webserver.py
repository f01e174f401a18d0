"""What stands for nginx in a pod: pages on connections that stay, and ports of the host that lead to it."""

import asyncio
import socket
from contextlib import suppress

from edgecore.lab.webserver import answer, publish, serve

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


async def dialled(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    while True:
        with suppress(ConnectionRefusedError):
            return await asyncio.open_connection("127.0.0.1", port)
        await asyncio.sleep(0.01)


async def page(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
    return head + await reader.readexactly(length)


async def test_a_published_port_leads_to_the_page_of_the_pod_again_and_again() -> None:
    inner, outer = free_port(), free_port()
    tasks = [
        asyncio.create_task(serve("nginx-1", "edge-node-b", [inner])),
        asyncio.create_task(publish("127.0.0.1", [(outer, inner)])),
    ]
    (await dialled(inner))[1].close()
    reader, writer = await dialled(outer)
    for _ in range(2):
        writer.write(REQUEST)
        found = await page(reader)
        assert b"Welcome to nginx!" in found
        assert b"Pod nginx-1 on edge-node-b." in found
    writer.write_eof()
    assert await reader.read() == b""
    writer.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def test_a_head_is_answered_without_the_page() -> None:
    assert answer(b"HEAD / HTTP/1.1\r\n\r\n", b"page").endswith(b"Content-Length: 4\r\n\r\n")
    assert answer(REQUEST, b"page").endswith(b"\r\n\r\npage")
