"""Reading a node's SQLite file from outside, while the node writes it or after it has stopped.

Where nothing may be written (a disk for reading, a folder of somebody else) SQLite cannot set up what it shares with a
writer; then the file is read as one that nobody changes, if that is all there is.
"""

import os
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

from edgecore.errors import StoreError
from edgecore.store.refusals import refused

T = TypeVar("T")

_UNWRITABLE = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM})


def peek(path: Path, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Return the committed rows of a query, having opened the file read-only.

    Raises ``StoreError`` if the file is not there or SQLite refuses.
    """
    return reading(path, lambda connection: connection.execute(sql, params).fetchall())


def reading(path: Path, work: Callable[[sqlite3.Connection], T]) -> T:
    """Return what ``work`` returns, given a connection that only reads; it may be called a second time.

    Raises ``StoreError`` if the file is not there or SQLite refuses.
    """
    try:
        with closing(_connect(path, "mode=ro")) as connection:
            return work(connection)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        if not path.exists():
            raise StoreError(f"cannot read database {path}: unable to open it, there is no such file") from error
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in _UNWRITABLE or not os.access(path, os.R_OK):
            raise refused("read database", path, error) from error
        return _unchanging(path, work, error)


def _unchanging(path: Path, work: Callable[[sqlite3.Connection], T], first: Exception) -> T:
    log = path.with_name(path.name + "-wal")
    try:
        if log.exists() and log.stat().st_size:
            raise StoreError(
                f"cannot read database {path}: its newest rows are in {log.name}, which SQLite cannot read without"
                f" writing to {path.parent}; copy both files to a folder that you can write, and read the copy"
            ) from first
    except OSError as error:
        raise refused("read database", path, error) from error
    try:
        with closing(_connect(path, "mode=ro&immutable=1")) as connection:
            return work(connection)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise refused("read database", path, error) from error


def _connect(path: Path, how: str) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?{how}", uri=True, timeout=5)
