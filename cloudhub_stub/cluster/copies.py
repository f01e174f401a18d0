"""Changed copies of JSON values: only the path that changes is copied, and what stays is the same object."""

from collections.abc import Callable, Mapping
from typing import Any


def replaced(mapping: dict[str, Any], key: str, value: Any) -> dict[str, Any]:
    """Return ``mapping`` with ``key`` set to ``value``; itself if that very value is there already."""
    return mapping if mapping.get(key) is value and key in mapping else {**mapping, key: value}


def changed(mapping: dict[str, Any], key: str, change: Callable[[Any], Any]) -> dict[str, Any]:
    """Return ``mapping`` with what ``change`` makes of the value of ``key``; itself if the key is not there."""
    return replaced(mapping, key, change(mapping[key])) if key in mapping else mapping


def filled(mapping: dict[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``mapping`` with a default for every key that is missing or has an empty text."""
    missing = {key: value for key, value in defaults.items() if mapping.get(key, "") == ""}
    return {**mapping, **missing} if missing else mapping


def mapped(items: list[Any], change: Callable[[Any], Any]) -> list[Any]:
    """Return what ``change`` makes of each item; the list itself if each stays the same object."""
    found = [change(item) for item in items]
    return items if all(new is old for new, old in zip(found, items, strict=True)) else found


def without_nulls(value: Any) -> Any:
    """Return ``value`` without the keys that are null, at any depth: to Kubernetes they are not there."""
    if isinstance(value, dict):
        found = {key: without_nulls(each) for key, each in value.items() if each is not None}
        is_same = len(found) == len(value) and all(found[key] is each for key, each in value.items())
        return value if is_same else found
    return mapped(value, without_nulls) if isinstance(value, list) else value
