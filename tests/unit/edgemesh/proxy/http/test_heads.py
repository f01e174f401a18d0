"""Heads read the quick way and the thorough way, and heads that are remembered."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edgecore.modules.edgemesh.names import Refusal
from edgecore.modules.edgemesh.proxy.http.framing import METHODS, BadHead, judge_request, judge_response
from edgecore.modules.edgemesh.proxy.http.head import forwarded_answer, forwarded_request
from edgecore.modules.edgemesh.proxy.http.heads import Heads
from edgecore.modules.edgemesh.proxy.http.requesthead import RequestHead, parse_request, read_request
from edgecore.modules.edgemesh.proxy.http.responsehead import ResponseHead, parse_response, read_response

_LINES = [
    b"Host: x",
    b"host:a.b:80 ",
    b"Host: x:0",
    b"Host: [::1]:8",
    b"Host: a b",
    b"Host: ",
    b"Connection: keep-alive",
    b"connection: close",
    b"Connection: Close",
    b"Connection: close, x-mine",
    b"Keep-Alive: timeout=5",
    b"X-Mine: 1",
    b"Proxy-Connection: keep-alive",
    b"Content-Length: 3",
    b"Content-Length: 0",
    b"content-length:\t12 ",
    b"Content-Length: 1\t",
    b"Content-Length: +1",
    b"Content-Length: " + b"9" * 19,
    b"Transfer-Encoding: chunked",
    b"transfer-encoding: chunked",
    b"Transfer-Encoding: gzip, chunked",
    b"Expect: 100-continue",
    b"TE: trailers",
    b"Upgrade: websocket",
    b"X: \xe9",
    b"X:",
    b"X-Connection: close",
    b" folded",
    b"no colon",
    b"X : y",
    b"X: a\rb",
    b"X: a\nb",
    b"X: \x00",
]
_lines = st.lists(st.sampled_from(_LINES), max_size=6)
_requests = st.sampled_from(
    [
        b"GET / HTTP/1.1",
        b"POST /a?b HTTP/1.1",
        b"GET /\xe9 HTTP/1.1",
        b"GET /a#b HTTP/1.1",
        b'GET /"<>\\^`{|} HTTP/1.1',
        b"OPTIONS * HTTP/1.1",
        b"GET http://x/ HTTP/1.1",
        b"GET / HTTP/1.0",
        b"PROPFIND / HTTP/1.1",
        b"BREW / HTTP/1.1",
        b"get / HTTP/1.1",
        b"GET  / HTTP/1.1",
    ]
)
_answers = st.sampled_from(
    [
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 404 Not Found",
        b"HTTP/1.1 200 ",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 \xe9",
        b"HTTP/1.1 204 No Content",
        b"HTTP/1.1 304 Not Modified",
        b"HTTP/1.1 101 Switching Protocols",
        b"HTTP/1.1 100 Continue",
        b"HTTP/1.0 200 OK",
        b"HTTP/1.1 99 No",
    ]
)


def head_of(first: bytes, lines: list[bytes]) -> bytes:
    return b"\r\n".join([first, *lines, b"", b""])


def plain(head: Any) -> Any:
    """Return what a head says, without what is worked out later."""
    if isinstance(head, Refusal):
        return head
    return {name: getattr(head, name) for name in head.__struct_fields__ if name != "ready"}


def objection_to(judge: Callable[[bytes], None], head: bytes) -> str:
    """Return what httptools says against a head; empty if nothing."""
    try:
        judge(head)
    except BadHead as bad:
        return bad.why
    return ""


@given(_requests, _lines)
@example(b"GET / HTTP/1.1", [b"Host: x", b"Content-Length: 1\t"])
@example(b"GET / HTTP/1.1", [b"Host: ", b"Host: x"])
@example(b"GET / HTTP/1.1", [b"Host: x", b"connection: close", b"Connection: keep-alive", b"Keep-Alive: timeout=5"])
def test_quick_way_and_thorough_way_of_reading_a_request_agree(first: bytes, lines: list[bytes]) -> None:
    head = head_of(first, lines)
    quick = read_request(head)
    objection = objection_to(judge_request, head)
    if objection:
        assert isinstance(quick, Refusal)
        assert quick.text.endswith(objection)
        return
    thorough = parse_request(head)
    assert plain(quick) == plain(thorough)
    if isinstance(quick, RequestHead) and isinstance(thorough, RequestHead):
        assert forwarded_request(quick, b"d") == forwarded_request(thorough, b"d")


@given(_answers, _lines, st.booleans(), st.sampled_from([b"", b"close", b"keep-alive"]))
def test_quick_way_and_thorough_way_of_reading_an_answer_agree(
    first: bytes, lines: list[bytes], framed: bool, connection: bytes
) -> None:
    head = head_of(first, lines)
    quick = read_response(head)
    objection = objection_to(judge_response, head)
    if objection:
        assert isinstance(quick, Refusal)
        assert quick.text.endswith(objection)
        return
    thorough = parse_response(head, bare=False)
    assert plain(quick) == plain(thorough)
    if isinstance(quick, ResponseHead) and isinstance(thorough, ResponseHead):
        expected = forwarded_answer(thorough, framed=framed, connection=connection)
        assert forwarded_answer(quick, framed=framed, connection=connection) == expected
        assert forwarded_answer(quick, framed=framed, connection=connection) == expected  # and again, remembered


@pytest.mark.parametrize("method", sorted(METHODS - {b"CONNECT"}))
def test_methods_that_httptools_knows_are_forwarded(method: bytes) -> None:
    head = read_request(method + b" / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert isinstance(head, RequestHead)
    assert head.method == method


@pytest.mark.parametrize("method", [b"BREW", b"X", b"GETS", b"A-B_C9", b"DESCRIBE", b"PRI"])
def test_methods_that_it_does_not_know_are_not_implemented(method: bytes) -> None:
    found = read_request(method + b" / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert isinstance(found, Refusal)
    assert (found.status, found.reason) == (501, "unknown_method")


def test_head_is_read_once() -> None:
    heads = Heads(read_request)
    head = head_of(b"GET / HTTP/1.1", [b"Host: x"])
    assert heads.read(head) is heads.read(bytes(bytearray(head)))
    assert heads.recent[head] is heads.read(head)


def test_heads_that_are_not_seen_again_are_forgotten() -> None:
    heads = Heads(read_request, max_number=4)
    often = head_of(b"GET /often HTTP/1.1", [b"Host: x"])
    known = heads.read(often)
    for number in range(100):
        heads.read(head_of(b"GET /%d HTTP/1.1" % number, [b"Host: x"]))
        assert heads.read(often) is known
        assert len(heads.recent) <= 4


def test_long_heads_and_bad_ones_are_not_kept() -> None:
    heads = Heads(read_request, max_bytes=100)
    heads.read(head_of(b"GET / HTTP/1.1", [b"Host: x", b"X: " + b"y" * 100]))
    assert isinstance(heads.read(b"rubbish\r\n\r\n"), Refusal)
    assert heads.recent == {}
