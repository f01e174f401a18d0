"""The rows of the cluster in the stub's SQLite file: its objects, what was sent of each to each node, what was sent by
hand, and the highest resource version (pure: statements, and rows as values).

A resource version is handed out before it is on disk. ``VERSION_STEP`` is how many may be: after a start, versions go
on that much above the last one that was stored, so that none is ever given twice.
"""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Protocol

import msgspec

from cloudhub_stub.cluster.kinds import Object, ObjectKey
from edgecore.errors import StoreError
from edgecore.store.store import Statement

VERSION_STEP = 1000

CLUSTER_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS objects (
        kind text NOT NULL, namespace text NOT NULL, name text NOT NULL, content blob NOT NULL,
        PRIMARY KEY (kind, namespace, name)
    ) WITHOUT ROWID""",
    """CREATE TABLE IF NOT EXISTS synced (
        node text NOT NULL, type text NOT NULL, namespace text NOT NULL, name text NOT NULL, uid text NOT NULL,
        sent text NOT NULL, acked text NOT NULL, PRIMARY KEY (node, type, namespace, name)
    ) WITHOUT ROWID""",
    "CREATE TABLE IF NOT EXISTS counters (name text NOT NULL PRIMARY KEY, value integer NOT NULL) WITHOUT ROWID",
)


class SyncedKey(NamedTuple):
    """One thing that a node has, or is to have: the type as on the wire, namespace and name of the object."""

    type: str
    namespace: str
    name: str


class SyncedRow(NamedTuple):
    """What was sent of it and what the node is known to have; both in words that only equality is asked of."""

    uid: str
    sent: str
    """Empty for its removal."""
    acked: str
    """Empty where the node is not known to have anything of it."""


class ClusterFile(Protocol):
    """Where the rows are."""

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query. Raises ``StoreError``."""


def object_statement(key: ObjectKey, obj: Object | None) -> Statement:
    """Store an object, or its end."""
    if obj is None:
        return Statement("DELETE FROM objects WHERE kind = ? AND namespace = ? AND name = ?", key)
    return Statement(
        "INSERT OR REPLACE INTO objects (kind, namespace, name, content) VALUES (?, ?, ?, ?)",
        (*key, msgspec.json.encode(obj)),
    )


def synced_statement(node: str, key: SyncedKey, row: SyncedRow | None) -> Statement:
    """Store what is known of a thing at a node, or that nothing is."""
    if row is None:
        return Statement("DELETE FROM synced WHERE node = ? AND type = ? AND namespace = ? AND name = ?", (node, *key))
    return Statement(
        "INSERT OR REPLACE INTO synced (node, type, namespace, name, uid, sent, acked) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (node, *key, *row),
    )


def version_statement(version: int) -> Statement:
    """Store the highest resource version that was handed out."""
    return Statement("INSERT OR REPLACE INTO counters (name, value) VALUES ('resource_version', ?)", (version,))


def stored_version(file: ClusterFile) -> int:
    """Return the version from which on new ones may be handed out. Raises ``StoreError``."""
    found = file.rows("SELECT value FROM counters WHERE name = 'resource_version'")
    try:
        return int(found[0][0]) + VERSION_STEP if found else 0
    except (ValueError, TypeError) as error:
        text = "cannot read the resource version of the cluster: the row holds no number"
        raise StoreError(f"{text}; put the file back from a backup, or remove it for a new cluster") from error


def stored_objects(file: ClusterFile) -> Iterator[tuple[ObjectKey, Object | StoreError]]:
    """Yield the objects; for a row that cannot be read, why. Raises ``StoreError`` where none can."""
    for kind, namespace, name, content in file.rows("SELECT kind, namespace, name, content FROM objects"):
        key = ObjectKey(kind, namespace, name)
        try:
            yield key, msgspec.json.decode(content, type=dict[str, Any])
        except (ValueError, TypeError, RecursionError) as error:
            yield key, StoreError(f"cannot read the row of {key}: {error}")


def stored_synced(file: ClusterFile) -> Iterable[tuple[str, SyncedKey, SyncedRow]]:
    """Return what is known of each thing at each node. Raises ``StoreError``."""
    for node, type_, namespace, name, uid, sent, acked in file.rows(
        "SELECT node, type, namespace, name, uid, sent, acked FROM synced"
    ):
        yield node, SyncedKey(type_, namespace, name), SyncedRow(uid, sent, acked)
