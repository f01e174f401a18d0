"""DNS over TCP (RFC 7766): several queries a connection, each answered as soon as its answer is there.

What a connection may cost is bounded: bytes ahead of what is read from it (``Frames``), queries that wait for upstream
servers, bytes of answers that it does not take, and time without a query. A client may have as many connections as are
free (``Shares``).
"""

import asyncio
from typing import Any, cast

import structlog

from edgecore.addresses import join_address
from edgecore.clock import Clock, Timer
from edgecore.modules.edgemesh.dns.listening.asker import Answers
from edgecore.modules.edgemesh.dns.listening.clients import Shares, client_of
from edgecore.modules.edgemesh.dns.listening.frames import Frames, NoQueryError
from edgecore.modules.edgemesh.dns.listening.shownasker import TRANSPORTS

log = structlog.get_logger("edgemesh.dns")

CONNECTIONS_LIMIT = 256
PIPELINE_LIMIT = 64
"""So many queries of one connection wait for their answers; the next ones are read when there are fewer."""
IDLE_S = 10.0
"""A connection that has asked nothing for so long is ended (RFC 7766 section 6.2.3: some seconds)."""
STALL_S = 5.0
"""One that has had answers waiting for so long, and takes none, is ended."""
UNSENT_LIMIT_BYTES = 256 * 1024
_UNSENT_PAUSE_BYTES = 64 * 1024
_SWEEP_S = 1.0


class TcpAsker:
    """One query of a connection."""

    __slots__ = ("_connection",)
    is_tcp = True

    def __init__(self, connection: "TcpConnection") -> None:
        self._connection = connection

    @property
    def host(self) -> str:
        """See ``Asker``."""
        return self._connection.host

    @property
    def text(self) -> str:
        """See ``Asker``."""
        return self._connection.text

    def send(self, reply: bytes) -> None:
        """See ``Asker``."""
        self._connection.answer(reply)

    def drop(self) -> None:
        """See ``Asker``."""
        self._connection.end("no_query")


class TcpConnections:
    """All connections of this process, from whatever address they were accepted at."""

    def __init__(self, answers: Answers, clock: Clock, *, limit: int = CONNECTIONS_LIMIT) -> None:
        self.answers = answers
        self.clock = clock
        self._shares = Shares(limit)
        self._open: dict[TcpConnection, None] = {}
        self._sweeper: Timer | None = None

    def __len__(self) -> int:
        return len(self._open)

    def new(self) -> "TcpConnection":
        """Return the protocol of a connection that is accepted."""
        return TcpConnection(self)

    def admit(self, connection: "TcpConnection") -> bool:
        """Take ``connection`` in, or return False if its client has its share."""
        counts = self.answers.tally.connections
        if not self._shares.take(connection.client):
            counts["refused"] += 1
            self.answers.surplus(connection.client, 1)
            return False
        counts["accepted"] += 1
        self._open[connection] = None
        if self._sweeper is None:
            self._sweep_later()
        return True

    def forget(self, connection: "TcpConnection") -> None:
        """Note that ``connection`` is closed."""
        if connection in self._open:
            del self._open[connection]
            self._shares.give_back(connection.client)

    def close(self) -> None:
        """End all connections."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        for connection in list(self._open):
            connection.abort()

    def _sweep_later(self) -> None:
        self._sweeper = self.clock.call_at(self.clock.monotonic() + _SWEEP_S, self._sweep)

    def _sweep(self) -> None:
        self._sweeper = None
        now = self.clock.monotonic()
        for connection in list(self._open):
            connection.look(now)
        if self._open:
            self._sweep_later()


class TcpConnection(asyncio.BufferedProtocol):
    """One connection."""

    def __init__(self, connections: TcpConnections) -> None:
        self.host = ""
        self.text = ""
        self.client = ""
        self._connections = connections
        self._answers = connections.answers
        self._transport: asyncio.Transport | None = None
        self._frames = Frames()
        self._waiting = 0
        """Queries that are not answered."""
        self._asked_at = 0.0
        self._full_since: float | None = None
        self._is_paused = False
        self._has_asked_all = False

    def answer(self, reply: bytes) -> None:
        """Send the answer to one query, and go on with those that are behind it."""
        self._waiting -= 1
        self._write(reply)
        if self._is_paused and self._full_since is None and self._waiting < PIPELINE_LIMIT:
            self._take()

    def end(self, reason: str) -> None:
        """End the connection, and count why."""
        if self._transport is not None:
            self._answers.tally.connections[reason] += 1
            self.abort()

    def abort(self) -> None:
        """Close at once; what is not sent is lost."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.abort()

    def look(self, now: float) -> None:
        """End the connection if it has done nothing for too long."""
        if self._full_since is not None and now - self._full_since >= STALL_S:
            self.end("slow_reader")
        elif not self._waiting and self._full_since is None and now - self._asked_at >= IDLE_S:
            self.end("idle")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See ``asyncio.BaseProtocol``."""
        made = cast("asyncio.Transport", transport)  # uvloop's are not of that class
        peer: tuple[Any, ...] = made.get_extra_info("peername") or ("0.0.0.0", 0)
        self.host, self.text = str(peer[0]), join_address(*peer[:2])
        self.client = client_of(self.host)
        self._asked_at = self._connections.clock.monotonic()
        if not self._connections.admit(self):
            made.abort()
            return
        self._transport = made
        made.set_write_buffer_limits(high=_UNSENT_PAUSE_BYTES)

    def get_buffer(self, sizehint: int) -> memoryview:
        """See ``asyncio.BufferedProtocol``."""
        return self._frames.room()

    def buffer_updated(self, nbytes: int) -> None:
        """See ``asyncio.BufferedProtocol``."""
        self._frames.filled(nbytes)
        self._take()

    def eof_received(self) -> bool:
        """See ``asyncio.Protocol``: what was asked is still answered."""
        self._has_asked_all = True
        return bool(self._waiting) or self._is_paused

    def pause_writing(self) -> None:
        """See ``asyncio.BaseProtocol``."""
        self._full_since = self._connections.clock.monotonic()

    def resume_writing(self) -> None:
        """See ``asyncio.BaseProtocol``."""
        self._full_since = None
        if self._is_paused:
            self._take()

    def connection_lost(self, exc: Exception | None) -> None:
        """See ``asyncio.BaseProtocol``."""
        self._transport = None
        self._connections.forget(self)

    def _take(self) -> None:
        """Answer the queries that are there, as far as is allowed."""
        try:
            self._take_queries()
        except NoQueryError as error:
            self._answers.no_query(error.reason, self.text, error.head)
            self.end("no_query")
        except Exception:
            log.exception("dns_query_not_handled", peer=self.text)
            self.abort()

    def _take_queries(self) -> None:
        answers, queries = self._answers, self._answers.tally.queries
        while self._transport is not None:
            if self._full_since is not None or self._waiting >= PIPELINE_LIMIT:
                self._pause()
                return
            packet = self._frames.next()
            if packet is None:
                self._go_on()
                return
            self._asked_at = self._connections.clock.monotonic()
            reply = answers.ready(packet)
            if reply is not None:
                queries["answered" if reply[7] else "nodata"] += 1
                self._write_known(packet, reply)
                continue
            reply = answers.cached(packet, is_tcp=True)
            if reply is not None:
                queries["cached"] += 1
                self._write_known(packet, reply)
                continue
            self._waiting += 1
            answers.receive(packet, TcpAsker(self))

    def _write_known(self, packet: bytes, reply: bytes) -> None:
        if self._answers.show is not None:
            self._answers.show(self.text, TRANSPORTS[True], packet, reply, 0)
        self._write(reply)

    def _write(self, reply: bytes) -> None:
        transport = self._transport
        if transport is None:
            self._answers.tally.replies["unsent"] += 1
            return
        transport.write(len(reply).to_bytes(2, "big") + reply)
        if transport.get_write_buffer_size() > UNSENT_LIMIT_BYTES:
            self.end("slow_reader")
        elif self._has_asked_all and not self._waiting and not self._is_paused:
            transport.close()

    def _pause(self) -> None:
        if not self._is_paused and self._transport is not None:
            self._is_paused = True
            self._transport.pause_reading()

    def _go_on(self) -> None:
        if self._is_paused and self._transport is not None:
            self._is_paused = False
            if self._has_asked_all:
                if not self._waiting:
                    self._transport.close()
            else:
                self._transport.resume_reading()
