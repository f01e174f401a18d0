"""What comes from devices and from the cloud, read: a payload, or why it is none (pure; spec 7.2).

As Go does, ``null`` stands for what is not said, fields that are not known are passed over, and a value of another JSON
type than it should have makes the whole payload one that cannot be read.
"""

from typing import Any, TypeVar

import msgspec

from edgecore.errors import ContentError
from edgecore.modules.devicetwin.payloads import MsgTwin, Twins, TwinUpdate
from edgecore.modules.devicetwin.twins import Refused
from edgecore.modules.devicetwin.values import BAD_KEY, BAD_VALUE, NO_TWIN, check_key, check_value

P = TypeVar("P")

_MAPS = ("twin", "attributes")
"""Where ``null`` is a wish of its own: to delete."""
_DEEPEST = 64
"""No payload that can be read has more levels."""


def read(kind: type[P], content: Any) -> P:
    """Return the payload in ``content``: a JSON text, its bytes, or the value that was read of one.

    Raises ``ContentError``.
    """
    try:
        try:
            return _read(kind, content)
        except msgspec.ValidationError:
            value = msgspec.json.decode(content) if isinstance(content, str | bytes | msgspec.Raw) else content
            return msgspec.convert({} if value is None else _without_nulls(value), kind)
    except (msgspec.MsgspecError, UnicodeError, RecursionError, TypeError, ValueError, OverflowError) as error:
        raise ContentError(f"cannot read {kind.__name__}: {error}") from None


def checked(update: TwinUpdate) -> Twins:
    """Return the twins of ``update``, with keys and values of the right characters.

    Raises ``Refused``.
    """
    if update.twin is None:
        raise Refused(400, NO_TWIN)
    for key in sorted(update.twin):
        if check_key(key):
            raise Refused(400, BAD_KEY)
        if any(check_value(value) for value in _values(update.twin[key])):
            raise Refused(400, BAD_VALUE)
    return update.twin


def _read(kind: type[P], content: Any) -> P:
    if isinstance(content, str | bytes | msgspec.Raw):
        return msgspec.json.decode(content, type=kind)
    return msgspec.convert(msgspec.to_builtins(content), kind)


def _values(twin: MsgTwin | None) -> list[str]:
    sides = (twin.expected, twin.actual) if twin is not None else ()
    return [side.value for side in sides if side is not None and side.value is not None]


def _without_nulls(value: Any, depth: int = 0) -> Any:
    """Return ``value`` without what is ``null``, but for the entries of ``twin`` and ``attributes``."""
    if depth > _DEEPEST:
        raise ValueError("it is nested too deeply")
    if isinstance(value, list):
        return [_without_nulls(item, depth + 1) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: {name: _without_nulls(entry, depth + 2) for name, entry in item.items()}
        if key in _MAPS and isinstance(item, dict)
        else _without_nulls(item, depth + 1)
        for key, item in value.items()
        if item is not None
    }
