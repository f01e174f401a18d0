"""What a value that is not compared has to be all the same: checks, each under its name."""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

EVERY = "*"
"""In a rule: any kind, any recording, any resource."""
ABSENT = "(absent)"
"""Stands for the value of a key that is not there."""


class Check(NamedTuple):
    """A question to one value."""

    name: str
    accepts: Callable[[object], bool]
    means: str = ""
    """What it accepts, in words or as a pattern."""


def text_check(name: str, pattern: str) -> Check:
    """Return the check for texts that match ``pattern`` as a whole. Raises ``re.error``."""
    compiled = re.compile(pattern)
    return Check(name, lambda value: isinstance(value, str) and compiled.fullmatch(value) is not None, pattern)


def _is_addresses(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) and ADDRESS.accepts(one.get("ip")) for one in value)


_UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
ID = text_check("id", _UUID)
EVENT = text_check("event id", rf"123|{_UUID}")
TIME = text_check("time", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
TIME_MS = Check(
    "time in milliseconds", lambda value: type(value) is int and value > 1_000_000_000_000, "a whole number above 10^12"
)
LOCAL_TIME = text_check("local time", r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
VERSION = text_check("version", r"\d+")
COUNT = text_check("count", r"[1-9]\d*")
MEMORY = text_check("memory", r"[1-9]\d*Mi")
STORAGE = text_check("storage", r"[1-9]\d*Ki")
RUNTIME = text_check("runtime", r"remote://.+")
ADDRESS = text_check("address", r"\d+\.\d+\.\d+\.\d+")
ADDRESSES = Check("addresses", _is_addresses, "a list of objects with an address as ip")
CONTAINER = text_check("container", r"\w+://\w+")
IMAGE = text_check("image", r"\S+")
WORD = text_check("word", r"\w[\w-]*")
TEXT = text_check("text", r".+")
OBJECT = Check("object", lambda value: isinstance(value, dict), "any object")
NOTHING = Check("nothing", lambda value: value in (None, "", ABSENT), "no value: absent, null or an empty text")
ANYTHING = Check("anything", lambda value: True, "any value, also none")

CHECKS = {
    one.name: one
    for one in (
        *(ID, EVENT, TIME, TIME_MS, LOCAL_TIME, VERSION, COUNT, MEMORY, STORAGE, RUNTIME, ADDRESS, ADDRESSES),
        *(CONTAINER, IMAGE, WORD, TEXT, OBJECT, NOTHING, ANYTHING),
    )
}
"""Those that every file of rules may name."""
