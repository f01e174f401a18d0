"""The connection of one client: requests read from it one after the other, each given to an ``Exchange``.

States, by what is set::

    _exchange     _tunnel     _closing
    -             -           no        waits for a request, at most ``idle_timeout_s``
    set           -           no        a request is being served; ``_receiving``: its body is not complete
    -             set         no        upgraded: bytes pass
    -             -           yes       the last answer is being sent; what still comes is thrown away

Pipelined requests are answered one after the other: while one is served, what comes after it stays in the reader, and
the socket is not read when there is such.
"""

import asyncio
import socket
import struct
from contextlib import suppress
from dataclasses import dataclass, field
from typing import cast

from edgecore.modules.edgemesh.names import Endpoint, Refusal, ServiceKey
from edgecore.modules.edgemesh.proxy.deadline import Deadline
from edgecore.modules.edgemesh.proxy.gateway import Gateway
from edgecore.modules.edgemesh.proxy.http.backend import keep_alive
from edgecore.modules.edgemesh.proxy.http.exchange import Exchange
from edgecore.modules.edgemesh.proxy.http.head import connection_value
from edgecore.modules.edgemesh.proxy.http.refusals import answer, bad_request
from edgecore.modules.edgemesh.proxy.http.request import END, RequestHead, RequestReader
from edgecore.modules.edgemesh.proxy.http.tunnel import Tunnel

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER with no time: closing sends RST

_TOO_MANY = Refusal(503, "too_many_connections", "cannot serve the connection: too many are open")


@dataclass(eq=False)
class Door:
    """Where clients come in. ``service`` is None for the plain listener."""

    service: ServiceKey | None
    address: Endpoint
    closed: bool = False
    """No more connections; those that are open are closed after the request they serve."""
    clients: set["ClientConnection"] = field(default_factory=set)
    host: bytes = field(init=False)
    """As in a Host header: what a client that names no host has spoken to."""

    def __post_init__(self) -> None:
        self.host = str(self.address).encode("ascii")


class ClientConnection(asyncio.Protocol):
    """See the module."""

    def __init__(self, gateway: Gateway, door: Door) -> None:
        self._gateway = gateway
        self._door = door
        self._transport = cast("asyncio.Transport", None)  # until connection_made
        self._reader = RequestReader(gateway.limits.max_header_bytes)
        self._deadline = Deadline(gateway.clock, self._expire)
        self._exchange: Exchange | None = None
        self._request: RequestHead | None = None
        self._tunnel: Tunnel | None = None
        self._receiving = False
        self._head_begun = False
        self._ended = False  # the client will send nothing more
        self._closing = False
        self._blocked = False
        self._reading = True
        self._advancing = False

    @property
    def leaving(self) -> bool:
        """See ``AskingClient``."""
        return self._door.closed

    @property
    def unsent(self) -> int:
        """See ``AskingClient``."""
        return self._transport.get_write_buffer_size()

    @property
    def peer(self) -> str:
        """See ``AskingClient``."""
        name = self._transport.get_extra_info("peername")
        return str(Endpoint(name[0], name[1])) if name else "unknown"

    def touch(self) -> None:
        """See ``AskingClient``."""
        self._deadline.set(self._gateway.limits.request_timeout_s)

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

    def write(self, data: bytes) -> None:
        """See ``TunnelClient``."""
        self._transport.write(data)

    def write_eof(self) -> None:
        """See ``TunnelClient``."""
        if not self._transport.is_closing():
            with suppress(OSError):  # asyncio: the client has reset the connection, and it is not noticed yet
                self._transport.write_eof()

    def set_reading(self, reading: bool) -> None:
        """See ``TunnelClient``."""
        if reading != self._reading and not self._ended and not self._transport.is_closing():
            self._reading = reading
            if reading:
                self._transport.resume_reading()
            else:
                self._transport.pause_reading()

    def close(self) -> None:
        """See ``TunnelClient``."""
        self._closing = True
        self._transport.close()
        self._deadline.set(self._gateway.limits.idle_timeout_s)

    def answered(self, *, keep: bool) -> None:
        """See ``AskingClient``."""
        self._exchange = None
        if self._receiving:
            self._linger()
        elif keep:
            self._wait()
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
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            self.abort()
        else:
            self.close()

    def switch(self, tunnel: Tunnel) -> None:
        """See ``AskingClient``."""
        self._exchange = None
        self._tunnel = tunnel
        self._deadline.cancel()
        keep_alive(self._transport)
        rest = self._reader.rest()
        if rest:
            tunnel.client_data(rest)
        if self._ended:
            tunnel.client_eof()
        self.set_reading(True)

    def abort(self) -> None:
        """Close at once."""
        self._closing = True
        self._transport.abort()

    def leave(self) -> None:
        """Close, after the request that is being served if there is one."""
        if self._exchange is None and self._tunnel is None and not self._closing:
            self.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See ``asyncio.BaseProtocol``."""
        self._transport = cast("asyncio.Transport", transport)
        counters, limits = self._gateway.counters, self._gateway.limits
        self._door.clients.add(self)
        self._gateway.client_came()
        self._transport.set_write_buffer_limits(high=limits.max_buffer_bytes)
        if self._door.closed:
            self.abort()
        elif counters.connections > limits.max_connections:
            self._gateway.failed(_TOO_MANY, self.peer)
            self._transport.write(answer(_TOO_MANY, connection=b"close"))
            self.close()
        else:
            self._deadline.set(limits.idle_timeout_s)

    def data_received(self, data: bytes) -> None:
        """See ``asyncio.Protocol``."""
        if self._tunnel is not None:
            self._tunnel.client_data(data)
        elif not self._closing:
            self._reader.receive(data)
            self.proceed()

    def eof_received(self) -> bool:
        """See ``asyncio.Protocol``. Clients may close their side early and still wait for answers."""
        self._ended = True
        if self._tunnel is not None:
            self._tunnel.client_eof()
            return True
        if self._closing:
            return False
        self.proceed()
        return not self._transport.is_closing()

    def connection_lost(self, exc: Exception | None) -> None:
        """See ``asyncio.BaseProtocol``."""
        self._closing = True
        self._deadline.cancel()
        self._door.clients.discard(self)
        self._gateway.client_gone()
        exchange, self._exchange = self._exchange, None
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

    def _advance(self) -> bool:
        """Take one event from the reader; return whether there may be another."""
        if self._closing or self._tunnel is not None:
            return False
        exchange = self._exchange
        if exchange is None:
            return not self._blocked and self._take_head()
        if not self._receiving or not exchange.accepting:
            return False
        event = self._reader.next()
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
        event = self._reader.next()
        if isinstance(event, RequestHead):
            self._begin(event)
            return True
        self._request = None
        if isinstance(event, Refusal):
            self._refuse_bytes(event)
        elif self._ended:
            if self._reader.started:
                self._gateway.bad_client(bad_request("truncated", "the client left within its head"), self.peer)
            self.close()
        elif self._reader.started and not self._head_begun:
            self._head_begun = True
            self._deadline.set(self._gateway.limits.idle_timeout_s)
        return False

    def _begin(self, request: RequestHead) -> None:
        self._request = request
        self._receiving = request.has_body
        self._head_begun = False
        door = self._door
        found = (door.service, door.address.port) if door.service else self._gateway.destination(request.authority)
        if not isinstance(found, Refusal):
            self.touch()
            self._exchange = Exchange(
                self._gateway, self, request, service=found[0], port=found[1], default_host=door.host
            )
            self._exchange.begin()
        elif found.status == 400:
            self._refuse_bytes(found)
        else:
            self._gateway.failed(found, self.peer)
            self.refuse(found)

    def _refuse_bytes(self, refusal: Refusal) -> None:
        """Answer what cannot be understood, and close: nobody knows where the next request would begin."""
        self._gateway.bad_client(refusal, self.peer)
        self._receiving = True
        if self._exchange is not None:
            self._exchange.fail(refusal)
        else:
            self.refuse(refusal)

    def _wait(self) -> None:
        """Be ready for the next request, or serve it if it is here already."""
        self._deadline.set(self._gateway.limits.idle_timeout_s)
        if self._door.closed:
            self.close()
        else:
            self.proceed()

    def _linger(self) -> None:
        """Close when the client has seen the answer: closing with unread bytes would take the answer away from it."""
        if self._ended:
            self.close()
            return
        self._closing = True
        self.set_reading(True)
        self.write_eof()
        self._deadline.set(self._gateway.limits.linger_s)

    def _expire(self) -> None:
        if self._closing:
            self.abort()
        elif self._exchange is not None:
            self._exchange.expire()
        elif self._reader.started:
            self._refuse_bytes(bad_request("slow_request", "its head does not come", 408))
        else:
            self.close()

    def _set_blocked(self, blocked: bool) -> None:
        self._blocked = blocked
        if self._tunnel is not None:
            self._tunnel.client_blocked(blocked)
        elif self._exchange is not None:
            self._exchange.client_blocked(blocked)
        elif not blocked:
            self.proceed()

    def _regulate(self) -> None:
        """Read the socket, unless what was read cannot be used yet."""
        if self._closing or self._tunnel is not None:
            return
        exchange = self._exchange
        stuck = self._blocked if exchange is None else not self._receiving or not exchange.accepting
        self.set_reading(not (stuck and self._reader.pending))
