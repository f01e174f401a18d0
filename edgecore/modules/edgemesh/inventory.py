"""What MetaManager has of services, their endpoints, and the pods of this node: read once, after the start.

Endpoints are asked for all at once: for one by name that it does not have MetaManager would ask the cloud, and wait.
"""

from collections.abc import Collection, Iterable
from typing import NamedTuple, Protocol

import msgspec

from edgecore import kube
from edgecore.errors import ContentError
from edgecore.modules.edgemesh.addressbook import ListenerRows, read_listener
from edgecore.modules.edgemesh.msgprocess import (
    Change,
    EndpointsChanged,
    PodChanged,
    PodsChanged,
    Rejected,
    ServiceChanged,
    pods_changed,
    service_key,
)
from edgecore.modules.edgemesh.names import PodKey, ServiceKey
from edgecore.modules.edgemesh.nodepods import NodePods
from edgecore.modules.edgemesh.podnames import named_pods


class MetaQuestions(ListenerRows, Protocol):
    """The part of ``MetaClient`` that EdgeMesh uses."""

    async def services(self) -> list[bytes]:
        """Return every stored service."""

    async def every_endpoints(self) -> list[bytes]:
        """Return every stored Endpoints object."""

    async def pods(self) -> list[bytes]:
        """Return every stored pod of this node."""

    async def pod_list(self, namespace: str, name: str) -> bytes | None:
        """Return the stored pod list of a service."""

    async def listeners(self) -> list[bytes]:
        """Return the JSON of every listener row."""


class Inventory(NamedTuple):
    """All services, and the pods of them that have names."""

    changes: tuple[Change, ...]
    """As if they had just come, pods of this node first, each service after what is behind it; and what is stored but
    cannot be used."""
    listeners: dict[ServiceKey, str | None]
    """Everything that is to have a fake IP, each with what its listener row says; ``None`` also where that was not
    asked for, as it is not for pods."""
    said: frozenset[str]
    """The addresses that listener rows say, whichever service they belong to."""


async def read_inventory(meta: MetaQuestions, settled: Collection[ServiceKey]) -> Inventory:
    """Read everything, but no listener rows of services in ``settled``. Raises ``BusError`` or ``StoreError``."""
    services = await meta.services()
    changes: list[Change] = list(map(_pod, await meta.pods()))
    known = NodePods()
    for change in changes:
        if isinstance(change, PodChanged):
            known.put(change.key, change.pod)
    endpoints = [_endpoints(data) for data in await meta.every_endpoints()]
    changes.extend(change for change in endpoints if isinstance(change, Rejected))
    waiting = {change.key: change for change in endpoints if not isinstance(change, Rejected)}
    listeners: dict[ServiceKey, str | None] = {}
    for data in services:
        try:
            service = kube.decode_service(data)
            key = service_key(*service.key)
        except ContentError as error:
            changes.append(Rejected("bad_content", f"stored service: {error}"))
            continue
        pods = await _pods(meta, key)
        behind = (waiting.pop(key),) if key in waiting else ()
        changes.extend((*pods, *behind, ServiceChanged(key, service)))
        if service.is_external:
            continue
        listeners[key] = None if key in settled else await read_listener(meta, key)
        if service.selects_pods:
            listeners.update(dict.fromkeys(map(key.pod, _named(service, key, pods, known))))
    changes.extend(waiting.values())
    said = frozenset(filter(None, map(_text, await meta.listeners())))
    return Inventory(tuple(changes), listeners, said)


def _text(data: bytes) -> str | None:
    try:
        return msgspec.json.decode(data, type=str)
    except (ValueError, RecursionError):
        return None


def _named(
    service: kube.Service, key: ServiceKey, pods: Iterable[Change], known: NodePods
) -> dict[str, tuple[kube.Pod, ...]]:
    """Return the pods with names as the mesh will find them."""
    listed = [pod for change in pods if isinstance(change, PodsChanged) for pod in change.pods]
    return named_pods(service, (known.newest(key.namespace, pod) for pod in listed))


def _pod(data: bytes) -> PodChanged | Rejected:
    try:
        pod = kube.decode_pod(data)
        return PodChanged(PodKey(pod.metadata.namespace, pod.metadata.name), pod)
    except ContentError as error:
        return Rejected("bad_content", f"stored pod: {error}")


def _endpoints(data: bytes) -> EndpointsChanged | Rejected:
    try:
        endpoints = kube.decode_endpoints(data)
        return EndpointsChanged(service_key(*endpoints.key), endpoints)
    except ContentError as error:
        return Rejected("bad_content", f"stored endpoints: {error}")


async def _pods(meta: MetaQuestions, key: ServiceKey) -> tuple[Change, ...]:
    data = await meta.pod_list(key.namespace, key.name)
    if data is None:
        return ()
    try:
        return pods_changed(key, data)
    except ContentError as error:
        return (Rejected("bad_content", f"stored pods of {key}: {error}"),)
