"""What ConfigMaps and Secrets hold, as a runtime reads it (pure).

Values are kept as long as a pod uses their object. They are neither logged nor shown.
"""

import base64
import binascii

import msgspec

from edgecore.beehive.resource import SECRET, EdgeResource
from edgecore.errors import ContentError
from edgecore.modules.edged.runtime import Values

KEPT_LIMIT_BYTES = 64 * 1024 * 1024
"""Of all objects together; Kubernetes allows 1 MiB for each."""


class _Object(msgspec.Struct, frozen=True, rename="camel"):
    data: dict[str, str] | None = None
    binary_data: dict[str, str] | None = None


class ObjectValues:
    """The values of the objects that are there, within ``KEPT_LIMIT_BYTES``."""

    def __init__(self) -> None:
        self._values: dict[EdgeResource, Values] = {}
        self._sizes: dict[EdgeResource, int] = {}
        self._size = 0

    def __getitem__(self, name: EdgeResource) -> Values:
        return self._values[name]

    def __contains__(self, name: EdgeResource) -> bool:
        return name in self._values

    def put(self, name: EdgeResource, data: bytes) -> None:
        """Keep what the object in ``data`` holds. Raises ``ContentError``, and keeps nothing of it then."""
        self.drop(name)
        values = read_values(name, data)
        size = sum(len(key) + len(value) for key, value in values.items())
        if self._size + size > KEPT_LIMIT_BYTES:
            raise ContentError(f"cannot keep {name}: all objects together hold more than {KEPT_LIMIT_BYTES} bytes")
        self._values[name], self._sizes[name] = values, size
        self._size += size

    def drop(self, name: EdgeResource) -> None:
        """Forget an object."""
        self._values.pop(name, None)
        self._size -= self._sizes.pop(name, 0)


def read_values(name: EdgeResource, data: bytes) -> Values:
    """Return what an object holds by key. Raises ``ContentError``, whose text has nothing of it."""
    try:
        held = msgspec.json.decode(data, type=_Object)
        plain = held.data or {}
        values = {key: _decoded(text) if name.type == SECRET else text.encode() for key, text in plain.items()}
        return values | {key: _decoded(text) for key, text in (held.binary_data or {}).items()}
    except (ValueError, RecursionError):
        raise ContentError(f"cannot read {name}: it does not hold values by key, those of a Secret in base64") from None


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError from error
