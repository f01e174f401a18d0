"""What the stub holds of the cluster: the last content that it sent of each object, and a growing resource version."""

from typing import NamedTuple

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

_LARGEST_VERSION = 2**63 - 1


class HeldObject(NamedTuple):
    """One object as it was sent last."""

    content: msgspec.Raw
    resource_version: str


class Objects:
    """The objects of the cluster, by resource."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._held: dict[EdgeResource, HeldObject] = {}
        self._version = 0
        self.held_bytes = 0
        self.dropped = 0
        """Objects that had to give way to newer ones."""

    def __len__(self) -> int:
        return len(self._held)

    def get(self, resource: EdgeResource) -> HeldObject | None:
        """Return the object of that resource, if the stub holds it."""
        return self._held.get(resource)

    def note_sent(self, message: Message) -> None:
        """Take in what a message to a node says about an object; messages about anything else change nothing."""
        self.note_version(message.header.resource_version)
        resource = parse_edge(message.route.resource)
        if resource is None or not resource.name or resource.type not in OBJECT_TYPES:
            return
        if message.route.operation == DELETE:
            self._drop(resource)
        elif message.route.operation in {INSERT, UPDATE}:
            self._hold(resource, message)

    def note_version(self, version: str) -> None:
        """Hand out higher versions than this one from now on, where it is a number."""
        if version.isascii() and version.isdigit() and len(version) < 20:
            self._version = min(max(self._version, int(version)), _LARGEST_VERSION)

    def next_version(self) -> str:
        """Return a resource version higher than every one handed out or sent before."""
        self._version += 1
        return str(self._version)

    def _hold(self, resource: EdgeResource, message: Message) -> None:
        try:
            content = content_json(message)
        except ContentError:
            return
        if not content.startswith(b"{"):
            return
        self._drop(resource)
        self._held[resource] = HeldObject(msgspec.Raw(content), message.header.resource_version)
        self.held_bytes += len(content)
        while self.held_bytes > self._max_bytes:
            self._drop(next(iter(self._held)))
            self.dropped += 1

    def _drop(self, resource: EdgeResource) -> None:
        held = self._held.pop(resource, None)
        if held is not None:
            self.held_bytes -= len(held.content)
