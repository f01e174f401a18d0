"""Bodies on their way through: where they end, and the bytes to pass on (RFC 9112 sections 6 and 7).

Bodies are never collected; what came in is passed on at once. A chunked body is taken apart and written again, because
two readers may disagree about a sloppy one: sizes without leading zeros, no extensions, trailers checked like headers.
What is passed on does not depend on how the bytes are cut up on arrival.
"""

import re
from typing import Protocol

from edgecore.modules.edgemesh.proxy.http.fields import FIELD_LINE

CHUNKED = -1
"""Stands for a length: the body is chunked."""
UNTIL_CLOSE = -2
"""Stands for a length: the body ends with the connection (answers only)."""

CHUNKED_LINE = b"\nTransfer-Encoding: chunked\r"
"""How a chunked body is announced to the other side, within a head."""

LENGTH = re.compile(rb"[0-9]{1,18}")
"""What a Content-Length must be."""

_MAX_SIZE_LINE = 4096
# A chunk's size and its extensions; 15 digits are 2**60 bytes.
_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:;[\t\x20-\x7e\x80-\xff]*)?")
_SIZE = re.compile(rb"0|[1-9a-f][0-9a-f]{0,14}")
_MAX_SIZE_DIGITS = 15
_SIZE_LINE_BEGUN = re.compile(rb"[0-9A-Fa-f]{1,15}(?:;[\t\x20-\x7e\x80-\xff]*)?\r?")

# Trailers that would change what the message is (RFC 9110 section 6.5.1).
_NO_TRAILERS = frozenset(
    (
        b"connection",
        b"content-encoding",
        b"content-length",
        b"content-range",
        b"content-type",
        b"host",
        b"keep-alive",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)


class Body(Protocol):
    """One body being passed on."""

    done: bool
    """The last byte was taken."""
    fault: str
    """Why the bytes are no body, as a word; empty while they are one."""

    def take(self, data: bytes, at: int, out: list[bytes]) -> int:
        """Take from ``data[at]`` on and put what is to be passed on into ``out``; return the place after it."""


class PlainBody:
    """A body of ``length`` bytes, or of all bytes until the connection ends (``UNTIL_CLOSE``)."""

    __slots__ = ("_left", "done", "fault")

    def __init__(self, length: int) -> None:
        self._left = length
        self.done = length == 0
        self.fault = ""

    def take(self, data: bytes, at: int, out: list[bytes]) -> int:
        """See ``Body``."""
        end = len(data)
        if self._left != UNTIL_CLOSE:
            end = min(end, at + self._left)
            self._left -= end - at
            self.done = self._left == 0
        out.append(data[at:end])
        return end


class ChunkedBody:
    """A chunked body. ``framed`` is false when the receiver does not know chunks (HTTP/1.0): it gets the bare data."""

    __slots__ = ("_framed", "_left", "_line", "_trailer_room", "done", "fault")

    # Values of ``_left`` when it is not the number of bytes that the chunk still has.
    _IN_SIZE_LINE = -1
    _IN_TRAILERS = -2

    def __init__(self, *, framed: bool, max_trailer_bytes: int) -> None:
        self._framed = framed
        self._left = self._IN_SIZE_LINE
        self._line = bytearray()  # a line that is not complete
        self._trailer_room = max_trailer_bytes
        self.done = False
        self.fault = ""

    def take(self, data: bytes, at: int, out: list[bytes]) -> int:
        """See ``Body``."""
        while at < len(data) and not self.done and not self.fault:
            if self._left > 0:
                at = self._take_data(data, at, out)
            elif self._left == self._IN_TRAILERS:
                at = self._take_trailer(data, at, out)
            else:
                at = self._take_size(data, at, out)
        return at

    def _take_data(self, data: bytes, at: int, out: list[bytes]) -> int:
        """Take of a chunk; its last two bytes, CR and LF, count to ``_left`` as well."""
        if self._left > 2:
            end = min(len(data), at + self._left - 2)
            out.append(data[at:end])
            self._left -= end - at
            return end
        if data[at] != b"\n\r"[self._left - 1]:
            self.fault = "bad_chunk"
        self._left -= 1
        if self._left == 0:
            self._left = self._IN_SIZE_LINE
            self._frame(out, b"\r\n")
        return at + 1

    def _take_size(self, data: bytes, at: int, out: list[bytes]) -> int:
        line, at = self._take_line(data, at, _MAX_SIZE_LINE)
        if line is None:
            if not _SIZE_LINE_BEGUN.fullmatch(self._line):
                self.fault = "bad_chunk"
            return at
        match = _SIZE_LINE.fullmatch(line)
        if match is None:
            self.fault = "bad_chunk"
            return at
        size = int(match[1], 16)
        self._frame(out, b"%x\r\n" % size)
        self._left = size + 2 if size else self._IN_TRAILERS
        return at

    def _take_trailer(self, data: bytes, at: int, out: list[bytes]) -> int:
        line, at = self._take_line(data, at, self._trailer_room)
        if line is None:
            return at
        self._trailer_room -= len(line) + 2
        if not line:
            self._frame(out, b"\r\n")
            self.done = True
        elif not FIELD_LINE.fullmatch(line):
            self.fault = "bad_trailer"
        elif line[: line.index(b":")].lower() not in _NO_TRAILERS:
            self._frame(out, line + b"\r\n")
        return at

    def _take_line(self, data: bytes, at: int, limit: int) -> tuple[bytes | None, int]:
        """Return the next line without its end, if it is complete, and the place after it."""
        end = data.find(b"\n", at, at + limit + 1)
        stop = end + 1 if end >= 0 else min(len(data), at + limit + 1)
        self._line += data[at:stop]
        if len(self._line) > limit:
            self.fault = "bad_chunk" if self._left == self._IN_SIZE_LINE else "bad_trailer"
            return None, stop
        if end < 0:
            return None, stop
        line, self._line = bytes(self._line), bytearray()
        if not line.endswith(b"\r\n"):
            self.fault = "bad_chunk" if self._left == self._IN_SIZE_LINE else "bad_trailer"
            return None, stop
        return line[:-2], stop

    def _frame(self, out: list[bytes], text: bytes) -> None:
        if self._framed:
            out.append(text)


def is_whole_chunked(data: bytes, at: int) -> bool:
    """Say whether ``data[at:]`` is a chunked body to its end, and written just as ``ChunkedBody`` would write it."""
    while (end := data.find(b"\r\n", at, at + _MAX_SIZE_DIGITS + 2)) > 0:
        match = _SIZE.fullmatch(data, at, end)
        if match is None:
            return False
        at = end + 2 + int(match[0], 16) + 2
        if data[at - 2 : at] != b"\r\n":
            return False
        if match[0] == b"0":
            return at == len(data)
    return False


def body_of(length: int, *, framed: bool, max_trailer_bytes: int) -> Body:
    """Return the body of a message whose head says ``length`` (or ``CHUNKED``, or ``UNTIL_CLOSE``)."""
    if length == CHUNKED:
        return ChunkedBody(framed=framed, max_trailer_bytes=max_trailer_bytes)
    return PlainBody(length)
