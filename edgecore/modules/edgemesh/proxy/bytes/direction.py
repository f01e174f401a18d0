"""One direction of a connection: bytes from one socket to another, in order, until one of them ends.

::

    reading   nothing is kept; what comes is sent on at once
    stuck     the receiver takes no more: the rest is kept, here or in a pipe, and the sender is not read
    ended     the sender has sent all (it is all passed on, and so is the end)

Small pieces are received and sent. Once much comes at a time it goes through a pipe instead (``splice``), and when
little comes again, as before.
"""

import asyncio
import os
import socket
import sys
from contextlib import suppress
from typing import Protocol

from edgecore.modules.edgemesh.proxy.bytes.lane import Lane
from edgecore.modules.edgemesh.proxy.bytes.pipes import PIPE_BYTES, Pipe

_MUCH_BYTES = 32 * 1024
_LITTLE_BYTES = 8 * 1024

if sys.platform == "linux":
    _SPLICE = os.SPLICE_F_MOVE | os.SPLICE_F_NONBLOCK


class DirectionOwner(Protocol):
    """The connection that a direction belongs to."""

    def began(self, direction: "Direction") -> None:
        """Take note that the first bytes are here. May be called more than once."""

    def ended(self, direction: "Direction") -> None:
        """Take note that all bytes are passed on, and that no more will come. ``pass_end`` tells the receiver."""

    def broken(self, direction: "Direction", error: OSError, *, at_source: bool) -> None:
        """Take note that nothing passes any more, because of the sender (``at_source``) or the receiver."""


class Direction:
    """See the module. It calls its owner, and does nothing any more once it has called ``broken``."""

    __slots__ = (
        "_error",
        "_kept",
        "_lane",
        "_loop",
        "_much",
        "_owner",
        "_pipe",
        "_piped",
        "_receive",
        "_send",
        "_sink",
        "_source",
        "has_ended",
        "moved",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        lane: Lane,
        owner: DirectionOwner,
        source: socket.socket,
        sink: socket.socket,
    ) -> None:
        self.moved = 0
        """Bytes that were passed on."""
        self.has_ended = False
        self._loop = loop
        self._lane = lane
        self._owner = owner
        self._source = source
        self._sink = sink
        self._receive = source.recv_into
        self._send = sink.send
        self._much = False
        self._error: OSError | None = None
        self._kept: memoryview | None = None
        self._pipe: Pipe | None = None
        self._piped = 0

    def start(self) -> None:
        """Begin to read."""
        self._loop.add_reader(self._source.fileno(), self.readable)

    def close(self) -> None:
        """Pass nothing more, and keep nothing. The sockets are to be closed after it."""
        self._loop.remove_reader(self._source.fileno())
        self._loop.remove_writer(self._sink.fileno())
        self._kept = None
        if self._pipe is not None:
            self._lane.pipes.throw_away(self._pipe)
            self._pipe = None

    def pass_end(self) -> None:
        """Tell the receiver that this was all, and read no more."""
        self._loop.remove_reader(self._source.fileno())
        with suppress(OSError):  # it was reset, and that is not noticed yet
            self._sink.shutdown(socket.SHUT_WR)

    def readable(self) -> None:
        """Pass on what has come."""
        lane = self._lane
        if self._much:
            pipe = lane.pipes.take()
            if pipe is not None:
                self._splice(pipe)
                return
        try:
            size = self._receive(lane.large if self._much else lane.small)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._owner.broken(self, error, at_source=True)
            return
        if not size:
            self._end()
            return
        if not self.moved:
            self._owner.began(self)
        self._much = size >= _MUCH_BYTES
        piece = lane.large[:size]
        try:
            sent = self._send(piece)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError as error:
            self._owner.broken(self, error, at_source=False)
            return
        self.moved += sent
        if sent < size:
            self._kept = memoryview(bytes(piece[sent:]))
            self._wait()
        else:
            self._look_for_error()

    def writable(self) -> None:
        """Pass on what was kept, and read again once it has gone."""
        try:
            left = self._send_kept() if self._pipe is None else self._empty(self._pipe)
        except OSError as error:
            self._owner.broken(self, error, at_source=False)
            return
        if not left:
            self._loop.remove_writer(self._sink.fileno())
            self._loop.add_reader(self._source.fileno(), self.readable)

    def _splice(self, pipe: Pipe) -> None:
        pipes = self._lane.pipes
        try:
            size = os.splice(self._source.fileno(), pipe.entry, PIPE_BYTES, flags=_SPLICE)
        except (BlockingIOError, InterruptedError):
            pipes.give_back(pipe)
            return
        except OSError as error:
            pipes.give_back(pipe)
            self._owner.broken(self, error, at_source=True)
            return
        if not size:
            pipes.give_back(pipe)
            self._end()
            return
        if not self.moved:
            self._owner.began(self)
        self._much = size >= _LITTLE_BYTES
        self._pipe, self._piped = pipe, size
        try:
            left = self._empty(pipe)
        except OSError as error:
            self._owner.broken(self, error, at_source=False)
            return
        if left:
            self._wait()
        else:
            self._look_for_error()

    def _look_for_error(self) -> None:
        """See whether the sender has reset the connection behind what was read just now.

        There may be more to read, and libuv tells of a socket with an error once and never again. Asking for the error
        takes it away, so reading goes on as before; the end of what is there is then no end, but that error.
        """
        number = self._source.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            self._error = OSError(number, os.strerror(number))
            self._loop.remove_reader(self._source.fileno())
            self._loop.add_reader(self._source.fileno(), self.readable)

    def _empty(self, pipe: Pipe) -> int:
        """Send what is in the pipe, give it back if that was all, and return how much is left. Raises ``OSError``."""
        try:
            sent = os.splice(pipe.exit, self._sink.fileno(), self._piped, flags=_SPLICE)
        except (BlockingIOError, InterruptedError):
            return self._piped
        self.moved += sent
        self._piped -= sent
        if not self._piped:
            self._pipe = None
            self._lane.pipes.give_back(pipe)
        return self._piped

    def _send_kept(self) -> int:
        """Send what is kept, and return how much is left. Raises ``OSError``."""
        kept = self._kept
        if kept is None:
            return 0
        try:
            sent = self._send(kept)
        except (BlockingIOError, InterruptedError):
            return len(kept)
        self.moved += sent
        self._kept = kept[sent:] if sent < len(kept) else None
        return len(kept) - sent

    def _wait(self) -> None:
        self._loop.remove_reader(self._source.fileno())
        self._loop.add_writer(self._sink.fileno(), self.writable)

    def _end(self) -> None:
        if self._error is not None:
            self._owner.broken(self, self._error, at_source=True)
            return
        self.has_ended = True
        self._owner.ended(self)
