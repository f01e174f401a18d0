"""Reading answers: the bytes of one backend, as interim heads, the final head, and the pieces of its body.

``receive`` and ``next`` work as in ``request.py``. One reader reads the answer to one request, because where an answer
ends depends on what was asked (RFC 9112 section 6.3).
"""

import re

import msgspec
from httptools import HttpResponseParser

from edgecore.modules.edgemesh.names import Refusal
from edgecore.modules.edgemesh.proxy.http.body import CHUNKED, LENGTH, UNTIL_CLOSE, Body, body_of
from edgecore.modules.edgemesh.proxy.http.fields import Fields, parse_fields
from edgecore.modules.edgemesh.proxy.http.framing import BadHead, HeadCutter
from edgecore.modules.edgemesh.proxy.http.refusals import bad_answer
from edgecore.modules.edgemesh.proxy.http.request import END, Mark

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) (([1-9][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?)")


class ResponseHead(msgspec.Struct, frozen=True, gc=False):
    """An answer that can be forwarded."""

    status: int
    status_text: bytes
    """The status and its phrase, as they were written."""
    fields: Fields
    length: int
    """Of the body in bytes, or ``CHUNKED``, or ``UNTIL_CLOSE``."""
    options: frozenset[bytes]
    """What the Connection header names, in lower case."""
    keep_alive: bool
    """The backend takes another request on this connection."""

    @property
    def interim(self) -> bool:
        """Whether another head follows."""
        return self.status < 200 and self.status != 101

    @property
    def has_body(self) -> bool:
        """Whether ``END`` is still to come."""
        return self.length != 0


class ResponseReader:
    """The state of one answer. Never raises, whatever the bytes are.

    ``bare`` is the request's method HEAD; ``framed`` is false when the client does not know chunks.
    """

    __slots__ = (
        "_at",
        "_bare",
        "_body",
        "_closed",
        "_cutter",
        "_data",
        "_framed",
        "_limit",
        "_until_close",
        "received",
    )

    def __init__(self, max_header_bytes: int, *, bare: bool = False, framed: bool = True) -> None:
        self._limit = max_header_bytes
        self._bare = bare
        self._framed = framed
        self._cutter = HeadCutter(HttpResponseParser, max_header_bytes)
        self._data = b""
        self._at = 0
        self._body: Body | None = None
        self._until_close = False
        self._closed = False
        self.received = False
        """Whether any byte came."""

    @property
    def pending(self) -> bool:
        """Whether there are bytes that ``next`` has not looked at."""
        return self._at < len(self._data)

    def receive(self, data: bytes) -> None:
        """Take more bytes from the backend."""
        self.received = True
        self._data = self._data[self._at :] + data if self.pending else data
        self._at = 0

    def close(self) -> None:
        """Take note that no more bytes will come."""
        self._closed = True

    def rest(self) -> bytes:
        """Give away what ``next`` has not looked at: it is not HTTP (the backend has upgraded)."""
        rest, self._data, self._at = self._data[self._at :], b"", 0
        return rest

    def next(self) -> ResponseHead | bytes | Mark | Refusal | None:
        """Return what comes next in the stream, if enough bytes are there. Not to be called after the end."""
        event = self._next_head() if self._body is None else self._next_piece(self._body)
        if not self.pending:
            self._data, self._at = b"", 0
        return event

    def _next_head(self) -> ResponseHead | Refusal | None:
        head = None
        if self.pending:
            try:
                head, self._at = self._cutter.cut(self._data, self._at)
            except BadHead as bad:
                return bad_answer("bad_response", f"the backend's answer is malformed: {bad.why}")
        if head is None:
            return self._cut_off() if self._closed else None
        response = parse_response(head, bare=self._bare)
        if isinstance(response, ResponseHead) and response.has_body:
            self._until_close = response.length == UNTIL_CLOSE
            self._body = body_of(response.length, framed=self._framed, max_trailer_bytes=self._limit)
        return response

    def _cut_off(self) -> Refusal:
        if self._cutter.started:
            return bad_answer("bad_response", "the backend closed the connection within the head of its answer")
        return bad_answer("backend_closed", "the backend closed the connection without an answer")

    def _next_piece(self, body: Body) -> bytes | Mark | Refusal | None:
        out: list[bytes] = []
        if self.pending and not body.done:
            self._at = body.take(self._data, self._at, out)
        if out:
            return out[0] if len(out) == 1 else b"".join(out)
        if body.fault:
            return bad_answer(body.fault, "the body of the backend's answer is malformed")
        if body.done or (self._closed and self._until_close):
            return END
        if self._closed:
            return bad_answer("short_body", "the backend closed the connection within the body of its answer")
        return None


def parse_response(head: bytes, *, bare: bool) -> ResponseHead | Refusal:
    """Return the answer whose head, the empty line included, is ``head``; why it is refused, if it is."""
    line, _, block = head.partition(b"\r\n")
    match = _STATUS_LINE.fullmatch(line)
    fields = parse_fields(block[:-2])
    if match is None or fields is None:
        return bad_answer("bad_response", "the backend's answer is malformed")
    minor, status = int(match[1]), int(match[3])
    length = _length(fields, minor, status, bare=bare)
    if isinstance(length, Refusal):
        return length
    options = frozenset(fields.tokens(b"connection"))
    keep_alive = b"close" not in options and (minor == 1 or b"keep-alive" in options) and length != UNTIL_CLOSE
    return ResponseHead(status, match[2], fields, length, options, keep_alive)


def _length(fields: Fields, minor: int, status: int, *, bare: bool) -> int | Refusal:
    """Return how long the body is (RFC 9112 section 6.3), refusing what has two answers."""
    lengths = fields.values(b"content-length")
    codings = fields.values(b"transfer-encoding")
    if codings and (lengths or minor == 0 or len(codings) > 1 or codings[0].lower() != b"chunked"):
        return bad_answer("bad_response", "the backend's answer has no clear length")
    if len(lengths) > 1 or (lengths and not LENGTH.fullmatch(lengths[0])):
        return bad_answer("bad_response", "the backend's answer has no clear length")
    if bare or status < 200 or status in (204, 304):
        return 0
    if codings:
        return CHUNKED
    return int(lengths[0]) if lengths else UNTIL_CLOSE
