"""The descriptions of a device and of a device model."""

from typing import Any

from cloudhub_stub.cli.printing.fields import NONE, device_model, device_node, spec_of, status_of
from cloudhub_stub.cli.printing.sections import Fields, Rows, head_rows, table_rows
from cloudhub_stub.cluster.kinds import Object
from edgecore.control.ages import date, duration


def device_rows(device: Object, _related: Fields, now_ms: int) -> Rows:
    """Return the model, the node, what the device said of itself, and what is wanted and reported of each property."""
    rows: Rows = [
        *head_rows(device),
        ("CreationTimestamp:", date(device["metadata"].get("creationTimestamp"))),
        ("Model:", device_model(device)),
        ("Node:", device_node(device)),
    ]
    status = status_of(device)
    rows += [
        (f"{name[0].upper()}{name[1:]}:", str(value))
        for name, value in sorted(status.items())
        if isinstance(value, str | int)
    ]
    twins = [_twin(twin, now_ms) for twin in status.get("twins") or ()]
    if not twins:
        return [*rows, ("Twins:", NONE)]
    return [*rows, ("Twins:",), *table_rows(("Property", "Type", "Desired", "Reported", "Age"), twins)]


def device_model_rows(model: Object, _related: Fields, _now_ms: int) -> Rows:
    """Return the properties, and how mappers reach them."""
    spec = spec_of(model)
    rows: Rows = [
        *head_rows(model),
        ("CreationTimestamp:", date(model["metadata"].get("creationTimestamp"))),
    ]
    properties = [_property(each) for each in spec.get("properties") or ()]
    rows += (
        [("Properties:",), *table_rows(("Name", "Type", "Access", "Description"), properties)]
        if properties
        else [("Properties:", NONE)]
    )
    visitors = [
        [str(each.get("propertyName") or ""), ",".join(sorted(name for name in each if name != "propertyName"))]
        for each in spec.get("propertyVisitors") or ()
    ]
    if visitors:
        rows += [("Property Visitors:",), *table_rows(("Property", "Protocol"), visitors)]
    return rows


def _twin(twin: Fields, now_ms: int) -> list[str]:
    desired, reported = twin.get("desired") or {}, twin.get("reported") or {}
    kinds = [(side.get("metadata") or {}).get("type") for side in (desired, reported)]
    at_ms = str((reported.get("metadata") or {}).get("timestamp") or "")
    known = at_ms.isascii() and at_ms.isdigit() and len(at_ms) < 16
    return [
        str(twin.get("propertyName") or ""),
        next((str(kind) for kind in kinds if kind), ""),
        _value(desired),
        _value(reported),
        duration(now_ms - int(at_ms)) if known else "",
    ]


def _value(side: Fields) -> str:
    return str(side.get("value", NONE))


def _property(described: Fields) -> list[str]:
    types: dict[str, Any] = described.get("type") or {}
    kind = next(iter(types), "")
    access = (types.get(kind) or {}).get("accessMode") or ""
    return [str(described.get("name") or ""), kind, str(access), str(described.get("description") or "")]
