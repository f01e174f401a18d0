"""The file of what a process prints: as it comes, and never longer than it may be.

At its limit the file becomes the older one (``.1`` at its end) in place of the one before it, and a new one begins. So
what was printed last is there: at least ``limit_bytes``, at most twice as much. It is written by the supervisor alone.
"""

import os

OLDER = ".1"


class LogFile:
    """Appends to one file. Raises ``OSError``."""

    def __init__(self, path: str, limit_bytes: int) -> None:
        self._path = path
        self._limit_bytes = limit_bytes
        self._descriptor = _open(path)
        self._length = os.fstat(self._descriptor).st_size

    def write(self, data: bytes) -> None:
        """Append ``data``. A file is not begun within a line, if the line is not longer than a read."""
        if self._length and self._length + len(data) > self._limit_bytes:
            self._turn()
        view = memoryview(data)
        while view:
            written = os.write(self._descriptor, view)
            self._length += written
            view = view[written:]

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._descriptor)

    def _turn(self) -> None:
        os.rename(self._path, self._path + OLDER)  # noqa: PTH104 - a path as the node sends it
        descriptor = _open(self._path)
        os.close(self._descriptor)
        self._descriptor, self._length = descriptor, 0


def _open(path: str) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
