"""What a twin may be called and hold (spec 7.2; kubeedge edge/pkg/devicetwin/dtcommon/util.go@v1.3.1).

Each check returns the text that goes to the device, or ``None`` where nothing is wrong. The texts are KubeEdge's, to
the letter: programs look for them.
"""

import math
import re

BAD_BODY = "Unmarshal update request body failed, Please check the request"
NO_TWIN = "Update twin error, the update request body not have key:twin"
BAD_ENTRY = "The request body is wrong"
BAD_KEY = (
    "The key of twin must be only include upper or lowercase letter, number, english, and special letter"
    " - _ . , : / @ # and length of key under 128"
)
BAD_VALUE = (
    "The value of twin must be only include upper or lowercase letter, number, english, and special letter"
    " - _ . , : / @ # and length of key under 512"
)
BAD_TYPE = "the value type is not allowed"
NOT_INT = "the value is not int"
NOT_FLOAT = "the value is not float"
NOT_BOOLEAN = "the bool value must be true or false"
NO_VERSION = "Version not allowed be nil while syncing"

INT64_MAX = 2**63 - 1
"""The largest number that the Go program reads."""

_KEY = re.compile(r"[a-zA-Z0-9\-_.,:/@#]{1,128}")
_VALUE = re.compile(r"[a-zA-Z0-9\-_.,:/@#]{1,512}")
_INT = re.compile(r"[+-]?[0-9]+")
_DIGITS = "[0-9](?:_?[0-9])*"
_HEX = "[0-9a-f](?:_?[0-9a-f])*"
_DECIMAL_FLOAT = re.compile(rf"[+-]?(?:{_DIGITS}\.?(?:{_DIGITS})?|\.{_DIGITS})(?:e[+-]?{_DIGITS})?", re.IGNORECASE)
_HEX_FLOAT = re.compile(rf"[+-]?0x_?(?:{_HEX}\.?(?:{_HEX})?|\.{_HEX})p[+-]?{_DIGITS}", re.IGNORECASE)
_NO_NUMBER = re.compile(r"[+-]?inf(?:inity)?|nan", re.IGNORECASE)
_LONGEST_NUMBER = 4096
"""No number of a device is longer; Python reads long ones slowly."""


def check_key(key: str) -> str | None:
    """Say what is wrong with the name of a twin."""
    return None if _KEY.fullmatch(key) else BAD_KEY


def check_value(value: str) -> str | None:
    """Say what is wrong with the characters of a value; the empty one is right."""
    return None if not value or _VALUE.fullmatch(value) else BAD_VALUE


def check_type(type_: str, value: str) -> str | None:
    """Say what is wrong with a value of this type, or with the type."""
    if type_ == "int":
        return None if _is_int(value) else NOT_INT
    if type_ == "float":
        return None if _is_float(value) else NOT_FLOAT
    if type_ == "boolean":
        return None if value in ("true", "false") else NOT_BOOLEAN
    return None if is_type(type_) else BAD_TYPE


def is_type(type_: str) -> bool:
    """Whether a twin can have this type; the empty one is that of texts."""
    return type_ in ("", "string", "int", "float", "boolean", "deleted")


def _is_int(value: str) -> bool:
    """Whether ``strconv.ParseInt(value, 10, 64)`` takes it."""
    if len(value) > _LONGEST_NUMBER or not _INT.fullmatch(value):
        return False
    return -INT64_MAX - 1 <= int(value) <= INT64_MAX


def _is_float(value: str) -> bool:
    """Whether ``strconv.ParseFloat(value, 64)`` of Go 1.14 takes it: also hexadecimal, and no more than fits."""
    if _NO_NUMBER.fullmatch(value):
        return True
    if len(value) > _LONGEST_NUMBER:
        return False
    if _DECIMAL_FLOAT.fullmatch(value):
        return math.isfinite(float(value.replace("_", "")))
    if _HEX_FLOAT.fullmatch(value):
        try:
            float.fromhex(value.replace("_", ""))
        except OverflowError:
            return False
        return True
    return False
