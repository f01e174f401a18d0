"""What is known of each node: what was sent to it of each thing, and what it is known to have (pure).

It is KubeEdge's ObjectSync, one for each object and node (``kubeedge cloud/pkg/synccontroller@v1.3.1``), and the same
for what KubeEdge keeps no book of: lists of pods, devices, and whether the node got the lists of everything.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from cloudhub_stub.store.cluster import SyncedKey, SyncedRow, synced_statement
from edgecore.store.store import Statement

LISTS = SyncedKey("lists", "", "")
"""Whether the node was sent the lists of all services and endpoints."""

REMOVED = ""
"""The state of what is not to be there."""

UNKNOWN = "?"
"""The state of what the node had once; what it has now nobody knows."""


class Synced:
    """The book, for all nodes; and what of it is to be stored."""

    def __init__(self) -> None:
        self._rows: dict[str, dict[SyncedKey, SyncedRow]] = defaultdict(dict)
        self._dirty: dict[tuple[str, SyncedKey], None] = {}

    def load(self, rows: Iterable[tuple[str, SyncedKey, SyncedRow]]) -> None:
        """Take in what was stored; lists that were on their way are not any more."""
        for node, key, row in rows:
            if key.type != LISTS.type or row.acked:
                self._rows[node][key] = row

    def get(self, node: str, key: SyncedKey) -> SyncedRow | None:
        """Return what is known of one thing at a node."""
        return self._rows[node].get(key) if node in self._rows else None

    def of(self, node: str) -> Mapping[SyncedKey, SyncedRow]:
        """Return what is known of a node."""
        return self._rows.get(node, {})

    def nodes_with(self, key: SyncedKey) -> list[str]:
        """Return the nodes at which something is known of a thing."""
        return [node for node, rows in self._rows.items() if key in rows]

    def sent(self, node: str, key: SyncedKey, uid: str, state: str) -> None:
        """``state`` of a thing is being sent; ``REMOVED`` for its removal."""
        before = self.get(node, key)
        self._put(node, key, SyncedRow(uid, state, "" if before is None else before.acked))

    def reached(self, node: str, key: SyncedKey, state: str) -> None:
        """The node has ``state`` of a thing now, or does not have it any more.

        News of something older, behind that of the newest, says nothing.
        """
        row = self.get(node, key)
        if row is None:
            return
        if state == REMOVED:
            if row.sent == REMOVED:
                self._put(node, key, None)
        elif row.acked != row.sent:
            self._put(node, key, row._replace(acked=state))

    def has(self, node: str, key: SyncedKey, uid: str, state: str) -> None:
        """The node has ``state`` of a thing, by its own question."""
        self._put(node, key, SyncedRow(uid, state, state))

    def doubt(self, node: str, key: SyncedKey) -> None:
        """Nobody knows what the node has of a thing."""
        row = self.get(node, key)
        if row is not None and row.acked:
            self._put(node, key, row._replace(acked=UNKNOWN))

    def forget(self, node: str, key: SyncedKey) -> None:
        """Nothing is known of a thing."""
        if self.get(node, key) is not None:
            self._put(node, key, None)

    def forget_lists(self, node: str) -> None:
        """A node is to get the lists of everything anew; what it has, it still has."""
        for key in [key for key in self.of(node) if key.type == LISTS.type]:
            self._put(node, key, None)

    def statements(self) -> Iterator[Statement]:
        """Yield what is to be stored since the last time."""
        dirty, self._dirty = self._dirty, {}
        for node, key in dirty:
            yield synced_statement(node, key, self.get(node, key))

    @property
    def unstored(self) -> list[tuple[str, SyncedKey]]:
        """Of which things at which nodes ``statements`` will be."""
        return list(self._dirty)

    def store_again(self, things: Iterable[tuple[str, SyncedKey]]) -> None:
        """What is known of things at nodes was not stored after all."""
        self._dirty.update((each, None) for each in things)

    def _put(self, node: str, key: SyncedKey, row: SyncedRow | None) -> None:
        if row is None:
            del self._rows[node][key]
            if not self._rows[node]:
                del self._rows[node]
        else:
            self._rows[node][key] = row
        self._dirty[node, key] = None
