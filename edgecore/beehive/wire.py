"""Messages to and from the JSON of the wire (one message, one document).

What we write: every key, always, because Go receivers up to v1.5 decode all frames into one struct, so that an absent
key keeps the value of the message before (kubeedge VD/conn/ws.go:117@v1.3.1); escaped as Go does (``gojson``).

What we read: the strict form in one pass, the content left as bytes until somebody looks at it. What only Go's decoder
would let pass (``null`` for a missing string, keys in any case, unknown keys, text behind the first document, half a
surrogate pair) takes a second, slower way. Refused, unlike in Go: bytes that are not UTF-8, and nesting beyond
``MAX_DEPTH``.
"""

import json
import math
import re
from itertools import accumulate
from typing import Any, NoReturn, TypeVar

import msgspec

from edgecore.beehive.gojson import marshal
from edgecore.beehive.message import Header, Message, Route
from edgecore.errors import FrameError

T = TypeVar("T")

MAX_DEPTH = 512
"""The deepest nesting of arrays and objects that is accepted in a document."""

_LARGE_BYTES = 64 * 1024
_FLAT = 32
"""Objects of Kubernetes are nested less deep."""
_NULL = msgspec.Raw(b"null")
_ESCAPE_PAIR = re.compile(rb"\\.", re.DOTALL)
_NOT_SKELETON = bytes(byte for byte in range(256) if byte not in b'{}[]"')
_UP_OR_DOWN = bytes.maketrans(b"{[}]", b"\x00\x00\x01\x01")
_SURROGATE = re.compile("[\ud800-\udfff]")


class _Frame(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The strict form of a document."""

    header: Header = Header()
    route: Route = Route()
    content: msgspec.Raw = _NULL


_strict = msgspec.json.Decoder(_Frame)


def encode(message: Message) -> bytes:
    """Return the document of ``message``, without the newline that ends it on the wire.

    Raises ``FrameError`` (reason ``not_json``) if its content is no JSON value.
    """
    try:
        return marshal(message)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise FrameError("not_json", f"content of {message.route.resource}: {error}") from error


def decode(data: bytes | str) -> Message:
    """Return the message in ``data``, the payload of one frame.

    Raises ``FrameError`` with one of the reasons ``not_utf8``, ``too_deep``, ``malformed_json``, ``wrong_shape``, and
    nothing else, whatever the bytes.
    """
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    if not data.isascii():
        _check_utf8(data)
    if _may_be_deep(data) and _depth(data) > MAX_DEPTH:
        raise FrameError("too_deep", f"nested deeper than {MAX_DEPTH}")
    try:
        frame = _strict.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return _decode_as_go(data.decode())
    content = frame.content
    return Message(frame.header, frame.route, None if content == _NULL else content)


def _may_be_deep(data: bytes) -> bool:
    """Each level takes two bytes, and each array or object one opening bracket: most frames are cleared by that."""
    return len(data) > 2 * MAX_DEPTH and (
        len(data) > _LARGE_BYTES or data.count(b"{") + data.count(b"[") > MAX_DEPTH  # in a large one they are many
    )


def _check_utf8(data: bytes) -> None:
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise FrameError("not_utf8", f"invalid UTF-8 at byte {error.start}") from error


def _depth(data: bytes) -> int:
    """Return how deep ``data`` is nested: brackets outside strings are counted, one up, one down.

    What holds nothing is taken out, again and again: that many times, so deep. It is cheap for what is wide and flat,
    as lists are; what is deep is counted bracket by bracket.
    """
    if b"\\" in data:
        data = _ESCAPE_PAIR.sub(b"", data)
    steps = data.translate(_UP_OR_DOWN, _NOT_SKELETON).replace(b'""', b"")
    if b'"' in steps:  # there are brackets in strings
        steps = b"".join(steps.split(b'"')[::2])
    left = steps
    for depth in range(_FLAT):
        if not left:
            return depth
        left = left.replace(b"\0\1", b"")
    return max(accumulate(map((1, -1).__getitem__, steps)), default=0)


def _decode_as_go(text: str) -> Message:
    """Decode what the strict way refused, with the latitude of Go's ``encoding/json``."""
    decoder = json.JSONDecoder(parse_constant=_refuse_constant, parse_float=_finite)
    try:
        document, _ = decoder.raw_decode(text.lstrip(" \t\r\n"))
    except (ValueError, RecursionError) as error:
        raise FrameError("malformed_json", str(error)) from error
    fields = _fields(document, "document")
    header = _fields(fields.get("header"), "header")
    route = _fields(fields.get("route"), "route")
    content = fields.get("content")
    return Message(
        Header(
            _text(header, "msg_id"),
            _text(header, "parent_msg_id"),
            _typed(header, "timestamp", int, 0),
            _text(header, "resourceversion"),
            _typed(header, "sync", bool, False),
        ),
        Route(
            _text(route, "source"),
            _text(route, "group"),
            _text(route, "operation"),
            _text(route, "resource"),
        ),
        None if content is None else _raw(content),
    )


def _raw(content: Any) -> msgspec.Raw:
    try:
        text = json.dumps(content, ensure_ascii=False)
    except RecursionError as error:  # needs a little more of the stack than the decoding did
        raise FrameError("malformed_json", str(error)) from error
    return msgspec.Raw(_mended(text).encode())


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"number out of range: {text}")
    return value


def _mended(text: str) -> str:
    """Return ``text`` with each half of a surrogate pair replaced by U+FFFD, as Go does."""
    return _SURROGATE.sub("�", text)


def _fields(value: Any, place: str) -> dict[str, Any]:
    """Return an object's fields by lower-case name, the last of equal ones winning; ``null`` is the empty object."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise FrameError("wrong_shape", f"{place} is not an object")
    return {name.casefold(): field for name, field in value.items()}


def _text(fields: dict[str, Any], name: str) -> str:
    return _mended(_typed(fields, name, str, ""))


def _typed(fields: dict[str, Any], name: str, kind: type[T], default: T) -> T:
    """Return a field of the given JSON type; absent and ``null`` are the default."""
    value = fields.get(name)
    if value is None:
        return default
    if type(value) is not kind:
        raise FrameError("wrong_shape", f"{name} is not a {kind.__name__}")
    return value
