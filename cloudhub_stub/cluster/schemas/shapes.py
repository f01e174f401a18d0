"""The checks that schemas are made of: each takes a value and its path, and raises ``Invalid`` with that path.

A null field is not there, as in Kubernetes: a check is only asked about values. A field that a ``Struct`` does not know
stays as it is, unless it looks like a known one misspelled.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from ipaddress import ip_address
from typing import Any

from cloudhub_stub.cluster.names import label_value_fault, qualified_name_fault
from cloudhub_stub.cluster.quantities import amount
from cloudhub_stub.errors import Invalid

Check = Callable[[Any, str], None]
Fault = Callable[[str], str]

INT32_MAX = 2**31 - 1
INT64_MAX = 2**63 - 1
_SHOWN_CHARS = 60
_SIMILAR = 0.82
_PERCENT = re.compile(r"[0-9]{1,9}%")


def anything(value: Any, path: str) -> None:
    """Take any value: nobody here reads it."""


def mapping(value: Any, path: str) -> None:
    """Take a mapping with anything in it."""
    if not isinstance(value, dict):
        raise mistyped(path, value, "a mapping")


def boolean(value: Any, path: str) -> None:
    """Take true or false."""
    if not isinstance(value, bool):
        raise mistyped(path, value, "true or false")


def text(value: Any, path: str) -> None:
    """Take any text."""
    if not isinstance(value, str):
        raise mistyped(path, value, "text")


def quantity(value: Any, path: str) -> None:
    """Take an amount of a resource that is not negative."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise mistyped(path, value, "a quantity")
    try:
        found = amount(value)
    except Invalid as error:
        raise Invalid(path, error.reason) from None
    if found < 0:
        raise Invalid(path, f"it is {value}, which is less than nothing")


def address(value: Any, path: str) -> None:
    """Take an IP address."""
    text(value, path)
    try:
        ip_address(value)
    except ValueError:
        raise Invalid(path, f"it is {shown(value)}, which is no IP address") from None


def share(value: Any, path: str) -> None:
    """Take a number of pods, or a percentage of them."""
    if isinstance(value, str):
        if not _PERCENT.fullmatch(value):
            raise Invalid(path, f"it is {shown(value)}, neither a whole number nor a percentage such as 25%")
    else:
        Number(0, INT32_MAX)(value, path)


class Text:
    """Takes text that has no ``fault``; empty text only where it is as good as none (``or_empty``)."""

    def __init__(self, fault: Fault | None = None, *, or_empty: bool = False) -> None:
        self._fault = fault
        self._or_empty = or_empty

    def __call__(self, value: Any, path: str) -> None:  # noqa: D102 - the class says it
        text(value, path)
        if not value and self._or_empty:
            return
        fault = ("" if value else "it is empty") if self._fault is None else self._fault(value)
        if fault:
            raise Invalid(path, fault)


class OneOf:
    """Takes one of these words, or an empty text, which is as good as none."""

    def __init__(self, *words: str) -> None:
        self._words = words

    def __call__(self, value: Any, path: str) -> None:  # noqa: D102 - the class says it
        text(value, path)
        if value and value not in self._words:
            raise Invalid(path, f"it is {shown(value)}; it can be {', '.join(self._words)}")


class Number:
    """Takes a whole number of a range."""

    def __init__(self, low: int, high: int) -> None:
        self._low = low
        self._high = high

    def __call__(self, value: Any, path: str) -> None:  # noqa: D102 - the class says it
        if isinstance(value, bool) or not isinstance(value, int):
            raise mistyped(path, value, "a whole number")
        if not self._low <= value <= self._high:
            raise Invalid(path, f"it is {value}; it can be {self._low} to {self._high}")


class NumberOrName:
    """Takes a port by its number or by a name that has no ``fault``."""

    def __init__(self, fault: Fault, low: int = 1) -> None:
        self._number = Number(low, 65_535)
        self._name = Text(fault)

    def __call__(self, value: Any, path: str) -> None:  # noqa: D102 - the class says it
        if isinstance(value, str):
            self._name(value, path)
        else:
            self._number(value, path)


class ListOf:
    """Takes a list of such items; ``unique`` names the field (or fields) that no two of them share."""

    def __init__(self, check: Check, *unique: str, at_least: int = 0) -> None:
        self._check = check
        self._unique = unique
        self._at_least = at_least

    def __call__(self, value: Any, path: str) -> None:  # noqa: D102 - the class says it
        if not isinstance(value, list):
            raise mistyped(path, value, "a list")
        if len(value) < self._at_least:
            raise Invalid(path, "it is an empty list, at least one item is needed")
        for index, item in enumerate(value):
            if item is None:
                raise Invalid(f"{path}[{index}]", "it is null; write the item or leave out the dash")
            self._check(item, f"{path}[{index}]")
        if self._unique and len(value) > 1:
            self._refuse_repeated(value, path)

    def _refuse_repeated(self, items: list[Any], path: str) -> None:
        seen: dict[tuple[Any, ...], int] = {}
        for index, item in enumerate(items):
            key = tuple(item.get(name) for name in self._unique)
            if None not in key and seen.setdefault(key, index) != index:
                repeated = " and ".join(map(shown, key))
                raise Invalid(f"{path}[{index}].{self._unique[0]}", f"{repeated} stands in {path}[{seen[key]}] already")


class MapOf:
    """Takes a mapping of keys that have no ``fault`` to such values, which are not null."""

    def __init__(self, check: Check, fault: Fault | None = None) -> None:
        self._check = check
        self._fault = fault

    def __call__(self, value: Any, path: str) -> None:  # noqa: D102 - the class says it
        mapping(value, path)
        for key, each in value.items():
            if self._fault is not None and (fault := self._fault(key)):
                raise Invalid(path, f"the key {shown(key)} cannot be: {fault}")
            self._check(each, f"{path}[{key[:_SHOWN_CHARS]}]")


class Struct:
    """Takes a mapping with fields of its own.

    ``also`` names further fields of that place, which are kept unread, so that they are not taken for misspelled ones;
    ``rules`` check fields against each other, after each was checked alone; they meet null fields.
    """

    def __init__(
        self, fields: Mapping[str, Check], *, required: Iterable[str] = (), also: str = "", rules: Iterable[Check] = ()
    ) -> None:
        self._fields = dict(fields)
        self._required = tuple(required)
        self._also = frozenset(also.split())
        self._rules = tuple(rules)

    def __call__(self, value: Any, path: str) -> None:  # noqa: D102 - the class says it
        mapping(value, path)
        for name, content in value.items():
            check = self._fields.get(name)
            if check is not None:
                if content is not None:
                    check(content, below(path, name))
            elif name not in self._also:
                self._refuse_misspelled(name, path)
        for name in self._required:
            if value.get(name) is None:
                raise Invalid(below(path, name), "it is missing")
        for rule in self._rules:
            rule(value, path)

    def _refuse_misspelled(self, name: str, path: str) -> None:
        known = [*self._fields, *self._also]
        same = [each for each in known if each.lower() == name.lower()]
        close = same or get_close_matches(name, known, n=1, cutoff=_SIMILAR)
        if close:
            raise Invalid(below(path, name[:_SHOWN_CHARS]), f"there is no such field, did you mean {close[0]}?")


class Exactly:
    """A rule: of these fields exactly one is there (``or_none``: at most one)."""

    def __init__(self, *names: str, or_none: bool = False) -> None:
        self._names = names
        self._or_none = or_none

    def __call__(self, value: Any, path: str) -> None:  # noqa: D102 - the class says it
        found = [name for name in self._names if value.get(name) is not None]
        if len(found) > 1:
            raise Invalid(path, f"it has {' and '.join(found)}, of which it can have one only")
        if not found and not self._or_none:
            raise Invalid(path, f"it has none of {', '.join(self._names)}")


def below(path: str, name: str) -> str:
    """Return the path of a field."""
    return f"{path}.{name}" if path else name


def label_value(value: Any, path: str) -> None:
    """Take the value of a label."""
    Text(label_value_fault)(value, path)


LABELS: Check = MapOf(label_value, qualified_name_fault)


def mistyped(path: str, value: Any, wanted: str) -> Invalid:
    """Return the error for a value of a wrong type, with what is probably meant."""
    return Invalid(path, f"it is {_described(value)}; it must be {wanted}{_hint(value, wanted)}")


def _hint(value: Any, wanted: str) -> str:
    if wanted == "text" and isinstance(value, bool | int | float):
        return " (YAML reads it so: put it in quotes)"
    is_quoted_number = wanted == "a whole number" and isinstance(value, str) and value.strip().isdecimal()
    is_quoted_boolean = wanted == "true or false" and value in ("true", "false")
    return " (leave out the quotes)" if is_quoted_number or is_quoted_boolean else ""


def shown(value: Any) -> str:
    """Return a value as it goes into an error, not too long."""
    found = repr(value)
    return found if len(found) <= _SHOWN_CHARS else f"{found[:_SHOWN_CHARS]}..."


def _described(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict | list):
        return "a mapping" if isinstance(value, dict) else "a list"
    return f"the {'text' if isinstance(value, str) else 'number'} {shown(value)}"
