"""The least that an HTTP proxy in Python does: uvloop moves the bytes, httptools says where messages end.

It checks nothing, limits nothing, counts nothing and survives nothing. What it reaches is what can be reached at all.
"""

import asyncio
import sys
from typing import cast

import httptools
import uvloop


class Backend(asyncio.Protocol):
    """A connection to the origin; it has a client, or it is in the pool."""

    client: "Client"

    def __init__(self, pool: list["Backend"]) -> None:
        self._pool = pool
        self._ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See ``asyncio.BaseProtocol``."""
        self.transport = cast("asyncio.Transport", transport)

    def send(self, client: "Client", data: bytes) -> None:
        """Send a request; its answer goes to ``client``."""
        self.client = client
        self._parser = httptools.HttpResponseParser(self)
        self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        """See ``asyncio.Protocol``."""
        self._parser.feed_data(data)
        self.client.transport.write(data)
        if self._ended:
            self._ended = False
            self._pool.append(self)

    def on_message_complete(self) -> None:
        """See ``httptools``."""
        self._ended = True


class Client(asyncio.Protocol):
    """A connection of a client, which sends one request at a time, each in one piece."""

    def __init__(self, pool: list[Backend], origin: tuple[str, int]) -> None:
        self._pool = pool
        self._origin = origin
        self._dialling: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See ``asyncio.BaseProtocol``."""
        self.transport = cast("asyncio.Transport", transport)
        self._parser = httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        """See ``asyncio.Protocol``."""
        self._parser.feed_data(data)
        if self._pool:
            self._pool.pop().send(self, data)
        else:
            self._dialling = asyncio.ensure_future(self._dial(data))

    def on_message_complete(self) -> None:
        """See ``httptools``."""

    async def _dial(self, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        _, backend = await loop.create_connection(lambda: Backend(self._pool), *self._origin)
        backend.send(self, data)


async def serve(host: str, port: int) -> None:
    """Relay to ``host`` and ``port`` until killed; say at which port."""
    pool: list[Backend] = []
    server = await asyncio.get_running_loop().create_server(lambda: Client(pool, (host, port)), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    sys.exit(uvloop.run(serve(sys.argv[1], int(sys.argv[2]))))
