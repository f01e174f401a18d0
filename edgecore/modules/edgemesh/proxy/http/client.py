"""The connection of one client: requests read from it one after the other, each given to who serves it.

States, by what is set::

    _serving      _tunnel     _closing
    -             -           no        waits for a request, at most ``idle_timeout_s``
    set           -           no        a request is being served; ``_receiving``: its body is not complete
    -             set         no        upgraded: bytes pass
    -             -           yes       the last answer is being sent; what still comes is thrown away

A request is served by the ``Shortcut`` as far as that goes, else by an ``Exchange``. ``_ready``: a request that comes
in one piece need not go through the reader.

Pipelined requests are answered one after the other: while one is served, what comes after it stays in the reader, and
the socket is not read when there is such.
"""

import asyncio
from typing import cast

from edgecore.modules.edgemesh.names import Refusal
from edgecore.modules.edgemesh.proxy.doors.door import Door
from edgecore.modules.edgemesh.proxy.gateway import Gateway
from edgecore.modules.edgemesh.proxy.http.attempts import Attempts, start
from edgecore.modules.edgemesh.proxy.http.backend import BackendConnection, keep_alive
from edgecore.modules.edgemesh.proxy.http.exchange import KEPT_BYTES, Exchange
from edgecore.modules.edgemesh.proxy.http.head import connection_value
from edgecore.modules.edgemesh.proxy.http.line import ClientLine
from edgecore.modules.edgemesh.proxy.http.refusals import TOO_MANY, answer, bad_request
from edgecore.modules.edgemesh.proxy.http.request import END, RequestReader
from edgecore.modules.edgemesh.proxy.http.requesthead import RequestHead
from edgecore.modules.edgemesh.proxy.http.routing import Routing
from edgecore.modules.edgemesh.proxy.http.shortcut import Shortcut
from edgecore.modules.edgemesh.proxy.http.telling import told_refusal
from edgecore.modules.edgemesh.proxy.http.tunnel import Tunnel
from edgecore.modules.edgemesh.upstream.host import Host

_HEAD_END = b"\r\n\r\n"


class ClientConnection(ClientLine):
    """See the module."""

    __slots__ = (
        "_advancing",
        "_blocked",
        "_exchange",
        "_head_begun",
        "_reader",
        "_receiving",
        "_request",
        "_routing",
        "_shortcut",
        "_tunnel",
    )

    def __init__(self, gateway: Gateway, door: Door) -> None:
        super().__init__(gateway, door)
        self._reader: RequestReader | None = None
        self._shortcut: Shortcut | None = None
        self._exchange: Exchange | None = None
        self._tunnel: Tunnel | None = None
        self._request: RequestHead | None = None
        self._routing: Routing | None = None
        self._receiving = False
        self._head_begun: float | None = None
        self._blocked = False
        self._advancing = False

    def proceed(self) -> None:
        """See ``AskingClient``: hand on what was read, as far as it can be taken."""
        if self._advancing:
            return
        self._advancing = True
        while self._advance():
            pass
        self._advancing = False
        if self._exchange is not None:
            self._exchange.flush()
        self._regulate()

    def served(self, now: float, *, keep: bool) -> None:
        """See ``ShortcutClient``."""
        self._deadlines.move(self, now + self._gateway.limits.idle_timeout_s)
        if not keep:
            self._end()
        elif self._reader is None and not self._ended and not self._blocked:
            self._ready = True
        else:
            self.proceed()

    def unfold(self) -> Exchange:
        """See ``ShortcutClient``."""
        assert self._shortcut is not None  # noqa: S101 - it is who asks
        self._exchange = self._shortcut.unfold()
        return self._exchange

    def answered(self, *, keep: bool) -> None:
        """See ``AskingClient``."""
        self._exchange = None
        if keep and not self._receiving:
            self._wait()
        elif self._receiving or (self._request is not None and self._request.keep_alive):
            self._linger()  # it may have sent more
        else:
            self.close()

    def refuse(self, refusal: Refusal) -> None:
        """See ``AskingClient``."""
        self._exchange = None
        request = self._request
        keep = request is not None and request.keep_alive and not self._receiving and not self.leaving
        connection = connection_value(request, keep=keep) if request is not None else b"close"
        body = request is None or request.method != b"HEAD"
        self._transport.write(answer(refusal, connection=connection, body=body))
        if keep:
            self._wait()
        else:
            self._linger()

    def cut(self, *, reset: bool) -> None:
        """See ``AskingClient``."""
        self._exchange = None
        if reset:
            self._reset()
        else:
            self.close()

    def switch(self, tunnel: Tunnel) -> None:
        """See ``AskingClient``."""
        self._exchange = None
        self._tunnel = tunnel
        keep_alive(self._transport)
        rest = self._reader.rest() if self._reader is not None else b""
        if rest:
            tunnel.client_data(rest)
        if self._ended:
            tunnel.client_eof()
        self.set_reading(True)

    def leave(self) -> None:
        """Close, after the request that is being served if there is one."""
        if not self._busy and self._tunnel is None and not self._closing:
            self.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See ``asyncio.BaseProtocol``."""
        self._transport = cast("asyncio.Transport", transport)
        limits = self._gateway.limits
        self._door.clients.add(self)
        self._gateway.client_came()
        self._transport.set_write_buffer_limits(high=limits.max_buffer_bytes)
        if self._door.closed:
            self.abort()
        elif not self._gateway.admits_one():
            self._gateway.failed(TOO_MANY, self.peer)
            self._transport.write(answer(TOO_MANY, connection=b"close"))
            self.close()
        else:
            self._ready = True
            self.touch(limits.idle_timeout_s)

    def data_received(self, data: bytes) -> None:
        """See ``asyncio.Protocol``."""
        if self._ready:
            request = self._gateway.requests.recent.get(data)
            if request is not None and not request.length:
                self._begin(request, b"")
            elif not self._take_whole(data):
                self._take(data)
        elif self._tunnel is not None:
            self._tunnel.client_data(data)
        elif not self._closing:
            self._take(data)

    def eof_received(self) -> bool:
        """See ``asyncio.Protocol``. Who closes its side may wait for an answer, but not for long: it may be gone."""
        self._ended = True
        self._ready = False
        if self._tunnel is not None:
            self._tunnel.client_eof()
            return True
        if self._closing:
            return False
        self.proceed()
        exchange = self._serving()
        if exchange is not None and exchange.is_awaited:
            self._gone_at = self._gateway.clock.monotonic() + self._gateway.limits.ended_client_timeout_s
            self._deadlines.move(self, min(self._gone_at, self.due))
        return not self._transport.is_closing()

    def connection_lost(self, exc: Exception | None) -> None:
        """See ``asyncio.BaseProtocol``."""
        self._closing = True
        self._ready = False
        self._deadlines.forget(self)
        self._door.clients.discard(self)
        self._gateway.client_gone()
        if self._busy or self._tunnel is not None:
            self._lose()
        self._shortcut = self._routing = None  # they know this client: what points in a ring lives longer than needed

    def _lose(self) -> None:
        """Tell those who are forwarding that the client is gone."""
        exchange, self._exchange = self._serving(), None
        tunnel, self._tunnel = self._tunnel, None
        if exchange is not None:
            exchange.client_lost()
        if tunnel is not None:
            tunnel.client_lost()

    def pause_writing(self) -> None:
        """See ``asyncio.BaseProtocol``."""
        self._set_blocked(True)

    def resume_writing(self) -> None:
        """See ``asyncio.BaseProtocol``."""
        self._set_blocked(False)

    @property
    def is_idle(self) -> bool:
        """See ``Timed``: it waits for a request, or the rest of a head, or has had its last answer."""
        return not self._busy and self._tunnel is None and not self._transport.is_closing()

    @property
    def _busy(self) -> bool:
        return self._exchange is not None or (self._shortcut is not None and self._shortcut.connection is not None)

    def _serving(self) -> Exchange | None:
        """Return the exchange that serves a request; from now on that is one, if a request is being served."""
        if self._shortcut is not None and self._shortcut.connection is not None:
            self.unfold()
        return self._exchange

    def _take(self, data: bytes) -> None:
        """Take bytes by way of the reader."""
        self._ready = False
        if self._reader is None:
            self._reader = RequestReader(self._gateway.limits.max_header_bytes, self._gateway.requests.read)
        self._reader.receive(data)
        self.proceed()

    def _take_whole(self, data: bytes) -> bool:
        """Begin with a request if it is what ``data`` is, all of it; return whether it is."""
        end = data.find(_HEAD_END) + 4
        if not 4 <= end <= self._gateway.limits.max_header_bytes:
            return False
        request = self._gateway.requests.read(data[:end])
        if isinstance(request, Refusal) or len(data) - end != request.length or request.length > KEPT_BYTES:
            return False
        self._begin(request, data[end:])
        return True

    def _advance(self) -> bool:
        """Take one event from the reader; return whether there may be another."""
        reader = self._reader
        if self._closing or self._tunnel is not None:
            return False
        exchange = self._exchange
        if not self._busy:
            return not self._blocked and self._take_head()
        if exchange is None or reader is None or not self._receiving or not exchange.accepting:
            return False
        event = reader.next()
        if isinstance(event, bytes):
            exchange.send(event)
        elif event is END:
            self._receiving = False
            exchange.end_request()
        elif isinstance(event, Refusal):
            self._refuse_bytes(event)
        elif self._ended:
            self._refuse_bytes(bad_request("truncated", "the client left within its body"))
        return event is not None

    def _take_head(self) -> bool:
        reader = self._reader
        event = reader.next() if reader is not None else None
        if isinstance(event, RequestHead):
            self._begin(event, None if event.has_body else b"")
            return True
        self._request = None
        started = reader is not None and reader.started
        if not started:
            self._reader = None
        if isinstance(event, Refusal):
            self._refuse_bytes(event)
        elif self._ended:
            if started:
                refusal = bad_request("truncated", "the client left within its head")
                self._gateway.bad_client(refusal, self.peer, self._door.service, self._door.address.port)
            self.close()
        elif started and self._head_begun is None:
            self._head_begun = self._gateway.clock.monotonic()
            self.touch(self._gateway.limits.idle_timeout_s)
        elif not started:
            self._ready = True
        return False

    def _begin(self, request: RequestHead, body: bytes | None) -> None:
        """Send a request to where it is to go. ``body`` is all of it; None: it is still to come."""
        self._ready = False
        self._request = request
        self._receiving = body is None
        begun, self._head_begun = self._head_begun, None
        routing = self._routing
        if routing is None:
            routing = self._routing = Routing(self._gateway, self._door, self, request)
        host = routing.choose(request)
        if isinstance(host, Host):
            connection = self._gateway.backends.take(host)
            if connection is not None and body is not None and begun is None:
                if self._shortcut is None:
                    self._shortcut = Shortcut(self._gateway, self, routing)
                self._deadlines.move(self, self._shortcut.begin(host, connection, body))
            else:
                self._begin_exchange(routing, host, connection, body, begun)
        elif host.status == 400:
            self._refuse_bytes(host)
        else:
            self._gateway.failed(host, self.peer)
            self._tell(host)
            self.refuse(host)

    def _begin_exchange(
        self,
        routing: Routing,
        host: Host,
        connection: BackendConnection | None,
        body: bytes | None,
        begun: float | None,
    ) -> None:
        now = self._gateway.clock.monotonic()
        start(host)
        came = now if begun is None else begun
        exchange = self._exchange = Exchange(self._gateway, self, Attempts(routing, host, now), came)
        if body:
            exchange.send(body)
            exchange.end_request()
        exchange.begin(connection)
        exchange.flush()

    def _refuse_bytes(self, refusal: Refusal) -> None:
        """Refuse what the client sends, for good: nobody knows where the next request would begin."""
        self._gateway.bad_client(refusal, self.peer, self._door.service, self._door.address.port)
        self._receiving = True
        if self._exchange is not None:
            self._exchange.fail(refusal)
        else:
            self._tell(refusal)
            self.refuse(refusal)

    def _tell(self, refusal: Refusal) -> None:
        if self._gateway.access is not None:
            door, request = self._door, self._request
            line = told_refusal(self.peer, door.service, door.address.port, request, refusal)
            line.head = request.head if request is not None and self._gateway.tells_heads else b""
            self._gateway.access(line)

    def _wait(self) -> None:
        """Be ready for the next request, or serve it if it is here already."""
        self.touch(self._gateway.limits.idle_timeout_s)
        if self._door.closed:
            self.close()
        else:
            self.proceed()

    def expire(self) -> None:
        """See ``Timed``."""
        exchange = self._serving()
        is_gone = self._gateway.clock.monotonic() >= self._gone_at
        if self._closing or (is_gone and exchange is not None and exchange.is_awaited):
            self.abort()
        elif exchange is not None:
            exchange.expire()
        elif self._tunnel is not None:
            self._tunnel.expire()
        elif self._reader is not None and self._reader.started:
            self._refuse_bytes(bad_request("slow_request", "its head does not come", 408))
        else:
            self.close()

    def _set_blocked(self, blocked: bool) -> None:
        self._blocked = blocked
        exchange = self._serving()
        if self._tunnel is not None:
            self._tunnel.client_blocked(blocked)
        elif exchange is not None:
            exchange.client_blocked(blocked)
        elif not blocked:
            self.proceed()

    def _regulate(self) -> None:
        """Read the socket, unless what was read cannot be used yet."""
        if self._closing or self._tunnel is not None:
            return
        exchange = self._exchange
        free = not (self._blocked or self._busy) if exchange is None else self._receiving and exchange.accepting
        self.set_reading(free or self._reader is None or not self._reader.pending)
