"""One request and its answer, on the way between a client's connection and a backend's.

::

    begin -> refused by the directory ........................ fail
          -> idle connection taken, or one dialled ........... request forwarded as it comes
             -> interim heads, head, body of the answer ...... forwarded as they come
                -> the end ................................... connection kept or closed; client.answered
                -> 101 ....................................... a Tunnel takes over
          -> anything goes wrong before the head ............. client.refuse (502, 504, 408)
                                after the head ............... client.cut, so that it is noticed

A request is sent a second time in one case only (RFC 9112 section 9.3.1): the connection had been idle, was closed by
the backend before it answered a byte, nothing of a body was sent, and the method is idempotent.
"""

import asyncio
from typing import Protocol

from edgecore.modules.edgemesh.names import Endpoint, Refusal, ServiceKey
from edgecore.modules.edgemesh.proxy.gateway import Gateway
from edgecore.modules.edgemesh.proxy.http.backend import BackendConnection
from edgecore.modules.edgemesh.proxy.http.body import CHUNKED, UNTIL_CLOSE
from edgecore.modules.edgemesh.proxy.http.head import connection_value, forwarded_answer, forwarded_request
from edgecore.modules.edgemesh.proxy.http.refusals import bad_answer, bad_request, unreachable
from edgecore.modules.edgemesh.proxy.http.request import RequestHead
from edgecore.modules.edgemesh.proxy.http.response import ResponseHead, ResponseReader
from edgecore.modules.edgemesh.proxy.http.tunnel import Tunnel, TunnelClient

_IDEMPOTENT = frozenset((b"GET", b"HEAD", b"OPTIONS", b"TRACE", b"PUT", b"DELETE"))

CLIENT_GONE = 499
"""Counted, in the place of a status, for a client that left before its answer began."""


class AskingClient(TunnelClient, Protocol):
    """What an exchange needs of the connection of the client."""

    @property
    def leaving(self) -> bool:
        """Whether this is the last request."""

    @property
    def unsent(self) -> int:
        """Bytes that were written and have not left yet."""

    @property
    def peer(self) -> str:
        """The address of the client."""

    def touch(self) -> None:
        """Take note that the request has moved on: its timeout starts anew."""

    def proceed(self) -> None:
        """Hand on more of the body, if there is any."""

    def answered(self, *, keep: bool) -> None:
        """Go on to the next request, or close: the exchange is over."""

    def refuse(self, refusal: Refusal) -> None:
        """Answer in the backend's place: the exchange is over and nothing of an answer was sent."""

    def cut(self, *, reset: bool) -> None:
        """Close within an answer: the exchange is over. ``reset`` if closing alone would look like its end."""

    def switch(self, tunnel: Tunnel) -> None:
        """Hand all further bytes to ``tunnel``: the exchange is over."""


class Exchange:
    """See the module. ``default_host`` is sent to the backend when the client named no host."""

    def __init__(
        self,
        gateway: Gateway,
        client: AskingClient,
        request: RequestHead,
        *,
        service: ServiceKey,
        port: int,
        default_host: bytes,
    ) -> None:
        self._gateway = gateway
        self._client = client
        self._request = request
        self._service = service
        self._port = port
        self._default_host = default_host
        self._counters = gateway.counters.of(service, port)
        self._reader = self._new_reader()
        self._endpoint = Endpoint("", 0)
        self._connection: BackendConnection | None = None
        self._dialling: asyncio.Task[None] | None = None
        self._out: list[bytes] = []  # for the backend, to be written in one go
        self._request_done = not request.has_body
        self._body_sent = False
        self._blocked = False
        self._retried = False
        self._answer: ResponseHead | None = None
        self._keep = False
        self._unlimited = False  # to the client, only the end of the connection ends the answer
        self._unsent = (0, 0)
        self._over = False

    @property
    def accepting(self) -> bool:
        """Whether the backend takes more of the body now."""
        return self._connection is not None and not self._blocked

    def begin(self) -> None:
        """Ask where to, and go there."""
        endpoint = self._gateway.directory.choose(self._service, self._port)
        if isinstance(endpoint, Refusal):
            self._gateway.failed(endpoint, self._client.peer)
            self.fail(endpoint)
            return
        self._endpoint = endpoint
        self._counters.sent_to(endpoint)
        connection = self._gateway.backends.take(endpoint)
        if connection is not None:
            self._use(connection)
        else:
            self._dialling = self._gateway.spawn(self._dial())

    def send(self, piece: bytes) -> None:
        """Forward a piece of the body, with the next ``flush``."""
        self._body_sent = True
        self._out.append(piece)
        self._client.touch()

    def end_request(self) -> None:
        """Take note that the body is complete."""
        self._request_done = True

    def flush(self) -> None:
        """Write what is to go to the backend."""
        if self._out and self._connection is not None:
            data = b"".join(self._out)
            self._out.clear()
            self._connection.write(data)

    def fail(self, refusal: Refusal) -> None:
        """End the exchange: with an answer of our own, or abruptly when the backend's has begun."""
        self._end()
        if self._answer is None:
            self._counters.answered(refusal.status)
            self._client.refuse(refusal)
        else:
            self._client.cut(reset=self._unlimited)

    def expire(self) -> None:
        """Take note that nothing was received for the whole request timeout."""
        unsent = (self._client.unsent, self._connection.unsent if self._connection is not None else 0)
        if any(unsent) and unsent != self._unsent:  # a slow receiver, and not a dead one
            self._unsent = unsent
            self._client.touch()
        elif self._request_done or not self.accepting or self._answer is not None:
            self._fail_backend(Refusal(504, "response_timeout", f"the backend {self._endpoint} is silent"))
        else:
            refusal = bad_request("slow_request", "its body does not come", 408)
            self._gateway.bad_client(refusal, self._client.peer)
            self.fail(refusal)

    def client_lost(self) -> None:
        """Take note that the client is gone."""
        if self._answer is None:
            self._counters.answered(CLIENT_GONE)
        self._end()

    def client_blocked(self, blocked: bool) -> None:
        """Take note that too much is unsent towards the client, or not any more."""
        if self._connection is not None:
            self._connection.set_reading(not blocked)

    def backend_data(self, data: bytes) -> None:
        """See ``BackendOwner``."""
        if not self._over:
            self._client.touch()
            self._reader.receive(data)
            self._forward_answer()

    def backend_eof(self) -> bool:
        """See ``BackendOwner``."""
        self._reader.close()
        self._forward_answer()
        return False

    def backend_lost(self) -> None:
        """See ``BackendOwner``."""
        if self._dialling is None and not self._over:  # while it dials, `_use` will find out
            self._backend_failed(bad_answer("backend_closed", f"the backend {self._endpoint} broke the connection"))

    def backend_blocked(self, blocked: bool) -> None:
        """See ``BackendOwner``."""
        self._blocked = blocked
        self._client.proceed()

    async def _dial(self) -> None:
        connection = await self._gateway.backends.connect(self._endpoint, self)
        self._dialling = None
        if self._over:  # cancelled just when it was done
            if not isinstance(connection, Refusal):
                connection.abort()
        elif isinstance(connection, Refusal):
            self._fail_backend(connection)
        else:
            self._use(connection)
            self._client.proceed()

    def _use(self, connection: BackendConnection) -> None:
        connection.owner = self
        self._connection = connection
        self._blocked = False
        self._out = [forwarded_request(self._request, self._default_host)]
        if self._reader.received:  # a backend that is overloaded may answer before it is asked
            self._forward_answer()
        if connection.closed and not self._over:
            self.backend_lost()

    def _forward_answer(self) -> None:
        """Hand on what there is of the answer, in one write."""
        connection = self._connection
        if connection is None:
            return
        out: list[bytes] = []
        event = self._reader.next()
        while isinstance(event, bytes | ResponseHead):
            if isinstance(event, bytes):
                out.append(event)
            elif event.interim:
                if self._request.minor == 1:
                    out.append(forwarded_answer(event, framed=True, connection=b""))
            elif event.status == 101 and not self._request.upgrade:
                event = bad_answer("bad_response", "the backend changed the protocol without being asked")
                break
            else:
                out.append(self._take_head(event))
                if not event.has_body:
                    break
            event = self._reader.next()
        if out:
            self._client.write(out[0] if len(out) == 1 else b"".join(out))
        if isinstance(event, Refusal):
            self._backend_failed(event)
        elif event is not None and self._answer is not None:
            self._finish(connection, self._answer)

    def _take_head(self, head: ResponseHead) -> bytes:
        framed = self._request.minor == 1
        self._answer = head
        self._unlimited = head.length == UNTIL_CLOSE or (head.length == CHUNKED and not framed)
        # Without the whole request the connection is not kept, and the client is told now: it is closed for certain.
        can_keep = self._request.keep_alive and self._request_done and not self._unlimited
        self._keep = can_keep and not self._client.leaving
        self._counters.answered(head.status)
        connection = b"" if head.status == 101 else connection_value(self._request, keep=self._keep)
        return forwarded_answer(head, framed=framed, connection=connection)

    def _finish(self, connection: BackendConnection, answer: ResponseHead) -> None:
        """End the exchange after a complete answer."""
        self._connection = None
        self._over = True
        if answer.status == 101:
            rest = self._reader.rest()
            self._client.switch(Tunnel(self._client, connection))
            if rest:
                self._client.write(rest)
            return
        used_up = not self._request_done or self._out or self._reader.pending or connection.unsent
        if answer.keep_alive and not used_up:
            self._gateway.backends.give_back(connection)
        else:
            connection.abort()
        self._client.answered(keep=self._keep)

    def _backend_failed(self, refusal: Refusal) -> None:
        """The connection to the backend is of no use any more."""
        connection, self._connection = self._connection, None
        stale = connection is not None and connection.reused and not self._reader.received
        if connection is not None:
            connection.abort()
        if stale and not self._body_sent and not self._retried and self._request.method in _IDEMPOTENT:
            self._retried = True
            self._reader = self._new_reader()
            self._dialling = self._gateway.spawn(self._dial())
        else:
            self._fail_backend(refusal)

    def _fail_backend(self, refusal: Refusal) -> None:
        told = unreachable(refusal.status, refusal.reason, self._service, self._port, refusal.text)
        self._gateway.failed(told, self._client.peer)
        self.fail(told)

    def _new_reader(self) -> ResponseReader:
        return ResponseReader(
            self._gateway.limits.max_header_bytes,
            bare=self._request.method == b"HEAD",
            framed=self._request.minor == 1,
        )

    def _end(self) -> None:
        self._over = True
        if self._dialling is not None:
            self._dialling.cancel()
            self._dialling = None
        if self._connection is not None:
            self._connection.abort()
            self._connection = None
