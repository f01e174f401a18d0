"""Reading the rows of ``meta``, in the order of their keys, a page at a time.

A page takes some milliseconds, so a node can read a large table between its other work. A file of a Go edgecore has no
table ``provenance``; and one of its rows that does not fit the row of ``meta`` tells of a value that another program
has replaced since. Texts are read as bytes: in a damaged file they may be anything.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from edgecore.metadata.filters import Filters
from edgecore.metadata.row import MetaRow
from edgecore.modules.metamanager.tables import Origin, fingerprint

Rows = Callable[[str, Sequence[Any]], list[tuple[Any, ...]]]
"""Executes a query; raises ``StoreError``."""

_KEYS_A_PAGE = 2000
_VALUES_A_PAGE = 100
_KEYS = """SELECT CAST(key AS BLOB), CAST(type AS BLOB) FROM meta
    WHERE key > CAST(? AS TEXT) AND typeof(key) = 'text' ORDER BY key LIMIT ?"""
_COLUMNS = "CAST(meta.key AS BLOB), CAST(meta.type AS BLOB), CAST(meta.value AS BLOB)"
_ORIGIN_COLUMNS = "sum, message_id, source, operation, resource, at_ms"
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"


def pages(rows: Rows, filters: Filters) -> Iterator[list[MetaRow]]:
    """Yield the rows that ``filters`` mean, by key; each page is of one moment.

    Pages may be empty. Values are read of no other rows.
    """
    query = _values_query("provenance" in tables(rows))
    last = b""
    while found := rows(_KEYS, (last, _KEYS_A_PAGE)):
        last = found[-1][0]
        meant = [key for key, row_type in found if filters.match_key(_text(key), _text(row_type))]
        yield []
        for keys in _chunks(meant, _VALUES_A_PAGE):
            marks = ", ".join(["CAST(? AS TEXT)"] * len(keys))
            page = (_row(*values) for values in rows(query.format(marks=marks), keys))
            yield [row for row in page if filters.match(row)]


def all_rows(rows: Rows, filters: Filters = Filters()) -> Iterator[MetaRow]:  # noqa: B008 - it never changes
    """Yield the rows that ``filters`` mean, by key."""
    return itertools.chain.from_iterable(pages(rows, filters))


def tables(rows: Rows) -> frozenset[str]:
    """Return the names of the tables that there are."""
    return frozenset(name for (name,) in rows(_TABLES, ()))


def _values_query(has_provenance: bool) -> str:
    origin = _ORIGIN_COLUMNS if has_provenance else ", ".join(["NULL"] * 6)
    join = " LEFT JOIN provenance ON provenance.key = meta.key" if has_provenance else ""
    where = "WHERE meta.key IN ({marks}) ORDER BY meta.key"
    return f"SELECT {_COLUMNS}, {origin} FROM meta{join} {where}"  # noqa: S608 - of nothing but constants


def _row(key: bytes, row_type: bytes, value: bytes | None, fits: int | None, *origin: Any) -> MetaRow:
    row = MetaRow(_text(key), _text(row_type), value, len(value or b""))
    return row._replace(origin=Origin(*origin)) if fits is not None and fits == _sum(row) else row


def _sum(row: MetaRow) -> int | None:
    try:
        return None if row.value is None else fingerprint(row.type, row.value.decode())
    except UnicodeDecodeError:
        return None


def _text(data: bytes) -> str:
    return data.decode(errors="replace")


def _chunks(items: Sequence[bytes], size: int) -> Iterator[Sequence[bytes]]:
    return (items[start : start + size] for start in range(0, len(items), size))
