"""Cutting heads out of a stream of bytes, each judged by httptools on the way.

httptools (llhttp) reads every byte of a head as it comes, so that garbage is refused at its first wrong byte. It is
given no callbacks: head and length of a body are taken from the raw lines, which are forwarded as they were written.
"""

from httptools import (
    HttpParserError,
    HttpParserInvalidMethodError,
    HttpParserInvalidURLError,
    HttpParserUpgrade,
    HttpRequestParser,
    HttpResponseParser,
)

from edgecore.errors import ContentError

_END = b"\r\n\r\n"

TOO_LARGE = "header_too_large"

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
    """Collects the bytes of one head after the other. What it says does not depend on how the bytes are cut up."""

    __slots__ = ("_judge", "_judge_type", "_limit", "_partial")

    def __init__(self, judge_type: type[HttpRequestParser] | type[HttpResponseParser], limit: int) -> None:
        self._judge_type = judge_type
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
                head = data[at:end]
                _feed(self._judge_type(None), head)
                return head, end
        return self._cut_slowly(data, at)

    def _cut_slowly(self, data: bytes, at: int) -> tuple[bytes | None, int]:
        partial = self._partial
        if self._judge is None:
            self._judge = self._judge_type(None)
        seen = len(partial)
        partial += data[at : at + self._limit - seen]
        end = partial.find(_END, max(0, seen - len(_END) + 1))
        stop = len(partial) if end < 0 else end + len(_END)
        _feed(self._judge, bytes(partial[seen:stop]))
        at += stop - seen
        if end < 0 and stop < self._limit:
            return None, at
        head = bytes(partial[:stop])
        self._judge = None
        self._partial = bytearray()
        if end < 0:
            raise BadHead(TOO_LARGE, f"the head is longer than {self._limit} bytes")
        return head, at


def _feed(judge: HttpRequestParser | HttpResponseParser, data: bytes) -> None:
    try:
        judge.feed_data(data)
    except HttpParserUpgrade:
        pass  # how httptools says that the head of an upgrade or a CONNECT is complete
    except HttpParserInvalidMethodError as error:
        raise BadHead("not_http", str(error)) from None
    except HttpParserInvalidURLError as error:
        raise BadHead("bad_target", str(error)) from None
    except HttpParserError as error:
        text = str(error).lower()
        reason = next((word for words, word in _REASONS if words in text), "bad_request_line")
        raise BadHead(reason, str(error)) from None
