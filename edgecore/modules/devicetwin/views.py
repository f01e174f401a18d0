"""Devices as commands show them: JSON documents (pure)."""

from collections.abc import Iterable
from typing import Any

from edgecore.modules.devicetwin.devices import Device, Side, Twin

Json = dict[str, Any]


def counts(devices: Iterable[Device]) -> Json:
    """Return how many devices, twins and deleted twins there are, and how many differ or were set here."""
    found: Json = {"devices": 0, "states": {}, "twins": 0, "twins_deleted": 0, "twins_differ": 0, "twins_set_here": 0}
    for device in devices:
        found["devices"] += 1
        state = device.state or "unknown"
        found["states"][state] = found["states"].get(state, 0) + 1
        for twin in device.twins.values():
            found["twins_deleted" if twin.is_deleted else "twins"] += 1
            found["twins_differ"] += differs(twin)
            found["twins_set_here"] += twin.is_set_here
    return found


def in_short(device: Device) -> Json:
    """Return the line of one device."""
    twins = [twin for twin in device.twins.values() if not twin.is_deleted]
    return {
        "id": device.id,
        "name": device.name,
        "description": device.description,
        "state": device.state,
        "last_online": device.last_online,
        "twins": len(twins),
        "differ": sum(map(differs, twins)),
    }


def whole(device: Device) -> Json:
    """Return everything of one device, with the memory of its deleted twins."""
    return {
        **in_short(device),
        "twins": {name: _twin(twin) for name, twin in sorted(device.twins.items())},
        "attributes": {name: one._asdict() for name, one in sorted(device.attributes.items())},
    }


def differs(twin: Twin) -> bool:
    """Whether the device says something else than the cloud wants."""
    if twin.is_deleted or twin.expected is None or not twin.expected.value:
        return False
    return twin.actual is None or twin.actual.value != twin.expected.value


def _twin(twin: Twin) -> Json:
    return {
        "type": twin.type,
        "optional": twin.optional,
        "deleted": twin.is_deleted,
        "differs": differs(twin),
        "set_here": twin.is_set_here,
        "expected": _side(twin.expected),
        "actual": _side(twin.actual),
    }


def _side(side: Side | None) -> Json | None:
    if side is None:
        return None
    return {
        "value": side.value,
        "timestamp_ms": side.timestamp_ms,
        "version": None if side.version is None else side.version._asdict(),
    }
