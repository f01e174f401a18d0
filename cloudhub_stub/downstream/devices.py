"""What nodes are told of devices: that they have them, and what values are desired of them (pure).

What a node knows of a device is kept as the desired values that it was told, as JSON. As long as it is not known that
it was told the newest, properties that it may still have stand there too, as ``deleted``: a message changes some
properties of a device and leaves the others alone, so whatever is left over must be named to go.
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from cloudhub_stub.cluster.kinds import DEVICE_KIND, Object, ObjectKey
from cloudhub_stub.cluster.registry import Change, Registry
from cloudhub_stub.controllers.devices import added, desired_of, node_of, removed, twin_update
from cloudhub_stub.downstream.items import DEVICE, Item, membership_item, twin_item
from cloudhub_stub.downstream.synced import REMOVED, UNKNOWN, Synced
from cloudhub_stub.store.cluster import SyncedKey, SyncedRow
from edgecore.clock import Clock
from edgecore.ids import NewId

_Wishes = dict[str, Any]
"""Property to ``value`` and ``type``."""
_ANY = ""
"""Stands for properties of which not even the names are known."""
_DELETED = "deleted"


def device_key(device: Object) -> SyncedKey:
    """Return the key of a device."""
    return SyncedKey(DEVICE, device["metadata"]["namespace"], device["metadata"]["name"])


class DeviceItems:
    """The messages about devices."""

    def __init__(self, registry: Registry, synced: Synced, clock: Clock, new_id: NewId) -> None:
        self._registry = registry
        self._synced = synced
        self._clock = clock
        self._new_id = new_id

    def take(self, change: Change) -> Iterator[tuple[tuple[str], Item]]:
        """Yield what the change of a device makes to be sent, and to which node."""
        before = "" if change.old is None or change.new is None else node_of(change.old)
        now = "" if change.new is None else node_of(change.new)
        if change.new is None:
            if node := node_of(change.object):
                yield (node,), self._removed(change.object)
            return
        if before and before != now:
            assert change.old is not None  # noqa: S101 - it was there before
            yield (before,), self._removed(change.old)
        if not now:
            return
        if before != now:
            yield (now,), self._added(change.new, _left_over(change.new, self._row(now, change.new)))
            return
        assert change.old is not None  # noqa: S101 - as above
        content = twin_update(change.new, desired_of(change.old), self._new_id(), self._clock.now_ms())
        if content is not None:
            yield (now,), self._twin(change.new, content, _left_over(change.new, self._row(now, change.new)))

    def owed(self, node: str, key: SyncedKey) -> list[Item]:
        """Return what must be sent to a node for it to know of a device what it is to know."""
        row = self._synced.get(node, key)
        device = self._registry.get(ObjectKey(DEVICE_KIND.name, key.namespace, key.name))
        if device is None or node_of(device) != node:
            return [] if row is None else [self._removed(_remembered(key, row))]
        if row is None:
            return [self._added(device)]
        is_other = row.uid != device["metadata"]["uid"]
        if row.acked == row.sent and _present(row.acked) == desired_of(device) and not is_other:
            return []
        left_over = _left_over(device, row)
        if _ANY in left_over:
            return [self._removed(device), self._added(device, left_over)]
        # What of it was read nobody knows: everything is said anew, and what is no more is said to be deleted.
        wishes = {name: {**wish, "type": UNKNOWN} for name, wish in {**desired_of(device), **left_over}.items()}
        content = twin_update(device, wishes, self._new_id(), self._clock.now_ms())
        twin = [] if content is None else [self._twin(device, content, left_over)]
        if not is_other and row.acked not in {"", UNKNOWN}:
            return twin
        return [self._added(device)] if not left_over else [self._added(device, state=UNKNOWN), *twin]

    def _row(self, node: str, device: Object) -> SyncedRow | None:
        return self._synced.get(node, device_key(device))

    def _added(self, device: Object, left_over: _Wishes | None = None, state: str = "") -> Item:
        content = added(device, self._new_id(), self._clock.now_ms())
        state = state or _state(device, left_over or {})
        return membership_item(device_key(device), device["metadata"]["uid"], state, content)

    def _removed(self, device: Object) -> Item:
        content = removed(device, self._new_id(), self._clock.now_ms())
        return membership_item(device_key(device), device["metadata"]["uid"], REMOVED, content)

    def _twin(self, device: Object, content: dict[str, Any], left_over: _Wishes) -> Item:
        return twin_item(device_key(device), device["metadata"]["uid"], _state(device, left_over), content)


def _state(device: Object, left_over: _Wishes) -> str:
    return msgspec.json.encode({**desired_of(device), **left_over}, order="sorted").decode()


def _read(state: str) -> _Wishes:
    return dict(msgspec.json.decode(state)) if state not in {REMOVED, UNKNOWN} else {}


def _present(state: str) -> _Wishes:
    """Return what a node has that has got that."""
    return {name: wish for name, wish in _read(state).items() if wish["type"] != _DELETED}


def _left_over(device: Object, row: SyncedRow | None) -> _Wishes:
    """Return what a node may have of a device that is not desired any more; ``_ANY`` where nobody knows what it was."""
    if row is None:
        return {}
    may_have = _present(row.acked) if row.acked == row.sent else {**_read(row.acked), **_read(row.sent)}
    if row.sent == REMOVED:
        may_have[_ANY] = {"value": ""}
    desired = desired_of(device)
    return {name: {**wish, "type": _DELETED} for name, wish in may_have.items() if name not in desired}


def _remembered(key: SyncedKey, row: SyncedRow) -> Object:
    """Return of a device that is gone what is needed to take it from a node."""
    metadata = {"namespace": key.namespace, "name": key.name, "uid": row.uid, "resourceVersion": "0"}
    return {"kind": DEVICE_KIND.name, "metadata": metadata, "spec": {}, "status": {}}
