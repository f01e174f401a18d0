"""What a database is and how it is, for people: read only, whether a node uses it or not."""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from edgecore.errors import StoreError
from edgecore.store import kubeedge
from edgecore.store.databasefile import DatabaseFile, header_of
from edgecore.store.lockfile import lock_of, user_of
from edgecore.store.migrations import SCHEMA_VERSION
from edgecore.store.opening import look
from edgecore.store.refusals import DAMAGED, backups_beside, trouble, ways_back
from edgecore.store.salvage import is_text, lenient_text, quoted
from edgecore.store.shape import differences, expected_shape, is_of_another_program, shape_of

FINDINGS = 50
"""How many findings of SQLite's check are told."""


class Backup(NamedTuple):
    """A backup beside the database."""

    path: Path
    bytes: int
    schema: int


class TableSize(NamedTuple):
    """One table."""

    name: str
    rows: int
    of: str
    """Whose it is: ``KubeEdge``, ``edgecore`` or ``others``."""


class Description(NamedTuple):
    """What a database is."""

    path: Path
    bytes: int
    log_bytes: int
    schema: int
    known_schema: int
    written_by: str
    user: str | None
    """The process that has it; empty if that is not known, ``None`` if nobody has."""
    backups: Sequence[Backup]
    """The newest last."""
    tables: Sequence[TableSize]
    problem: str
    """Why its rows could not be counted; empty if they could."""


class Finding(NamedTuple):
    """Something that is wrong, and what to do about it."""

    what: str
    way_out: str


def describe(path: Path, schema: Sequence[str]) -> Description:
    """Return what the database at ``path`` is. Raises ``StoreError`` if there is no such file."""
    header = header_of(path)
    problem, tables = "", list[TableSize]()
    try:
        look(path, was_made=False)
        with DatabaseFile(path) as file:
            tables = file.use(lambda connection: _sizes(connection, schema))
            version = file.rows("PRAGMA user_version")[0][0]
    except StoreError as error:
        problem = str(error)
        version = header.user_version if header else 0
    return Description(
        path=path,
        bytes=path.stat().st_size,
        log_bytes=_bytes(path.with_name(path.name + "-wal")),
        schema=version,
        known_schema=SCHEMA_VERSION,
        written_by=_writer(version, tables, problem),
        user=user_of(path),
        backups=[_backup(each) for each in backups_beside(path)],
        tables=tables,
        problem=problem,
    )


def findings(path: Path, schema: Sequence[str]) -> list[Finding]:
    """Return what is wrong with the database at ``path``. Raises ``StoreError`` if it cannot be looked at at all."""
    header_of(path)
    try:
        look(path, was_made=_bytes(lock_of(path)) > 0)
    except StoreError as error:
        what, _, way_out = str(error).partition("; ")
        return [Finding(what, way_out)]
    try:
        with DatabaseFile(path) as file:
            return file.use(lambda connection: list(_findings(connection, path, schema)))
    except StoreError as error:
        if error.__cause__ is None or trouble(error.__cause__, path) != DAMAGED:
            raise
        what, _, way_out = str(error).partition("; ")
        return [Finding(what, way_out)]


def _findings(connection: sqlite3.Connection, path: Path, schema: Sequence[str]) -> Iterator[Finding]:
    for (text,) in connection.execute(f"PRAGMA integrity_check({FINDINGS})").fetchall():
        if text != "ok":
            for line in text.splitlines():
                if not line.startswith("***"):
                    yield Finding(f"damaged: {line}", ways_back(path))
    found, expected = shape_of(connection), expected_shape(schema)
    if not found:
        yield Finding(
            f"{path} is empty: no node has stored anything in it", "the next start of the node makes the tables"
        )
        return
    if is_of_another_program(found, expected):
        yield Finding(f"it is another program's: tables {', '.join(found)}", "name another file in database.dataSource")
        return
    for text in differences(found, expected):
        yield Finding(f"not a table of edgecore: {text}", "name another file in database.dataSource")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        yield Finding(
            f"of a newer edgecore: schema {version}, known up to {SCHEMA_VERSION}",
            "run that edgecore, or put a backup back: `edgecore db restore FILE`",
        )
    if version == SCHEMA_VERSION and (missing := [name for name in expected if name not in found]):
        yield Finding(f"missing: table {', '.join(missing)}", "the next start of the node makes it, empty")


def _sizes(connection: sqlite3.Connection, schema: Sequence[str]) -> list[TableSize]:
    ours = expected_shape(schema)
    connection.text_factory = lenient_text
    names = [name for name, columns in shape_of(connection).items() if columns and is_text(name)]
    return [
        TableSize(
            name,
            connection.execute(f"SELECT count(*) FROM {quoted(name)}").fetchone()[0],  # noqa: S608 - quoted
            "KubeEdge"
            if name in (*kubeedge.TABLES, *kubeedge.LATER_TABLES)
            else "edgecore"
            if name in ours
            else "others",
        )
        for name in sorted(names)
    ]


def _writer(version: int, tables: Sequence[TableSize], problem: str) -> str:
    names = {table.of for table in tables}
    if problem:
        return "unknown" if not version else "edgecore"
    if not tables:
        return "nobody yet"
    if names == {"others"}:
        return "another program"
    if version == 0:
        return "Go edgecore"
    return "edgecore" if version <= SCHEMA_VERSION else "a newer edgecore"


def _backup(path: Path) -> Backup:
    try:
        header = header_of(path)
    except StoreError:
        header = None
    return Backup(path, _bytes(path), header.user_version if header else -1)


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
