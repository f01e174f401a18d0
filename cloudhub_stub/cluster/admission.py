"""What the API takes of an object that a user hands in: the part that users decide on, checked (pure).

What the API writes itself is dropped, and so is the status, which belongs to controllers and nodes. Two kinds are
exceptions: the twins of a device are wanted by users in its status; and a node may be made with a status.
"""

from typing import Any

from cloudhub_stub.cluster.defaults import DEFAULT_NAMESPACE
from cloudhub_stub.cluster.kinds import DEVICE_KIND, KINDS, NODE_KIND, Object
from cloudhub_stub.cluster.metadata import generated_name, of_users
from cloudhub_stub.cluster.validation import validate
from cloudhub_stub.errors import Invalid
from edgecore.ids import NewId


def admitted(obj: Object) -> Object:
    """Return the part of ``obj`` that counts, with a name, and in a namespace if its kind has them.

    Raises ``Invalid``, whatever ``obj`` is.
    """
    found = obj
    if isinstance(obj, dict) and obj.get("kind") not in (DEVICE_KIND.name, NODE_KIND.name):
        found = _without_status(obj)
    validate(found)
    metadata = of_users(found["metadata"])
    if not metadata.get("name"):
        raise Invalid("metadata.name", "it is missing: generateName is for creating only")
    if not metadata.get("namespace"):
        metadata.pop("namespace", None)
        if KINDS[found["kind"]].namespaced:
            metadata["namespace"] = DEFAULT_NAMESPACE
    return {**found, "metadata": metadata}


def for_update(obj: Object) -> Object:
    """Return the part of an admitted (or once applied) object that counts where it exists already."""
    return obj if obj.get("kind") == DEVICE_KIND.name else _without_status(obj)


def named(obj: Object, new_id: NewId) -> Object:
    """Return ``obj`` with a name, if it has none and says what one shall begin with. Raises ``Invalid``."""
    metadata = obj.get("metadata") if isinstance(obj, dict) else None
    if not isinstance(metadata, dict) or metadata.get("name") or not metadata.get("generateName"):
        return obj
    if not isinstance(metadata["generateName"], str):
        raise Invalid("metadata.generateName", "must be a string")
    return {**obj, "metadata": {**metadata, "name": generated_name(metadata["generateName"], new_id())}}


def with_reported(device: Object, old: Object) -> Object:
    """Return ``device`` with what its node reported before, for each of its twins; other kinds as they are."""
    if device["kind"] != DEVICE_KIND.name:
        return device
    before = {twin["propertyName"]: twin for twin in _twins(old)}
    twins = [_reported(twin, before.get(twin["propertyName"], {})) for twin in _twins(device)]
    if twins == _twins(device):
        return device
    return {**device, "status": {**device["status"], "twins": twins}}


def _twins(device: Object) -> Any:
    return (device.get("status") or {}).get("twins") or []


def _reported(twin: Object, before: Object) -> Object:
    return {**twin, "reported": before["reported"]} if "reported" in before else twin


def _without_status(obj: Object) -> Object:
    return {name: value for name, value in obj.items() if name != "status"} if "status" in obj else obj
