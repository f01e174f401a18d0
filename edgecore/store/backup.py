"""A copy of the database that stands for itself: made with SQLite's backup API, on disk and verified before it has its
name.

A node may be writing meanwhile: the copy is of one moment, and nobody waits for it.
"""

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

from edgecore.errors import StoreError
from edgecore.store.databasefile import DatabaseFile
from edgecore.store.refusals import FAULTS, free_bytes, refused, size

_STEP_PAGES = 2048
Told = Callable[[int, int], None]
"""Called now and then with the pages that are done, and all of them."""


def backup_name(path: Path, now_ms: int, word: str = "backup") -> Path:
    """Return a name beside ``path`` that is free: ``<name>.backup-20260102T030405Z``, with a number if need be."""
    stamp = datetime.fromtimestamp(now_ms / 1000, UTC).strftime("%Y%m%dT%H%M%SZ")
    name = path.with_name(f"{path.name}.{word}-{stamp}")
    number = 1
    while name.exists() or name.is_symlink():
        number += 1
        name = path.with_name(f"{path.name}.{word}-{stamp}-{number}")
    return name


def back_up(path: Path, target: Path, told: Told = lambda _done, _all: None, *, open_here: bool = False) -> int:
    """Copy the database at ``path`` to ``target`` (0600), and return its bytes.

    ``open_here`` says that this process has ``path`` open. Raises ``StoreError``: ``target`` is there already, there is
    no room for it, or one of the two cannot be used; then there is no ``target``. ``path`` is only read.
    """
    if target.exists() or target.is_symlink():
        raise StoreError(f"cannot back up {path} to {target}: that file exists; name another, or move it away")
    partial = target.with_name(target.name + ".partial")
    try:
        with DatabaseFile(path, open_here=open_here, deed="back up database") as file:
            length = file.use(lambda source: _copy_moment(source, path, target, partial, told))
        _name(partial, target)
    except FAULTS as error:
        raise refused("write backup", target, error) from error
    finally:
        for left in (partial, partial.with_name(partial.name + "-journal")):
            with suppress(OSError):
                left.unlink(missing_ok=True)
    return length


def _copy_moment(source: sqlite3.Connection, path: Path, target: Path, partial: Path, told: Told) -> int:
    """Copy the database at ``path``, which is open, as of one moment to ``partial``; return its bytes.

    Raises ``StoreError``, or ``sqlite3.Error`` where ``path`` cannot be read.
    """
    source.execute("BEGIN")  # what a node writes from here on is not seen
    try:
        pages, page_bytes = (source.execute(f"PRAGMA {figure}").fetchone()[0] for figure in ("page_count", "page_size"))
        if not pages:
            raise StoreError(f"cannot back up {path}: it is empty; there is nothing to copy")
        length: int = pages * page_bytes
        _want_room(path, target, length)
        _write(source, target, partial, told)
        return length
    finally:
        source.rollback()


def _write(source: sqlite3.Connection, target: Path, partial: Path, told: Told) -> None:
    """Write ``partial``, and verify it. Raises ``StoreError``, which names ``target``."""
    try:
        partial.unlink(missing_ok=True)  # of a backup that was interrupted
        os.close(os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        with closing(connect(partial, "rw")) as copy:
            copy.execute("PRAGMA synchronous = full")
            source.backup(
                copy, pages=_STEP_PAGES, progress=lambda _status, left, all_: told(all_ - left, all_), sleep=0
            )
            copy.execute("PRAGMA journal_mode = delete")  # the copy is one file, and opens where nothing may be written
            verify(copy, partial)
    except FAULTS as error:
        raise refused("write backup", target, error) from error


def verify(connection: sqlite3.Connection, path: Path) -> None:
    """Raise ``StoreError`` if the open database at ``path`` is not whole."""
    found = connection.execute("PRAGMA integrity_check(1)").fetchone()[0]
    if found != "ok":
        raise StoreError(
            f"cannot trust the copy {path}: {found}; the database is damaged: `edgecore db check` says how"
        )


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """Open the file at ``path`` (``ro``, ``rw``), which has to be there. Raises ``sqlite3.Error``."""
    return sqlite3.connect(f"file:{quote(str(path))}?mode={mode}", uri=True, timeout=5, isolation_level=None)


def sync_folder(folder: Path) -> None:
    """Make what was named in ``folder`` last. Raises ``OSError``."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _want_room(path: Path, target: Path, needed: int) -> None:
    free = free_bytes(target.parent)
    if 0 <= free < needed:
        raise StoreError(
            f"cannot back up {path} to {target}: it needs {size(needed)}, and {size(free)} are free in {target.parent};"
            " make room there, or move files of that folder elsewhere"
        )


def _name(partial: Path, target: Path) -> None:
    """Give ``partial`` its name, which must not be taken by now."""
    descriptor = os.open(partial, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    try:
        os.link(partial, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        if target.exists():
            raise
        partial.rename(target)
    sync_folder(target.parent)
