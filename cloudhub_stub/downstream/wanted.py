"""What a node is to have, and what must be sent for it to have that (pure).

Sending follows changes (``feed.py``); this is for everything that changes do not tell: a node that was away, a stub
that was restarted, a queue that was full, a message that was lost.
"""

from collections.abc import Iterator

import msgspec

from cloudhub_stub.cluster.kinds import (
    CONFIGMAP_KIND,
    DEVICE_KIND,
    ENDPOINTS_KIND,
    NODE_KIND,
    POD_KIND,
    SECRET_KIND,
    SERVICE_KIND,
    Object,
    ObjectKey,
    key_of,
)
from cloudhub_stub.cluster.registry import Registry, labels_of
from cloudhub_stub.controllers.conditions import is_ready
from cloudhub_stub.controllers.devices import node_of
from cloudhub_stub.controllers.podlists import podlist
from cloudhub_stub.downstream.devices import DeviceItems, device_key
from cloudhub_stub.downstream.items import (
    DEVICE,
    Item,
    list_items,
    object_item,
    podlist_item,
    stub_delete_item,
    synced_key,
)
from cloudhub_stub.downstream.synced import LISTS, Synced
from cloudhub_stub.store.cluster import SyncedKey
from edgecore.beehive.resource import ENDPOINTSLIST, INSERT, PODLIST, SERVICELIST, UPDATE

EDGE_LABEL = "node-role.kubernetes.io/edge"
"""Which nodes are at the edge (10.1)."""

KIND_OF = {kind.wire_type: kind for kind in (POD_KIND, CONFIGMAP_KIND, SECRET_KIND, SERVICE_KIND, ENDPOINTS_KIND)}
"""The kinds whose objects are sent one by one, by their type on the wire."""
_MESH = {SERVICE_KIND: SERVICELIST, ENDPOINTS_KIND: ENDPOINTSLIST}
"""What all nodes of the edge have, once they were sent the list of it."""


class Wanted:
    """What nodes are to have, compared with what is known of them."""

    def __init__(self, registry: Registry, synced: Synced, devices: DeviceItems) -> None:
        self._registry = registry
        self._synced = synced
        self._devices = devices

    def is_edge(self, node: str) -> bool:
        """Whether a node is one of the edge."""
        obj = self._registry.get(ObjectKey(NODE_KIND.name, "", node))
        return obj is not None and is_edge_node(obj)

    def is_listed(self, node: str) -> bool:
        """Whether a node was sent the lists of everything."""
        rows = self._synced.of(node)
        return all(LISTS._replace(name=name) in rows for name in _MESH.values())

    def due_lists(self, node: str) -> list[Item]:
        """Return those of the lists of everything that a node was not sent since it started, if it is ready."""
        obj = self._registry.get(ObjectKey(NODE_KIND.name, "", node))
        if obj is None or not is_edge_node(obj) or not is_ready(obj) or self.is_listed(node):
            return []
        rows = self._synced.of(node)
        return [
            item
            for item in self.lists()
            if item.key not in rows or (item.key.type == PODLIST and rows[item.key].acked != item.state)
        ]

    def lists(self) -> list[Item]:
        """Return the lists of everything."""
        services = self._registry.all_of(SERVICE_KIND.name)
        endpoints = self._registry.all_of(ENDPOINTS_KIND.name)
        return list_items(services, endpoints, [self.podlist_of(each) for each in services])

    def podlist_of(self, service: Object) -> Item:
        """Return the list of a service's pods."""
        selector = service["spec"].get("selector") or {}
        selected = self._registry.pods_selected(service["metadata"]["namespace"], selector)
        return podlist_item(service, podlist(service, selected))

    def owed(self, node: str) -> list[Item]:
        """Return everything that must be sent to a node for it to have what it is to have."""
        if not self.is_edge(node):
            return []
        return [item for key in self._keys(node) for item in self.owed_of(node, key)]

    def owed_of(self, node: str, key: SyncedKey) -> list[Item]:
        """Return what must be sent of one thing."""
        if key.type == LISTS.type:
            return []
        if key.type == PODLIST:
            return self._owed_podlist(node, key)
        if key.type == DEVICE:
            return self._devices.owed(node, key)
        return self._owed_object(node, key)

    def holds(self, node: str) -> dict[str, object]:
        """Return what a node is to have in its store, by key: the objects as they are sent.

        ConfigMaps and Secrets only those that were sent or asked for; lists of pods where a service has endpoints.
        """
        held: dict[str, object] = {}
        for key in self._keys(node):
            if key.type == PODLIST:
                service = self._registry.get(ObjectKey(SERVICE_KIND.name, key.namespace, key.name))
                item = None if service is None else self.podlist_of(service)
            else:
                obj = self._object(node, key)
                item = None if obj is None else object_item(obj, UPDATE)
            if item is not None:
                held[item.route.resource] = msgspec.json.decode(item.content)
        return held

    def _keys(self, node: str) -> Iterator[SyncedKey]:
        """Yield each thing that a node is to have, or may have, once."""
        rows = self._synced.of(node)
        keys = dict.fromkeys(rows)
        for kind, name in _MESH.items():
            if LISTS._replace(name=name) in rows:
                keys.update(dict.fromkeys(map(synced_key, self._registry.all_of(kind.name))))
        if self.is_listed(node):
            for each in self._registry.all_of(ENDPOINTS_KIND.name):
                if self._registry.get(key_of(each)._replace(kind=SERVICE_KIND.name)) is not None:
                    keys[synced_key(each)._replace(type=PODLIST)] = None
        keys.update(dict.fromkeys(map(synced_key, self._registry.pods_on(node))))
        for device in self._registry.all_of(DEVICE_KIND.name):
            if node_of(device) == node:
                keys[device_key(device)] = None
        yield from keys

    def _object(self, node: str, key: SyncedKey) -> Object | None:
        kind = KIND_OF.get(key.type)
        obj = None if kind is None else self._registry.get(ObjectKey(kind.name, key.namespace, key.name))
        if obj is not None and kind is POD_KIND and obj["spec"].get("nodeName") != node:
            return None
        return obj

    def _owed_object(self, node: str, key: SyncedKey) -> list[Item]:
        row, obj = self._synced.get(node, key), self._object(node, key)
        if obj is None:
            return [] if row is None else [stub_delete_item(key, row.uid)]
        metadata = obj["metadata"]
        if row is None or not row.acked:
            is_going = key.type == POD_KIND.wire_type and metadata.get("deletionTimestamp")
            items = [object_item(obj, UPDATE if is_going else INSERT)]
        elif row.acked == metadata["resourceVersion"] and row.uid == metadata["uid"]:
            return []
        else:
            items = [object_item(obj, UPDATE)]
        if row is not None and row.uid not in {"", metadata["uid"]}:
            return [stub_delete_item(key, row.uid), object_item(obj, INSERT)]
        return items

    def _owed_podlist(self, node: str, key: SyncedKey) -> list[Item]:
        service = self._registry.get(ObjectKey(SERVICE_KIND.name, key.namespace, key.name))
        if service is None:
            return []  # nobody deletes these, and an edge drops the list with its service
        item = self.podlist_of(service)
        row = self._synced.get(node, key)
        return [] if row is not None and row.acked == row.sent == item.state else [item]


def is_edge_node(node: Object) -> bool:
    """Whether a Node object is of the edge."""
    return labels_of(node).get(EDGE_LABEL) == ""
