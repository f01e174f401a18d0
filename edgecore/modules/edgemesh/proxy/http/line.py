"""The connection of one client as bytes: what is written to it, whether it is read, how it ends, and whose it is."""

import asyncio
import socket
import struct
from abc import ABC, abstractmethod
from contextlib import suppress
from math import inf
from typing import cast

from edgecore.modules.edgemesh.names import Endpoint
from edgecore.modules.edgemesh.proxy.doors.door import Door
from edgecore.modules.edgemesh.proxy.gateway import Gateway

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER with no time: closing sends RST


class ClientLine(asyncio.Protocol, ABC):
    """See the module. ``expire`` is called when the time is over that was given last (``touch``)."""

    __slots__ = (
        "_closing",
        "_deadlines",
        "_door",
        "_ended",
        "_gateway",
        "_gone_at",
        "_peer",
        "_peername",
        "_reading",
        "_ready",
        "_transport",
        "due",
        "slot_at",
    )

    def __init__(self, gateway: Gateway, door: Door) -> None:
        self._gateway = gateway
        self._door = door
        self._transport = cast("asyncio.Transport", None)  # until connection_made
        self._deadlines = gateway.deadlines
        self.due = self.slot_at = inf
        self._peername: tuple[str, int] | None = None
        self._peer = ""
        self._ready = False  # a request in one piece can be served at once
        self._ended = False  # the client will send nothing more
        self._gone_at = inf  # then a client that has ended is taken for one that is gone
        self._closing = False
        self._reading = True

    @property
    def leaving(self) -> bool:
        """See ``AskingClient``."""
        return self._door.closed

    @property
    def unsent(self) -> int:
        """See ``AskingClient``."""
        return self._transport.get_write_buffer_size()

    @property
    def ip(self) -> str:
        """See ``AskingClient``."""
        return self._name()[0]

    @property
    def peer(self) -> str:
        """See ``AskingClient``."""
        if not self._peer:
            name = self._name()
            self._peer = str(Endpoint(*name)) if name[0] else "unknown"
        return self._peer

    def touch(self, seconds: float) -> None:
        """See ``TunnelClient``."""
        self._deadlines.move(self, self._gateway.clock.monotonic() + seconds)

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
        self._end()
        self.touch(self._gateway.limits.idle_timeout_s)

    def abort(self) -> None:
        """Close at once."""
        self._closing = True
        self._ready = False
        self._transport.abort()

    def _end(self) -> None:
        """Close when everything written is sent; ``expire`` is called if that takes too long."""
        self._closing = True
        self._ready = False
        self._transport.close()

    def _reset(self) -> None:
        """Close at once, so that the client sees it as an error."""
        sock = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.abort()

    def _linger(self) -> None:
        """Close when the client has seen the answer: closing with unread bytes would take the answer away from it."""
        if self._ended:
            self.close()
            return
        self._closing = True
        self._ready = False
        self.set_reading(True)
        self.write_eof()
        self.touch(self._gateway.limits.linger_s)

    @property
    @abstractmethod
    def is_idle(self) -> bool:
        """See ``Timed``."""

    @abstractmethod
    def expire(self) -> None:
        """See ``Timed``."""

    def _name(self) -> tuple[str, int]:
        if self._peername is None:
            name = self._transport.get_extra_info("peername")
            self._peername = (str(name[0]), int(name[1])) if name else ("", 0)
        return self._peername
