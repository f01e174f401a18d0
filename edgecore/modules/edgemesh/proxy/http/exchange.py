"""One request and its answer, on the way between a client's connection and a backend's.

::

    begin -> idle connection taken, or one dialled ........... request forwarded as it comes
             -> interim heads, head, body of the answer ...... forwarded as they come
                -> the end ................................... connection kept or closed; client.answered
                -> 101 ....................................... a Tunnel takes over
          -> anything goes wrong before the head ............. sent again, or client.refuse (502, 504, 408)
                                after the head ............... client.cut, so that it is noticed

Where the way is smooth, ``shortcut.py`` goes it without an exchange; an exchange takes over where it is not any more.

When a request may go to another host is said in ``attempts.py``. To the same host it is sent once more in one case
(RFC 9112 section 9.3.1): the connection had been idle and was closed by the backend before it answered a byte. All
dialling for one request together takes the connect timeout at most.
"""

from typing import Protocol

from edgecore.modules.edgemesh.names import Refusal
from edgecore.modules.edgemesh.proxy.gateway import Gateway
from edgecore.modules.edgemesh.proxy.http.attempts import Attempts
from edgecore.modules.edgemesh.proxy.http.backend import BackendConnection
from edgecore.modules.edgemesh.proxy.http.body import CHUNKED, UNTIL_CLOSE
from edgecore.modules.edgemesh.proxy.http.dial import Dial
from edgecore.modules.edgemesh.proxy.http.head import connection_value, forwarded_answer, with_lines
from edgecore.modules.edgemesh.proxy.http.refusals import bad_answer, bad_request, unreachable
from edgecore.modules.edgemesh.proxy.http.response import ResponseReader
from edgecore.modules.edgemesh.proxy.http.responsehead import ResponseHead
from edgecore.modules.edgemesh.proxy.http.telling import told
from edgecore.modules.edgemesh.proxy.http.tunnel import Tunnel, TunnelClient
from edgecore.modules.edgemesh.proxy.patience import patience_s

CLIENT_GONE = 499
"""Counted, in the place of a status, for a client that left before its answer began."""

KEPT_BYTES = 64 * 1024
"""So much of a body is kept at most, to be sent again if need be."""


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
        """The address of the client, with its port."""

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
    """See the module. ``attempts`` has the first host already; ``came``: when the first byte of the request did."""

    def __init__(self, gateway: Gateway, client: AskingClient, attempts: Attempts, came: float) -> None:
        self._came = came
        self._gateway = gateway
        self._client = client
        self._attempts = attempts
        self._request = request = attempts.request
        self._reader = self._new_reader()
        self._connection: BackendConnection | None = None
        self._dial: Dial | None = None
        self._out: list[bytes] = []  # for the backend, to be written in one go
        self._kept: list[bytes] | None = []  # the body so far; None: too much of it to be sent again
        self._request_done = not request.has_body
        self._sent = False  # something of the request went to a backend
        self._blocked = False
        self._refreshed = False
        self._answer: ResponseHead | None = None
        self._passed = False  # something of an answer went to the client
        self._keep = False
        self._unlimited = False  # to the client, only the end of the connection ends the answer
        self._unsent = (0, 0)
        self._over = False
        self._bytes_in = 0
        self._bytes_out = 0
        self._connect_s = 0.0
        self._first_byte_at = 0.0

    @property
    def is_awaited(self) -> bool:
        """Whether the request is complete and nothing of its answer is here."""
        return self._request_done and self._answer is None

    @property
    def accepting(self) -> bool:
        """Whether the backend takes more of the body now."""
        return self._connection is not None and not self._blocked

    def begin(self, connection: BackendConnection | None) -> None:
        """Go to the host by an idle connection, or by a fresh one."""
        self._touch()
        if connection is not None:
            self._use(connection)
        else:
            self._connect()

    def resume(self, connection: BackendConnection, body: bytes) -> None:
        """Go on after the whole request, and ``body``, was sent by ``connection``."""
        connection.owner = self
        self._connection = connection
        self._kept = [body]
        self._bytes_in = len(body)
        self._request_done = self._sent = True

    def send(self, piece: bytes) -> None:
        """Forward a piece of the body, with the next ``flush``."""
        self._bytes_in += len(piece)
        if self._kept is not None:
            self._kept.append(piece)
            if self._bytes_in > KEPT_BYTES:
                self._kept = None
        self._out.append(piece)
        self._touch()

    def end_request(self) -> None:
        """Take note that the body is complete."""
        self._request_done = True

    def flush(self) -> None:
        """Write what is to go to the backend."""
        if self._out and self._connection is not None:
            data = self._out[0] if len(self._out) == 1 else b"".join(self._out)
            self._out = []
            self._sent = True
            self._connection.write(data)

    def fail(self, refusal: Refusal) -> None:
        """End the exchange: with an answer of our own, or abruptly when the backend's has begun."""
        self._end()
        upstream = self._attempts.upstream
        if self._answer is None:
            upstream.answered(refusal.status)
            upstream.refused[refusal.reason] = upstream.refused.get(refusal.reason, 0) + 1
        self._tell(refusal.status if self._answer is None else self._answer.status, refusal.reason)
        if self._answer is None:
            self._client.refuse(refusal)
        else:
            self._client.cut(reset=self._unlimited)

    def expire(self) -> None:
        """Take note that nothing was received for the whole request timeout."""
        unsent = (self._client.unsent, self._connection.unsent if self._connection is not None else 0)
        if any(unsent) and unsent != self._unsent:  # a slow receiver, and not a dead one
            self._unsent = unsent
            self._touch()
        elif unsent[0] and self._answer is not None:  # the host is not to blame for a client that takes nothing
            self._fail_client(bad_request("client_stalled", "the client does not take its answer", 408))
        elif self._request_done or not self.accepting or self._answer is not None:
            where = self._attempts.host.endpoint
            self._backend_failed(Refusal(504, "response_timeout", f"the backend {where} does not answer in time"))
        else:
            self._fail_client(bad_request("slow_request", "its body does not come", 408))

    def _fail_client(self, refusal: Refusal) -> None:
        spec = self._attempts.upstream.spec
        self._gateway.bad_client(refusal, self._client.peer, spec.service, spec.port)
        self.fail(refusal)

    def client_lost(self) -> None:
        """Take note that the client is gone."""
        if self._answer is None:
            self._attempts.upstream.answered(CLIENT_GONE)
        self._end()
        self._tell(CLIENT_GONE if self._answer is None else self._answer.status, "client_gone")

    def client_blocked(self, blocked: bool) -> None:
        """Take note that too much is unsent towards the client, or not any more."""
        if self._connection is not None:
            self._connection.set_reading(not blocked)

    def backend_data(self, data: bytes) -> None:
        """See ``BackendOwner``."""
        if not self._over:
            heads = self._reader.heads
            self._reader.receive(data)
            self._forward_answer()
            if not self._over and (self._answer is not None or self._reader.heads > heads):
                self._touch()  # part of a head is no progress: it may come byte by byte

    def backend_eof(self) -> bool:
        """See ``BackendOwner``."""
        self._reader.close()
        self._forward_answer()
        return False

    def backend_lost(self) -> None:
        """See ``BackendOwner``."""
        if self._dial is None and not self._over:  # while it dials, `_use` will find out
            where = self._attempts.host.endpoint
            self._backend_failed(bad_answer("backend_closed", f"the backend {where} broke the connection"))

    def backend_blocked(self, blocked: bool) -> None:
        """See ``BackendOwner``."""
        self._blocked = blocked
        self._client.proceed()

    def _touch(self) -> None:
        self._client.touch(self._attempts.upstream.spec.policy.request_timeout_s)

    def connected(self, connection: BackendConnection | Refusal, took_s: float) -> None:
        """See ``Caller``."""
        self._dial = None
        self._connect_s += took_s
        if isinstance(connection, Refusal):
            self._backend_failed(connection)
        else:
            self._use(connection)
            self._client.proceed()

    def impatient(self) -> None:
        """See ``Caller``: go to another host, if there is one."""
        if self._attempts.elsewhere(self._gateway.clock.monotonic()):
            self._hang_up()
            self._connect()

    def _connect(self) -> None:
        attempts = self._attempts
        policy = attempts.upstream.spec.policy
        left_s = policy.connect_timeout_s - self._connect_s
        self._dial = Dial(self._gateway, self, attempts.host, left_s, patience_s(policy))

    def _hang_up(self) -> None:
        """Dial no more, if that is what is done."""
        dial, self._dial = self._dial, None
        if dial is not None:
            self._connect_s += dial.cancel()

    def _use(self, connection: BackendConnection) -> None:
        connection.owner = self
        self._connection = connection
        self._blocked = False
        self._out = [self._attempts.head, *(self._kept or ())]
        if self._reader.received:  # a backend that is overloaded may answer before it is asked
            self._forward_answer()
        if connection.closed and not self._over:
            self.backend_lost()

    def _forward_answer(self) -> None:
        """Hand on what there is of the answer, in one write."""
        connection = self._connection
        if connection is None:
            return
        if not self._first_byte_at and self._reader.received:
            self._first_byte_at = self._gateway.clock.monotonic()
            self._attempts.answers(self._first_byte_at)
        out: list[bytes] = []
        event = self._reader.next()
        while isinstance(event, bytes | ResponseHead):
            if isinstance(event, bytes):
                out.append(event)
                self._bytes_out += len(event)
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
            self._passed = True
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
        self._attempts.upstream.answered(head.status)
        connection = b"" if head.status == 101 else connection_value(self._request, keep=self._keep)
        forwarded = forwarded_answer(head, framed=framed, connection=connection)
        cookie = self._attempts.set_cookie()
        return with_lines(forwarded, cookie + b"\r\n") if cookie else forwarded

    def _finish(self, connection: BackendConnection, answer: ResponseHead) -> None:
        """End the exchange after a complete answer."""
        self._connection = None
        self._over = True
        if answer.status == 101:
            self._switch(connection)
            return
        self._attempts.ended(answer.status)
        used_up = not self._request_done or self._out or self._reader.pending or connection.unsent
        if answer.keep_alive and not used_up:
            self._gateway.backends.give_back(connection, self._gateway.clock.monotonic())
        else:
            connection.drop()
        self._tell(answer.status)
        self._client.answered(keep=self._keep)

    def _switch(self, connection: BackendConnection) -> None:
        rest = self._reader.rest()
        tunnel = Tunnel(self._client, connection, self._attempts.upstream.spec.policy.idle_timeout_s, self._tunnel_over)
        self._client.switch(tunnel)
        if rest:
            tunnel.backend_data(rest)

    def _tunnel_over(self, bytes_in: int, bytes_out: int) -> None:
        self._bytes_in += bytes_in
        self._bytes_out += bytes_out
        self._attempts.ended(101)
        self._tell(101)

    def _backend_failed(self, refusal: Refusal) -> None:
        """The connection to the backend is of no use any more."""
        connection, self._connection = self._connection, None
        self._hang_up()
        if connection is not None:
            connection.drop()
        attempts = self._attempts
        closed = refusal.reason == "backend_closed" and not self._reader.received
        stale = closed and connection is not None and connection.reused and not self._refreshed
        can_send = not self._passed and self._kept is not None
        if stale and can_send and (attempts.idempotent or not self._sent):
            self._refreshed = True
            self._again()
            return
        if stale:  # it closed what was idle, as it may
            attempts.given_up()
        else:
            attempts.failed(refusal.reason)
        in_time = self._connect_s < attempts.upstream.spec.policy.connect_timeout_s
        if can_send and in_time and attempts.again(self._gateway.clock.monotonic(), sent=self._sent):
            self._again()
            return
        spec = attempts.upstream.spec
        shown = unreachable(refusal.status, refusal.reason, spec.service, spec.port, refusal.text)
        self._gateway.failed(shown, self._client.peer)
        self.fail(shown)

    def _again(self) -> None:
        """Send the request anew, by a fresh connection."""
        self._reader = self._new_reader()
        self._first_byte_at = 0.0
        self._out = []
        self._touch()
        self._connect()

    def _new_reader(self) -> ResponseReader:
        return ResponseReader(
            self._gateway.limits.max_header_bytes,
            bare=self._request.method == b"HEAD",
            framed=self._request.minor == 1,
            read=self._gateway.answers.read,
        )

    def _tell(self, status: int, reason: str = "") -> None:
        tell = self._gateway.access
        if tell is not None:
            now = self._gateway.clock.monotonic()
            line = told(self._client.peer, self._attempts.upstream.spec, self._request, status, now - self._came)
            line.reason = reason
            line.host = self._attempts.host
            line.bytes_in, line.bytes_out = self._bytes_in, self._bytes_out
            line.first_byte_s = max(0.0, self._first_byte_at - self._came)
            line.connect_s = self._connect_s
            line.retries = self._attempts.retries
            line.head = self._request.head if self._gateway.tells_heads else b""
            tell(line)

    def _end(self) -> None:
        self._over = True
        self._attempts.given_up()
        self._hang_up()
        if self._connection is not None:
            self._connection.drop()
            self._connection = None
