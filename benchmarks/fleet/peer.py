"""A process that is a websocket server and nothing else: what the library alone costs.

It prints its port, and ends with its standard input.
"""

import asyncio
import json
import sys
from contextlib import suppress

import uvloop
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from fleet.recorded import recorded


def frame(header: str, route: str, content: str) -> bytes:
    """Return a frame of a cloud as it is written."""
    sender = '"source":"edgecontroller","group":"resource"'
    return f'{{"header":{{{header}}},"route":{{{sender},{route}}},"content":{content}}}\n'.encode()


ANSWER = frame(
    '"msg_id":"peer","parent_msg_id":"x","timestamp":1,"resourceversion":"1","sync":false',
    '"operation":"response","resource":"default/node/n"',
    '"OK"',
)


async def main() -> None:
    """Answer every frame but keepalives; send a message for every one that is asked for, and wait for what comes."""
    push = recorded("insert", "default/service/").encode()

    async def attend(connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            async for data in connection:
                if isinstance(data, str) and data.startswith("push "):
                    for _ in range(int(data[5:])):
                        await connection.send(push, text=True)
                        await connection.recv()
                    await connection.send("pushed")
                elif '"keepalive"' not in data:
                    await connection.send(ANSWER, text=True)

    async with serve(attend, "127.0.0.1", 0, compression=None, ping_interval=None, close_timeout=1) as server:
        print(json.dumps(server.sockets[0].getsockname()[1]), flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    uvloop.run(main())
