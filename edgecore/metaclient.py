"""How modules ask MetaManager: typed questions over the bus (kubeedge edge/pkg/metamanager/client@v1.3.1).

Answers that come from the database are lists of JSON texts; answers that MetaManager fetched from the cloud are the
objects themselves. Both are understood for every type (bug M10). Each question has an id of its own and one deadline
(bug M11).

===============================  ==================================================================
Go                               here
===============================  ==================================================================
Pods.Delete                      ``delete_pod``
PodStatus.Update                 ``update_pod_status``
NodeStatus.Update                ``update_node_status``
Nodes.Get, Update                ``node``, ``update_node``
ConfigMaps.Get, Secrets.Get      ``config_map``, ``secret``
PersistentVolumes.Get            ``persistent_volume``
PersistentVolumeClaims.Get       ``persistent_volume_claim``
VolumeAttachments.Get            ``volume_attachment``
VolumeAttachments.Create         ``create_volume_attachment``
VolumeAttachments.Delete         ``delete_volume_attachment``
Endpoints.Get                    ``endpoints``
Services.Get, GetPods, ListAll   ``service``, ``pod_list``, ``services``
Listener.Get, Add, Del           ``listener``, ``set_listener``, ``delete_listener``
===============================  ==================================================================

Beyond those ``pods`` and ``pod_statuses``, which Go's edged asks for without its client, and ``every_endpoints``.
Pods.Get, Create and Update do nothing in Go.
"""

from typing import Any

import msgspec

from edgecore.beehive.message import Message, Route, content_json, content_value
from edgecore.beehive.port import Port
from edgecore.beehive.resource import (
    ALL_NAMESPACES,
    CONFIGMAP,
    DELETE,
    ENDPOINTS,
    ERROR,
    GROUP_META,
    INSERT,
    LISTENER,
    METAMANAGER,
    NODE,
    NODESTATUS,
    PERSISTENT_VOLUME,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    PODLIST,
    PODSTATUS,
    QUERY,
    SECRET,
    SERVICE,
    UPDATE,
    VOLUME_ATTACHMENT,
)
from edgecore.errors import ContentError, StoreError

TIMEOUT_S = 60.0
LISTENER_NAMESPACE = "default"
"""All listener rows lie here, whatever the namespace of their service."""


class MetaClient:
    """The questions of one module. Every method raises ``BusError`` where no answer comes, ``StoreError`` where
    MetaManager could not do it or its answer cannot be read.

    Objects are JSON, as stored or as the cloud sent them; ``None`` is none. A change is answered after its commit. What
    is said to be asked of the cloud is answered from the rows where the link is down or the cloud has no answer.
    """

    def __init__(self, port: Port, source: str) -> None:
        self._port = port
        self._source = source

    # Services.

    async def services(self, namespace: str = ALL_NAMESPACES) -> list[bytes]:
        """Return every stored Service."""
        return await self._every(namespace, SERVICE)

    async def service(self, namespace: str, name: str) -> bytes | None:
        """Return a stored Service."""
        return await self._one(namespace, SERVICE, name)

    async def pod_list(self, namespace: str, name: str) -> bytes | None:
        """Return the JSON array (or ``null``) of the last pod list of a service; ``None`` if there was none."""
        return await self._one(namespace, PODLIST, name)

    async def endpoints(self, namespace: str, name: str) -> bytes | None:
        """Return an Endpoints object, which the cloud is asked for where none is stored."""
        return await self._one(namespace, ENDPOINTS, name)

    async def every_endpoints(self, namespace: str = ALL_NAMESPACES) -> list[bytes]:
        """Return every stored Endpoints object; the cloud is not asked."""
        return await self._every(namespace, ENDPOINTS)

    async def listener(self, namespace: str, name: str) -> str | None:
        """Return the fake IP in a service's listener row, or ``None``."""
        text = await self._one(LISTENER_NAMESPACE, LISTENER, f"{namespace}.{name}")
        if text is None:
            return None
        try:
            return msgspec.json.decode(text, type=str)
        except msgspec.DecodeError as error:
            raise StoreError(f"cannot read listener row of {namespace}/{name}: {error}") from error

    async def listeners(self) -> list[bytes]:
        """Return the JSON of every listener row: the fake IPs that are stored, as texts."""
        return _texts(await self._ask(QUERY, f"{ALL_NAMESPACES}/{LISTENER}"))

    async def set_listener(self, namespace: str, name: str, address: str) -> None:
        """Store a service's fake IP."""
        await self._ask(INSERT, _listener(namespace, name), address)

    async def delete_listener(self, namespace: str, name: str) -> None:
        """Forget a service's fake IP."""
        await self._ask(DELETE, _listener(namespace, name))

    # The node.

    async def node(self, namespace: str, name: str) -> bytes | None:
        """Return a Node, which the cloud is asked for even where one is stored."""
        return await self._one(namespace, NODE, name)

    async def update_node(self, namespace: str, name: str, node: Any) -> None:
        """Store a Node and have it sent to the cloud, which takes its annotations."""
        await self._ask(UPDATE, f"{namespace}/{NODE}/{name}", node)

    async def update_node_status(self, namespace: str, node: str, request: Any) -> None:
        """Store a NodeStatusRequest and have it sent to the cloud."""
        await self._ask(UPDATE, f"{namespace}/{NODESTATUS}/{node}", request)

    # Pods, and what they use.

    async def pods(self, namespace: str = ALL_NAMESPACES) -> list[bytes]:
        """Return every stored Pod."""
        return await self._every(namespace, POD)

    async def pod_statuses(self, namespace: str = ALL_NAMESPACES) -> list[bytes]:
        """Return every stored PodStatusRequest."""
        return await self._every(namespace, PODSTATUS)

    async def update_pod_status(self, namespace: str, name: str, request: Any) -> None:
        """Store a PodStatusRequest and have it sent to the cloud."""
        await self._ask(UPDATE, f"{namespace}/{PODSTATUS}/{name}", request)

    async def delete_pod(self, namespace: str, name: str, uid: str) -> None:
        """Have a pod forgotten, and the cloud told that it is gone; returns once the order to tell it is committed."""
        await self._ask(DELETE, f"{namespace}/{POD}/{name}", uid)

    async def config_map(self, namespace: str, name: str) -> bytes | None:
        """Return a ConfigMap, which the cloud is asked for where none is stored."""
        return await self._one(namespace, CONFIGMAP, name)

    async def secret(self, namespace: str, name: str) -> bytes | None:
        """Return a Secret, which the cloud is asked for where none is stored."""
        return await self._one(namespace, SECRET, name)

    # Volumes.

    async def persistent_volume(self, namespace: str, name: str) -> bytes | None:
        """Return a PersistentVolume, which the cloud is asked for where none is stored."""
        return await self._one(namespace, PERSISTENT_VOLUME, name)

    async def persistent_volume_claim(self, namespace: str, name: str) -> bytes | None:
        """Return a PersistentVolumeClaim, which the cloud is asked for where none is stored."""
        return await self._one(namespace, PERSISTENT_VOLUME_CLAIM, name)

    async def volume_attachment(self, namespace: str, name: str) -> bytes | None:
        """Return a VolumeAttachment, which the cloud is asked for even where one is stored."""
        return await self._one(namespace, VOLUME_ATTACHMENT, name)

    async def create_volume_attachment(self, namespace: str, name: str, attachment: Any) -> None:
        """Store a VolumeAttachment and have it sent to the cloud."""
        await self._ask(INSERT, f"{namespace}/{VOLUME_ATTACHMENT}/{name}", attachment)

    async def delete_volume_attachment(self, namespace: str, name: str) -> None:
        """Forget a VolumeAttachment and have the cloud told."""
        await self._ask(DELETE, f"{namespace}/{VOLUME_ATTACHMENT}/{name}")

    # Asking.

    async def _one(self, namespace: str, kind: str, name: str) -> bytes | None:
        """Return the one object that is asked for by name."""
        resource = f"{namespace}/{kind}/{name}"
        texts = _texts(await self._ask(QUERY, resource))
        if len(texts) > 1:
            raise StoreError(f"cannot read {resource}: there are {len(texts)} of it, not one")
        return texts[0] if texts else None

    async def _every(self, namespace: str, kind: str) -> list[bytes]:
        return _texts(await self._ask(QUERY, f"{namespace}/{kind}"))

    async def _ask(self, operation: str, resource: str, content: Any = None) -> Message:
        route = Route(self._source, GROUP_META, operation, resource)
        reply = await self._port.send_sync(METAMANAGER, self._port.build(route, content), TIMEOUT_S)
        if reply.route.operation == ERROR:
            raise StoreError(f"cannot {operation} {resource}: {content_value(reply)}")
        return reply


def _listener(namespace: str, name: str) -> str:
    return f"{LISTENER_NAMESPACE}/{LISTENER}/{namespace}.{name}"


def _texts(reply: Message) -> list[bytes]:
    """Return the JSON texts of an answer, whichever of the two forms it has."""
    try:
        value = content_value(reply)
        if value is None:
            return []
        if reply.route.source != METAMANAGER or not isinstance(value, list):
            return [content_json(reply)]
    except ContentError as error:
        raise StoreError(f"cannot read {reply.route.resource}: {error}") from error
    if not all(isinstance(text, str) for text in value):
        raise StoreError(f"cannot read {reply.route.resource}: the answer of {METAMANAGER} is no list of texts")
    return [text.encode() for text in value]
