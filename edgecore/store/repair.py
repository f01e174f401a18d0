"""Saving what can be read of a damaged database into a new one; the damaged one is kept aside as it is.

Everything is done on a copy: SQLite would change the original by opening it.
"""

import os
import shutil
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from edgecore.errors import StoreError
from edgecore.store import kubeedge
from edgecore.store.backup import backup_name, connect, verify
from edgecore.store.firstpage import PAGE_BYTES, first_pages
from edgecore.store.header import HEADER_BYTES, MAGIC, PAGE_SIZES, rebuilt, without_magic
from edgecore.store.lockfile import hold, make_private, note_made, refuse_if_open
from edgecore.store.migrations import SCHEMA_VERSION
from edgecore.store.refusals import FAULTS, free_bytes, refused, size
from edgecore.store.salvage import Table, insert_statement, is_text, lenient_text, read_table, tables_of
from edgecore.store.shape import expected_shape
from edgecore.store.swap import put_in_place, remove_with_logs

ASIDE = "damaged"
_DEED = "repair database"
_KEPT_APART = frozenset({"meta_of_version_1"})
"""What is not carried along: a migration that did not end leaves none of it, but a damaged file may show it."""


class TableReport(NamedTuple):
    """What became of one table."""

    name: str
    saved: int
    lost: Sequence[str]
    """The rows that are known to be lost."""
    is_whole: bool
    """Whether all of its pages could be read; if not, rows may be lost that nobody knows of."""


class RepairReport(NamedTuple):
    """What came of a repair."""

    aside: Path
    """Where the damaged file is now."""
    tables: Sequence[TableReport]
    note: str
    """What else is to be known; empty if nothing."""

    @property
    def is_complete(self) -> bool:
        """Whether nothing is lost."""
        return not self.note and all(table.is_whole and not table.lost for table in self.tables)


def repair(path: Path, schema: Sequence[str], now_ms: int) -> RepairReport:
    """Put a new database with the rows that can be read at ``path``, and tell what was saved and lost.

    Raises ``StoreError``: a node uses it, there is no room, or nothing of it can be read; then all is as it was.
    """
    if not path.exists():
        raise StoreError(f"cannot {_DEED} {path}: there is no such file")
    lock = hold(path, _DEED)
    copy, new = (path.with_name(f"{path.name}.{word}") for word in ("repairing", "repaired"))
    try:
        refuse_if_open(path, _DEED)
        _want_room(path)
        remove_with_logs(new)
        note = _copy_readable(path, copy, schema)
        tables = _save(copy, new, path, schema)
        aside = backup_name(path, now_ms, ASIDE)
        put_in_place(path, aside, new)
        note_made(lock)
    except FAULTS as error:
        raise refused(_DEED, path, error) from error
    finally:
        for left in (copy, new):
            remove_with_logs(left)
        lock.close()
    return RepairReport(aside, tables, note)


def _save(copy: Path, new: Path, path: Path, schema: Sequence[str]) -> list[TableReport]:
    """Make ``new`` with what ``copy`` holds. Raises ``StoreError``, ``OSError`` or ``sqlite3.Error``."""
    make_private(new)
    with closing(connect(copy, "rw")) as source, closing(connect(new, "rw")) as target:
        found = _described(source)
        target.execute("PRAGMA synchronous = full")
        target.execute("BEGIN IMMEDIATE")
        for text in schema:
            target.execute(text)
        reports = [_carry(source, target, table) for table in found]
        if not any(report.saved for report in reports):
            raise StoreError(
                f"cannot {_DEED} {path}: not one row of it can be read; put a backup back (`edgecore db restore FILE`),"
                " or move the file away to start with an empty one"
            )
        if any("provenance" in text for text in schema):  # where a row that is lost came from says nothing
            target.execute("DELETE FROM provenance WHERE key NOT IN (SELECT key FROM meta)")
        target.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        target.execute("COMMIT")
        verify(target, new)
    descriptor = os.open(new, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    return reports


def _carry(source: sqlite3.Connection, target: sqlite3.Connection, table: Table) -> TableReport:
    """Copy the rows of one table; one that we do not know is made as it was."""
    if not (is_text(table.name) and is_text(table.sql)):
        return TableReport("a table", 0, ("all of it: its description is damaged",), is_whole=False)
    try:
        read = read_table(source, table)
        there = {name for (name,) in target.execute("SELECT name FROM pragma_table_info(?)", (table.name,))}
        if not there:
            target.execute(table.sql)
            there = set(read.columns)
    except (sqlite3.Error, ValueError) as error:
        return TableReport(table.name, 0, (f"all of it: {error}",), is_whole=False)
    places = [place for place, name in enumerate(read.columns) if name in there]
    sql = insert_statement(table.name, [read.columns[place] for place in places])
    saved = 0
    for row in read.rows:
        try:
            saved += target.execute(sql, [row[place] for place in places]).rowcount
        except (sqlite3.Error, ValueError):  # of damaged content: no longer what its table takes
            continue
    return TableReport(table.name, saved, read.lost, read.is_whole and saved == len(read.rows))


def _copy_with_log(path: Path, copy: Path) -> None:
    for suffix in ("", "-wal", "-journal"):
        source = path.with_name(path.name + suffix)
        if source.exists():
            target = copy.with_name(copy.name + suffix)
            make_private(target)
            shutil.copyfile(source, target)


def _copy_readable(path: Path, copy: Path, schema: Sequence[str]) -> str:
    """Copy ``path`` with its log, with a beginning by which SQLite finds its tables; return the note for the report.

    Raises ``StoreError`` if there is none, ``OSError``.
    """
    with path.open("rb") as file:
        first = file.read(HEADER_BYTES)
    length, is_wal = path.stat().st_size, path.with_name(path.name + "-wal").exists()
    for header in _headers(first, length, is_wal=is_wal):
        found = _begun_with(header, path, copy)
        if found and not expected_shape(schema).keys() & found.keys():
            raise StoreError(f"cannot {_DEED} {path}: it is another program's; it is left as it is")
        if found:
            return ""
    pages = list(first_pages((schema, kubeedge.SCHEMA), length, is_wal=is_wal)) if length > PAGE_BYTES else []
    best = max(pages, key=lambda page: _begun_with(page, path, copy).get("meta", 0), default=b"")
    if best and _begun_with(best, path, copy).get("meta"):
        return "the list of its tables was lost: they were looked for where a new file has them"
    raise StoreError(
        f"cannot {_DEED} {path}: where its tables lie cannot be read; put a backup back"
        " (`edgecore db restore FILE`), or move the file away to start with an empty one"
    )


def _begun_with(beginning: bytes, path: Path, copy: Path) -> dict[str, int]:
    """Copy ``path`` with another beginning; return its tables, if they can be read, with the rows of ``meta``."""
    remove_with_logs(copy)
    _copy_with_log(path, copy)
    with copy.open("r+b") as file:
        file.write(beginning)
    try:
        with closing(connect(copy, "rw")) as connection:
            found = _described(connection)
            is_guess = len(beginning) > HEADER_BYTES
            return {
                table.name: len(read_table(connection, table).rows) if is_guess and table.name == "meta" else 0
                for table in found
            }
    except (sqlite3.Error, UnicodeDecodeError):
        return {}


def _described(connection: sqlite3.Connection) -> list[Table]:
    connection.text_factory = lenient_text
    connection.execute("PRAGMA writable_schema = ON")  # without it SQLite refuses a file that is cut short
    return [table for table in tables_of(connection) if table.name not in _KEPT_APART]


def _headers(first: bytes, length: int, *, is_wal: bool) -> Iterator[bytes]:
    """Yield the headers that the file may have had, the likeliest first."""
    yield first
    if without_magic(first) is not None:
        yield MAGIC + first[len(MAGIC) :]
    if length >= HEADER_BYTES:
        yield from (rebuilt(page_bytes, length, is_wal=is_wal) for page_bytes in PAGE_SIZES)


def _want_room(path: Path) -> None:
    needed = 2 * sum(each.stat().st_size for each in _with_log(path))
    free = free_bytes(path.parent)
    if 0 <= free < needed:
        raise StoreError(
            f"cannot {_DEED} {path}: it needs up to {size(needed)}, and {size(free)} are free in {path.parent};"
            " make room there, or copy the files elsewhere and repair the copy"
        )


def _with_log(path: Path) -> Iterator[Path]:
    return (each for suffix in ("", "-wal") if (each := path.with_name(path.name + suffix)).exists())
