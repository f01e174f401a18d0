"""The file beside the database by which one process at a time has it: ``<name>.lock``, ``flock(2)``.

It holds the number of the process that has, or last had, the database. So where it holds anything, a database was made.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path
from typing import IO

from edgecore.errors import StoreError
from edgecore.privatefiles import make_directory
from edgecore.store.refusals import no_file, refused

_SQLITE_LOCK_AT = 0x4000_0000
_SQLITE_LOCK_BYTES = 512
"""Where SQLite locks a file: pending, reserved, and the bytes of which readers take one
(https://www.sqlite.org/lockingv3.html)."""


def lock_of(path: Path) -> Path:
    """Return the lock file of the database at ``path``."""
    return path.with_name(path.name + ".lock")


def hold(path: Path, deed: str = "open database") -> IO[bytes]:
    """Hold ``path`` for this process, until the returned file is closed.

    Raises ``StoreError``: it is in use, it is there and no file (a device would be put aside, or made private), or the
    lock cannot be made.
    """
    if path.exists() and not path.is_file():
        raise no_file(deed, path)
    name = lock_of(path)
    try:
        make_directory(path.parent)
        make_private(name)
        lock = name.open("r+b", buffering=0)
    except OSError as error:
        raise refused(deed, path, error) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        user = _written(lock)
        lock.close()
        if not isinstance(error, BlockingIOError):
            raise refused(deed, path, error) from error
        raise StoreError(
            f"cannot {deed} {path}: another edgecore uses it{f' (process {user})' if user else ''}; "
            "stop that one, or give this one a database.dataSource of its own",
        ) from error
    return lock


def note_made(lock: IO[bytes]) -> None:
    """Note in ``lock``, which this process holds, that the database is there, and who has it."""
    with suppress(OSError):  # a full disk: the note may be missing
        lock.seek(0)
        lock.write(b"%-10d\n" % os.getpid())
        lock.flush()


def had_one(lock: IO[bytes]) -> bool:
    """Whether there was a database once."""
    return bool(_written(lock))


def user_of(path: Path) -> str | None:
    """Return the process that has the database at ``path``; empty if that is not known, ``None`` if nobody has it.

    For the blink of an eye this holds the lock itself.
    """
    try:
        with lock_of(path).open("rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return _written(lock)
    except OSError:
        return None  # there is no lock file, or it is closed to this user
    return None


def refuse_if_open(path: Path, deed: str) -> None:
    """Raise ``StoreError`` if a program that does not know our lock has the database open, or ``OSError``.

    Seen are those that hold SQLite's own lock: in WAL mode every one, else who reads or writes at this moment. Not to
    be called where this process has the database open: SQLite would lose its locks.
    """
    if not path.exists():
        return
    with path.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, _SQLITE_LOCK_BYTES, _SQLITE_LOCK_AT)
        except (BlockingIOError, PermissionError) as error:
            raise StoreError(
                f"cannot {deed} {path}: another program has it open; end that one (a Go edgecore, sqlite3), try again"
            ) from error


def make_private(path: Path) -> None:
    """Make the file if it is not there; nobody but its owner can read it from now on. Raises ``OSError``."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def _written(lock: IO[bytes]) -> str:
    try:
        lock.seek(0)
        return lock.read(20).decode("ascii", "replace").strip()
    except OSError:
        return ""
