"""The tables: ``meta``, as the Go edgecore makes it, with the rows that are on their way to it; and ``applied``.

Between a message and its commit a row lies in ``_pending``, so that a query that follows a write sees it, as it does in
Go, where each message is committed before the next is looked at.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from edgecore.beehive.resource import ALL_NAMESPACES
from edgecore.modules.metamanager.plan import Put, Remove
from edgecore.store.kubeedge import META
from edgecore.store.store import Statement, Store

SCHEMA = (
    META,
    "CREATE TABLE IF NOT EXISTS applied (seq integer NOT NULL PRIMARY KEY, id text NOT NULL)",
)

_PUT = "INSERT OR REPLACE INTO meta (key, type, value) VALUES (?, ?, ?)"
_REMOVE = "DELETE FROM meta WHERE key = ?"


class _Pending(NamedTuple):
    """A change on its way. Once its future is done, the file alone says what is so, whether it was stored or not."""

    change: Put | Remove
    committed: asyncio.Future[None]


class MetaTable:
    """The rows that MetaManager keeps."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pending: dict[str, list[_Pending]] = {}

    def write(self, changes: Sequence[Put | Remove], also: Iterable[Statement] = ()) -> asyncio.Future[None]:
        """Store ``changes`` together, and what ``also`` writes to other tables; return a future: done once committed.

        They are seen by ``value`` and ``values`` at once. The future fails with ``StoreError`` if they cannot be
        stored; then nothing of them is. Its caller bounds how many are under way.
        """
        committed = self._store.submit(*_statements(changes), *also)
        pending = [_Pending(change, committed) for change in changes]
        for one in pending:
            self._pending.setdefault(one.change.key, []).append(one)
        committed.add_done_callback(lambda _: self._forget(pending))
        return committed

    def _forget(self, settled: Iterable[_Pending]) -> None:
        for one in settled:
            waiting = self._pending[one.change.key]
            waiting.remove(one)
            if not waiting:
                del self._pending[one.change.key]

    def value(self, key: str) -> str | None:
        """Return the value under ``key``, or ``None``."""
        if key in self._pending:
            change, committed = self._pending[key][-1]
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
        for waiting in self._pending.values():
            change, committed = waiting[-1]
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


def _statements(changes: Iterable[Put | Remove]) -> Iterator[Statement]:
    for change in changes:
        if isinstance(change, Put):
            yield Statement(_PUT, (change.key, change.type, change.value))
        else:
            yield Statement(_REMOVE, (change.key,))


# The ids of the cloud's messages that were applied. There is no index on them: nobody looks one up here, and a row at
# the end of a table is the cheapest there is.


def newest_applied(store: Store, limit: int) -> list[str]:
    """Return up to ``limit`` ids, the newest last. Raises ``StoreError``."""
    rows = store.rows("SELECT id FROM applied ORDER BY seq DESC LIMIT ?", (limit,))
    return [message_id for (message_id,) in reversed(rows)]


def add_applied(message_id: str) -> Statement:
    """Return the statement that notes an id; to be written with the rows of its message."""
    return Statement("INSERT INTO applied (id) VALUES (?)", (message_id,), apart=True)


def trim_applied(limit: int) -> Statement:
    """Return the statement that leaves the ``limit`` newest."""
    sql = "DELETE FROM applied WHERE seq <= (SELECT max(seq) FROM applied) - ?"
    return Statement(sql, (limit,), apart=True)
