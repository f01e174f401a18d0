"""What a client speaks, by its first bytes: each beginning of a request line is told rightly, or not at all yet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.edgemesh.proxy.bytes.sniff import LONG_LINE_BYTES, sniff

REQUESTS = (
    b"GET / HTTP/1.1\r\n",
    b"GET / HTTP/1.0\r\nHost: x\r\n\r\n",
    b"\r\n\r\nPOST /a?b=c%20 HTTP/1.1\r\n",
    b"OPTIONS * HTTP/1.1\r\n",
    b"CONNECT example.com:443 HTTP/1.1\r\n",
    b"GET http://example.com/ HTTP/1.1\r\n",
    b"M-SEARCH * HTTP/1.1\r\n",
    b"VERSION-CONTROL /\xc3\xa9 HTTP/1.1\r\n",
    b"get / HTTP/1.1\r\n",
    b"GET /%b HTTP/1.1\r\n" % (b"a" * 1900),
)
OTHERS = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"OPTIONS * RTSP/1.0\r\n",
    b"INVITE sip:bob@example.com SIP/2.0\r\n",
    b"GET / HTTP/2.0\r\n",
    b"GET /\r\n",
    b"GET  / HTTP/1.1\r\n",
    b"get key\r\n",
    b"*1\r\n$4\r\nPING\r\n",
    b"EHLO example.com\r\n",
    b"USER anonymous\r\n",
    b"SSH-2.0-OpenSSH_9.2\r\n",
    b"\x00\x00\x00\x08\x04\xd2\x16\x2f",
    b"\rGET / HTTP/1.1\r\n",
    b"a" * 25,
    b" GET / HTTP/1.1\r\n",
    b"G\0T / HTTP/1.1\r\n",
)


@pytest.mark.parametrize("head", REQUESTS)
def test_request_line_is_http_and_no_beginning_of_it_is_bytes(head: bytes) -> None:
    assert sniff(head) == "http"
    verdicts = [sniff(head[:size]) for size in range(len(head))]
    assert "bytes" not in verdicts
    assert verdicts == sorted(verdicts, reverse=True)  # undecided, then http for good


@pytest.mark.parametrize("head", OTHERS)
def test_what_is_no_request_line_is_bytes_and_no_beginning_of_it_is_http(head: bytes) -> None:
    assert sniff(head) == "bytes"
    assert "http" not in [sniff(head[:size]) for size in range(len(head))]


def test_nothing_says_nothing() -> None:
    assert sniff(b"") == sniff(b"\r") == sniff(b"\r\n") == "undecided"


@pytest.mark.parametrize(("begin", "verdict"), [(b"GET /", "http"), (b"PUT https://x/", "http"), (b"GET x", "bytes")])
def test_of_a_long_line_the_version_is_not_awaited(begin: bytes, verdict: str) -> None:
    long = begin.ljust(LONG_LINE_BYTES, b"a")
    assert sniff(long[:-1]) == "undecided"
    assert sniff(long) == verdict


@given(st.binary(max_size=64))
def test_a_verdict_holds_whatever_comes_behind(head: bytes) -> None:
    verdicts = [sniff(head[:size]) for size in range(len(head) + 1)]
    decided = [verdict for verdict in verdicts if verdict != "undecided"]
    assert len(set(decided)) <= 1
    assert verdicts == ["undecided"] * (len(verdicts) - len(decided)) + decided


@given(
    st.from_regex(rb"[A-Z]{1,24} [!-~]{1,200} HTTP/1\.[01]\r\n", fullmatch=True),
    st.integers(0, 300),
)
def test_any_request_line_is_http_or_undecided_at_each_of_its_bytes(line: bytes, size: int) -> None:
    assert sniff(line) == "http"
    assert sniff(line[:size]) in ("undecided", "http")
