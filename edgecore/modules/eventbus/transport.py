"""Dialling a broker: a connection of the event loop, in the shape of the socket that paho reads and writes.

No thread waits for it. What paho asks for has come already, or it is told to come again; what it writes leaves together
at the end of a turn of the loop.
"""

import asyncio
import os
import ssl
from collections.abc import Callable
from typing import cast

from edgecore.clock import Clock, before
from edgecore.errors import BrokerError
from edgecore.modules.eventbus.endpoint import Endpoint, Tls

MOST_UNREAD_BYTES = 65_536
"""With more that has come and was not read, nothing is taken from the broker."""
MOST_UNSENT_BYTES = 65_536
"""More waits in the queue, where it is counted."""


class Stream(asyncio.Protocol):
    """One connection. ``readable`` is called when something has come, or the end; ``writable`` when there is room."""

    def __init__(self, readable: Callable[[], None], writable: Callable[[], None], max_packet_bytes: int) -> None:
        self._readable = readable
        self._writable = writable
        self._max_packet_bytes = max_packet_bytes
        self._transport: asyncio.Transport | None = None
        self._come = b""
        self._read = 0
        self._unsent: list[bytes] = []
        self._unsent_bytes = 0
        self._congested = False
        self._is_held = self._is_full = self._is_paused = False
        self._ended = asyncio.get_running_loop().create_future()
        self.why = ""
        """Why it ended, once it did."""

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is of no class of asyncio

    def data_received(self, data: bytes) -> None:
        """Keep what came until it is read."""
        self._come = self._come[self._read :] + data if self.unread else data
        self._read = 0
        self._readable()
        self._pause_or_go_on()

    def eof_received(self) -> None:
        """Let the transport close."""
        self.why = self.why or "the broker closed the connection"

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end."""
        if exc is not None:
            self.why = self.why or _why(exc)
        self.why = self.why or "the connection was closed"
        self._transport = None
        self._ended.set_result(None)
        self._readable()

    def pause_writing(self) -> None:
        """Take no more."""
        self._congested = True

    def resume_writing(self) -> None:
        """Take more."""
        self._congested = False
        self._writable()

    # What paho calls.

    def recv(self, buffer_size: int) -> bytes:
        """Return up to ``buffer_size`` bytes, nothing at the end.

        Raises ``BlockingIOError`` where nothing has come, ``ConnectionError`` where too much is coming.
        """
        if buffer_size > self._max_packet_bytes:
            self.why = f"a packet of {buffer_size} bytes came, over {self._max_packet_bytes}"
            raise ConnectionAbortedError(self.why)
        begin = self._read
        if begin < len(self._come):
            self._read = end = min(begin + buffer_size, len(self._come))
            if self._is_full:
                self._pause_or_go_on()
            return self._come[begin:end]
        if self._ended.done():
            return b""
        raise BlockingIOError

    def send(self, buffer: bytes | bytearray) -> int:
        """Take all of ``buffer`` for the next ``flush``. Raises ``BlockingIOError`` while there is no room."""
        if not self.room:
            raise BlockingIOError
        self._unsent.append(bytes(buffer))
        self._unsent_bytes += len(buffer)
        return len(buffer)

    def fileno(self) -> int:
        """Nobody waits for this."""
        return -1

    def setblocking(self, flag: bool) -> None:
        """It never blocks."""

    def close(self) -> None:
        """Send what was taken, and close."""
        if self._transport is not None:
            self.flush()
            self._transport.close()

    # What the client calls.

    @property
    def unread(self) -> int:
        """Bytes that have come and were not read."""
        return len(self._come) - self._read

    @property
    def room(self) -> bool:
        """Whether more is taken."""
        return not self._congested and self._unsent_bytes < MOST_UNSENT_BYTES

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._ended.done()

    def flush(self) -> None:
        """Write what was taken."""
        if self._unsent and self._transport is not None:
            self._transport.write(b"".join(self._unsent))
        self._unsent.clear()
        self._unsent_bytes = 0

    def hold(self, held: bool) -> None:
        """Read nothing more from the broker, or go on."""
        self._is_held = held
        self._pause_or_go_on()

    def _pause_or_go_on(self) -> None:
        """Read from the broker unless enough waits, or somebody wants no more."""
        is_full = self.unread >= MOST_UNREAD_BYTES
        if self._transport is None or self._transport.is_closing():
            return
        self._is_full = is_full
        if (self._is_held or is_full) == self._is_paused:
            return
        self._is_paused = not self._is_paused
        if self._is_paused:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def abort(self) -> None:
        """End it at once."""
        if self._transport is not None:
            self._transport.abort()

    async def end(self, clock: Clock, deadline: float) -> None:
        """Close it and return once it is closed; at ``deadline`` at once."""
        self.close()
        try:
            await before(clock, deadline, self._over())
        except TimeoutError:
            self.abort()

    async def _over(self) -> None:
        await asyncio.shield(self._ended)


async def dial(endpoint: Endpoint, stream: Callable[[], Stream], clock: Clock, deadline: float) -> Stream:
    """Return a connection with the broker, TLS included. Raises ``BrokerError``, naming the address and the reason."""
    try:
        context = tls_context(endpoint.tls) if endpoint.tls else None
        name = (endpoint.tls.server_name or endpoint.host) if endpoint.tls else None
        loop = asyncio.get_running_loop()
        connecting = loop.create_connection(stream, endpoint.host, endpoint.port, ssl=context, server_hostname=name)
        return (await before(clock, deadline, connecting))[1]
    except TimeoutError:
        raise BrokerError(f"cannot connect to {endpoint.url}: no connection in time") from None
    except ssl.SSLCertVerificationError as error:
        text = f"its certificate is refused: {error.verify_message}; see eventBusTLS.tlsMqttCAFile"
        raise BrokerError(f"cannot connect to {endpoint.url}: {text}") from error
    except (OSError, ValueError) as error:
        raise BrokerError(f"cannot connect to {endpoint.url}: {_why(error)}") from error


def _why(error: Exception) -> str:
    """Return the system's words: asyncio gives the error a text of its own, with the address in it once more."""
    number = getattr(error, "errno", None) or 0
    if number > 0 and not isinstance(error, ssl.SSLError):
        return os.strerror(number)
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def tls_context(tls: Tls) -> ssl.SSLContext:
    """Return a context that checks the broker, its name included. Raises ``BrokerError``, naming the bad file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # The CA that a cloudcore of 1.3.1 makes has no key identifiers, which this check of newer Pythons asks for.
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
    try:
        if tls.ca is None:
            context.load_default_certs()
        else:
            context.load_verify_locations(tls.ca)
    except (OSError, ssl.SSLError) as error:
        raise BrokerError(f"cannot use the CA file {tls.ca} of the broker: {error.strerror or error}") from error
    if tls.certificate is not None:
        try:
            context.load_cert_chain(tls.certificate, tls.key, password=lambda: "")  # else a terminal is asked
        except (OSError, ssl.SSLError) as error:
            files = f"{tls.certificate} with key {tls.key}"
            raise BrokerError(f"cannot use the certificate {files}: {error.strerror or error}") from error
    return context
