"""What a worker says while the node does not listen."""

import asyncio
import socket
from contextlib import asynccontextmanager

from edgecore.modules.edgemesh.workers.link import UNHEARD_LIMIT_BYTES, Line, Link


@asynccontextmanager
async def pair():
    """Yield the worker's end, and the reading part of the node's."""
    ours, its = socket.socketpair()
    node_reader, node_writer = await asyncio.open_unix_connection(sock=ours)
    reader, writer = await asyncio.open_unix_connection(sock=its)
    try:
        yield Link(reader, writer, Line), Link(node_reader, node_writer, Line)
    finally:
        writer.transport.abort()
        node_writer.transport.abort()
        await asyncio.sleep(0)


async def test_what_a_worker_mentions_to_a_node_that_stands_still_is_bounded():
    line = Line("error", "edgemesh.dns", "dns_query_not_handled", {"packet": "00" * 5000})
    async with pair() as (worker, node):
        for _ in range(1000):
            worker.mention(line)
        assert UNHEARD_LIMIT_BYTES <= worker.unsent_bytes < UNHEARD_LIMIT_BYTES + 20_000
        async with asyncio.timeout(10):
            heard = node.heard()
            assert [await anext(heard) for _ in range(100)] == [line] * 100
            await heard.aclose()
