"""A TCP connection that can be cut, or fall silent without being closed."""

import asyncio
from collections.abc import Callable
from typing import Any


class Wire:
    """A transport between asyncio and the websocket library: what it does not change goes through to the real one.

    Written bytes go straight to the real transport, at no cost, until ``freeze``.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self.write: Callable[[bytes], object] = transport.write
        self.write_eof: Callable[[], object] = transport.write_eof
        self.close: Callable[[], object] = transport.close
        self.frozen = False
        self._transport = transport
        self._paused = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def freeze(self) -> None:
        """From now on read nothing, write nothing and close nothing; only ``abort`` still works."""
        self.frozen = True
        self.pause_reading()
        self.write = self._swallow
        self.write_eof = self.close = self._do_nothing

    def pause_reading(self) -> None:
        """See ``asyncio.ReadTransport``."""
        if not self._paused and not self._transport.is_closing():
            self._paused = True
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """See ``asyncio.ReadTransport``; the library asks for it whenever it has room, frozen or not."""
        if self._paused and not self.frozen:
            self._paused = False
            self._transport.resume_reading()

    def abort(self) -> None:
        """Drop the connection at once, as a process that dies does."""
        self._transport.abort()

    def _swallow(self, _data: bytes) -> None:
        """Lose what is written."""

    def _do_nothing(self) -> None:
        """Pretend."""
