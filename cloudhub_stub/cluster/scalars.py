"""What the words of YAML mean to ``kubectl``: ``yes`` and ``on`` are true, ``010`` is 8, dates and ``12:30`` are text.

Source: gopkg.in/yaml.v2 resolve.go. Numbers that JSON readers could not hold are refused.
"""

import re
from typing import Any

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"})
_FALSE = frozenset({"n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"})
_INT = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)")
_ODD_INT = re.compile(r"([-+]?)0(b[01_]+|x[0-9a-fA-F_]+|o?[0-7_]+)")
_BASES = {"b": 2, "x": 16, "o": 8}
_FLOAT = re.compile(r"[-+]?[0-9]*\.?[0-9]+(?:[eE][-+][0-9]+)?")
_ENDLESS = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_MAX_DIGITS = 400
_SHOWN_CHARS = 40


def value_of_word(text: str) -> Any:
    """Return what a scalar without quotes is: null, a boolean, a number or text. Raises ``ValueError``."""
    if text in _NULLS:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    return _number(text) if text[0] in "0123456789+-." else text


def whole_number(digits: str, base: int = 10) -> int:
    """Return a number of at most 64 bits. Raises ``ValueError``."""
    found = int(digits, base) if len(digits) <= _MAX_DIGITS else 2**64
    if not -(2**63) <= found < 2**64:
        raise ValueError(f"{shown(digits)} is a number of more than 64 bits; put it in quotes if it is text")
    return found


def shown(text: str) -> str:
    """Return a text as it goes into an error, not too long."""
    return repr(text) if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]!r}..."


def _number(text: str) -> Any:
    if _INT.fullmatch(text):
        return whole_number(text.replace("_", ""))
    if odd := _ODD_INT.fullmatch(text):
        digits = odd[2].replace("_", "")
        base = _BASES.get(digits[:1], 8)
        return whole_number(odd[1] + digits.lstrip("box"), base) if digits.lstrip("box") else text
    if _FLOAT.fullmatch(text):
        found = float(text) if len(text) <= _MAX_DIGITS else float("inf")
        if found in (float("inf"), float("-inf")):
            raise ValueError(f"{shown(text)} is too large a number")
        return found
    if _ENDLESS.fullmatch(text):
        raise ValueError(f"{text} is no number in JSON; put it in quotes if it is text")
    return text
