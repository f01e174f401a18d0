"""Reading answers: the bytes of one backend, as interim heads, the final head, and the pieces of its body.

``receive`` and ``next`` work as in ``request.py``. One reader reads the answer to one request, because where an answer
ends depends on what was asked (RFC 9112 section 6.3).
"""

from collections.abc import Callable

from edgecore.modules.edgemesh.names import Refusal
from edgecore.modules.edgemesh.proxy.http.body import UNTIL_CLOSE, Body, body_of
from edgecore.modules.edgemesh.proxy.http.framing import BadHead, HeadCutter
from edgecore.modules.edgemesh.proxy.http.refusals import bad_answer
from edgecore.modules.edgemesh.proxy.http.request import END, Mark
from edgecore.modules.edgemesh.proxy.http.responsehead import ResponseHead, malformed, read_response

MOST_INTERIM = 64
"""Heads that only announce an answer (1xx); one more is no answer."""


class ResponseReader:
    """The state of one answer. Never raises, whatever the bytes are.

    ``bare`` is the request's method HEAD; ``framed`` is false when the client does not know chunks;
    ``read`` reads heads of answers that are not bare.
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
        "_read",
        "_until_close",
        "heads",
        "received",
    )

    def __init__(
        self,
        max_header_bytes: int,
        *,
        bare: bool = False,
        framed: bool = True,
        read: Callable[[bytes], ResponseHead | Refusal] = read_response,
    ) -> None:
        self._limit = max_header_bytes
        self._bare = bare
        self._framed = framed
        self._read = read
        self._cutter = HeadCutter(max_header_bytes)
        self._data = b""
        self._at = 0
        self._body: Body | None = None
        self._until_close = False
        self._closed = False
        self.heads = 0
        """Whole heads that came, those of interim answers included."""
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
                return malformed(bad)
        if head is None:
            return self._cut_off() if self._closed else None
        self.heads += 1
        if self.heads > MOST_INTERIM:
            return bad_answer("bad_response", f"the backend announced its answer {MOST_INTERIM} times and sent none")
        response = read_response(head, bare=True) if self._bare else self._read(head)
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
