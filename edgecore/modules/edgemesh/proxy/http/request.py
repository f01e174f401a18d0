"""Reading requests: the bytes of one client, as heads and the pieces of their bodies.

::

    receive(bytes)   next() -> RequestHead   then, if it has a body:  bytes, bytes, ... END
                            -> Refusal       for good: the stream cannot be understood any more
                            -> None          more bytes are needed

Only one request is looked at: the next head is read when ``next`` is called after the end of the one before. What can
be understood in two ways is refused, because the backend might understand the other one (request smuggling).
"""

from collections.abc import Callable
from enum import Enum

from edgecore.modules.edgemesh.names import Refusal
from edgecore.modules.edgemesh.proxy.http.body import Body, body_of
from edgecore.modules.edgemesh.proxy.http.framing import TOO_LARGE, BadHead, RequestCutter
from edgecore.modules.edgemesh.proxy.http.refusals import bad_request
from edgecore.modules.edgemesh.proxy.http.requesthead import RequestHead, read_request


class Mark(Enum):
    """Stands between the pieces of bodies."""

    END = "end"
    """The body is complete."""


END = Mark.END


class RequestReader:
    """The state of one client's stream. Never raises, whatever the bytes are. ``read`` reads heads."""

    __slots__ = ("_at", "_body", "_cutter", "_data", "_limit", "_read", "_refusal")

    def __init__(self, max_header_bytes: int, read: Callable[[bytes], RequestHead | Refusal] = read_request) -> None:
        self._limit = max_header_bytes
        self._read = read
        self._cutter = RequestCutter(max_header_bytes)
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
        request = self._read(head)
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
