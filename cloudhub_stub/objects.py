"""The objects that were sent by hand (``send``, ``replay``), without the cluster: the last content of each.

An edge that has one may ask for it, or report the status of a pod that the cluster knows nothing of.
"""

from typing import NamedTuple, Protocol

import msgspec

from edgecore.beehive.message import Message, content_json
from edgecore.beehive.resource import (
    CONFIGMAP,
    DELETE,
    ENDPOINTS,
    INSERT,
    PERSISTENT_VOLUME,
    PERSISTENT_VOLUME_CLAIM,
    POD,
    SECRET,
    SERVICE,
    UPDATE,
    VOLUME_ATTACHMENT,
    EdgeResource,
    parse_edge,
)
from edgecore.errors import ContentError

OBJECT_TYPES = frozenset(
    {
        POD,
        CONFIGMAP,
        SECRET,
        SERVICE,
        ENDPOINTS,
        PERSISTENT_VOLUME,
        PERSISTENT_VOLUME_CLAIM,
        VOLUME_ATTACHMENT,
    }
)
"""The resource types whose messages carry one object; lists are not taken apart."""

MAX_BYTES = 256 * 1024 * 1024
"""How many bytes of objects are held; beyond that, those that were sent longest ago are dropped."""


class ByHandRows(Protocol):
    """Where the objects are kept."""

    def by_hand(self) -> list[tuple[str, str, bytes]]:
        """Return resource, version and content of each. Raises ``StoreError``."""

    def keep_by_hand(self, resource: str, version: str, content: bytes) -> None:
        """Store one."""

    def forget_by_hand(self, resource: str) -> None:
        """Remove one."""


class HeldObject(NamedTuple):
    """One object as it was sent last."""

    content: msgspec.Raw
    resource_version: str


class Objects:
    """The objects by resource, kept on disk from ``load`` on."""

    def __init__(self, rows: ByHandRows | None = None, max_bytes: int = MAX_BYTES) -> None:
        self._rows = rows
        self._max_bytes = max_bytes
        self._held: dict[EdgeResource, HeldObject] = {}
        self.held_bytes = 0
        self.dropped = 0
        """Objects that had to give way to newer ones."""

    def __len__(self) -> int:
        return len(self._held)

    def load(self) -> None:
        """Take in what was stored. Raises ``StoreError``."""
        if self._rows is None:
            return
        for text, version, content in self._rows.by_hand():
            resource = parse_edge(text)
            if resource is not None:
                self._held[resource] = HeldObject(msgspec.Raw(content), version)
                self.held_bytes += len(content)

    def get(self, resource: EdgeResource) -> HeldObject | None:
        """Return the object of that resource, if it was sent by hand."""
        return self._held.get(resource)

    def note_sent(self, message: Message) -> None:
        """Take in what a message to a node says about an object; messages about anything else change nothing."""
        resource = parse_edge(message.route.resource)
        if resource is None or not resource.name or resource.type not in OBJECT_TYPES:
            return
        if message.route.operation == DELETE:
            self._drop(resource)
        elif message.route.operation in {INSERT, UPDATE}:
            self._hold(resource, message)

    def _hold(self, resource: EdgeResource, message: Message) -> None:
        try:
            content = content_json(message)
        except ContentError:
            return
        if not content.startswith(b"{"):
            return
        self._forget(resource)
        self._held[resource] = HeldObject(msgspec.Raw(content), message.header.resource_version)
        self.held_bytes += len(content)
        if self._rows is not None:
            self._rows.keep_by_hand(str(resource), message.header.resource_version, content)
        while self.held_bytes > self._max_bytes:
            self._drop(next(iter(self._held)))
            self.dropped += 1

    def _drop(self, resource: EdgeResource) -> None:
        if self._forget(resource) and self._rows is not None:
            self._rows.forget_by_hand(str(resource))

    def _forget(self, resource: EdgeResource) -> bool:
        held = self._held.pop(resource, None)
        if held is not None:
            self.held_bytes -= len(held.content)
        return held is not None
