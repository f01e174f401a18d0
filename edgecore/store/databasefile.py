"""A node's SQLite file, open for reading from outside: several queries that see one state, and whether it has changed.

The file is never written, and nothing is left beside it: SQLite makes files of its own beside one in WAL mode, even for
a reader. So where its log has nothing to say, it is read as one that does not change (``immutable``); if somebody
changes it meanwhile, that is noticed, and it is read again.

A process that has the file open itself must say so: closing a second descriptor of a file gives up the locks that the
process holds on it (fcntl(2)), unless SQLite closes it.
"""

import os
import sqlite3
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar
from urllib.parse import quote

from edgecore.errors import StoreError
from edgecore.store.header import HEADER_BYTES, Header, parse
from edgecore.store.refusals import FAULTS, no_file, unreadable

T = TypeVar("T")

_TIMEOUT_S = 5.0
_TRIES = 3
_UNWRITABLE = frozenset({sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM})
"""What SQLite says where it cannot set up what readers share with a writer."""
_ASKED_TO_WRITE = frozenset({sqlite3.SQLITE_READONLY, sqlite3.SQLITE_READONLY_ROLLBACK})
"""... and where it has to write: by a statement, or to take back half a commit."""


class _Look(NamedTuple):
    """What tells a file from another one, and from itself as it was."""

    inode: int
    changed_ns: int
    bytes: int


class DatabaseFile:
    """The open file; ``close`` it, or use it in a ``with``. Of one thread.

    Everything raises ``StoreError``, which names the file and says what to do.
    """

    def __init__(self, path: Path, *, open_here: bool = False, deed: str = "read database") -> None:
        """Open ``path``; ``open_here`` says that this process has it open already. Errors are of the ``deed``."""
        self.path = path
        self._open_here = open_here
        self._deed = deed
        self._log = Path(f"{path}-wal")
        self._in_snapshot = False
        self._open(immutable=self._is_settled())

    def __enter__(self) -> "DatabaseFile":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file. Does nothing the second time."""
        self._connection.close()

    def rows(self, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the committed rows of a query."""
        return self.use(lambda connection: connection.execute(sql, params).fetchall())

    def use(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Return what ``work`` returns, given the connection, which only reads; it may be called again, with another.

        A ``StoreError`` of ``work`` itself is raised as it is.
        """
        for _ in range(_TRIES):
            if self._is_stale() and not self._in_snapshot:
                self._reopen(immutable=self._is_settled())
            try:
                found = work(self._connection)
            except FAULTS as error:
                if self._immutable or self._in_snapshot or not self._wants_to_write(error):
                    raise unreadable(self._deed, self.path, error) from error
                self._reopen(immutable=True)
                continue
            if not self._is_stale():
                return found
            if self._in_snapshot:
                break
        raise StoreError(f"cannot {self._deed} {self.path}: a node has opened it meanwhile; try again")

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all queries inside see the same state, whatever is committed meanwhile."""
        self.rows("PRAGMA schema_version")  # how it can be read is known from here on
        self.rows("BEGIN")
        self._in_snapshot = True
        try:
            yield
        finally:
            self._in_snapshot = False
            if self._connection.in_transaction:
                self._connection.rollback()

    def version(self) -> tuple[int, ...]:
        """Return what differs once something was committed, by whomever, or another file is at the path."""
        if self._is_stale() or self._looked().inode != self._look.inode:
            self._reopen(immutable=self._is_settled())
        if self._immutable:
            return tuple(self._look)
        return (self._look.inode, self.rows("PRAGMA data_version")[0][0])

    def _open(self, *, immutable: bool) -> None:
        self._look = self._looked()
        self._immutable = immutable
        mode = "mode=ro&immutable=1" if immutable else "mode=ro"
        try:
            self._connection = sqlite3.connect(
                f"file:{quote(str(self.path))}?{mode}", uri=True, timeout=_TIMEOUT_S, isolation_level=None
            )
        except sqlite3.Error as error:
            raise unreadable(self._deed, self.path, error) from error

    def _reopen(self, *, immutable: bool) -> None:
        self.close()
        self._open(immutable=immutable)

    def _is_settled(self) -> bool:
        """Whether the file can be read as one that does not change: of WAL mode, and nobody has it open."""
        if self._open_here or self._log.exists():
            return False
        header = header_of(self.path, self._deed)
        return header is not None and header.is_wal

    def _is_stale(self) -> bool:
        """Whether the file is being read as one that does not change, and has."""
        return self._immutable and (_length(self._log) > 0 or self._looked() != self._look)

    def _wants_to_write(self, error: BaseException) -> bool:
        """Whether SQLite only lacks a place to write, and can do without. Raises ``StoreError`` where it cannot."""
        code = getattr(error, "sqlite_errorcode", 0)
        if (
            code & 0xFF not in _UNWRITABLE
            or code in _ASKED_TO_WRITE
            or not os.access(self.path, os.R_OK, effective_ids=True)
        ):
            return False
        if _length(self._log) > 0:
            raise StoreError(
                f"cannot {self._deed} {self.path}: its newest rows are in {self._log.name}, which SQLite cannot read"
                f" without writing to {self.path.parent}; copy both files to a folder that you can write, and read"
                " the copy"
            ) from error
        return True

    def _looked(self) -> _Look:
        return _look(self.path, self._deed)


def header_of(path: Path, deed: str = "read database") -> Header | None:
    """Return what the first bytes of a file say; ``None``: it is no SQLite file. Raises ``StoreError``.

    Not for a process that has the file open.
    """
    _look(path, deed)
    try:
        with path.open("rb") as file:
            return parse(file.read(HEADER_BYTES))
    except OSError as error:
        raise unreadable(deed, path, error) from error


def peek(path: Path, sql: str, params: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
    """Return the committed rows of one query. Not for a process that has the file open.

    Raises ``StoreError`` if the file is not there or SQLite refuses.
    """
    with DatabaseFile(path) as file:
        return file.rows(sql, params)


def _length(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _look(path: Path, deed: str) -> _Look:
    try:
        found = path.stat()
    except OSError as error:
        raise unreadable(deed, path, error) from error
    if not stat.S_ISREG(found.st_mode):
        raise no_file(deed, path)
    return _Look(found.st_ino, found.st_mtime_ns, found.st_size)
