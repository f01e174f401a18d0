"""Whether the tables of a file are those that we mean: another program may have others of the same names, or none."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import NamedTuple


class Column(NamedTuple):
    """One column."""

    name: str
    is_required: bool
    """A row cannot be written without it."""
    is_key: bool


Shape = Mapping[str, Sequence[Column]]
"""Table to its columns; a view, an index or a trigger has none."""


def shape_of(connection: sqlite3.Connection) -> Shape:
    """Return the tables of an open database, without SQLite's own."""
    names = connection.execute("SELECT name, type FROM sqlite_master WHERE name NOT LIKE 'sqlite~_%' ESCAPE '~'")
    return {name: _columns(connection, name) if kind == "table" else () for name, kind in names.fetchall()}


def expected_shape(schema: Sequence[str]) -> Shape:
    """Return the tables that the texts of ``schema`` make. Raises ``sqlite3.Error`` where one is wrong."""
    with closing(sqlite3.connect(":memory:")) as connection:
        for text in schema:
            connection.execute(text)
        return {name: columns for name, columns in shape_of(connection).items() if columns}


def is_of_another_program(found: Shape, expected: Shape) -> bool:
    """Whether there are tables, but none that we know."""
    return bool(found) and bool(expected) and not expected.keys() & found.keys()


def differences(found: Shape, expected: Shape) -> Iterator[str]:
    """Yield what is wrong with each table of our names; a column that others have added is right if it may be empty."""
    for table in sorted(expected.keys() & found.keys()):
        ours = {column.name: column for column in expected[table]}
        theirs = {column.name: column for column in found[table]}
        if not theirs:
            yield f"{table} is no table"
            continue
        if missing := [name for name in ours if name not in theirs]:
            yield f"{table} has no column {', '.join(missing)}"
        elif [name for name in ours if ours[name].is_key] != [name for name in theirs if theirs[name].is_key]:
            yield f"{table} has another primary key"
        elif added := [name for name in theirs if name not in ours and theirs[name].is_required]:
            yield f"{table} wants a column {', '.join(added)} that we do not write"


def _columns(connection: sqlite3.Connection, table: str) -> Sequence[Column]:
    rows = connection.execute('SELECT name, "notnull", dflt_value, pk FROM pragma_table_info(?)', (table,))
    return [
        Column(name.lower(), bool(required) and default is None, bool(key)) for name, required, default, key in rows
    ]
