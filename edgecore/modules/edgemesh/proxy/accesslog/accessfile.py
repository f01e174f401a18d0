"""Where lines of the access log go: a file that is kept small, or an open stream; everything here may block.

The file is made for its owner alone (0600), is never one behind a symbolic link, and is opened anew where somebody has
moved it away (logrotate). At its limit it becomes ``<name>.1``, what was that ``<name>.2``, and so on; the last one is
gone; where none is kept it is begun anew. Several processes may write the same file, each line whole; one of them
rotates it, and the others follow.
"""

import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Protocol

LOOK_EVERY_S = 1.0
"""How often it is looked whether the file is still where it was."""
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
_MODE = 0o600


class Sink(Protocol):
    """Takes lines. Used by one thread; raises nothing."""

    problem: str
    """Why the last lines were not written, a sentence; empty if they were."""

    def write(self, lines: bytes) -> int:
        """Append whole lines, and return how many of them are lost."""

    def close(self) -> None:
        """Let go of the file."""


class AccessFile:
    """A file. At ``limit_bytes`` it is rotated (0: never); ``keep`` old ones may be there, or none."""

    def __init__(
        self, path: Path, monotonic: Callable[[], float], *, limit_bytes: int, keep: int, rotates: bool = True
    ) -> None:
        self.problem = ""
        self._path = path
        self._monotonic = monotonic
        self._limit_bytes = limit_bytes if rotates else 0
        self._keep = keep
        self._descriptor = -1
        self._look_at = 0.0
        self._torn = False

    def write(self, lines: bytes) -> int:
        """See ``Sink``."""
        done, error = 0, ""
        try:
            self._make_ready(len(lines))
        except (OSError, ValueError) as failure:
            error = _words(failure)
        else:
            done, error = _append(self._descriptor, lines, torn=self._torn)
        if not error:
            self.problem, self._torn = "", False
            return 0
        self.problem = f"cannot write {self._path}: {error}; requests are served without being logged until it can"
        whole = lines.rfind(b"\n", 0, done) + 1
        if done:
            self._torn = False
        if done > whole:
            self._mend(done - whole)
        return lines.count(b"\n", whole)

    def close(self) -> None:
        """See ``Sink``."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _make_ready(self, more_bytes: int) -> None:
        """Have the file be open, where it belongs, and with room for what comes. Raises ``OSError``."""
        now = self._monotonic()
        if self._descriptor >= 0 and now >= self._look_at:
            self._look_at = now + LOOK_EVERY_S
            if not self._is_in_place():
                self.close()
        if self._descriptor < 0:
            self._open()
            self._look_at = now + LOOK_EVERY_S
        if self._limit_bytes:
            size = os.fstat(self._descriptor).st_size
            if size and size + more_bytes > self._limit_bytes:
                self._rotate()

    def _is_in_place(self) -> bool:
        try:
            there = self._path.stat(follow_symlinks=False)
        except FileNotFoundError:
            return False
        return os.path.samestat(there, os.fstat(self._descriptor))

    def _open(self) -> None:
        descriptor = os.open(self._path, _FLAGS, _MODE)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise ValueError("it is no regular file")
        self._descriptor = descriptor
        self._torn = False

    def _rotate(self) -> None:
        """Begin a new file. Where that fails, the old one stays open, and as long as it was. Raises ``OSError``."""
        if self._is_in_place() and not self._keep:
            self._path.unlink()
        elif self._is_in_place():
            for number in range(self._keep - 1, 0, -1):
                with suppress(FileNotFoundError):
                    self._numbered(number).rename(self._numbered(number + 1))
            self._path.rename(self._numbered(1))
        self.close()
        self._open()

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    def _mend(self, torn_bytes: int) -> None:
        """Take back the beginning of a line whose rest did not fit; where that cannot be, end it before the next."""
        self._torn = True
        with suppress(OSError):
            end = os.lseek(self._descriptor, 0, os.SEEK_CUR)  # of what this process wrote last
            if os.fstat(self._descriptor).st_size == end:
                os.ftruncate(self._descriptor, end - torn_bytes)
                self._torn = False


class AccessStream:
    """An open file descriptor, such as standard output. It is not closed."""

    def __init__(self, descriptor: int) -> None:
        self.problem = ""
        self._descriptor = descriptor
        self._torn = False

    def write(self, lines: bytes) -> int:
        """See ``Sink``. Waits as long as its reader does not read."""
        done, error = _append(self._descriptor, lines, torn=self._torn)
        if not error:
            self.problem, self._torn = "", False
            return 0
        self.problem = f"cannot write the access log: {error}; nobody reads it, or its disk is full"
        if done:
            self._torn = lines[done - 1 : done] != b"\n"
        return lines.count(b"\n", done)

    def close(self) -> None:
        """See ``Sink``."""


def _append(descriptor: int, lines: bytes, *, torn: bool) -> tuple[int, str]:
    """Write ``lines``, behind a newline if what is there is ``torn``; return how many bytes were, and the error."""
    done = 0
    try:
        if torn:
            os.write(descriptor, b"\n")
        while done < len(lines):
            done += os.write(descriptor, memoryview(lines)[done:])
    except OSError as error:
        return done, _words(error)
    return done, ""


def _words(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
