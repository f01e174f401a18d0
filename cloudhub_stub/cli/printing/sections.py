"""Parts that descriptions of several kinds have: the head, maps over several lines, conditions, events."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cloudhub_stub.cli.printing.fields import NONE
from cloudhub_stub.cluster.kinds import Object
from edgecore.control.ages import date, duration

Rows = list[Sequence[str]]
"""Lines in cells; see ``columns.aligned``."""
Fields = Mapping[str, Any]

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
_LONGEST_ANNOTATION = 140
_TIMED_COLUMNS = ("Type", "Status", "LastHeartbeatTime", "LastTransitionTime", "Reason", "Message")


def name_rows(obj: Object) -> Rows:
    """Return the name, and the namespace where there is one."""
    metadata = obj["metadata"]
    namespace = metadata.get("namespace")
    return [("Name:", metadata["name"]), *([("Namespace:", namespace)] if namespace else [])]


def label_rows(obj: Object) -> Rows:
    """Return labels and annotations."""
    metadata = obj["metadata"]
    return [*map_rows("Labels:", metadata.get("labels")), *annotation_rows(metadata.get("annotations"))]


def head_rows(obj: Object) -> Rows:
    """Return name, namespace, labels and annotations."""
    return [*name_rows(obj), *label_rows(obj)]


def map_rows(title: str, values: Fields | None) -> Rows:
    """Return a map as ``name=value``, one a line."""
    return listed(title, (f"{name}={values[name]}" for name in sorted(values)) if values else ())


def listed(title: str, lines: Iterable[str]) -> Rows:
    """Return lines that stand under each other behind a title; ``<none>`` for none."""
    first, *rest = [*lines] or [NONE]
    return [(title, first), *(("", line) for line in rest)]


def annotation_rows(annotations: Fields | None, indent: str = "") -> Rows:
    """Return annotations but that of ``apply``, which is only long; those of over 140 characters are cut."""
    lines: list[str] = []
    for name, value in sorted((annotations or {}).items()):
        if name == LAST_APPLIED:
            continue
        parts = str(value).removesuffix("\n").split("\n")
        if len(parts) == 1 and len(name) + len(parts[0]) + 2 <= _LONGEST_ANNOTATION:
            lines.append(f"{name}: {parts[0]}")
        else:
            lines += [f"{name}:", *(f"  {shortened(part)}" for part in parts)]
    return listed(f"{indent}Annotations:", lines)


def shortened(text: str) -> str:
    """Return text that is not too long for a line."""
    longest = _LONGEST_ANNOTATION - 2
    return text if len(text) <= longest else f"{text[:longest]}..."


def table_rows(columns: Sequence[str], rows: Iterable[Sequence[str]], indent: str = "  ") -> Rows:
    """Return a small table with a line under its header."""
    lines = ["-" * len(column) for column in columns]
    return [(f"{indent}{row[0]}", *row[1:]) for row in (columns, lines, *rows)]


def condition_rows(obj: Object, *, with_times: bool = False) -> Rows:
    """Return the conditions of an object, if it has any."""
    conditions = (obj.get("status") or {}).get("conditions") or ()
    if not conditions:
        return []
    if not with_times:
        columns = ("Type", "Status", "Reason")
        found = [[str(each.get(name.lower()) or "") for name in columns] for each in conditions]
        return [("Conditions:",), *table_rows(columns, found)]
    found = [
        [
            str(each.get("type") or ""),
            str(each.get("status") or ""),
            date(each.get("lastHeartbeatTime")),
            date(each.get("lastTransitionTime")),
            str(each.get("reason") or ""),
            str(each.get("message") or ""),
        ]
        for each in conditions
    ]
    return [("Conditions:",), *table_rows(_TIMED_COLUMNS, found)]


def event_rows(events: Sequence[Fields], now_ms: int) -> Rows:
    """Return what happened to an object."""
    if not events:
        return [("Events:", NONE)]
    found = [
        [str(each["type"]), str(each["reason"]), duration(now_ms - each["at_ms"]), str(each["message"])]
        for each in events
    ]
    return [("Events:",), *table_rows(("Type", "Reason", "Age", "Message"), found)]


def text_rows(text: str) -> Rows:
    """Return the lines of a text."""
    return [(line.expandtabs(),) for line in text.split("\n")]
