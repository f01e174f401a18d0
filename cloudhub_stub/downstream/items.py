"""What is sent to nodes, in KubeEdge's shapes (pure; ``kubeedge cloud/pkg/edgecontroller/controller/downstream.go`` and
``cloud/pkg/devicecontroller/controller/downstream.go@v1.3.1``).

An item is a message without id and time: the same one goes to many nodes. Its state is a word for what the node has
once it has got the item: the resource version of an object, a digest of a list, the desired values of a device.
"""

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

import msgspec

from cloudhub_stub.cluster.kinds import KINDS, Object
from cloudhub_stub.downstream.synced import LISTS, REMOVED
from cloudhub_stub.store.cluster import SyncedKey
from edgecore.beehive.message import Header, Message, Route
from edgecore.beehive.resource import (
    DELETE,
    EDGECONTROLLER,
    ENDPOINTS,
    ENDPOINTSLIST,
    GROUP_RESOURCE,
    GROUP_TWIN,
    INSERT,
    POD,
    PODLIST,
    SECRET,
    SERVICE,
    SERVICELIST,
    UPDATE,
    EdgeResource,
)

DEVICECONTROLLER = "devicecontroller"
DEVICE = "device"
MEMBERSHIP = "membership"
_LIST_NAMESPACE = "namespace"
"""The word that stands in the place of a namespace in the lists of everything."""

_EMPTY: dict[str, dict[str, Any]] = {
    POD: {"spec": {"containers": None}, "status": {}},
    SERVICE: {"spec": {}, "status": {"loadBalancer": {}}},
}
"""What Go writes of an object, beside its metadata, that holds nothing; of other types that is nothing."""


class Item(NamedTuple):
    """One message to any node."""

    key: SyncedKey
    uid: str
    state: str
    route: Route
    content: msgspec.Raw
    version: str = ""
    covers: tuple[tuple[SyncedKey, str, str], ...] = ()
    """Other things that a node has once it has got this: each with its uid and state."""
    starts: int = 0
    """How often the node had started when this was gathered for it."""

    def message(self, message_id: str, now_ms: int) -> Message:
        """Return the message."""
        return Message(Header(message_id, "", now_ms, self.version), self.route, self.content)


def synced_key(obj: Object) -> SyncedKey:
    """Return the key of an object that is sent by itself."""
    metadata = obj["metadata"]
    return SyncedKey(KINDS[obj["kind"]].wire_type, metadata.get("namespace", ""), metadata["name"])


def wire(obj: Object) -> dict[str, Any]:
    """Return an object as it is sent: without kind and apiVersion, as from the informers of Go."""
    return {name: value for name, value in obj.items() if name not in {"kind", "apiVersion"}}


def object_item(obj: Object, operation: str) -> Item:
    """Return the message about one object; a secret is never inserted, but updated."""
    key = synced_key(obj)
    version = obj["metadata"]["resourceVersion"]
    if key.type == SECRET and operation == INSERT:
        operation = UPDATE
    state = REMOVED if operation == DELETE else version
    return _resource_item(key, obj["metadata"]["uid"], state, operation=operation, content=wire(obj), version=version)


def stub_delete_item(key: SyncedKey, uid: str) -> Item:
    """Return the message that removes an object of which only this is known, as from KubeEdge's SyncController."""
    metadata = {"name": key.name, "namespace": key.namespace, "uid": uid, "creationTimestamp": None}
    content = {"metadata": metadata, **_EMPTY.get(key.type, {})}
    return _resource_item(key, uid, REMOVED, operation=DELETE, content=content)


def unknown_pod_item(namespace: str, name: str) -> Item:
    """Return the message that removes a pod that the cluster does not know (10.1, last row)."""
    key = SyncedKey(POD, namespace, name)
    content = {"metadata": {"name": name, "namespace": namespace, "creationTimestamp": None}, **_EMPTY[POD]}
    return _resource_item(key, "", REMOVED, operation=DELETE, content=content)


def podlist_item(service: Object, pods: Sequence[Object] | None) -> Item:
    """Return the message with the pods of a service; ``null`` where it has none."""
    metadata = service["metadata"]
    content = _encoded(None if not pods else [wire(pod) for pod in pods])
    key = SyncedKey(PODLIST, metadata["namespace"], metadata["name"])
    route = _route(UPDATE, str(EdgeResource(*_triple(key))))
    state = sha256(content, usedforsecurity=False)
    state.update(metadata["uid"].encode())  # the list of a service that is gone is another one, whatever it says
    return Item(key, metadata["uid"], state.hexdigest()[:16], route, content)


def list_items(services: Sequence[Object], endpoints: Sequence[Object], podlists: Iterable[Item]) -> list[Item]:
    """Return the lists that a node gets when it becomes ready: services, the pods of each, endpoints."""
    return [
        _list_item(SERVICELIST, SERVICE, services),
        *podlists,
        _list_item(ENDPOINTSLIST, ENDPOINTS, endpoints),
    ]


def membership_item(key: SyncedKey, uid: str, state: str, content: dict[str, Any]) -> Item:
    """Return the message that a device is at a node, or not any more."""
    route = Route(DEVICECONTROLLER, GROUP_TWIN, UPDATE, MEMBERSHIP)
    return Item(key, uid, state, route, _encoded(content))


def twin_item(key: SyncedKey, uid: str, state: str, content: dict[str, Any]) -> Item:
    """Return the message with desired values of a device."""
    route = Route(DEVICECONTROLLER, GROUP_TWIN, UPDATE, f"{DEVICE}/{key.name}/twin/cloud_updated")
    return Item(key, uid, state, route, _encoded(content))


def _list_item(list_type: str, element_type: str, objects: Sequence[Object]) -> Item:
    covers = tuple((synced_key(each), each["metadata"]["uid"], each["metadata"]["resourceVersion"]) for each in objects)
    resource = f"{_LIST_NAMESPACE}/{list_type}/{element_type}"
    content = _encoded([wire(each) for each in objects])
    return Item(LISTS._replace(name=list_type), "", "listed", _route(UPDATE, resource), content, covers=covers)


def _resource_item(
    key: SyncedKey, uid: str, state: str, *, operation: str, content: dict[str, Any], version: str = ""
) -> Item:
    return Item(key, uid, state, _route(operation, str(EdgeResource(*_triple(key)))), _encoded(content), version)


def _triple(key: SyncedKey) -> tuple[str, str, str]:
    return key.namespace, key.type, key.name


def _route(operation: str, resource: str) -> Route:
    return Route(EDGECONTROLLER, GROUP_RESOURCE, operation, resource)


def _encoded(content: Any) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode(content))
