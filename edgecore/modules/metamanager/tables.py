"""The ``meta`` table, as the Go edgecore makes it, with the rows that are on their way to it.

Between a message and its commit a row lies in ``_pending``, so that a query that follows a write sees it, as it does in
Go, where each message is committed before the next is looked at.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from edgecore.beehive.resource import ALL_NAMESPACES
from edgecore.modules.metamanager.plan import Put, Remove
from edgecore.store.store import Statement, Store

SCHEMA = (
    """CREATE TABLE IF NOT EXISTS meta (
        key varchar(256) NOT NULL PRIMARY KEY, type varchar(32) NOT NULL DEFAULT '', value text
    )""",
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

    def write(self, changes: Sequence[Put | Remove]) -> asyncio.Future[None]:
        """Store ``changes`` together; return a future that is done after the commit.

        They are seen by ``value`` and ``values`` at once. The future fails with ``StoreError`` if they cannot be
        stored; then nothing of them is. Its caller bounds how many are under way.
        """
        committed = self._store.submit(*_statements(changes))
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
        rows = dict(self._store.rows("SELECT key, value FROM meta WHERE type = ?", (row_type,)))
        for waiting in self._pending.values():
            change, committed = waiting[-1]
            if committed.done():
                continue
            if isinstance(change, Remove):
                rows.pop(change.key, None)
            elif change.type == row_type:
                rows[change.key] = change.value
        prefix = "" if namespace == ALL_NAMESPACES else f"{namespace}/"
        return [value for key, value in sorted(rows.items()) if key.startswith(prefix)]

    def counts(self) -> dict[str, int]:
        """Return how many committed rows there are of each type."""
        return dict(self._store.rows("SELECT type, count(*) FROM meta GROUP BY type ORDER BY type"))


def _statements(changes: Iterable[Put | Remove]) -> Iterator[Statement]:
    for change in changes:
        if isinstance(change, Put):
            yield Statement(_PUT, (change.key, change.type, change.value))
        else:
            yield Statement(_REMOVE, (change.key,))
