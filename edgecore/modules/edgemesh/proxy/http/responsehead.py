"""The head of an answer: what it says, or why it is refused, from its bytes and nothing else (pure)."""

import re

import msgspec

from edgecore.modules.edgemesh.names import Refusal
from edgecore.modules.edgemesh.proxy.http.body import CHUNKED, CHUNKED_LINE, LENGTH, UNTIL_CLOSE
from edgecore.modules.edgemesh.proxy.http.fields import LINE, Fields, cut_out, parse_fields, split_fields
from edgecore.modules.edgemesh.proxy.http.framing import BadHead, judge_response
from edgecore.modules.edgemesh.proxy.http.refusals import bad_answer

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) (([1-9][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?)")

_ORDINARY = re.compile(
    rb"HTTP/1\.1 ((200|201|202|206|301|302|303|400|401|403|404|409|500) [\x20-\x7e]*+)(\r\n(?:"
    + LINE
    + rb"\r\n)*+)\r\n"
)
_OF_NOTE = re.compile(
    rb"\n(connection|content-length|keep-alive|proxy-connection|te|transfer-encoding|upgrade):[\t ]*+([^\r]*+)\r"
)


class ResponseHead(msgspec.Struct, gc=False):
    """An answer that can be forwarded."""

    status: int
    status_text: bytes
    """The status and its phrase, as they were written."""
    head: bytes
    """All of it, the empty line included."""
    length: int
    """Of the body in bytes, or ``CHUNKED``, or ``UNTIL_CLOSE``."""
    options: frozenset[bytes]
    """What the Connection header names, in lower case."""
    keep_alive: bool
    """The backend takes another request on this connection."""
    ready: bytes = b""
    """What a client of HTTP/1.1 gets whose connection goes on; perhaps not known yet."""
    closing: bytes = b""
    """The same for one whose connection is closed."""

    @property
    def interim(self) -> bool:
        """Whether another head follows."""
        return self.status < 200 and self.status != 101

    @property
    def has_body(self) -> bool:
        """Whether ``END`` is still to come."""
        return self.length != 0

    @property
    def fields(self) -> Fields:
        """The header lines, taken apart."""
        return split_fields(self.head[self.head.index(b"\n") + 1 : -2])


def read_response(head: bytes, *, bare: bool = False) -> ResponseHead | Refusal:
    """Return the answer whose head, the empty line included, is ``head``; why it is refused, if it is.

    ``bare`` says that the request's method was HEAD. Ordinary heads are read without httptools: what ``_ORDINARY`` lets
    pass is what httptools would let pass.
    """
    match = None if bare else _ORDINARY.fullmatch(head)
    if match is not None:
        response = _read_ordinary(head, match)
        if response is not None:
            return response
    try:
        judge_response(head)
    except BadHead as bad:
        return malformed(bad)
    return parse_response(head, bare=bare)


def malformed(bad: BadHead) -> Refusal:
    """Return the refusal of what httptools does not take for an answer."""
    return bad_answer("bad_response", f"the backend's answer is malformed: {bad.why}")


def _read_ordinary(head: bytes, match: re.Match[bytes]) -> ResponseHead | None:
    """Return an answer with a length in which nothing has to be looked at twice; None if there is more to it."""
    status_text, status, block = match.groups()
    length = None
    options, dropped = [], []
    for note in _OF_NOTE.finditer(block.lower()):
        name, value = note.groups()
        if name == b"content-length" and length is None and LENGTH.fullmatch(value):
            length = int(value)
        elif name == b"transfer-encoding" and length is None and block[slice(*note.span())] == CHUNKED_LINE:
            length = CHUNKED
        elif name == b"connection" and value in (b"keep-alive", b"close"):
            options.append(value)
            dropped.append(note)
        elif name == b"keep-alive":
            dropped.append(note)
        else:
            return None
    if length is None:
        return None
    ready = cut_out(head, match.start(3), dropped) if dropped else head
    keep_alive = b"close" not in options
    return ResponseHead(int(status), status_text, head, length, frozenset(options), keep_alive, ready=ready)


def parse_response(head: bytes, *, bare: bool) -> ResponseHead | Refusal:
    """Return the same as ``read_response`` for a head to which httptools has no objections."""
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
    return ResponseHead(status, match[2], head, length, options, keep_alive)


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
