"""What a decision about an entry needs: its kind, place, time and route, read without building the entry (pure)."""

import json
from typing import Any

import msgspec

from edgecore.errors import ContentError
from edgecore.recording.entries import KEYS, Entry, Link

_ABSENT = msgspec.Raw(b"")
_NULL = msgspec.Raw(b"null")
"""A key with it says nothing, as one that is left out."""


class Route(msgspec.Struct, frozen=True, gc=False):
    """Where a message goes, and about what."""

    source: str = ""
    group: str = ""
    operation: str = ""
    resource: str = ""


class _Message(msgspec.Struct, gc=False):
    route: Route


class Outline(msgspec.Struct, gc=False):
    """The keys of a line that say what it is; the rest is passed over, and not checked."""

    t_ns: int
    n: int = 0
    causes: tuple[int, ...] = ()
    dir: str = ""
    link: Link | None = None
    text: msgspec.Raw = _ABSENT
    bus: msgspec.Raw = _ABSENT
    event: str | None = None
    mqtt: str | None = None
    note: str | None = None
    commit: msgspec.Raw = _ABSENT
    dns: msgspec.Raw = _ABSENT
    request: msgspec.Raw = _ABSENT
    http: msgspec.Raw = _ABSENT
    fault: str | None = None
    state: msgspec.Raw = _ABSENT
    lost: int | None = None
    session: int | None = None
    sender: str = msgspec.field(default="", name="from")
    receiver: str = msgspec.field(default="", name="to")
    line: int = 0
    """The number of the line; whoever reads sets it."""
    kind: str = ""
    """Of ``KEYS``; set by ``outline_of``."""

    def route(self) -> Route | None:
        """Return the route of the message in a frame or on the bus; ``None`` where there is none."""
        if self.kind not in ("text", "bus"):
            return None
        text = self.text if self.kind == "text" else self.bus
        try:
            return _decode_message(_decode_text(text)).route
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return _odd_route(text)


_decode = msgspec.json.Decoder(Outline).decode
_decode_text = msgspec.json.Decoder(str).decode
_decode_message = msgspec.json.Decoder(_Message).decode
_encode = msgspec.json.Encoder().encode


def outline_of(data: bytes, line: int) -> Outline:
    """Return the outline of the entry in ``data``. Raises ``ContentError`` as ``parse_entry`` does, but less often."""
    try:
        outline = _decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ContentError(f"not an entry: {error}") from error
    outline.line = line
    if outline.text and outline.text != _NULL:
        outline.kind = "text"
    elif outline.bus and outline.bus != _NULL:
        outline.kind = "bus"
    else:
        outline.kind = _rare_kind(outline)
    return outline


def outline_of_entry(entry: Entry) -> Outline:
    """Return the outline of an entry that was built already."""
    kind = _KIND_OF[type(entry)]
    outline = Outline(entry.t_ns, entry.n, entry.causes, line=entry.line, kind=kind)
    outline.dir = str(getattr(entry, "direction", ""))
    outline.link = getattr(entry, "link", None)
    if kind in ("text", "bus", "note"):
        text = getattr(entry, "text", "")
        setattr(outline, kind, text if kind == "note" else msgspec.Raw(_encode(text)))
    outline.sender, outline.receiver = getattr(entry, "sender", ""), getattr(entry, "receiver", "")
    outline.mqtt = getattr(entry, "topic", "") if kind == "mqtt" else None
    outline.lost = getattr(entry, "lost", None)
    return outline


_KIND_OF: dict[type[Any], str] = {entry: kind for kind, entry in KEYS.items()}


def _odd_route(text: msgspec.Raw) -> Route | None:
    """Return the route of what Python reads and msgspec does not: half of a surrogate pair, which Go sends, or null."""
    try:
        route = json.loads(json.loads(bytes(text)))["route"]
        return Route(*(_text(route.get(field)) for field in Route.__struct_fields__))
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _rare_kind(outline: Outline) -> str:
    for kind in KEYS:
        value = getattr(outline, kind)
        if value is not None and value is not _ABSENT and value != _NULL:
            return kind
    raise ContentError(f"not an entry: expected one of the keys {', '.join(KEYS)}, found none of them")
