"""The websocket listener of CloudHub: upgrades judged, frames handed to links, connections closed."""

import asyncio
import errno
from collections.abc import Callable
from http import HTTPStatus
from ssl import SSLContext
from typing import Any, NamedTuple, cast

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import CloseCode
from websockets.http11 import Request, Response
from websockets.protocol import State

from cloudhub_stub.errors import NodeLost, NoSuchNode, QueueFull
from cloudhub_stub.faults.injector import Injector
from cloudhub_stub.faults.socket import GONE, FaultySocket
from cloudhub_stub.faults.wire import Wire
from cloudhub_stub.hub import STOPPING, Hub
from cloudhub_stub.link import Link
from cloudhub_stub.settings import MAX_MESSAGE_BYTES
from cloudhub_stub.upgrade import Upgrade, UpgradeRefused, read_upgrade
from edgecore import __version__
from edgecore.addresses import join_address
from edgecore.beehive.frame import SPARE_BYTES, joined
from edgecore.errors import FrameError, ListenError, listen_error
from edgecore.observe.metrics import Metrics
from edgecore.recording.entries import Direction
from edgecore.recording.watch import Watch

_CLOSE_TIMEOUT_S = 1.0
"""How long the other side gets to answer a close frame before the connection is dropped."""
CONNECTIONS_LIMIT = 4096
"""With those that have not said yet who they are. Nodes have a limit of their own."""
HANDSHAKE_S = 10.0
"""How long TLS may take, and how long the request after it."""

_FAULT_CODES = {
    CloseCode.PROTOCOL_ERROR: "protocol_error",
    CloseCode.INVALID_DATA: "protocol_error",
    CloseCode.MESSAGE_TOO_BIG: "message_too_big",
}
"""The close codes by which the library says that the other side was wrong."""


class CloudHubServer:
    """Accepts the connections of nodes, from ``start`` to ``stop``: any path, text or binary frames, no compression."""

    def __init__(
        self,
        hub: Hub,
        metrics: Metrics,
        faults: Injector,
        host: str,
        port: int,
        *,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        connections_limit: int = CONNECTIONS_LIMIT,
        watch: Watch | None = None,
    ) -> None:
        self._hub = hub
        self._metrics = metrics
        self._faults = faults
        self._host = host
        self._port = port
        self._max_message_bytes = max_message_bytes
        self._connections_limit = connections_limit
        self._watch = watch or Watch()
        self._links = 0
        self.tls: Callable[[], SSLContext | None] = lambda: None
        """Asked at each start with what TLS to listen; without any where there is none."""
        self._scheme = "ws"
        self._server: Server | None = None
        self._connections: set[ServerConnection] = set()
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Where nodes connect, with the port that was found free if port 0 was asked for; until then nothing."""
        if self._port == 0:
            return ""
        return f"{self._scheme}://{join_address(self._host, self._port)}"

    async def start(self) -> None:
        """Listen. Raises ``ListenError``."""
        tls = self.tls()
        self._scheme = "ws" if tls is None else "wss"
        most = _Bounds(self._connections_limit, self._max_message_bytes + SPARE_BYTES)
        try:
            self._server = await serve(
                self._serve,
                self._host,
                self._port,
                ssl=tls,
                compression=None,
                max_size=self._max_message_bytes,
                ping_interval=None,
                open_timeout=HANDSHAKE_S,
                close_timeout=_CLOSE_TIMEOUT_S,
                process_request=self._judge,
                process_response=self._count_rejection,
                server_header=f"cloudhub-stub/{__version__}",
                create_connection=_tracked(self._connections, self._count_silence, self._count_refusal, most),
                ssl_handshake_timeout=None if tls is None else HANDSHAKE_S,
            )
        except OSError as error:
            raise _refused(join_address(self._host, self._port), error) from error
        self._port = next(iter(self._server.sockets)).getsockname()[1]

    async def stop(self) -> None:
        """End all sessions, close all connections and stop listening; takes little more than a second at most."""
        server, self._server = self._server, None
        if server is None:
            return
        self._hub.end_all(STOPPING)
        server.close()
        for connection in self._connections:
            if connection.state is State.CONNECTING:
                connection.transport.abort()
        await server.wait_closed()
        await asyncio.gather(*self._closing, return_exceptions=True)

    async def _serve(self, connection: ServerConnection) -> None:
        """Run one connection to its end."""
        request = connection.request
        upgrade = read_upgrade(() if request is None else request.headers.raw_items())
        if isinstance(upgrade, UpgradeRefused):
            return  # never: _judge lets no such connection be opened
        self._links += 1
        number = self._links
        if self._watch.connection is not None:
            tls = connection.transport.get_extra_info("ssl_object")
            version = "" if tls is None else tls.version() or ""
            who = f"node {upgrade.node}" + (f", {upgrade.agent}" if upgrade.agent else "")
            self._watch.connection(Direction.TO_CLOUD, number, "open", tls=version, detail=who)
        wire = cast("Wire", connection.transport)
        below = _Socket(connection, self._close_soon, self._watch, number)
        socket = self._faults.attach(upgrade.node, below, wire)
        try:
            link = self._hub.connect(upgrade, socket)
        except (NoSuchNode, QueueFull) as error:
            self._metrics.bad_input("cloudhub", "too_many_nodes", _peer(connection), node=upgrade.node)
            await connection.close(CloseCode.TRY_AGAIN_LATER, str(error)[:120])
        else:
            await self._pump(connection, socket, link, number)
        finally:
            if self._watch.connection is not None:
                side, event, detail = _end(connection, was_cut=socket.state == GONE)
                self._watch.connection(side, number, event, detail=detail)
            self._faults.detach(socket)

    async def _pump(self, connection: ServerConnection, socket: FaultySocket, link: Link, number: int) -> None:
        reason = "failed"
        try:
            while True:
                # Joined here: the library joins no more than 4,096 fragments, and a Go edge sends 4,096 bytes in each.
                data = await joined(connection.recv_streaming(decode=False))
                if self._watch.frame is not None:
                    self._watch.frame(Direction.TO_CLOUD, number, data)
                if self._faults.busy:
                    await socket.arrived(data, link.receive)
                else:
                    await link.receive(data)
        except FrameError as error:
            reason = error.reason
            self._metrics.bad_input("cloudhub", reason, link.node.name)
        except ConnectionClosed as closed:
            reason = "connection_closed"
            if closed.sent is not None and not closed.rcvd_then_sent and closed.sent.code in _FAULT_CODES:
                reason = _FAULT_CODES[CloseCode(closed.sent.code)]
                self._metrics.bad_input("cloudhub", reason, link.node.name, detail=closed.sent.reason)
        finally:
            link.end(reason)

    def _close_soon(self, connection: ServerConnection, reason: str) -> None:
        """Close with a code and a word; the original drops the connection without either."""
        code = CloseCode.GOING_AWAY if reason == STOPPING else CloseCode.POLICY_VIOLATION
        task = asyncio.get_running_loop().create_task(connection.close(code, reason))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _judge(self, connection: ServerConnection, request: Request) -> Response | None:
        upgrade = read_upgrade(request.headers.raw_items())
        if isinstance(upgrade, Upgrade) or "Upgrade" not in request.headers:
            return None  # what is no upgrade at all gets the library's own answer
        self._metrics.bad_input("cloudhub", upgrade.reason, _peer(connection), detail=upgrade.text)
        return connection.respond(HTTPStatus.BAD_REQUEST, f"cannot accept the connection: {upgrade.text}\n")

    def _count_rejection(self, connection: ServerConnection, _request: Request, response: Response) -> None:
        fault = connection.protocol.handshake_exc
        if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS and fault is not None:
            self._metrics.bad_input("cloudhub", "no_upgrade", _peer(connection), detail=str(fault))

    def _count_silence(self, connection: ServerConnection) -> None:
        fault = connection.protocol.handshake_exc
        self._metrics.bad_input("cloudhub", "no_http", _peer(connection), detail=str(fault or "no request in time"))

    def _count_refusal(self, connection: ServerConnection, reason: str) -> None:
        self._metrics.bad_input("cloudhub", reason, _peer(connection))


class _Socket:
    """A websocket connection as a link sees it."""

    def __init__(
        self,
        connection: ServerConnection,
        close_soon: Callable[[ServerConnection, str], None],
        watch: Watch,
        number: int,
    ) -> None:
        self._connection = connection
        self._close_soon = close_soon
        self._watch = watch
        self._number = number

    async def send(self, data: bytes) -> None:
        if self._watch.frame is not None and self._connection.state is State.OPEN:
            self._watch.frame(Direction.TO_EDGE, self._number, data)
        try:
            await self._connection.send(data, text=True)
        except ConnectionClosed as closed:
            raise NodeLost(f"cannot send: {closed}") from closed

    def hang_up(self, reason: str) -> None:
        self._close_soon(self._connection, reason)


def _refused(address: str, error: OSError) -> ListenError:
    way_out = "another program listens there; choose another port, or 0 for a free one"
    return listen_error(address, error, way_out if error.errno == errno.EADDRINUSE else "")


def _end(connection: ServerConnection, *, was_cut: bool) -> tuple[Direction, str, str]:
    """Return which side ended a connection, whether with a word (``eof``) or without (``error``), and that word."""
    protocol = connection.protocol
    sent, received = protocol.close_sent, protocol.close_rcvd
    if was_cut:
        return Direction.TO_EDGE, "error", "cut by a fault"
    if sent is not None and not (received is not None and protocol.close_rcvd_then_sent):
        return Direction.TO_EDGE, "eof", sent.reason
    if received is not None:
        return Direction.TO_CLOUD, "eof", received.reason
    return Direction.TO_CLOUD, "error", "the connection went away without a close frame"


def _peer(connection: ServerConnection) -> str:
    address: Any = connection.remote_address
    return f"{address[0]}:{address[1]}" if address else "unknown"


class _Bounds(NamedTuple):
    """What connections may cost."""

    connections: int
    unsent_bytes: int
    """What one may leave unread of us."""


def _tracked(
    connections: set[ServerConnection],
    report_silence: Callable[[ServerConnection], None],
    report: Callable[[ServerConnection, str], None],
    bounds: _Bounds,
) -> type[ServerConnection]:
    """Return a connection class that keeps ``connections`` up to date and reports those that never sent a request.

    The library knows only those of its connections that are open, and says nothing of bytes that are not HTTP. It
    answers each ping whether or not the answers are read: who leaves too much unread is cut.
    """

    class Tracked(ServerConnection):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            made = cast("asyncio.Transport", transport)
            if len(connections) >= bounds.connections:
                self.transport = made
                report(self, "too_many_connections")
                made.abort()
                return
            connections.add(self)
            super().connection_made(cast("asyncio.Transport", Wire(made)))

        def data_received(self, data: bytes) -> None:
            if self not in connections:
                return
            super().data_received(data)
            if self.transport.get_write_buffer_size() > bounds.unsent_bytes:
                report(self, "slow_reader")
                self.transport.abort()

        def connection_lost(self, exc: Exception | None) -> None:
            if self not in connections:
                return
            connections.discard(self)
            super().connection_lost(exc)
            if self.request is None:
                report_silence(self)

    return Tracked
