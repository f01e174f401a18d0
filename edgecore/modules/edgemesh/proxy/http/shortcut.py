"""The way of most requests: the whole request came in one piece, an idle connection was at hand, and the whole answer
comes in one piece.

Such a request takes two calls, and nothing is made for it. Whenever something else happens an ``Exchange`` takes over
(``unfold``), which forwards the same bytes and keeps the same books.
"""

from typing import Protocol, cast

from edgecore.modules.edgemesh.names import Refusal
from edgecore.modules.edgemesh.proxy.gateway import Gateway
from edgecore.modules.edgemesh.proxy.http.attempts import Attempts, start, took
from edgecore.modules.edgemesh.proxy.http.backend import BackendConnection
from edgecore.modules.edgemesh.proxy.http.body import CHUNKED, is_whole_chunked
from edgecore.modules.edgemesh.proxy.http.exchange import AskingClient, Exchange
from edgecore.modules.edgemesh.proxy.http.head import connection_value, forwarded_answer
from edgecore.modules.edgemesh.proxy.http.requesthead import RequestHead
from edgecore.modules.edgemesh.proxy.http.responsehead import ResponseHead
from edgecore.modules.edgemesh.proxy.http.routing import Routing
from edgecore.modules.edgemesh.proxy.http.telling import told
from edgecore.modules.edgemesh.upstream.host import Host

_END = b"\r\n\r\n"


class ShortcutClient(AskingClient, Protocol):
    """What a shortcut needs of the connection of the client."""

    def served(self, now: float, *, keep: bool) -> None:
        """Take note that the answer was written; go on to the next request, or close."""

    def unfold(self) -> Exchange:
        """Have an exchange serve the request from now on, and return it."""


class Shortcut:
    """See the module. Made once for each client; ``connection`` is set while a request is under way."""

    __slots__ = ("_began", "_body", "_client", "_gateway", "_host", "_routing", "connection")

    def __init__(self, gateway: Gateway, client: ShortcutClient, routing: Routing) -> None:
        self.connection: BackendConnection | None = None
        self._gateway = gateway
        self._client = client
        self._routing = routing
        self._body = b""
        self._began = 0.0
        self._host = cast("Host", None)  # until begin

    def begin(self, host: Host, connection: BackendConnection, body: bytes) -> float:
        """Send the request that is asked, with its ``body``, by ``connection``; return when its answer is late."""
        self.connection = connection
        connection.owner = self
        self._host = host
        self._body = body
        self._began = began = self._gateway.clock.monotonic()
        start(host)
        head = self._routing.head()
        connection.transport.write(head + body if body else head)
        return began + self._routing.upstream.spec.policy.request_timeout_s

    def unfold(self) -> Exchange:
        """Return an exchange that goes on from here."""
        connection, self.connection = self.connection, None
        attempts = Attempts(self._routing, self._host, self._began)
        exchange = Exchange(self._gateway, self._client, attempts, self._began)
        if connection is not None:
            exchange.resume(connection, self._body)
        return exchange

    def backend_data(self, data: bytes) -> None:
        """See ``BackendOwner``."""
        gateway, routing, connection = self._gateway, self._routing, self.connection
        request = routing.request
        end = data.find(_END) + 4
        head = data[:end]
        answer: ResponseHead | Refusal | None = gateway.answers.recent.get(head)
        if answer is None and 4 <= end <= gateway.limits.max_header_bytes:
            answer = gateway.answers.read(head)
        size = len(data) - end
        if (
            not isinstance(answer, ResponseHead)
            or not 200 <= answer.status < 500
            or not answer.keep_alive
            or not (size == answer.length or _is_whole(request, answer, data, end))
            or (size and request.method == b"HEAD")
            or connection is None
            or routing.upstream.set_cookie(routing, self._host)
        ):
            self._client.unfold().backend_data(data)
            return
        keep = request.keep_alive and not self._client.leaving
        head = (answer.ready if keep else answer.closing) if request.minor else b""
        if not head:
            head = forwarded_answer(answer, framed=request.minor == 1, connection=connection_value(request, keep=keep))
        self.connection = None
        self._client.write(head + data[end:] if size else head)
        self._finish(connection, answer.status, size, keep)

    def backend_eof(self) -> bool:
        """See ``BackendOwner``."""
        return self._client.unfold().backend_eof()

    def backend_lost(self) -> None:
        """See ``BackendOwner``."""
        self._client.unfold().backend_lost()

    def backend_blocked(self, blocked: bool) -> None:
        """See ``BackendOwner``."""
        self._client.unfold().backend_blocked(blocked)

    def _finish(self, connection: BackendConnection, status: int, size: int, keep: bool) -> None:
        """Keep the books of a whole answer, as an exchange and its attempts do."""
        gateway, host, upstream = self._gateway, self._host, self._routing.upstream
        now = gateway.clock.monotonic()
        host.active -= 1
        took(host, now - self._began)
        upstream.answered(status)
        if host.failures:
            upstream.succeeded(host)
        gateway.backends.give_back(connection, now)
        if gateway.access is not None:
            taken_s = now - self._began
            line = told(self._client.peer, upstream.spec, self._routing.request, status, taken_s)
            line.host = host
            line.bytes_in, line.bytes_out = len(self._body), size
            line.first_byte_s = taken_s
            line.head = self._routing.request.head if gateway.tells_heads else b""
            gateway.access(line)
        self._client.served(now, keep=keep)


def _is_whole(request: RequestHead, answer: ResponseHead, data: bytes, end: int) -> bool:
    """Say whether an answer of another size than its length is complete: to HEAD, or in chunks."""
    if request.method == b"HEAD":
        return answer.length >= 0
    return answer.length == CHUNKED and request.minor == 1 and is_whole_chunked(data, end)
