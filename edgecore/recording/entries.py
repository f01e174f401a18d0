"""What one line of a recording says: a frame between cloud and edge, an HTTP head, a connection event, or a note."""

from enum import StrEnum
from typing import Literal

import msgspec

from edgecore.errors import ContentError

Link = int | str
"""Which connection: a number for a websocket (a new one after each reconnect), a word for anything else."""


class Direction(StrEnum):
    """Which way the bytes went."""

    TO_EDGE = "cloud->edge"
    TO_CLOUD = "edge->cloud"


class CloudFrame(msgspec.Struct, frozen=True):
    """One websocket message, its fragments joined; ``text`` is exact, the newline at its end included."""

    line: int
    """The number of the line in the file, counted from 1."""
    t_ns: int
    """Unix time in nanoseconds at which the recorder saw it."""
    direction: Direction
    link: Link
    text: str


class Http(msgspec.Struct, frozen=True):
    """The head of an HTTP request or answer, and its body."""

    line: int
    t_ns: int
    direction: Direction
    link: Link
    head: str
    body: bytes


class ConnectionEvent(msgspec.Struct, frozen=True):
    """A connection was opened, ended, or failed; ``direction`` names the side that did it."""

    line: int
    t_ns: int
    direction: Direction
    link: Link
    event: Literal["open", "eof", "error"]
    tls: str
    """The protocol version that was agreed on; empty without TLS and for other events than ``open``."""


class Note(msgspec.Struct, frozen=True):
    """What was done to the cluster at that moment, or what a client beside the connection sent or saw."""

    line: int
    t_ns: int
    text: str
    topic: str
    payload: str
    out: str


Entry = CloudFrame | Http | ConnectionEvent | Note


class _Line(msgspec.Struct):
    """All keys of the format; unknown ones are passed over, so that a later minor addition stays readable."""

    t_ns: int
    link: Link | None = None
    dir: Direction | None = None
    text: str | None = None
    http: str | None = None
    body_hex: str = ""
    event: Literal["open", "eof", "error"] | None = None
    tls: str = ""
    note: str | None = None
    topic: str = ""
    payload: str = ""
    out: str = ""


_KINDS = ("text", "http", "event", "note")

_decode = msgspec.json.Decoder(_Line).decode


def parse_entry(data: bytes, line: int) -> Entry:
    """Return the entry in ``data``, line number ``line`` of a recording.

    Raises ``ContentError`` whose text says what is wrong, without the place: the reader knows the file.
    """
    try:
        fields = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ContentError(f"not an entry: {error}") from error
    kinds = [kind for kind in _KINDS if getattr(fields, kind) is not None]
    if len(kinds) != 1:
        found = " and ".join(kinds) or "none of them"
        raise ContentError(f"not an entry: expected one of the keys {', '.join(_KINDS)}, found {found}")
    if fields.note is not None:
        return Note(line, fields.t_ns, fields.note, fields.topic, fields.payload, fields.out)
    if fields.dir is None or fields.link is None:
        raise ContentError(f"not an entry: {kinds[0]} needs the keys dir and link")
    if fields.text is not None:
        return CloudFrame(line, fields.t_ns, fields.dir, fields.link, fields.text)
    if fields.event is not None:
        return ConnectionEvent(line, fields.t_ns, fields.dir, fields.link, fields.event, fields.tls)
    return Http(line, fields.t_ns, fields.dir, fields.link, fields.http or "", _body(fields.body_hex))


def _body(digits: str) -> bytes:
    try:
        return bytes.fromhex(digits)
    except ValueError as error:
        raise ContentError(f"not an entry: body_hex: {error}") from error
