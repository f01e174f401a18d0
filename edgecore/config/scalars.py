"""What one spelled YAML value means for a setting of a given type, as Go's decoder for Kubernetes files takes it.

A number or a boolean where text is wanted is taken as it is spelled. (Go rewrites it first, ``0123`` to ``83``: a
token or a name would not be what the file says.)
"""

import math
import re
import unicodedata
from typing import Any, Literal, get_args, get_origin

from edgecore.config.document import Node, ScalarNode, SequenceNode
from edgecore.config.problem import shown

_TRUE = frozenset(("y", "Y", "yes", "Yes", "YES", "on", "On", "ON", "true", "True", "TRUE"))
_FALSE = frozenset(("n", "N", "no", "No", "NO", "off", "Off", "OFF", "false", "False", "FALSE"))
_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_INTEGER = re.compile(r"[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|0o?[0-7_]*|[1-9][0-9_]*)")
_NUMBER = re.compile(r"[-+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][-+]?[0-9]+)?")
_LONGEST_NUMBER = 40


class NotOfType(Exception):  # noqa: N818 - an answer between two functions, not an error of the node
    """The value is not of the type that the setting has."""


def is_null(node: Node) -> bool:
    """Say whether the value is absent, which keeps the default."""
    return isinstance(node, ScalarNode) and node.plain and node.text in _NULL


def read_value(node: Node, kind: Any) -> Any:
    """Return ``node`` as a ``kind`` (see ``Setting.kind``; not a section). Raises ``NotOfType``.

    One text where a list of texts is wanted is a list of one.
    """
    if kind == tuple[str, ...]:
        if isinstance(node, ScalarNode):
            return (read_value(node, str),)
        if not isinstance(node, SequenceNode):
            raise NotOfType
        return tuple(read_value(item, str) for item in node.items)
    if not isinstance(node, ScalarNode):
        raise NotOfType
    if get_origin(kind) is Literal:
        choices = get_args(kind)
        value = read_value(node, type(choices[0]))
        if value not in choices:
            raise NotOfType
        return value
    return {bool: _boolean, int: _integer, float: _number, str: _text}[kind](node)


def _boolean(node: ScalarNode) -> bool:
    if not node.plain or node.text not in _TRUE | _FALSE:
        raise NotOfType
    return node.text in _TRUE


def _integer(node: ScalarNode) -> int:
    if not node.plain or len(node.text) > _LONGEST_NUMBER:
        raise NotOfType
    if _INTEGER.fullmatch(node.text):
        return _go_integer(node.text.replace("_", ""))
    value = _number(node)
    if not value.is_integer():
        raise NotOfType
    return int(value)


def _go_integer(text: str) -> int:
    """Read an integer as Go's ``ParseInt`` does with base 0: a leading 0 means octal."""
    digits = text.lstrip("+-")
    if len(digits) > 1 and digits[0] == "0" and digits[1].isdigit():
        digits = "0o" + digits
    try:
        return -int(digits, 0) if text.startswith("-") else int(digits, 0)
    except ValueError:
        raise NotOfType from None


def _number(node: ScalarNode) -> float:
    if not node.plain or len(node.text) > _LONGEST_NUMBER or not _NUMBER.fullmatch(node.text):
        raise NotOfType
    value = float(node.text)
    if not math.isfinite(value):
        raise NotOfType
    return value


def _text(node: ScalarNode) -> str:
    if any(unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") for character in node.text):
        raise NotOfType
    return node.text


def describe(node: Node) -> str:
    """Say what was found, for people: quotes show that it is text."""
    if isinstance(node, ScalarNode):
        is_word = node.plain and (node.text in _TRUE | _FALSE or _NUMBER.fullmatch(node.text) is not None)
        return node.text if is_word and len(node.text) <= _LONGEST_NUMBER else shown(node.text)
    return "a list" if isinstance(node, SequenceNode) else "a mapping"
