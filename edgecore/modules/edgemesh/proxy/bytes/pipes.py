"""Pipes through which bytes go from socket to socket without passing this process (``splice(2)``).

A direction has a pipe only while bytes are in it, so a few do for many connections. Where the system has no ``splice``,
or gives no more pipes, there are none, and bytes are copied.
"""

import fcntl
import os
import sys
from contextlib import suppress
from typing import NamedTuple

PIPES_LIMIT = 64
"""So many at one time. A process of another user than root may fill 64 MiB of them (pipe(7), pipe-user-pages-soft)."""
PIPE_BYTES = 256 * 1024


class Pipe(NamedTuple):
    """The two ends, both non-blocking."""

    exit: int
    entry: int


class Pipes:
    """All pipes of one proxy. Those in it are empty."""

    def __init__(self, limit: int = PIPES_LIMIT) -> None:
        self._limit = limit if sys.platform == "linux" else 0
        self._free: list[Pipe] = []
        self._open = 0

    @property
    def open(self) -> int:
        """How many there are, used or not."""
        return self._open

    def take(self) -> Pipe | None:
        """Return a pipe to be given back or thrown away; ``None`` if there is none to be had now."""
        if self._free:
            return self._free.pop()
        if self._open >= self._limit:
            return None
        try:
            pipe = Pipe(*os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC))
        except OSError:  # no file descriptor is left
            return None
        self._open += 1
        with suppress(OSError):  # it is as large as the system gives it
            fcntl.fcntl(pipe.entry, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        return pipe

    def give_back(self, pipe: Pipe) -> None:
        """Take a pipe that is empty."""
        self._free.append(pipe)

    def throw_away(self, pipe: Pipe) -> None:
        """Close a pipe, whatever is in it."""
        self._open -= 1
        os.close(pipe.entry)
        os.close(pipe.exit)

    def close(self) -> None:
        """Close those that are not used."""
        while self._free:
            self.throw_away(self._free.pop())
