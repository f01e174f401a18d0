"""A cloud that plays a part: a websocket server for one node, which sends what it is told and hands on what comes."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import TracebackType

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

FRAGMENT = 4082
"""How much of a message a cloudcore puts into one websocket frame (observed)."""


class PartCloud:
    """Listens on loopback; ``reachable`` says whether it lets the node in."""

    def __init__(self, on_frame: Callable[[str], Awaitable[None]]) -> None:
        self._on_frame = on_frame
        self._server: Server | None = None
        self._connection: ServerConnection | None = None
        self.reachable = False
        self.port = 0

    @property
    def connected(self) -> bool:
        """Whether the node is there."""
        return self._connection is not None

    async def send(self, text: str) -> None:
        """Send a message, in fragments as a cloudcore does. Nothing happens without a node."""
        if self._connection is None:
            return
        parts = [text[start : start + FRAGMENT] for start in range(0, len(text), FRAGMENT)]
        with suppress(ConnectionClosed):
            await self._connection.send(parts[0] if len(parts) == 1 else parts)

    def drop(self) -> None:
        """Let no node in any more; drop TCP without a word, which is how cloudcore and edgecore of 1.3.1 end."""
        self.reachable = False
        if self._connection is not None:
            connection, self._connection = self._connection, None
            connection.transport.abort()

    async def __aenter__(self) -> "PartCloud":
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            0,
            compression=None,
            ping_interval=None,
            max_size=None,
            close_timeout=1,
            process_request=self._judge,
            server_header=None,
        )
        self.port = next(iter(self._server.sockets)).getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.drop()
        assert self._server is not None
        for connection in list(self._server.connections):
            connection.transport.abort()
        self._server.close()
        await self._server.wait_closed()

    async def _judge(self, connection: ServerConnection, request: Request) -> Response | None:
        return None if self.reachable else connection.respond(503, "cut\n")

    async def _serve(self, connection: ServerConnection) -> None:
        self._connection = connection
        try:
            with suppress(ConnectionClosed):
                async for data in connection:
                    await self._on_frame(data if isinstance(data, str) else data.decode())
        finally:
            if self._connection is connection:
                self._connection = None
