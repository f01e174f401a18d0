"""A row as it is shown: as a line of a table, and as a document."""

from typing import Any

from edgecore.control.ages import duration, timestamp
from edgecore.metadata.row import Json, MetaRow, NoJson, hidden_text, parsed

UNKNOWN = "<unknown>"
COLUMNS = ("NAMESPACE", "TYPE", "NAME", "SIZE", "SINCE", "SOURCE")
WIDE_COLUMNS = (*COLUMNS, "OPERATION", "MESSAGE", "RESOURCE")


def cells(row: MetaRow, now_ms: int, *, wide: bool) -> tuple[str, ...]:
    """Return the cells of a row."""
    origin, place = row.origin, row.place
    since = UNKNOWN if origin is None else duration(max(0, now_ms - origin.at_ms))
    found = (place.namespace or "-", row.type, place.name or "-", str(row.size), since)
    if origin is None:
        return (*found, *[UNKNOWN] * (4 if wide else 1))
    last = (origin.source, origin.operation, origin.message_id or "-", origin.resource)
    return (*found, *(last if wide else last[:1]))


def document(row: MetaRow) -> Json:
    """Return everything of a row as a JSON value; what is no JSON has ``text`` instead of ``value``."""
    place = row.place
    found: Json = {
        "key": row.key,
        "namespace": place.namespace,
        "type": row.type,
        "name": place.name,
        "size": row.size,
        "since": row.origin and timestamp(row.origin.at_ms),
        "origin": row.origin and row.origin._asdict(),
    }
    value = parsed(row)
    if row.hidden:
        return {**found, "hidden": True, "value": hidden_text(row)}
    if isinstance(value, NoJson):
        return {**found, "text": text_of(row)}
    return {**found, "value": value}


def origin_lines(row: MetaRow, database: Any) -> list[str]:
    """Return where a row is, since when it is so, and by which message."""
    lines = [f"{row.key}, type {row.type}, {row.size} bytes, in {database}"]
    if row.origin is None:
        return [*lines, "since when: unknown; another program wrote it (a Go edgecore keeps no record)"]
    origin = row.origin
    message = f"message {origin.message_id}" if origin.message_id else "nothing that was sent"
    return [
        *lines,
        f"since {timestamp(origin.at_ms)}, by {message}:",
        f"  {origin.operation} of {origin.resource} from {origin.source}",
    ]


def text_of(row: MetaRow) -> str | None:
    """Return the stored text."""
    return None if row.value is None else row.value.decode(errors="replace")
