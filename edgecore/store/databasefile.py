"""A node's SQLite file, open for reading from outside: several queries that see one state, and whether it has changed.

The file is never written, and nothing is left beside it: SQLite makes files of its own beside one in WAL mode, even for
a reader. So where nobody has it open, it is read as one that does not change (``immutable``).

A process that has the file open itself must say so: closing a second descriptor of a file gives up the locks that the
process holds on it (fcntl(2)), unless SQLite closes it.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from edgecore.errors import StoreError

_TIMEOUT_S = 5.0
_HEADER_BYTES = 100
_JOURNAL_BYTE = 18
"""It says which journal the file was written with last (sqlite.org/fileformat.html)."""
_WAL_VERSION = 2
_WHAT_TO_DO = (
    ("not a database", "name the file that the node's database.dataSource names"),
    ("malformed", "it is damaged; read a copy or a backup of it instead"),
    ("disk I/O error", "it is damaged or cut off; read a copy or a backup of it instead"),
    ("locked", "another program holds it; try again, or ask the running node instead of the file"),
    ("no such table: meta", "it is the database of something else than an edgecore"),
    ("readonly", "its last writer ended in the middle of a commit; start that once, so that it is put right"),
    ("unable to open", "see that this user may read the file and its directory"),
)


class DatabaseFile:
    """The open file; ``close`` it, or use it in a ``with``. Of one thread.

    Everything raises ``StoreError``, which names the file and says what to do.
    """

    def __init__(self, path: Path, *, open_here: bool = False) -> None:
        """Open ``path``; ``open_here`` says that this process has it open already."""
        self.path = path
        self._open_here = open_here
        self._immutable = False
        self._inode = 0
        self._connection = self._opened()

    def __enter__(self) -> "DatabaseFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. Does nothing the second time."""
        self._connection.close()

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the committed rows of a query."""
        try:
            found = self._connection.execute(sql, params).fetchall()
        except sqlite3.Error as error:
            raise self._failure(str(error)) from error
        if self._immutable and _has_log(self.path):
            raise self._failure("a node has opened it meanwhile; try again")
        return found

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all queries inside see the same state, whatever is committed meanwhile."""
        self.rows("BEGIN")
        try:
            yield
        finally:
            if self._connection.in_transaction:
                self.rows("ROLLBACK")

    def version(self) -> tuple[int, ...]:
        """Return what differs once something was committed, by whomever, or another file is at the path."""
        found = self._stat()
        if found.st_ino != self._inode or (self._immutable and _has_log(self.path)):
            self.close()
            self._connection = self._opened()
            found = self._stat()
        if self._immutable:
            return (found.st_ino, found.st_mtime_ns, found.st_size)
        return (found.st_ino, self.rows("PRAGMA data_version")[0][0])

    def _opened(self) -> sqlite3.Connection:
        self._inode = self._stat().st_ino
        self._immutable = not self._open_here and self._in_wal_mode() and not _has_log(self.path)
        mode = "immutable=1" if self._immutable else "mode=ro"
        try:
            connection = sqlite3.connect(
                f"file:{quote(str(self.path))}?{mode}", uri=True, timeout=_TIMEOUT_S, isolation_level=None
            )
        except sqlite3.Error as error:
            raise self._failure(str(error)) from error
        return connection

    def _in_wal_mode(self) -> bool:
        try:
            with self.path.open("rb") as file:
                header = file.read(_HEADER_BYTES)
        except OSError as error:
            raise self._failure(error.strerror or str(error)) from error
        return len(header) == _HEADER_BYTES and header[_JOURNAL_BYTE] == _WAL_VERSION

    def _stat(self) -> os.stat_result:
        try:
            return self.path.stat()
        except OSError as error:
            raise self._failure(error.strerror or str(error)) from error

    def _failure(self, reason: str) -> StoreError:
        advice = next((f"; {advice}" for words, advice in _WHAT_TO_DO if words in reason), "")
        if reason == "No such file or directory":
            advice = "; `edgecore status` names the file of a running node"
        return StoreError(f"cannot read database {self.path}: {reason}{advice}")


def _has_log(path: Path) -> bool:
    """Return whether there is a write-ahead log: as long as somebody has a file of WAL mode open."""
    return path.with_name(path.name + "-wal").exists()
