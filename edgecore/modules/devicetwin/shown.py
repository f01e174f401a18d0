"""Twins and attributes as they go out (pure)."""

from collections.abc import Mapping

from edgecore.modules.devicetwin.devices import Side, Twin
from edgecore.modules.devicetwin.payloads import MsgTwin, Twins, TwinValue, TwinVersion, TypeMeta, ValueMeta


def shown(twins: Mapping[str, Twin], *, versions: bool, deleted: bool = False) -> Twins:
    """Return twins as they go out, sorted; those that are gone are left out, or ``null`` where ``deleted`` is set."""
    return {
        key: None if twins[key].is_deleted else message_of(twins[key], versions=versions)
        for key in sorted(twins)
        if deleted or not twins[key].is_deleted
    }


def visible(twin: Twin | None) -> MsgTwin | None:
    """Return a twin as programs on MQTT see it: without versions, and not at all where it is gone."""
    return None if twin is None or twin.is_deleted else message_of(twin, versions=False)


def message_of(twin: Twin, *, versions: bool) -> MsgTwin:
    """Return one twin as it goes out; where it is gone, a side that has a version is an empty object."""
    expected, actual = twin.expected, twin.actual
    return MsgTwin(
        _value(twin, expected),
        _value(twin, actual),
        twin.optional,
        TypeMeta(twin.type),
        _version(expected) if versions else None,
        _version(actual) if versions else None,
    )


def type_of(wanted: MsgTwin) -> str:
    """Return the type that a message gives a twin."""
    return wanted.metadata.type if wanted.metadata is not None else "string"


def _value(twin: Twin, side: Side | None) -> TwinValue | None:
    if side is None or (side.value is None and not twin.is_deleted):
        return None
    return TwinValue(side.value, ValueMeta(side.timestamp_ms) if side.timestamp_ms is not None else None)


def _version(side: Side | None) -> TwinVersion | None:
    if side is None or side.version is None:
        return None
    return TwinVersion(side.version.cloud, side.version.edge)
