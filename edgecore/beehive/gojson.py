"""JSON text to the byte as the Go programs write it (``encoding/json`` of Go 1.14, which KubeEdge 1.3.1 is built with).

What differs between two writers of the same value is which characters of a text are escaped, and how. The order of keys
is the writer's of the value: a Go struct has that of its fields, a Go map is sorted.
"""

import re
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode
_ESCAPE = re.compile(rb"\\(.)", re.DOTALL)
_AS_NUMBER = {b"b": b"\\u0008", b"f": b"\\u000c"}


def marshal(value: Any) -> bytes:
    """Return ``value`` as Go's ``json.Marshal`` does.

    Raises ``TypeError``, ``ValueError``, ``OverflowError`` or ``RecursionError`` where it is no JSON value.
    """
    return escaped(_encode(value))


def escaped(data: bytes) -> bytes:
    """Return a JSON text of ``msgspec`` with the escapes of Go.

    ``<``, ``>``, ``&``, U+2028 and U+2029 are escaped, backspace and form feed by their numbers.
    """
    if b"<" in data:
        data = data.replace(b"<", b"\\u003c")
    if b">" in data:
        data = data.replace(b">", b"\\u003e")
    if b"&" in data:
        data = data.replace(b"&", b"\\u0026")
    if not data.isascii():
        data = data.replace(b"\xe2\x80\xa8", b"\\u2028").replace(b"\xe2\x80\xa9", b"\\u2029")
    if b"\\b" in data or b"\\f" in data:  # or an escaped backslash before one of these letters
        data = _ESCAPE.sub(lambda found: _AS_NUMBER.get(found[1], found[0]), data)
    return data
