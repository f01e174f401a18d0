"""The tables: ``meta``, as the Go edgecore makes it, with the rows that are on their way to it; and two of our own.

Between a message and its commit a row lies in ``_pending``, so that a query that follows a write sees it, as it does in
Go, where each message is committed before the next is looked at. ``provenance`` says by which message each row became
what it is; ``applied`` which messages were applied.

A value that is there already is not written again, nor is its provenance: that saves the flash, and the row stays as
old as it is.
"""

import asyncio
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import structlog

from edgecore.beehive.message import Message
from edgecore.beehive.resource import ALL_NAMESPACES, parse_edge
from edgecore.errors import StoreError
from edgecore.modules.metamanager.steps import Put, Remove
from edgecore.store.kubeedge import META
from edgecore.store.store import Statement, Store

log = structlog.get_logger("metamanager")

SCHEMA = (
    META,
    """CREATE TABLE IF NOT EXISTS provenance (
        key text NOT NULL PRIMARY KEY, at_ms integer NOT NULL, message_id text NOT NULL, source text NOT NULL,
        operation text NOT NULL, resource text NOT NULL, sum integer NOT NULL
    ) WITHOUT ROWID""",
    "CREATE TABLE IF NOT EXISTS applied (seq integer NOT NULL PRIMARY KEY, id text NOT NULL)",
)

_PUT = """INSERT INTO meta (key, type, value) VALUES (?, ?, ?) ON CONFLICT (key) DO UPDATE
    SET type = excluded.type, value = excluded.value WHERE type IS NOT excluded.type OR value IS NOT excluded.value"""
_REMOVE = "DELETE FROM meta WHERE key = ?"
_PUT_PROVENANCE = """INSERT INTO provenance (key, at_ms, message_id, source, operation, resource, sum)
    VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET at_ms = excluded.at_ms,
    message_id = excluded.message_id, source = excluded.source, operation = excluded.operation,
    resource = excluded.resource, sum = excluded.sum WHERE sum IS NOT excluded.sum"""
_REMOVE_PROVENANCE = "DELETE FROM provenance WHERE key = ?"


class Origin(NamedTuple):
    """The message by which rows change, and when that was taken in hand."""

    message_id: str
    source: str
    operation: str
    resource: str
    """Of the message: the rows of a list's elements have the list's."""
    at_ms: int
    """Unix time in milliseconds."""


def origin_of(message: Message, at_ms: int) -> Origin:
    """Return what is kept of ``message``."""
    route = message.route
    return Origin(message.header.id, route.source, route.operation, route.resource, at_ms)


class Committed(NamedTuple):
    """A change that is on disk. One that left the value as it was is none."""

    key: str
    type: str
    value: str | None
    """``None``: the row was removed."""
    before: str | None
    """``None``: there was no row."""
    origin: Origin


class _Pending(NamedTuple):
    """A change on its way. Once its future is done, the file alone says what is so, whether it was stored or not."""

    change: Put | Remove
    committed: asyncio.Future[None]


Watcher = Callable[[Committed], None]


class MetaTable:
    """The rows that MetaManager keeps. A watcher is called with each change, once it is committed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pending: dict[str, _Pending] = {}  # of each key the last: writes are committed in their order
        self.watchers: list[Watcher] = []

    def write(
        self, changes: Sequence[Put | Remove], origin: Origin, also: Iterable[Statement] = ()
    ) -> asyncio.Future[None]:
        """Store ``changes`` together, and what ``also`` writes to other tables; return a future: done once committed.

        They are seen by ``value`` and ``values`` at once. The future fails with ``StoreError`` if they cannot be
        stored; then nothing of them is. Its caller bounds how many are under way.
        """
        seen = self._as_seen(changes, origin) if self.watchers else ()
        committed = self._store.submit(*_statements(changes, origin), *also)
        pending = {change.key: _Pending(change, committed) for change in changes}
        self._pending.update(pending)
        committed.add_done_callback(lambda _: self._forget(pending))
        if seen:
            committed.add_done_callback(lambda _: self._tell(committed, seen))
        return committed

    def _forget(self, settled: Mapping[str, _Pending]) -> None:
        for key, one in settled.items():
            if self._pending.get(key) is one:
                del self._pending[key]

    def _as_seen(self, changes: Sequence[Put | Remove], origin: Origin) -> list[Committed]:
        """Return what ``changes`` come to, compared with what is there now."""
        befores: dict[str, str | None] = {}
        seen = []
        for change in changes:
            key = change.key
            before = befores[key] if key in befores else self._value_if_readable(key)
            value = befores[key] = change.value if isinstance(change, Put) else None
            if value != before:
                seen.append(Committed(key, _type_of(change), value, before, origin))
        return seen

    def _value_if_readable(self, key: str) -> str | None:
        try:
            return self.value(key)
        except StoreError as error:  # who looks on must not be in the way of the write
            log.warning("row_not_compared", key=key, error=str(error))
            return None

    def _tell(self, committed: asyncio.Future[None], seen: Sequence[Committed]) -> None:
        if not committed.cancelled() and committed.exception() is None:
            for watcher in list(self.watchers):
                for one in seen:
                    watcher(one)

    def value(self, key: str) -> str | None:
        """Return the value under ``key``, or ``None``."""
        if key in self._pending:
            change, committed = self._pending[key]
            if not committed.done():
                return change.value if isinstance(change, Put) else None
        rows = self._store.rows("SELECT value FROM meta WHERE key = ?", (key,))
        return rows[0][0] if rows else None

    def values(self, row_type: str, namespace: str) -> list[str]:
        """Return the values of a type in one namespace, or in all of them, by key.

        (Go ignores the namespace: bug M3. EdgeMesh asks for ``all``.)
        """
        prefix = "" if namespace == ALL_NAMESPACES else f"{namespace}/"
        return [value for key, value in self.rows(row_type) if key.startswith(prefix)]

    def rows(self, row_type: str) -> list[tuple[str, str]]:
        """Return key and value of every row of a type, by key."""
        rows = dict(self._store.rows("SELECT key, value FROM meta WHERE type = ?", (row_type,)))
        for change, committed in self._pending.values():
            if committed.done():
                continue
            if isinstance(change, Remove):
                rows.pop(change.key, None)
            elif change.type == row_type:
                rows[change.key] = change.value
        return sorted(rows.items())

    def counts(self) -> dict[str, int]:
        """Return how many committed rows there are of each type."""
        return dict(self._store.rows("SELECT type, count(*) FROM meta GROUP BY type ORDER BY type"))


def _type_of(change: Put | Remove) -> str:
    if isinstance(change, Put):
        return change.type
    resource = parse_edge(change.key)
    return "" if resource is None else resource.type


def _statements(changes: Iterable[Put | Remove], origin: Origin) -> Iterator[Statement]:
    message_id, source, operation, resource, at_ms = origin
    for change in changes:
        key = change.key
        if isinstance(change, Put):
            yield Statement(_PUT, (key, change.type, change.value), spares=True)
            told = (key, at_ms, message_id, source, operation, resource, fingerprint(change.type, change.value))
            yield Statement(_PUT_PROVENANCE, told, apart="provenance")
        else:
            yield Statement(_REMOVE, (key,))
            yield Statement(_REMOVE_PROVENANCE, (key,), apart="provenance")


def fingerprint(row_type: str, value: str) -> int:
    """Return a number that tells one value from another.

    One that does not fit its row says that another program wrote that: a Go edgecore knows nothing of provenance.
    """
    data = value.encode(errors="surrogatepass")
    return len(data) << 32 | zlib.crc32(data, zlib.crc32(row_type.encode(errors="surrogatepass")))


def read_origin(store: Store, key: str) -> Origin | None:
    """Return by which message a row became what it is; ``None``: it is not there, or of another program.

    Raises ``StoreError``.
    """
    sql = """SELECT type, value, sum, message_id, source, operation, resource, at_ms
        FROM provenance JOIN meta USING (key) WHERE key = ?"""
    for row_type, value, fits, *origin in store.rows(sql, (key,)):
        if value is not None and fits == fingerprint(row_type, value):
            return Origin(*origin)
    return None


# The ids of the cloud's messages that were applied. There is no index on them: nobody looks one up here, and a row at
# the end of a table is the cheapest there is.


def newest_applied(store: Store, limit: int) -> list[str]:
    """Return up to ``limit`` ids, the newest last. Raises ``StoreError``."""
    rows = store.rows("SELECT id FROM applied ORDER BY seq DESC LIMIT ?", (limit,))
    return [message_id for (message_id,) in reversed(rows)]


def add_applied(message_id: str) -> Statement:
    """Return the statement that notes an id; to be written with the rows of its message."""
    return Statement("INSERT INTO applied (id) VALUES (?)", (message_id,), apart="applied")


def trim_applied(limit: int) -> Statement:
    """Return the statement that leaves the ``limit`` newest."""
    sql = "DELETE FROM applied WHERE seq <= (SELECT max(seq) FROM applied) - ?"
    return Statement(sql, (limit,), apart="applied")
