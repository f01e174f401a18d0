"""Cutting heads out of a stream of bytes, and what httptools says of them.

httptools (llhttp) reads every byte of a head that does not come at once, so that garbage is refused at its first wrong
byte. A head that is there is judged by whoever reads it (``judge_request``, ``judge_response``). It is given no
callbacks: head and length of a body are taken from the raw lines, which are forwarded as they were written.

A method that httptools does not know is shown to it as GET: the rest of such a head is judged like any other.
"""

import re

from httptools import (
    HttpParserError,
    HttpParserInvalidMethodError,
    HttpParserInvalidURLError,
    HttpParserUpgrade,
    HttpRequestParser,
    HttpResponseParser,
)

from edgecore.errors import ContentError

METHODS = frozenset(
    b"ACL BIND CHECKOUT CONNECT COPY DELETE GET HEAD LINK LOCK M-SEARCH MERGE MKACTIVITY MKCALENDAR MKCOL MOVE NOTIFY"
    b" OPTIONS PATCH POST PROPFIND PROPPATCH PURGE PUT REBIND REPORT SEARCH SUBSCRIBE TRACE UNBIND UNLINK UNLOCK"
    b" UNSUBSCRIBE".split()
)
"""Those that httptools knows in HTTP/1.x."""

TOO_LARGE = "header_too_large"

_TLS = "the client speaks TLS, and this port plain HTTP"
_END = b"\r\n\r\n"

_METHOD = re.compile(rb"[A-Z][A-Z0-9_\-]{0,31} ")
_METHOD_BEGUN = re.compile(rb"[A-Z][A-Z0-9_\-]{0,31}")

# What llhttp complains of, by words of its messages; the first that fits.
_REASONS = (
    ("can't be present with", "length_conflict"),
    ("content-length", "bad_length"),
    ("transfer-encoding", "bad_transfer_encoding"),
    ("version", "bad_request_line"),
    ("header", "bad_header"),
    ("start line", "bad_header"),
    ("expected", "bad_request_line"),
)


class BadHead(ContentError):  # noqa: N818 - a verdict; it is caught in the readers and never leaves this package
    """The bytes are not a head. ``reason`` is a word for the counter."""

    def __init__(self, reason: str, why: str) -> None:
        super().__init__(f"cannot read head: {why}")
        self.reason = reason
        self.why = why


class HeadCutter:
    """Collects the bytes of one head after the other; those of answers."""

    __slots__ = ("_judge", "_limit", "_partial")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._partial = bytearray()
        self._judge: HttpRequestParser | HttpResponseParser | None = None

    @property
    def started(self) -> bool:
        """Whether a head has begun and is not complete."""
        return bool(self._partial)

    def cut(self, data: bytes, at: int) -> tuple[bytes | None, int]:
        """Read on from ``data[at]``; return the head, if it is complete now, and the place of the first byte after it.

        Without a head, all bytes were taken. Raises ``BadHead``; the stream is of no use any more then.
        """
        if not self._partial:
            end = data.find(_END, at)
            if 0 <= end <= at + self._limit - len(_END):
                end += len(_END)
                return data[at:end], end
        return self._cut_slowly(data, at)

    def _cut_slowly(self, data: bytes, at: int) -> tuple[bytes | None, int]:
        partial = self._partial
        seen = len(partial)
        partial += data[at : at + self._limit - seen]
        end = partial.find(_END, max(0, seen - len(_END) + 1))
        stop = len(partial) if end < 0 else end + len(_END)
        self._feed(bytes(partial[seen:stop]), bytes(partial[:stop]) if self._judge is None else b"")
        at += stop - seen
        if end < 0 and stop < self._limit:
            return None, at
        head = bytes(partial[:stop])
        self._judge = None
        self._partial = bytearray()
        if end < 0:
            raise BadHead(TOO_LARGE, f"the head is longer than {self._limit} bytes")
        return head, at

    def _feed(self, new: bytes, everything: bytes) -> None:
        if self._judge is None:
            self._judge = HttpResponseParser(None)
        _feed(self._judge, new)


class RequestCutter(HeadCutter):
    """The same for the heads of requests."""

    __slots__ = ()

    def _feed(self, new: bytes, everything: bytes) -> None:
        if self._judge is None:
            if _METHOD_BEGUN.fullmatch(everything):
                return
            self._judge = HttpRequestParser(None)
            new = _known(everything)
        _feed(self._judge, new)


def judge_request(head: bytes) -> None:
    """Have httptools look at a whole head. Raises ``BadHead``."""
    _feed(HttpRequestParser(None), _known(head))


def judge_response(head: bytes) -> None:
    """Have httptools look at a whole head. Raises ``BadHead``."""
    _feed(HttpResponseParser(None), head)


def _known(begun: bytes) -> bytes:
    """Return a head, or how it begins, with a method that httptools knows."""
    match = _METHOD.match(begun)
    if match is None or match[0][:-1] in METHODS:
        return begun
    return b"GET " + begun[match.end() :]


def _feed(judge: HttpRequestParser | HttpResponseParser, data: bytes) -> None:
    try:
        judge.feed_data(data)
    except HttpParserUpgrade:
        pass  # how httptools says that the head of an upgrade or a CONNECT is complete
    except HttpParserInvalidMethodError as error:
        raise BadHead("not_http", _TLS if data.startswith(b"\x16\x03") else str(error)) from None
    except HttpParserInvalidURLError as error:
        raise BadHead("bad_target", str(error)) from None
    except HttpParserError as error:
        text = str(error).lower()
        reason = next((word for words, word in _REASONS if words in text), "bad_request_line")
        raise BadHead(reason, str(error)) from None
