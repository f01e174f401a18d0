"""Reading requests: the bytes of one client, as heads and the pieces of their bodies.

::

    receive(bytes)   next() -> RequestHead   then, if it has a body:  bytes, bytes, ... END
                            -> Refusal       for good: the stream cannot be understood any more
                            -> None          more bytes are needed

Only one request is looked at: the next head is read when ``next`` is called after the end of the one before. What can
be understood in two ways is refused, because the backend might understand the other one (request smuggling).
"""

import re
from enum import Enum

import msgspec
from httptools import HttpRequestParser

from edgecore.modules.edgemesh.names import Refusal
from edgecore.modules.edgemesh.proxy.http.body import CHUNKED, LENGTH, Body, body_of
from edgecore.modules.edgemesh.proxy.http.fields import Fields, parse_fields
from edgecore.modules.edgemesh.proxy.http.framing import TOO_LARGE, BadHead, HeadCutter
from edgecore.modules.edgemesh.proxy.http.refusals import bad_request
from edgecore.modules.edgemesh.proxy.http.target import host_port, split_target

_REQUEST_LINE = re.compile(rb"([!#-'*+\-.0-9A-Z^-z|~]+) ([\x21-\x7e\x80-\xff]+) HTTP/1\.([01])")


class Mark(Enum):
    """Stands between the pieces of bodies."""

    END = "end"
    """The body is complete."""


END = Mark.END


class RequestHead(msgspec.Struct, frozen=True, gc=False):
    """A request that can be forwarded."""

    method: bytes
    path: bytes
    """Request target in origin form, or ``*``."""
    authority: bytes
    """Whom the client wants to speak to: from an absolute target, else the Host header; empty if neither is there."""
    absolute: bool
    """The authority came from the target and replaces the Host header (RFC 9112 section 3.2.2)."""
    minor: int
    """Of HTTP/1.x: 0 or 1."""
    fields: Fields
    length: int
    """Of the body in bytes, or ``CHUNKED``."""
    options: frozenset[bytes] = frozenset()
    """What the Connection header names, in lower case."""
    keep_alive: bool = True
    """The client would like to send another request on this connection."""
    upgrade: bool = False
    """The client asks to change to another protocol."""

    @property
    def has_body(self) -> bool:
        """Whether ``END`` is still to come."""
        return self.length != 0


class RequestReader:
    """The state of one client's stream. Never raises, whatever the bytes are."""

    __slots__ = ("_at", "_body", "_cutter", "_data", "_limit", "_refusal")

    def __init__(self, max_header_bytes: int) -> None:
        self._limit = max_header_bytes
        self._cutter = HeadCutter(HttpRequestParser, max_header_bytes)
        self._data = b""
        self._at = 0
        self._body: Body | None = None
        self._refusal: Refusal | None = None

    @property
    def pending(self) -> bool:
        """Whether there are bytes that ``next`` has not looked at."""
        return self._at < len(self._data)

    @property
    def started(self) -> bool:
        """Whether the head of a request has begun and is not complete."""
        return self._cutter.started

    def receive(self, data: bytes) -> None:
        """Take more bytes from the client."""
        self._data = self._data[self._at :] + data if self.pending else data
        self._at = 0

    def rest(self) -> bytes:
        """Give away what ``next`` has not looked at: it is not HTTP (the client has upgraded)."""
        rest, self._data, self._at = self._data[self._at :], b"", 0
        return rest

    def next(self) -> RequestHead | bytes | Mark | Refusal | None:
        """Return what comes next in the stream, if enough bytes are there."""
        if self._refusal is not None:
            return self._refusal
        event = self._next_head() if self._body is None else self._next_piece(self._body)
        if isinstance(event, Refusal):
            self._refusal = event
        if not self.pending:
            self._data, self._at = b"", 0
        return event

    def _next_head(self) -> RequestHead | Refusal | None:
        if not self._cutter.started:
            self._skip_empty_lines()
        if not self.pending:
            return None
        try:
            head, self._at = self._cutter.cut(self._data, self._at)
        except BadHead as bad:
            return bad_request(bad.reason, bad.why, 431 if bad.reason == TOO_LARGE else 400)
        if head is None:
            return None
        request = parse_request(head)
        if isinstance(request, RequestHead) and request.has_body:
            self._body = body_of(request.length, framed=True, max_trailer_bytes=self._limit)
        return request

    def _skip_empty_lines(self) -> None:
        """Skip what old clients send after a body (RFC 9112 section 2.2)."""
        while self.pending and self._data[self._at] in b"\r\n":
            self._at += 1

    def _next_piece(self, body: Body) -> bytes | Mark | Refusal | None:
        out: list[bytes] = []
        if self.pending and not body.done:
            self._at = body.take(self._data, self._at, out)
        if out:
            return out[0] if len(out) == 1 else b"".join(out)
        if body.fault:
            return bad_request(body.fault, "its body is not what its head says")
        if body.done:
            self._body = None
            return END
        return None


def parse_request(head: bytes) -> RequestHead | Refusal:
    """Return the request whose head, the empty line included, is ``head``; why it is refused, if it is."""
    line, _, block = head.partition(b"\r\n")
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        return bad_request("bad_request_line", "its first line is not that of HTTP/1.0 or HTTP/1.1")
    method, minor = match[1], 1 if match[3] == b"1" else 0
    fields = parse_fields(block[:-2])
    if fields is None:
        return bad_request("bad_header", "a header line is malformed")
    if method == b"CONNECT":
        return bad_request("connect_unsupported", "CONNECT is not supported", 501)
    target = split_target(method, match[2])
    if target is None:
        return bad_request("bad_target", "its target is neither a path nor an http:// address")
    hosts = fields.values(b"host")
    if len(hosts) > 1 or (not hosts and minor == 1):
        return bad_request("bad_host", f"it has {len(hosts)} Host headers")
    if hosts and host_port(hosts[0]) is None:
        return bad_request("bad_host", "its Host header is no host")
    length = _length(fields, minor)
    if isinstance(length, Refusal):
        return length
    authority = target.authority or (hosts[0] if hosts else b"")
    options = frozenset(fields.tokens(b"connection"))
    return RequestHead(
        method,
        target.path,
        authority,
        bool(target.authority),
        minor,
        fields,
        length,
        options,
        keep_alive=b"close" not in options and (minor == 1 or b"keep-alive" in options),
        upgrade=b"upgrade" in options and length == 0 and minor == 1 and _may_upgrade(fields.tokens(b"upgrade")),
    )


def _length(fields: Fields, minor: int) -> int | Refusal:
    """Return how long the body is (RFC 9112 section 6.3), refusing what has two answers."""
    lengths = fields.values(b"content-length")
    codings = fields.values(b"transfer-encoding")
    if codings:
        if lengths:
            return bad_request("length_conflict", "it has both Content-Length and Transfer-Encoding")
        if minor == 0:
            return bad_request("bad_transfer_encoding", "HTTP/1.0 knows no Transfer-Encoding")
        if len(codings) > 1 or codings[0].lower() != b"chunked":
            return bad_request("unsupported_transfer_encoding", "only chunked is supported", 501)
        return CHUNKED
    if not lengths:
        return 0
    if len(lengths) > 1 or not LENGTH.fullmatch(lengths[0]):
        return bad_request("bad_length", "its Content-Length is not one number")
    return int(lengths[0])


def _may_upgrade(protocols: list[bytes]) -> bool:
    """Whether the wish to upgrade is passed on. HTTP/2 is not: a client that offers it is served with HTTP/1.1."""
    return bool(protocols) and b"h2c" not in protocols
