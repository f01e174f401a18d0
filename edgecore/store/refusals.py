"""What SQLite and the system say about the file, in words that name it and the way out."""

import errno
import os
import shlex
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from edgecore.errors import StoreError, reason_of

DAMAGED = "damaged"
NO_ROOM = "no_room"
LOCKED = "locked"
READ_ONLY = "read_only"
DISK = "disk"
OTHER = "other"

FAULTS = (sqlite3.Error, OSError, UnicodeDecodeError)
"""What using a file can raise; the last where SQLite quotes from one that is damaged."""
_TROUBLES = {
    sqlite3.SQLITE_CORRUPT: DAMAGED,
    sqlite3.SQLITE_NOTADB: DAMAGED,
    sqlite3.SQLITE_FULL: NO_ROOM,
    sqlite3.SQLITE_BUSY: LOCKED,
    sqlite3.SQLITE_LOCKED: LOCKED,
    sqlite3.SQLITE_READONLY: READ_ONLY,
    sqlite3.SQLITE_IOERR: DISK,
}
_LITTLE_BYTES = 64 * 1024
"""With less than this free, an error of the disk is want of room: SQLite says so of a log that cannot grow."""


def refused(deed: str, path: Path, error: BaseException) -> StoreError:
    """Return the error ``cannot <deed> <path>: <reason>; <what to do>``."""
    way_out = advice(trouble(error, path), path)
    if not way_out and isinstance(error, OSError):
        return StoreError(f"cannot {deed} {path}: {reason_of(error)}")
    return StoreError(f"cannot {deed} {path}: {_reason(error)}{f'; {way_out}' if way_out else ''}")


def unreadable(deed: str, path: Path, error: BaseException) -> StoreError:
    """Return the same for a program that only reads: it is not the one to put right what is wrong with the file."""
    original = _sqlite_error(error)
    code = getattr(original, "sqlite_errorcode", 0)
    if isinstance(error, FileNotFoundError):
        return StoreError(
            f"cannot {deed} {path}: there is no such file; `edgecore status` names that of a running node"
        )
    if code == sqlite3.SQLITE_READONLY_ROLLBACK:
        way_out = "its last writer ended in the middle of a commit; start that once, so that it is put right"
    elif code & 0xFF == sqlite3.SQLITE_NOTADB:
        way_out = f"name the file that database.dataSource names; if it is this one, {ways_back(path)}"
    elif trouble(error, path) == DAMAGED:
        way_out = ways_back(path)
    elif isinstance(error, PermissionError) or not os.access(path, os.R_OK, effective_ids=True):
        way_out = "see that this user may read the file and its directory"
    elif trouble(error, path) == LOCKED:
        way_out = "another program holds it; try again, or ask the running node instead of the file"
    elif "no such table: meta" in str(original):
        is_empty = not path.stat().st_size
        way_out = "no node has stored anything here" if is_empty else "name the file of an edgecore"
    elif code == sqlite3.SQLITE_READONLY:
        way_out = ""
    else:
        return refused(deed, path, error)
    return StoreError(f"cannot {deed} {path}: {_reason(error)}{f'; {way_out}' if way_out else ''}")


def no_file(deed: str, path: Path) -> StoreError:
    """Return the error for a path at which there is something else than a file."""
    what = "a directory; name the file in it" if path.is_dir() else "no file; name one"
    return StoreError(f"cannot {deed} {path}: it is {what}")


def trouble(error: BaseException, path: Path) -> str:
    """Return the word for what is wrong with the file; ``OTHER`` where it is the statement that is wrong."""
    if isinstance(error, UnicodeDecodeError):
        return DAMAGED  # what SQLite said, or a text in the file, is none
    if isinstance(error, OSError):
        return _trouble_of_system(error)
    original = _sqlite_error(error)
    word = _TROUBLES.get(getattr(original, "sqlite_errorcode", 0) & 0xFF, OTHER)
    if word == DISK and 0 <= free_bytes(path.parent) < _LITTLE_BYTES:
        return NO_ROOM
    return word


def advice(word: str, path: Path) -> str:
    """Return what to do about it; empty where that is not known."""
    folder = path.parent
    match word:
        case "damaged":
            return f"{ways_back(path)}; or move the file away to start with an empty one"
        case "no_room":
            if not _takes_files(folder):
                return f"remove files from the file system of {folder}: it has room for bytes, and for no more files"
            free = free_bytes(folder)
            left = f" ({size(free)} are free)" if free >= 0 else ""
            return f"make room in {folder}{left}"
        case "locked":
            return "another program holds it: end that one (a Go edgecore, sqlite3), then try again"
        case "read_only":
            return (
                f"make {folder} and the file writable for the user that runs the node,"
                " or name another place in database.dataSource"
            )
        case "disk":
            return f"see what the system's log says of the disk of {folder}"
    return ""


def ways_back(path: Path) -> str:
    """Return which commands help with a file that is damaged."""
    return f"`edgecore db repair --db {shlex.quote(str(path))}` saves what can be read, {way_of_backup(path)}"


def way_of_backup(path: Path) -> str:
    """Return which command puts a backup back: the newest, if one lies beside it."""
    quoted = shlex.quote(str(path))
    newest = backups_beside(path)[-1:]
    if newest:
        return f"`edgecore db restore {shlex.quote(str(newest[0]))} --db {quoted}` puts the newest backup back"
    return f"`edgecore db restore FILE --db {quoted}` puts a backup back"


def backups_beside(path: Path) -> list[Path]:
    """Return the backups in the file's folder that bear its name, the newest last."""
    try:
        return sorted(each for each in path.parent.glob(f"{_escaped(path.name)}.backup-*") if each.suffix != ".partial")
    except OSError:
        return []


def free_bytes(folder: Path) -> int:
    """Return how much room there is for this user; -1 where the system does not say."""
    try:
        figures = os.statvfs(folder)
    except OSError:
        return -1
    return figures.f_bavail * figures.f_frsize


def _takes_files(folder: Path) -> bool:
    """Whether there is an inode left for one more file; many file systems have no bound, and say 0 of 0."""
    try:
        figures = os.statvfs(folder)
    except OSError:
        return True
    return not figures.f_files or figures.f_favail > 0


def size(count: int) -> str:
    """Return a number of bytes for people: ``1.5 MiB``."""
    if count < 1024:
        return f"{count} bytes"
    if count < 1024**2:
        return f"{count / 1024:.0f} KiB"
    if count < 1024**3:
        return f"{count / 1024**2:.1f} MiB"
    return f"{count / 1024**3:.1f} GiB"


def _trouble_of_system(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NO_ROOM
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return READ_ONLY
    return DISK if error.errno == errno.EIO else OTHER


def _reason(error: BaseException) -> str:
    return str(_sqlite_error(error) or (error.strerror if isinstance(error, OSError) else "") or error)


def _sqlite_error(error: BaseException) -> sqlite3.Error | None:
    """Return SQLite's own error: peewee puts one of its own before it."""
    return next((each for each in _chain(error) if isinstance(each, sqlite3.Error)), None)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _escaped(name: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)
