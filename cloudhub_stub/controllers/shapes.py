"""Reading what an edge says by its shape: known fields only, each of its type, as a Go decoder takes them (pure).

A reader takes a JSON value and its path, and returns it as it is kept. It raises ``ContentError`` with the path where
the value has another type. Fields that a record does not know are left out, and so is ``null``; in the order of Go's
struct come out the rest, and those that Go writes always.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

from cloudhub_stub.cluster.instants import is_zero, rfc3339, unix_ms
from edgecore.errors import ContentError

Reader = Callable[[Any, str], Any]

_NAMES = {str: "a text", bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}
_QUANTITY = re.compile(r"\d{1,18}(?:\.\d{1,9})?(?:[KMGTPE]i|[numkMGTPE]|[eE]\d)?", re.ASCII)
_LARGEST = 2**63 - 1
_LONGEST_SHOWN = 40


def text(value: Any, path: str) -> str:
    """Read a text."""
    if not isinstance(value, str):
        raise _wrong(path, "a text", value)
    return value


def flag(value: Any, path: str) -> bool:
    """Read true or false."""
    if not isinstance(value, bool):
        raise _wrong(path, "true or false", value)
    return value


def whole(value: Any, path: str) -> int:
    """Read a whole number that fits in 64 bits."""
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) > _LARGEST:
        raise _wrong(path, "a whole number", value)
    return value


def instant(value: Any, path: str) -> str | None:
    """Read an instant, to the second and in UTC; ``None`` for the one by which Go says that it knows none."""
    written = text(value, path)
    if is_zero(written):
        return None
    found = unix_ms(written)
    if found is None:
        raise _wrong(path, "an instant", value)
    return rfc3339(found)


def quantity(value: Any, path: str) -> str:
    """Read an amount of a resource that is not negative: ``2``, ``100m``, ``24005Mi``; numbers become texts."""
    if isinstance(value, float):
        written = str(value)
    else:
        written = text(value, path) if isinstance(value, str) else str(whole(value, path))
    if not _QUANTITY.fullmatch(written):
        raise _wrong(path, "a quantity", value)
    return written


def word(*allowed: str) -> Reader:
    """Return a reader of one of these words."""

    def read(value: Any, path: str) -> str:
        if text(value, path) not in allowed:
            raise _wrong(path, f"one of {', '.join(allowed)}", value)
        return str(value)

    return read


def listed(item: Reader) -> Reader:
    """Return a reader of lists of what ``item`` reads."""

    def read(value: Any, path: str) -> list[Any]:
        if not isinstance(value, list):
            raise _wrong(path, "a list", value)
        return [item(each, f"{path}[{index}]") for index, each in enumerate(value)]

    return read


def mapped(item: Reader) -> Reader:
    """Return a reader of objects with any keys, and values that ``item`` reads."""

    def read(value: Any, path: str) -> dict[str, Any]:
        return {name: item(each, f"{path}[{name}]") for name, each in _object(value, path).items()}

    return read


def record(fields: Mapping[str, Reader], always: Mapping[str, Any] | None = None) -> Reader:
    """Return a reader of objects with these fields; ``always`` are those that are never left out, as they are then."""
    defaults = always or {}

    def read(value: Any, path: str) -> dict[str, Any]:
        found = _object(value, path)
        taken: dict[str, Any] = {}
        for name, reader in fields.items():
            sent = found.get(name)
            kept = None if sent is None else reader(sent, f"{path}.{name}" if path else name)
            if kept is not None:
                taken[name] = kept
            elif name in defaults:
                taken[name] = defaults[name]
        return taken

    return read


def in_any_case(value: Any, names: tuple[str, ...], path: str) -> dict[str, Any]:
    """Return the fields of these names, in whatever case they are written, as Go finds those that have no tag.

    Where a field stands there twice the last one counts, as for Go.
    """
    by_fold = {name.lower(): name for name in names}
    return {by_fold[each.lower()]: content for each, content in _object(value, path).items() if each.lower() in by_fold}


def _object(value: Any, path: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _wrong(path, "an object", value)
    return value


def _wrong(path: str, expected: str, value: Any) -> ContentError:
    found = _NAMES.get(type(value), "null")
    if isinstance(value, str):
        found = ascii(value[:_LONGEST_SHOWN])
    return ContentError(f"cannot read {path or 'content'}: expected {expected}, found {found}")
