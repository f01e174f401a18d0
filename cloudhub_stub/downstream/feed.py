"""What a change in the cluster means for nodes: which messages go to which of them (pure).

The rows of the table are KubeEdge's (10.1 and 7.7 of its protocol, ``kubeedge cloud/pkg/edgecontroller/controller/
downstream.go``, ``cloud/pkg/devicecontroller/controller/downstream.go@v1.3.1``):

| change | message |
| --- | --- |
| pod of a node: new; metadata or spec changed; removed | ``insert``; ``update``; ``delete`` to that node |
| pod of a node: only its status changed | ``update``, some seconds later, as from KubeEdge's SyncController |
| ConfigMap: new, changed, removed | ``insert``, ``update``, ``delete`` to nodes whose pods use it or that have it |
| Secret | the same, but a new one is an ``update`` |
| Service | ``insert``, ``update``, ``delete`` to all nodes of the edge |
| Endpoints: new; more than annotations changed; removed | the same; and the service's ``podlist`` unless removed |
| pod removed that a service selects | ``podlist`` of the service (Go leaves it in the lists of edges) |
| Node became ready | lists of services, of each service's pods, of endpoints |
| Device: new, removed, moved; desired values changed | ``membership``; ``twin/cloud_updated`` |
"""

from collections.abc import Iterable, Iterator

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
from cloudhub_stub.cluster.registry import Change, Registry, labels_of
from cloudhub_stub.controllers.nodes import became_ready
from cloudhub_stub.downstream.devices import DeviceItems
from cloudhub_stub.downstream.items import Item, object_item, stub_delete_item, synced_key
from cloudhub_stub.downstream.synced import REMOVED, Synced
from cloudhub_stub.downstream.users import Users
from cloudhub_stub.downstream.wanted import Wanted, is_edge_node
from cloudhub_stub.store.cluster import SyncedKey
from edgecore.beehive.resource import DELETE, INSERT, POD, UPDATE

_VOLATILE = frozenset({"resourceVersion", "generation"})
"""What of the metadata may change without a pod or endpoints being sent."""

Sending = tuple[Iterable[str], Item]
"""Nodes, and what goes to each."""


class Feed:
    """Turns changes into messages. Changes come in their order; ``podlists`` is asked after a number of them."""

    def __init__(self, registry: Registry, synced: Synced, wanted: Wanted, devices: DeviceItems) -> None:
        self._registry = registry
        self._synced = synced
        self._wanted = wanted
        self._devices = devices
        self._users = Users()
        self._edge_nodes: set[str] = set()
        self._podlists_due: dict[ObjectKey, None] = {}
        self.stale: set[tuple[str, SyncedKey]] = set()
        """What nodes have in an older state that nobody hurries to replace."""

    def load(self) -> None:
        """Look at what the registry holds at the start."""
        for node in self._registry.all_of(NODE_KIND.name):
            if is_edge_node(node):
                self._edge_nodes.add(node["metadata"]["name"])
        for pod in self._registry.all_of(POD_KIND.name):
            self._users.put(pod)

    def take(self, change: Change) -> Iterator[Sending]:
        """Yield what ``change`` makes to be sent."""
        match change.key.kind:
            case POD_KIND.name:
                yield from self._pod(change)
            case SERVICE_KIND.name:
                yield self._edge_nodes, object_item(change.object, _operation(change))
            case ENDPOINTS_KIND.name:
                yield from self._endpoints(change)
            case CONFIGMAP_KIND.name | SECRET_KIND.name:
                key = synced_key(change.object)
                nodes = self._users.nodes(change.key) | set(self._synced.nodes_with(key))
                yield nodes & self._edge_nodes, object_item(change.object, _operation(change))
            case NODE_KIND.name:
                yield from self._node(change)
            case DEVICE_KIND.name:
                yield from self._devices.take(change)

    def podlists(self) -> Iterator[Sending]:
        """Yield the lists of pods that have become due since the last call."""
        due, self._podlists_due = self._podlists_due, {}
        for key in due:
            service = self._registry.get(key)
            if service is not None:
                yield self._edge_nodes, self._wanted.podlist_of(service)

    def _pod(self, change: Change) -> Iterator[Sending]:
        old, new = change.old, change.new
        if old is None or new is None or old["spec"] is not new["spec"]:
            if old is not None:
                self._users.remove(old)
            if new is not None:
                self._users.put(new)
        if new is None:
            self._note_removed_pod(change)
        node = change.object["spec"].get("nodeName", "")
        if node not in self._edge_nodes:
            return
        if new is None:
            yield (node,), object_item(change.object, DELETE)
        elif old is None:
            yield (node,), object_item(new, UPDATE if new["metadata"].get("deletionTimestamp") else INSERT)
        elif old.get("spec") != new.get("spec") or _has_new_metadata(old, new, _VOLATILE):
            yield (node,), object_item(new, UPDATE)
        else:
            self.stale.add((node, synced_key(new)))

    def _note_removed_pod(self, change: Change) -> None:
        for service in self._registry.services_selecting(change.key.namespace, labels_of(change.object)):
            key = key_of(service)
            if self._registry.get(key._replace(kind=ENDPOINTS_KIND.name)) is not None:
                self._podlists_due[key] = None

    def _endpoints(self, change: Change) -> Iterator[Sending]:
        old, new = change.old, change.new
        if new is None:
            yield self._edge_nodes, object_item(change.object, DELETE)
            return
        is_quiet = (
            old is not None
            and old.get("subsets") == new.get("subsets")
            and not _has_new_metadata(old, new, _VOLATILE | {"annotations"})
        )
        if is_quiet:
            self.stale.update((node, synced_key(new)) for node in self._edge_nodes)
            return
        yield self._edge_nodes, object_item(new, _operation(change))
        self._podlists_due[change.key._replace(kind=SERVICE_KIND.name)] = None

    def _node(self, change: Change) -> Iterator[Sending]:
        name, new = change.key.name, change.new
        if new is None or not is_edge_node(new):
            self._edge_nodes.discard(name)
            if new is None:
                self._synced.forget_lists(name)
                pods = [(key, row) for key, row in self._synced.of(name).items() if key.type == POD]
                for key, row in pods:  # the cluster forgets them with their node
                    if row.sent != REMOVED:
                        yield (name,), stub_delete_item(key, row.uid)
            return
        self._edge_nodes.add(name)
        for item in self._wanted.lists() if became_ready(change.old, new) else self._wanted.due_lists(name):
            yield (name,), item


def _operation(change: Change) -> str:
    if change.new is None:
        return DELETE
    return INSERT if change.old is None else UPDATE


def _has_new_metadata(old: Object, new: Object, passed_over: frozenset[str]) -> bool:
    before, after = old["metadata"], new["metadata"]
    return any(before.get(name) != after.get(name) for name in (before.keys() | after.keys()) - passed_over)
