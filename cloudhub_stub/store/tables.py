"""The tables of the stub's SQLite file: what is queued for nodes, and which messages of nodes were taken in.

Futures are done once the rows are committed, in the order of the calls. ``Rows`` is what the rest of the stub sees.
"""

import asyncio
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from cloudhub_stub.store.cluster import CLUSTER_SCHEMA
from edgecore.beehive.message import Message
from edgecore.clock import looked_at
from edgecore.errors import StoreError
from edgecore.store.migrations import FIRST
from edgecore.store.store import Statement, Store, open_store

FILE_NAME = "cloudhub.db"
MIGRATIONS = (FIRST,)

KEPT_PER_NODE = 10_000
"""How many messages of a node are remembered; an edge sends a message again within minutes, or never."""
KEPT_IN_ALL = 1_000_000
_PRUNE_EVERY = 500
"""How many messages of a node come between two clearings."""

SCHEMA = (
    """CREATE TABLE IF NOT EXISTS queued (
        seq integer NOT NULL PRIMARY KEY AUTOINCREMENT, node text NOT NULL, id text NOT NULL, frame blob NOT NULL,
        UNIQUE (node, id)
    )""",
    """CREATE TABLE IF NOT EXISTS journal (
        seq integer NOT NULL PRIMARY KEY AUTOINCREMENT, node text NOT NULL, id text NOT NULL, at_ms integer NOT NULL,
        source text NOT NULL, operation text NOT NULL, resource text NOT NULL, UNIQUE (node, id)
    )""",
    "CREATE INDEX IF NOT EXISTS journal_by_node ON journal (node, seq)",
    """CREATE TABLE IF NOT EXISTS by_hand (
        resource text NOT NULL PRIMARY KEY, version text NOT NULL, content blob NOT NULL
    ) WITHOUT ROWID""",
)


class QueuedRow(NamedTuple):
    """One message that waits for a node."""

    node: str
    id: str
    frame: bytes


class JournalRow(NamedTuple):
    """One message of a node that was taken in."""

    seq: int
    node: str
    id: str
    at_ms: int
    source: str
    operation: str
    resource: str


class Rows(Protocol):
    """What the stub keeps."""

    def keep(self, rows: Iterable[QueuedRow]) -> asyncio.Future[None]:
        """Queue ``rows``, all or none; one that is there already stays as it is."""

    def forget(self, node: str, message_ids: Iterable[str]) -> asyncio.Future[None]:
        """Remove queued rows."""

    def kept(self) -> list[QueuedRow]:
        """Return what is queued, in the order in which it came."""

    def noting(self, node: str, message: Message, at_ms: int) -> list[Statement]:
        """Return what makes it remembered that ``message`` of ``node`` was taken in."""

    def is_noted(self, node: str, message_id: str) -> bool:
        """Whether it was, and is committed."""

    def journal(self, node: str, after: int, limit: int) -> list[JournalRow]:
        """Return what was taken in of ``node``, the first ``limit`` behind the row ``after``."""


class StoredRows:
    """``Rows`` in a file, from ``open`` to ``close``."""

    def __init__(self, state_dir: Path) -> None:
        self.path = state_dir / FILE_NAME
        self._opened: Store | None = None
        self._noted: dict[str, int] = {}
        """Messages of each node since the last clearing."""

    def keep(self, rows: Iterable[QueuedRow]) -> asyncio.Future[None]:
        """See ``Rows``."""
        return self._store.submit(
            *(Statement("INSERT OR IGNORE INTO queued (node, id, frame) VALUES (?, ?, ?)", row) for row in rows)
        )

    def forget(self, node: str, message_ids: Iterable[str]) -> asyncio.Future[None]:
        """See ``Rows``."""
        return self._store.submit(
            *(Statement("DELETE FROM queued WHERE node = ? AND id = ?", (node, each)) for each in message_ids)
        )

    def kept(self) -> list[QueuedRow]:
        """See ``Rows``. Raises ``StoreError``."""
        return [QueuedRow(*row) for row in self._store.rows("SELECT node, id, frame FROM queued ORDER BY seq")]

    def noting(self, node: str, message: Message, at_ms: int) -> list[Statement]:
        """See ``Rows``."""
        route = message.route
        row = (node, message.header.id, at_ms, route.source[:80], route.operation[:80], route.resource[:400])
        sql = "INSERT OR IGNORE INTO journal (node, id, at_ms, source, operation, resource) VALUES (?, ?, ?, ?, ?, ?)"
        return [Statement(sql, row), *self._clearing(node)]

    def is_noted(self, node: str, message_id: str) -> bool:
        """See ``Rows``. Raises ``StoreError``."""
        return bool(self._store.rows("SELECT 1 FROM journal WHERE node = ? AND id = ?", (node, message_id)))

    def journal(self, node: str, after: int, limit: int) -> list[JournalRow]:
        """See ``Rows``. Raises ``StoreError``."""
        found = self._store.rows(
            "SELECT seq, node, id, at_ms, source, operation, resource FROM journal"
            " WHERE node = ? AND seq > ? ORDER BY seq LIMIT ?",
            (node, after, limit),
        )
        return [JournalRow(*row) for row in found]

    def open(self) -> None:
        """Open, or make, the file. Raises ``StoreError``: another stub uses it, or it cannot be used."""
        try:
            self._opened = open_store(self.path, (*SCHEMA, *CLUSTER_SCHEMA), migrations=MIGRATIONS)
        except StoreError as error:
            if isinstance(error.__context__, BlockingIOError):
                raise StoreError(
                    f"cannot open database {self.path}: another cloudhub-stub uses it;"
                    " stop that one, or give this one a directory of its own (--state-dir)"
                ) from error
            raise

    def by_hand(self) -> list[tuple[str, str, bytes]]:
        """Return the objects that were sent by hand: resource, version, content. Raises ``StoreError``."""
        found = self._store.rows("SELECT resource, version, content FROM by_hand")
        return [(resource, version, content) for resource, version, content in found]

    def keep_by_hand(self, resource: str, version: str, content: bytes) -> None:
        """Store an object that was sent by hand; nobody waits for that."""
        row = (resource, version, content)
        sql = "INSERT OR REPLACE INTO by_hand (resource, version, content) VALUES (?, ?, ?)"
        self._store.submit(Statement(sql, row)).add_done_callback(looked_at)

    def forget_by_hand(self, resource: str) -> None:
        """Remove an object that was sent by hand; nobody waits for that."""
        sql = "DELETE FROM by_hand WHERE resource = ?"
        self._store.submit(Statement(sql, (resource,))).add_done_callback(looked_at)

    def submit(self, *statements: Statement) -> asyncio.Future[None]:
        """Commit ``statements`` together, behind all that was submitted before."""
        return self._store.submit(*statements)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the committed rows of a query. Raises ``StoreError``."""
        return self._store.rows(sql)

    async def close(self) -> None:
        """Commit what is waiting, and close the file; does nothing where it is not open."""
        opened, self._opened = self._opened, None
        if opened is not None:
            await opened.close()

    @property
    def _store(self) -> Store:
        if self._opened is None:
            raise StoreError(f"cannot use {self.path}: it is not open; the stub is starting or stopping")
        return self._opened

    def _clearing(self, node: str) -> Iterator[Statement]:
        count = self._noted.get(node, 0) + 1
        self._noted[node] = count % _PRUNE_EVERY
        if count < _PRUNE_EVERY:
            return
        yield Statement(
            "DELETE FROM journal WHERE node = ? AND seq <="
            " (SELECT seq FROM journal WHERE node = ? ORDER BY seq DESC LIMIT 1 OFFSET ?)",
            (node, node, KEPT_PER_NODE),
        )
        yield Statement("DELETE FROM journal WHERE seq <= (SELECT max(seq) FROM journal) - ?", (KEPT_IN_ALL,))
