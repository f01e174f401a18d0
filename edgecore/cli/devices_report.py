"""Devices as text for people."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from edgecore.control.columns import Columns, one_line

Json = Mapping[str, Any]

_COLUMNS = ("ID", "STATE", "LAST-ONLINE", "TWINS", "DIFFER", "DESCRIPTION")
_TWIN_COLUMNS = ("TWIN", "TYPE", "EXPECTED", "ACTUAL", "DIFFERS", "EXPECTED-VERSION", "ACTUAL-VERSION", "REPORTED")
_ATTRIBUTE_COLUMNS = ("ATTRIBUTE", "TYPE", "VALUE")
_SET_HERE = (
    "a program on MQTT {what}, so the node heeds no wish of the cloud for it any more, as KubeEdge does;\n"
    "  the cloud can again once it has deleted the device and added it anew"
)
_NONE = "-"
_LAST_MS = 253_402_300_799_999


def devices_table(devices: Sequence[Json], *, headers: bool = True) -> str:
    """Return a line for each device."""
    if not devices:
        return "the node has no devices\n" if headers else ""
    rows = ([_COLUMNS] if headers else []) + [_row(one) for one in devices]
    return _lines(rows)


def device_text(device: Json) -> str:
    """Return everything of one device."""
    parts = ["".join(f"{one_line(line)}\n" for line in _head(device))]
    twins: Json = device.get("twins") or {}
    if twins:
        parts.append(_lines([_TWIN_COLUMNS, *(_twin_row(name, twin) for name, twin in sorted(twins.items()))]))
        parts += [_set_here(name, twin) for name, twin in sorted(twins.items()) if twin.get("set_here")]
    attributes: Json = device.get("attributes") or {}
    if attributes:
        rows = [(name, _text(one.get("type")), _text(one.get("value"))) for name, one in sorted(attributes.items())]
        parts.append(_lines([_ATTRIBUTE_COLUMNS, *rows]))
    return "\n".join(parts)


def _row(device: Json) -> tuple[str, ...]:
    return (
        _text(device.get("id")),
        _text(device.get("state") or "unknown"),
        _text(device.get("last_online")),
        str(device.get("twins", 0)),
        str(device.get("differ", 0)),
        str(device.get("description") or ""),
    )


def _head(device: Json) -> Iterator[str]:
    name = f" ({device['name']})" if device.get("name") not in (None, "", device.get("id")) else ""
    yield f"device {device.get('id', '?')}{name}: {device.get('state') or 'state unknown'}"
    if device.get("last_online"):
        yield f"  reported its state at {device['last_online']} (the node's local time)"
    if device.get("description"):
        yield f"  {device['description']}"
    if not device.get("twins"):
        yield "  without twins"


def _twin_row(name: str, twin: Json) -> tuple[str, ...]:
    expected: Json = twin.get("expected") or {}
    actual: Json = twin.get("actual") or {}
    return (
        name,
        _text(twin.get("type")),
        _text(expected.get("value")),
        _text(actual.get("value")),
        "yes" if twin.get("differs") else "no",
        _version(expected),
        _version(actual),
        _time(actual.get("timestamp_ms")),
    )


def _set_here(name: str, twin: Json) -> str:
    what = "deleted it" if twin.get("deleted") else "has set what is expected of it"
    return f"{one_line(name)}: {_SET_HERE.format(what=what)}\n"


def _version(side: Json) -> str:
    version: Json | None = side.get("version")
    return _NONE if version is None else f"{version.get('cloud', '?')}/{version.get('edge', '?')}"


def _time(at_ms: Any) -> str:
    if not isinstance(at_ms, int) or not 0 <= at_ms <= _LAST_MS:
        return _NONE
    return datetime.fromtimestamp(at_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _text(value: Any) -> str:
    return _NONE if value in (None, "") else str(value)


def _lines(rows: Sequence[Sequence[str]]) -> str:
    return "".join(f"{line}\n" for line in Columns().lines(rows))
