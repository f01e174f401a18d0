"""How modules ask MetaManager: typed questions over the bus (kubeedge edge/pkg/metamanager/client@v1.3.1).

Answers that come from the database are lists of JSON texts; answers that MetaManager fetched from the cloud are the
objects themselves. Both are understood for every type (bug M10). Each question has an id of its own and one deadline
(bug M11).
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
    NODESTATUS,
    POD,
    PODLIST,
    PODSTATUS,
    QUERY,
    SECRET,
    SERVICE,
    UPDATE,
)
from edgecore.errors import StoreError

TIMEOUT_S = 60.0
LISTENER_NAMESPACE = "default"
"""All listener rows lie here, whatever the namespace of their service."""


class MetaClient:
    """The questions of one module. Every method raises ``BusError`` where no answer comes, ``StoreError`` where
    MetaManager could not do it.
    """

    def __init__(self, port: Port, source: str) -> None:
        self._port = port
        self._source = source

    async def services(self) -> list[bytes]:
        """Return the JSON of every stored Service, of all namespaces."""
        return _texts(await self._ask(QUERY, f"{ALL_NAMESPACES}/{SERVICE}"))

    async def pod_list(self, namespace: str, name: str) -> bytes | None:
        """Return the JSON array (or ``null``) of the last pod list of a service; ``None`` if there was none."""
        return _only(await self._ask(QUERY, f"{namespace}/{PODLIST}/{name}"))

    async def endpoints(self, namespace: str, name: str) -> bytes | None:
        """Return the JSON of an Endpoints object, or ``None``."""
        return _only(await self._ask(QUERY, f"{namespace}/{ENDPOINTS}/{name}"))

    async def listener(self, namespace: str, name: str) -> str | None:
        """Return the fake IP in a service's listener row, or ``None``."""
        text = _only(await self._ask(QUERY, _listener(namespace, name)))
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
        """Store a service's fake IP; returns after the commit."""
        await self._ask(INSERT, _listener(namespace, name), address)

    async def delete_listener(self, namespace: str, name: str) -> None:
        """Forget a service's fake IP; returns after the commit."""
        await self._ask(DELETE, _listener(namespace, name))

    async def update_node_status(self, namespace: str, node: str, request: Any) -> None:
        """Store a NodeStatusRequest and have it sent to the cloud; returns after the commit."""
        await self._ask(UPDATE, f"{namespace}/{NODESTATUS}/{node}", request)

    async def pods(self) -> list[bytes]:
        """Return the JSON of every stored Pod, of all namespaces."""
        return _texts(await self._ask(QUERY, f"{ALL_NAMESPACES}/{POD}"))

    async def pod_statuses(self) -> list[bytes]:
        """Return the JSON of every stored PodStatusRequest, of all namespaces."""
        return _texts(await self._ask(QUERY, f"{ALL_NAMESPACES}/{PODSTATUS}"))

    async def update_pod_status(self, namespace: str, name: str, request: Any) -> None:
        """Store a PodStatusRequest and have it sent to the cloud; returns after the commit."""
        await self._ask(UPDATE, f"{namespace}/{PODSTATUS}/{name}", request)

    async def config_map(self, namespace: str, name: str) -> bytes | None:
        """Return the JSON of a ConfigMap, which MetaManager asks the cloud for where it has none, or ``None``."""
        return _only(await self._ask(QUERY, f"{namespace}/{CONFIGMAP}/{name}"))

    async def secret(self, namespace: str, name: str) -> bytes | None:
        """Return the JSON of a Secret, which MetaManager asks the cloud for where it has none, or ``None``."""
        return _only(await self._ask(QUERY, f"{namespace}/{SECRET}/{name}"))

    async def delete_pod(self, namespace: str, name: str, uid: str) -> None:
        """Have a pod forgotten, and the cloud told that it is gone; returns once the order to tell it is committed."""
        await self._ask(DELETE, f"{namespace}/{POD}/{name}", uid)

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
    value = content_value(reply)
    if value is None:
        return []
    if reply.route.source == METAMANAGER and isinstance(value, list):
        return [text.encode() for text in value]
    return [content_json(reply)]


def _only(reply: Message) -> bytes | None:
    texts = _texts(reply)
    return texts[0] if texts else None
