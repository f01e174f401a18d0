"""What a client speaks, by its first bytes (pure): HTTP/1.x, or anything else.

Nothing but a request line of HTTP/1.x is HTTP here (RFC 9112 section 3): its version tells it from RTSP, SIP and ICAP,
which look alike, and from lines of Redis or memcached. The preface of HTTP/2 (``PRI * HTTP/2.0``), TLS and all that is
binary are bytes.
"""

import re
from typing import Literal

Verdict = Literal["http", "bytes", "undecided"]

LONG_LINE_BYTES = 2048
"""Of a longer line the version is not awaited: what looks like a method and a target in its place is a request."""

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
_METHOD_LIMIT = 24
_BLANK = re.compile(rb"(?:\r\n)*")  # which a server ignores in front of a request (RFC 9112 section 2.2)
_LINE = re.compile(rb"%b{1,%d} [^\x00-\x20\x7f]+ HTTP/1\." % (_TOKEN, _METHOD_LIMIT))
_BEGINNING = re.compile(rb"\r?|%b{1,%d}(?: (?:[^\x00-\x20\x7f]+(?: (.{0,7}))?)?)?" % (_TOKEN, _METHOD_LIMIT))
_LONG = re.compile(rb"[A-Z]{3,%d} (?:/|https?:)" % _METHOD_LIMIT)
_VERSION = b"HTTP/1."


def sniff(head: bytes) -> Verdict:
    """Return what the client speaks that has sent ``head`` so far."""
    head = head[_BLANK.match(head).end() :]  # type: ignore[union-attr]  # it always matches
    if _LINE.match(head):
        return "http"
    begun = _BEGINNING.fullmatch(head)
    if begun is None or not _VERSION.startswith(begun[1] or b""):
        return "bytes"
    if len(head) >= LONG_LINE_BYTES:
        return "http" if _LONG.match(head) else "bytes"
    return "undecided"
