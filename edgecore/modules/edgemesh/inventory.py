"""What MetaManager has of services: read once, after the start.

Endpoints are not asked for: MetaManager would ask the cloud for those that it does not have, and wait a minute for
each. Nothing is decided by them, and the cloud sends them when they change.
"""

from collections.abc import Collection
from typing import NamedTuple, Protocol

import msgspec

from edgecore import kube
from edgecore.errors import ContentError
from edgecore.modules.edgemesh.addressbook import ListenerRows, read_listener
from edgecore.modules.edgemesh.msgprocess import (
    Change,
    PodsChanged,
    Rejected,
    ServiceChanged,
    pods_changed,
    service_key,
)
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.podnames import named_pods


class MetaQuestions(ListenerRows, Protocol):
    """The part of ``MetaClient`` that EdgeMesh uses."""

    async def services(self) -> list[bytes]:
        """Return every stored service."""

    async def pod_list(self, namespace: str, name: str) -> bytes | None:
        """Return the stored pod list of a service."""

    async def listeners(self) -> list[bytes]:
        """Return the JSON of every listener row."""


class Inventory(NamedTuple):
    """All services, and the pods of them that have names."""

    changes: tuple[Change, ...]
    """As if they had just come, each after its pods; and what is stored but cannot be used."""
    listeners: dict[ServiceKey, str | None]
    """Everything that is to have a fake IP, each with what its listener row says; ``None`` also where that was not
    asked for, as it is not for pods."""
    said: frozenset[str]
    """The addresses that listener rows say, whichever service they belong to."""


async def read_inventory(meta: MetaQuestions, settled: Collection[ServiceKey]) -> Inventory:
    """Read everything, but no listener rows of services in ``settled``. Raises ``BusError`` or ``StoreError``."""
    changes: list[Change] = []
    listeners: dict[ServiceKey, str | None] = {}
    for data in await meta.services():
        try:
            service = kube.decode_service(data)
            key = service_key(*service.key)
        except ContentError as error:
            changes.append(Rejected("bad_content", f"stored service: {error}"))
            continue
        pods = await _pods(meta, key)
        changes.extend((*pods, ServiceChanged(key, service)))
        if service.is_external:
            continue
        listeners[key] = None if key in settled else await read_listener(meta, key)
        for change in pods:
            if isinstance(change, PodsChanged):
                listeners.update(dict.fromkeys(map(key.pod, named_pods(service, change.pods))))
    said = frozenset(filter(None, map(_text, await meta.listeners())))
    return Inventory(tuple(changes), listeners, said)


def _text(data: bytes) -> str | None:
    try:
        return msgspec.json.decode(data, type=str)
    except msgspec.DecodeError:
        return None


async def _pods(meta: MetaQuestions, key: ServiceKey) -> tuple[Change, ...]:
    data = await meta.pod_list(key.namespace, key.name)
    if data is None:
        return ()
    try:
        return pods_changed(key, data)
    except ContentError as error:
        return (Rejected("bad_content", f"stored pods of {key}: {error}"),)
