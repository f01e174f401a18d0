"""Unix sockets in the file system: paths of any length, and taking over the file that a dead process left.

A starting process must not take the socket of a live one. So it looks under a lock of the directory (``flock``; held
only between looking and listening): a connection that is refused means that nobody listens any more, anything else
that somebody does.
"""

import errno
import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edgecore.errors import listen_error
from edgecore.privatefiles import make_directory

_ADDRESS_LIMIT_BYTES = 107
"""``sun_path`` of unix(7) holds 108 bytes, the last one zero."""
_OPEN_FILES = Path("/proc/self/fd")


@contextmanager
def address_of(path: Path) -> Iterator[str]:
    """Yield what ``bind`` and ``connect`` take for ``path``: Linux reaches long ones through an open directory.

    Raises ``OSError`` where the path is too long for this system.
    """
    if len(os.fsencode(path)) <= _ADDRESS_LIMIT_BYTES:
        yield str(path)
        return
    if not _OPEN_FILES.is_dir():
        raise _too_long(path)
    directory = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        address = str(_OPEN_FILES / str(directory) / path.name)
        if len(os.fsencode(address)) > _ADDRESS_LIMIT_BYTES:
            raise _too_long(path)
        yield address
    finally:
        os.close(directory)


def _too_long(path: Path) -> OSError:
    text = f"the system takes {_ADDRESS_LIMIT_BYTES} bytes for a socket, this path has {len(os.fsencode(path))}"
    return OSError(errno.ENAMETOOLONG, f"{text}; choose a shorter one")


class UnixListener:
    """A listening Unix socket (mode 0600) and its file."""

    def __init__(self, path: Path, process: str = "process") -> None:
        """Listen on ``path``, making its directory (0700) if there is none.

        ``process`` names those who listen there, for the error. Raises ``ListenError``.
        """
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            make_directory(path.parent)
            with _only_one_starts(path.parent), address_of(path) as address:
                _clear_the_way(path, address, process)
                self._listen(address)
                self._identity = _identity(path)
        except OSError as error:
            self.socket.close()
            raise listen_error(str(path), error, error.strerror or str(error)) from error

    def _listen(self, address: str) -> None:
        """Nobody can connect before ``listen``, so there is no moment when the file is open to others."""
        self.socket.bind(address)
        Path(address).chmod(0o600)
        self.socket.listen(128)
        self.socket.setblocking(False)

    def remove_file(self) -> None:
        """Remove the file, if it is still this socket's own.

        Done while the socket listens: until it is gone, no other process takes the path over.
        """
        with suppress(OSError):
            if _identity(self.path) == self._identity:
                self.path.unlink()

    def close(self) -> None:
        """Remove the file and stop listening. Does nothing the second time."""
        if self.socket.fileno() != -1:
            self.remove_file()
            self.socket.close()


def _identity(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return found.st_dev, found.st_ino


@contextmanager
def _only_one_starts(directory: Path) -> Iterator[None]:
    lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        others = os.fstat(lock).st_mode & (stat.S_IRGRP | stat.S_IROTH)
        # Whoever may read a directory may lock it, and keep the lock: where others may, nobody is waited for.
        with suppress(OSError):  # nor where directories have no locks, as on NFS: start unlocked
            fcntl.flock(lock, fcntl.LOCK_EX | (fcntl.LOCK_NB if others else 0))
        yield
    finally:
        os.close(lock)


def _clear_the_way(path: Path, address: str, process: str) -> None:
    """Remove the socket of a dead process. Raises ``OSError`` where something else is at ``path``."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(errno.EEXIST, "a file that is no socket is in the way")
    if _is_listened_on(address):
        raise OSError(
            errno.EADDRINUSE, f"another {process} is running there; stop that one, or give this one a place of its own"
        )
    path.unlink()


def _is_listened_on(address: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(address)
        except ConnectionRefusedError:
            return False
        except BlockingIOError:  # its queue of connections is full
            return True
        return True
