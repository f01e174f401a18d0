"""Whether a value is plain JSON that can go over the wire: no endless numbers, no half characters, no endless depth."""

from collections.abc import Iterable
from math import isfinite
from typing import Any, NamedTuple

from cloudhub_stub.errors import Invalid

MAX_DEPTH = 64
_SHOWN_CHARS = 60


class _Fault(NamedTuple):
    reason: str
    keys: tuple[str, ...] = ()
    """The way there, from the outside in: ``.spec``, ``[0]``."""


def refuse_unplain(value: Any) -> None:
    """Raise ``Invalid``, with the path of the value that is not plain."""
    fault = _fault(value, 0)
    if fault is not None:
        raise Invalid("".join(fault.keys).removeprefix("."), fault.reason)


def _fault(value: Any, depth: int) -> _Fault | None:
    if isinstance(value, str):
        return None if value.isascii() or _is_encodable(value) else _Fault("it holds half a character")
    if isinstance(value, dict):
        return _fault_of_key(value) or _fault_inside(((f".{key}", each) for key, each in value.items()), depth)
    if isinstance(value, list):
        return _fault_inside(((f"[{index}]", each) for index, each in enumerate(value)), depth)
    if isinstance(value, float) and not isfinite(value):
        return _Fault(f"it is {value}, which JSON does not have")
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return _Fault("it is a number of more than 64 bits")
    if value is None or isinstance(value, int | float):
        return None
    return _Fault(f"it is {repr(value)[:_SHOWN_CHARS]}, which JSON does not have")


def _fault_of_key(mapping: dict[Any, Any]) -> _Fault | None:
    for key in mapping:
        if not isinstance(key, str):
            return _Fault(f"the key {repr(key)[:_SHOWN_CHARS]} is not text")
        if not key.isascii() and not _is_encodable(key):
            return _Fault("a key holds half a character")
    return None


def _fault_inside(values: Iterable[tuple[str, Any]], depth: int) -> _Fault | None:
    if depth >= MAX_DEPTH:
        return _Fault(f"nested deeper than {MAX_DEPTH} levels")
    for key, each in values:
        fault = _fault(each, depth + 1)
        if fault is not None:
            return _Fault(fault.reason, (key[:_SHOWN_CHARS], *fault.keys))
    return None


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
