"""Devices as rows, and rows as devices: the columns as the Go program writes them, both ways (pure; spec 5.1).

``device_twin`` keeps the time and the version of each side as JSON texts; a twin that is gone has no values, the type
``deleted`` and its versions. A time or a version that cannot be read is none, as in Go. In Go, a side whose value is
the empty text is gone when it is read again; here it stays, if it has a time.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from edgecore.beehive.gojson import marshal
from edgecore.errors import ContentError
from edgecore.modules.devicetwin.devices import DELETED, Attribute, Device, Side, Twin, Version
from edgecore.modules.devicetwin.payloads import TwinVersion, ValueMeta

Row = tuple[str | int | None, ...]
"""The columns of a table in the order in which it was made, without the ``id`` that it counts itself."""

DEVICE_COLUMNS = ("id", "name", "description", "state", "last_online")
ATTRIBUTE_COLUMNS = ("deviceid", "name", "description", "value", "optional", "attr_type", "metadata")
TWIN_COLUMNS = (
    "deviceid",
    "name",
    "description",
    "expected",
    "actual",
    "expected_meta",
    "actual_meta",
    "expected_version",
    "actual_version",
    "optional",
    "attr_type",
    "metadata",
)

_METADATA = "{}"
"""What Go writes there: the metadata without its type, which has a column of its own. Nobody reads it."""


def device_row(device: Device) -> Row:
    """Return the row of ``device``."""
    return (device.id, device.name, device.description, device.state, device.last_online)


def attribute_row(device_id: str, name: str, attribute: Attribute) -> Row:
    """Return the row of an attribute."""
    return (device_id, name, "", attribute.value, int(attribute.optional), attribute.type, _METADATA)


def twin_row(device_id: str, name: str, twin: Twin) -> Row:
    """Return the row of a twin."""
    expected, actual = twin.expected or Side(), twin.actual or Side()
    nothing = None if twin.is_deleted else ""
    return (
        device_id,
        name,
        "",
        nothing if expected.value is None else expected.value,
        nothing if actual.value is None else actual.value,
        _meta_text(expected, nothing),
        _meta_text(actual, nothing),
        _version_text(expected),
        _version_text(actual),
        int(twin.optional),
        twin.type,
        _METADATA,
    )


def read_device(row: Sequence[Any]) -> Device:
    """Return the device of a row. Raises ``ContentError`` where it has no id."""
    id_, name, description, state, last_online = (_text(column) for column in row)
    if not id_:
        raise ContentError("cannot read row of device: it has no id")
    return Device(id_, name, description, state, last_online)


def read_attribute(row: Sequence[Any]) -> tuple[str, str, Attribute]:
    """Return device, name and value of a row. Raises ``ContentError`` where it names none."""
    device_id, name, _, value, optional, type_, _ = row
    return *_names("device_attr", device_id, name), Attribute(_text(value), _truth(optional), _text(type_))


def read_twin(row: Sequence[Any]) -> tuple[str, str, Twin]:
    """Return device, name and twin of a row. Raises ``ContentError`` where it names none."""
    device_id, name, _, *columns, optional, type_, _ = row
    names = _names("device_twin", device_id, name)
    expected, actual, expected_meta, actual_meta, expected_version, actual_version = columns
    kind = _text(type_)
    return *names, Twin(
        _side(kind, expected, expected_meta, expected_version),
        _side(kind, actual, actual_meta, actual_version),
        _truth(optional),
        kind,
    )


def _names(table: str, device_id: Any, name: Any) -> tuple[str, str]:
    names = _text(device_id), _text(name)
    if not all(names):
        raise ContentError(f"cannot read row of {table}: it names no device, or nothing of it")
    return names


def _side(type_: str, value: Any, meta: Any, version: Any) -> Side | None:
    text, time, known = _text(value), _time(_text(meta)), _version(_text(version))
    if type_ == DELETED or value is None or (not text and time is None):
        return Side(version=known) if known is not None else None
    return Side(text, time, known)


def _time(text: str) -> int | None:
    try:
        return msgspec.json.decode(text, type=ValueMeta).timestamp if text else None
    except (msgspec.DecodeError, RecursionError):
        return None


def _version(text: str) -> Version | None:
    try:
        version = msgspec.json.decode(text, type=TwinVersion) if text else None
    except (msgspec.DecodeError, RecursionError):
        return Version()
    return Version(version.cloud, version.edge) if version is not None else None


def _meta_text(side: Side, nothing: str | None) -> str | None:
    if side.value is None or side.timestamp_ms is None:
        return nothing
    return marshal(ValueMeta(side.timestamp_ms)).decode()


def _version_text(side: Side) -> str:
    if side.version is None:
        return ""
    return marshal(TwinVersion(side.version.cloud, side.version.edge)).decode()


def _text(column: Any) -> str:
    """Return a column as a text: SQLite keeps whatever a program puts into it."""
    if isinstance(column, bytes):
        return column.decode(errors="replace")
    return "" if column is None else str(column)


def _truth(column: Any) -> bool:
    return _text(column).lower() in ("1", "t", "true")
