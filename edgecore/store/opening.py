"""Opening the node's SQLite file: whose it is, whether it is whole, of which version, and bringing it to ours.

======================================  =======================================================================
found                                   done
======================================  =======================================================================
nothing, or an empty file               a new database
the Go program's file, or an older one  a backup beside it, then the migrations, each a transaction
a newer one                             refused; the backups beside it are named
another program's                       refused
damaged, cut short, without its head    refused; the commands that help are named
a log (``-wal``) without its database   refused: SQLite would remove it
======================================  =======================================================================

What is refused is left as it is.
"""

import shlex
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import IO, NamedTuple

import peewee
import structlog

from edgecore.clock import Clock, SystemClock
from edgecore.errors import StoreError
from edgecore.store.backup import back_up, backup_name, connect
from edgecore.store.header import HEADER_BYTES, parse
from edgecore.store.lockfile import had_one, hold, make_private, note_made
from edgecore.store.migrations import Migration, pending
from edgecore.store.refusals import FAULTS, advice, backups_beside, refused, size, way_of_backup
from edgecore.store.shape import differences, expected_shape, is_of_another_program, shape_of

log = structlog.get_logger("store")

CHECK_S = 0.5
"""How long the check of the whole file may take, at every opening; 50 MB in memory take 0.03 s."""
_CHECK_STEPS = 1000
"""Steps of SQLite's machine between two looks at the clock."""
_BUSY_TIMEOUT_MS = 5000
_OPEN = "open database"


class OpenedFile(NamedTuple):
    """The file, open and held."""

    database: peewee.SqliteDatabase
    lock: IO[bytes]


def open_file(path: Path, schema: Sequence[str], migrations: Sequence[Migration], clock: Clock | None) -> OpenedFile:
    """Open, or make, the file at ``path`` (mode 0600), with the tables of ``schema``.

    Raises ``StoreError`` where it is refused, naming the file and the way out.
    """
    lock = hold(path)
    database = peewee.SqliteDatabase(
        str(path),
        pragmas={"journal_mode": "wal", "synchronous": "full", "busy_timeout": _BUSY_TIMEOUT_MS},
        autoconnect=False,
    )
    try:
        look(path, was_made=had_one(lock))
        make_private(path)
        with closing(connect(path, "rw")) as connection:
            _prepare(connection, path, schema, migrations, clock or SystemClock())
        database.connect()
        note_made(lock)
        return OpenedFile(database, lock)
    except BaseException as error:
        database.close()
        lock.close()
        if isinstance(error, (*FAULTS, peewee.PeeweeException)):
            raise refused(_OPEN, path, error) from error
        raise


def look(path: Path, *, was_made: bool) -> None:
    """Raise ``StoreError`` for what is seen without SQLite, which would say less or make it worse."""
    length, log_length = _length(path), _length(path.with_name(path.name + "-wal"))
    if not length and log_length:
        raise StoreError(
            f"cannot open database {path}: it is {'missing' if length is None else 'empty'}, but its log"
            f" {path.name}-wal is there with {size(log_length)}; put the file that belongs to it back"
            f" ({way_of_backup(path)}), or move the log away to start with an empty database"
        )
    if length == 0 and was_made:
        raise StoreError(
            f"cannot open database {path}: it is empty, and was not; {way_of_backup(path)},"
            f" or remove the file to start with an empty database"
        )
    if length:
        with path.open("rb") as file:
            first = file.read(HEADER_BYTES)
        _look_at_header(path, first, length, has_log=bool(log_length))


def _look_at_header(path: Path, first: bytes, length: int, *, has_log: bool) -> None:
    header = parse(first)
    if header is None:
        raise StoreError(f"cannot open database {path}: file is not a database; {advice('damaged', path)}")
    is_settled = not has_log and not _length(path.with_name(path.name + "-journal"))
    if is_settled and length < header.bytes:
        raise StoreError(
            f"cannot open database {path}: it is cut short, {length} of {header.bytes} bytes are there"
            f" (database disk image is malformed); {advice('damaged', path)}"
        )


def _prepare(
    connection: sqlite3.Connection, path: Path, schema: Sequence[str], migrations: Sequence[Migration], clock: Clock
) -> None:
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT_MS}")
    found = look_at_tables(connection, path, schema, migrations)
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if found:
        _check(connection, path, clock)
    waiting = pending(version, migrations)
    if found and waiting:
        backup = backup_name(path, clock.now_ms())
        back_up(path, backup, open_here=True)
        log.info("database_backed_up", path=str(path), backup=str(backup), schema=version)
    _migrate(connection, path, waiting if found else waiting[-1:], schema)


def look_at_tables(
    connection: sqlite3.Connection, path: Path, schema: Sequence[str], migrations: Sequence[Migration]
) -> bool:
    """Return whether there are tables. Raises ``StoreError``: they are another program's, or of a newer edgecore."""
    found = shape_of(connection)
    expected = expected_shape(schema)
    if is_of_another_program(found, expected):
        raise StoreError(
            f"cannot open database {path}: it is another program's, with the tables {_some(list(found))};"
            " name another file in database.dataSource"
        )
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    known = migrations[-1].version
    if version > known:
        raise StoreError(
            f"cannot open database {path}: it is of a newer edgecore (schema {version}, known up to {known});"
            f" run that edgecore, or put back a backup of this one{_backups(path, known)}"
        )
    if wrong := list(differences(found, expected)):
        raise StoreError(
            f"cannot open database {path}: its tables are not those of edgecore: {'; '.join(wrong)};"
            " name another file in database.dataSource"
        )
    return bool(found)


def _check(connection: sqlite3.Connection, path: Path, clock: Clock) -> None:
    """Raise ``StoreError`` if a page is damaged, as far as there is time to look."""
    until = clock.monotonic() + CHECK_S
    connection.set_progress_handler(lambda: clock.monotonic() > until, _CHECK_STEPS)
    try:
        finding = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT:
            raise
        log.info("database_check_unfinished", path=str(path), limit_s=CHECK_S)
        return
    finally:
        connection.set_progress_handler(None, 0)
    if finding != "ok":
        words = " ".join(finding.split())
        raise StoreError(f"cannot open database {path}: it is damaged ({words}); {advice('damaged', path)}")


def _migrate(connection: sqlite3.Connection, path: Path, waiting: Sequence[Migration], schema: Sequence[str]) -> None:
    """Take each step in a transaction of its own; with the last, or without any, make the tables that are missing."""
    for number, step in enumerate(waiting, 1):
        before = connection.execute("PRAGMA user_version").fetchone()[0]
        tables = dict(connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table'").fetchall())
        last = schema if number == len(waiting) else ()
        _transact(connection, (*step.statements(tables), *last, f"PRAGMA user_version = {step.version}"))
        if tables:
            log.info("database_migrated", path=str(path), before=before, now=step.version, what=step.what)
    if not waiting:
        _transact(connection, schema)


def _transact(connection: sqlite3.Connection, statements: Sequence[str]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        for text in statements:
            connection.execute(text)
        connection.execute("COMMIT")
    except BaseException:
        connection.rollback()
        raise


def _backups(path: Path, known: int) -> str:
    """Return the backups beside ``path`` that this edgecore can open, as words."""
    command = f"`edgecore db restore FILE --db {shlex.quote(str(path))}`"
    names = []
    for each in reversed(backups_beside(path)):
        try:
            with each.open("rb") as file:
                header = parse(file.read(HEADER_BYTES))
        except OSError:
            continue
        if header is not None and header.user_version <= known:
            names.append(f"{each.name} (schema {header.user_version})")
    if not names:
        return f": {command}; there is none beside it"
    return f": {command}; beside it lie {_some(names)}"


def _some(names: Sequence[str], limit: int = 5) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def _length(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
