"""Reading what can be read of a damaged table: around the bad pages, from both ends and by what its indexes know.

A page that is damaged ends a scan with an error. So a table is read from its first row on and from its last row back,
until both meet or fail; of the gap between them the rows are asked for one by one: those whose numbers an index knows,
then, in halves, the rest.
"""

import json
import sqlite3
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, NamedTuple

Row = tuple[Any, ...]

PROBES = 20_000
"""How many questions may be asked of one table's gap."""
PROBES_IN_VAIN = 1000
"""How many in a row that find nothing are the last."""
_UNKNOWN_ROWS = 100_000
"""How far behind the last row that was read others are looked for, if nothing else says where a table ends."""
_TOP = 2**63 - 1


class Rows(NamedTuple):
    """What could be read of one table."""

    columns: Sequence[str]
    rows: Sequence[Row]
    lost: Sequence[str]
    """The rows that are known to be lost: by their keys, where an index knows them."""
    is_whole: bool
    """Whether no page of it failed: then nothing but the rows of ``lost`` is missing."""


class Table(NamedTuple):
    """One table of the damaged file."""

    name: str
    sql: str

    @property
    def quoted(self) -> str:
        """The name as it stands in SQL."""
        return quoted(self.name)


def quoted(name: str) -> str:
    """Return a name as it stands in SQL."""
    return '"' + name.replace('"', '""') + '"'


def tables_of(connection: sqlite3.Connection) -> list[Table]:
    """Return the tables that the file knows of. Raises ``sqlite3.Error``."""
    sql = "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite~_%' ESCAPE '~'"
    return [Table(name, text) for name, text in connection.execute(sql).fetchall() if name and text]


def read_table(connection: sqlite3.Connection, table: Table) -> Rows:
    """Return the rows of ``table`` that can be read. Raises ``sqlite3.Error`` if nothing is known of it at all."""
    columns = [name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table.name,))]
    if not columns:
        return Rows((), (), (), is_whole=True)
    key = _key_of(connection, table)
    found = _Gathered(connection, table, columns, key or ("rowid",))
    is_whole = found.scan()
    lost: list[str] = []
    if not is_whole and key is None:
        lost = found.close_gap()
    rows = [row for _, row in sorted(found.rows.items())] if key is None else list(found.rows.values())
    good = [row for row in rows if _is_sound(table.name, columns, row)]
    bad = [_named(columns, row) for row in rows if not _is_sound(table.name, columns, row)]
    return Rows(columns, good, [*lost, *bad], is_whole)


def _key_of(connection: sqlite3.Connection, table: Table) -> tuple[str, ...] | None:
    """Return the primary key of a table without row numbers; ``None`` for one that has them."""
    if not table.sql.rstrip().upper().endswith("WITHOUT ROWID"):
        return None
    rows = connection.execute("SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk", (table.name,))
    return tuple(name for (name,) in rows)


class _Gathered:
    """The rows of one table, by their numbers (or by their keys, in a table without numbers)."""

    def __init__(
        self, connection: sqlite3.Connection, table: Table, columns: Sequence[str], key: tuple[str, ...]
    ) -> None:
        self._connection = connection
        self._table = table
        self._by = [quoted(name) for name in key]
        self._names = ", ".join((*self._by, *map(quoted, columns)))
        self._low, self._high = -_TOP, _TOP
        self.rows: dict[Row, Row] = {}

    def scan(self) -> bool:
        """Read from both ends; return whether no page failed."""
        up = self._read(f"ORDER BY {', '.join(self._by)}")
        if up.ended:
            return True
        down = self._read(f"ORDER BY {', '.join(f'{name} DESC' for name in self._by)}")
        if up.rows:
            self._low = up.rows[-1][0]
        if down.rows:
            self._high = down.rows[-1][0]
        return False

    def close_gap(self) -> list[str]:
        """Read the rows between the two ends one by one; return the names of those that are there and cannot be."""
        listed, is_complete = self._in_indexes()
        known = {number: name for number, name in listed if self._low < number < self._high}
        if self._high == _TOP:
            self._high = max([0, *known, self._low]) + _UNKNOWN_ROWS
        if self._low == -_TOP:
            self._low = min([0, *known]) - 1
        lost = [
            name
            for number, name in sorted(known.items())
            if (number,) not in self.rows and not self._read("WHERE rowid = ?", (number,)).ended
        ]
        if not is_complete:
            self._halve()
        return lost

    def _halve(self) -> None:
        """Read the gap from its middle to both sides, then the gaps that are left, the widest first."""
        gaps = deque([(self._low, self._high)])
        in_vain = 0
        for _ in range(PROBES):
            if not gaps or in_vain > PROBES_IN_VAIN:
                return
            low, high = gaps.popleft()
            middle = (low + high) // 2
            up = self._read("WHERE rowid >= ? AND rowid < ? ORDER BY rowid", (middle, high))
            down = self._read("WHERE rowid > ? AND rowid < ? ORDER BY rowid DESC", (low, middle))
            in_vain = 0 if up.rows or down.rows else in_vain + 1
            if not up.ended:
                gaps.append((up.rows[-1][0] if up.rows else middle, high))
            if not down.ended:
                gaps.append((low, down.rows[-1][0] if down.rows else middle))
            while gaps and gaps[0][1] - gaps[0][0] < 2:
                gaps.popleft()

    def _in_indexes(self) -> tuple[list[tuple[int, str]], bool]:
        """Return number and key of the rows that the table's indexes know, and whether one of them could be read."""
        found: list[tuple[int, str]] = []
        is_complete = False
        with suppress(sqlite3.Error, ValueError):
            listing = "SELECT name FROM pragma_index_list(?)"
            for (index,) in self._connection.execute(listing, (self._table.name,)).fetchall():
                described = self._connection.execute("SELECT name FROM pragma_index_info(?)", (index,)).fetchall()
                names = [quoted(name) for (name,) in described if name is not None]
                for order in ("ASC", "DESC") if names else ():
                    by = ", ".join(f"{name} {order}" for name in names)
                    what = f"rowid, {', '.join(names)} FROM {self._table.quoted} INDEXED BY {quoted(index)}"
                    taken = _until_it_fails(self._connection, f"SELECT {what} ORDER BY {by}", ())
                    found += ((number, "/".join(map(str, key))) for number, *key in taken.rows)
                    is_complete |= taken.ended
                    if taken.ended:
                        break
        return found, is_complete

    def _read(self, rest: str, params: Sequence[Any] = ()) -> "_Taken":
        """Gather the rows of a query until it ends or fails."""
        hint = "NOT INDEXED" if self._by == [quoted("rowid")] else ""
        sql = f"SELECT {self._names} FROM {self._table.quoted} {hint} {rest}"  # noqa: S608 - names are quoted
        taken = _until_it_fails(self._connection, sql, params)
        width = len(self._by)
        for row in taken.rows:
            self.rows.setdefault(row[:width], row[width:])
        return taken


class _Taken(NamedTuple):
    rows: list[Row]
    ended: bool


def _until_it_fails(connection: sqlite3.Connection, sql: str, params: Sequence[Any]) -> _Taken:
    rows: list[Row] = []
    try:
        for row in connection.execute(sql, params):
            rows.append(row)  # noqa: PERF402 - those before the error are wanted
    except (sqlite3.Error, ValueError, OverflowError):
        return _Taken(rows, ended=False)
    return _Taken(rows, ended=True)


def lenient_text(content: bytes) -> str:
    """Return text as SQLite has it, bytes that are none as lone surrogates: such a row is not taken over."""
    return content.decode("utf-8", "surrogateescape")


def _is_sound(table: str, columns: Sequence[str], row: Row) -> bool:
    if any(isinstance(value, str) and not is_text(value) for value in row):
        return False
    if table != "meta":
        return True
    fields = dict(zip(columns, row, strict=True))
    key, kind, value = fields.get("key"), fields.get("type"), fields.get("value")
    return isinstance(key, str) and bool(key) and isinstance(kind, str) and (value is None or _is_json(value))


def is_text(value: str) -> bool:
    """Whether ``value``, which ``lenient_text`` read, is text."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return "\0" not in value


def _is_json(value: object) -> bool:
    if not isinstance(value, str):
        return False
    try:
        json.loads(value)
    except (ValueError, RecursionError):
        return False
    return True


def _named(columns: Sequence[str], row: Row) -> str:
    """Return a row by the first of its values, in signs that every terminal takes."""
    return f"{columns[0]} {str(row[0])[:200]!a}"


def insert_statement(table: str, columns: Iterable[str]) -> str:
    """Return the statement that puts a row into ``table`` unless one of its key is there."""
    names = list(columns)
    return (
        f"INSERT OR IGNORE INTO {quoted(table)} ({', '.join(map(quoted, names))})"  # noqa: S608 - names are quoted
        f" VALUES ({', '.join('?' * len(names))})"
    )
