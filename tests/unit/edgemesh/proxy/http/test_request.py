"""Reading requests, whole and in pieces; what is refused; h11 as a second opinion."""

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.edgemesh.names import Refusal
from edgecore.modules.edgemesh.proxy.http.body import CHUNKED
from edgecore.modules.edgemesh.proxy.http.head import forwarded_request
from edgecore.modules.edgemesh.proxy.http.request import END, RequestReader
from edgecore.modules.edgemesh.proxy.http.requesthead import RequestHead, parse_request

H = b"Host: x\r\n"


def request(*lines: bytes, first: bytes = b"GET / HTTP/1.1", host: bytes = b"Host: x") -> RequestHead:
    head = b"\r\n".join([first, host, *lines] if host else [first, *lines]) + b"\r\n\r\n"
    parsed = parse_request(head)
    assert isinstance(parsed, RequestHead)
    return parsed


def refusal(*lines: bytes, first: bytes = b"GET / HTTP/1.1", host: bytes = b"Host: x") -> tuple[int, str]:
    parsed = parse_request(b"\r\n".join([first, host, *lines] if host else [first, *lines]) + b"\r\n\r\n")
    assert isinstance(parsed, Refusal)
    return parsed.status, parsed.reason


def test_head_is_taken_apart() -> None:
    head = request(b"X-A: 1", first=b"DELETE /a?b HTTP/1.0")
    assert (head.method, head.path, head.minor, head.authority) == (b"DELETE", b"/a?b", 0, b"x")
    assert head.fields.lines == [b"Host: x", b"X-A: 1"]


def test_absolute_target_counts_more_than_the_host_header() -> None:
    head = request(first=b"GET http://other:8/p HTTP/1.1")
    assert (head.authority, head.path, head.absolute) == (b"other:8", b"/p", True)


@pytest.mark.parametrize(
    ("lines", "length"),
    [
        ((), 0),
        ((b"content-length: 12",), 12),
        ((b"TRANSFER-ENCODING: Chunked",), CHUNKED),
        ((b"Content-Length: 0",), 0),
    ],
)
def test_length_is_what_the_head_says(lines: tuple[bytes, ...], length: int) -> None:
    assert request(*lines).length == length


@pytest.mark.parametrize(
    ("first", "connection", "kept"),
    [
        (b"GET / HTTP/1.1", b"", True),
        (b"GET / HTTP/1.1", b"Connection: Close", False),
        (b"GET / HTTP/1.1", b"Connection: x , close", False),
        (b"GET / HTTP/1.0", b"", False),
        (b"GET / HTTP/1.0", b"Connection: Keep-Alive", True),
        (b"GET / HTTP/1.0", b"Connection: keep-alive, close", False),
    ],
)
def test_whether_the_connection_is_kept_depends_on_version_and_header(
    first: bytes, connection: bytes, kept: bool
) -> None:
    assert request(*([connection] if connection else []), first=first).keep_alive is kept


@pytest.mark.parametrize(
    ("lines", "first", "asked"),
    [
        ([b"Connection: Upgrade", b"Upgrade: websocket"], b"GET / HTTP/1.1", True),
        ([b"Connection: Upgrade"], b"GET / HTTP/1.1", False),
        ([b"Upgrade: websocket"], b"GET / HTTP/1.1", False),
        ([b"Connection: Upgrade", b"Upgrade: websocket"], b"GET / HTTP/1.0", False),
        ([b"Connection: Upgrade", b"Upgrade: h2c"], b"GET / HTTP/1.1", False),
        ([b"Connection: Upgrade", b"Upgrade: H2C/1"], b"GET / HTTP/1.1", False),
        ([b"Connection: Upgrade", b"Upgrade: websocket, h2C /2"], b"GET / HTTP/1.1", False),
        ([b"Connection: Upgrade", b"Upgrade: h2cx/1"], b"GET / HTTP/1.1", True),
        ([b"Connection: Upgrade", b"Upgrade: x", b"Content-Length: 1"], b"POST / HTTP/1.1", False),
    ],
)
def test_upgrade_is_asked_for_by_both_headers_without_a_body(lines: list[bytes], first: bytes, asked: bool) -> None:
    assert request(*lines, first=first).upgrade is asked


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (b"GET  / HTTP/1.1", (400, "bad_request_line")),
        (b"GET / HTTP/1.2", (400, "bad_request_line")),
        (b"GET / HTTP/0.9", (400, "bad_request_line")),
        (b"GET / HTTP/2.0", (400, "bad_request_line")),
        (b"GET / http/1.1", (400, "bad_request_line")),
        (b"GET /", (400, "bad_request_line")),
        (b"GET /\x7f HTTP/1.1", (400, "bad_request_line")),
        (b"GET * HTTP/1.1", (400, "bad_target")),
        (b"GET ftp://x/ HTTP/1.1", (400, "bad_target")),
        (b"CONNECT x:1 HTTP/1.1", (501, "connect_unsupported")),
    ],
)
def test_a_bad_first_line_is_refused_with_its_reason(first: bytes, expected: tuple[int, str]) -> None:
    assert refusal(first=first) == expected


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ([b"Host: y"], (400, "bad_host")),
        ([b"Content-Length: 1", b"Content-Length: 1"], (400, "bad_length")),
        ([b"Content-Length: 1", b"Content-Length: 2"], (400, "bad_length")),
        ([b"Content-Length: -1"], (400, "bad_length")),
        ([b"Content-Length: 0x1"], (400, "bad_length")),
        ([b"Content-Length: \xb2"], (400, "bad_length")),
        ([b"Content-Length: "], (400, "bad_length")),
        ([b"Content-Length: " + b"9" * 19], (400, "bad_length")),
        ([b"Content-Length: 1", b"Transfer-Encoding: chunked"], (400, "length_conflict")),
        ([b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"], (501, "unsupported_transfer_encoding")),
        ([b"Transfer-Encoding: identity"], (501, "unsupported_transfer_encoding")),
        ([b"Transfer-Encoding: chunked\x0b"], (400, "bad_header")),
        ([b"Transfer-Encoding : chunked"], (400, "bad_header")),
        ([b" Transfer-Encoding: chunked"], (400, "bad_header")),
        ([b"X: a", b" b"], (400, "bad_header")),
        ([b"X: a\nY: b"], (400, "bad_header")),
        ([b"X: a\rY: b"], (400, "bad_header")),
        ([b"X: \x00"], (400, "bad_header")),
        ([b"X(: a"], (400, "bad_header")),
        ([b": a"], (400, "bad_header")),
        ([b"colonless"], (400, "bad_header")),
    ],
)
def test_headers_that_are_refused_even_if_httptools_lets_them_pass(
    lines: list[bytes], expected: tuple[int, str]
) -> None:
    assert refusal(*lines) == expected


@pytest.mark.parametrize("host", [b"Host: a/b", b"Host: a@b", b"Host: a,b", b"Host: a b", b"Host: a:x", b"Host: [::1"])
def test_hosts_that_are_none_are_refused(host: bytes) -> None:
    assert refusal(host=host) == (400, "bad_host")


def test_http_1_1_needs_a_host_and_http_1_0_does_not() -> None:
    assert refusal(host=b"") == (400, "bad_host")
    assert request(host=b"", first=b"GET / HTTP/1.0").authority == b""


def test_body_ends_where_its_length_says_and_the_next_head_begins(read_requests) -> None:
    data = b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 3\r\n\r\nabcGET /next HTTP/1.1\r\n" + H + b"\r\n"
    first, body, end, second = read_requests([data])
    assert (first.length, body, end, second.path) == (3, b"abc", END, b"/next")


def test_next_head_is_not_looked_at_before_it_is_asked_for() -> None:
    reader = RequestReader(1000)
    reader.receive(b"GET / HTTP/1.1\r\n" + H + b"\r\nrubbish")
    assert isinstance(reader.next(), RequestHead)
    assert reader.pending
    assert reader.rest() == b"rubbish"
    assert not reader.pending


def test_empty_lines_before_a_request_are_skipped(read_requests) -> None:
    data = b"\r\n\r\nGET / HTTP/1.1\r\n" + H + b"\r\n\r\n"
    assert [event.path for event in read_requests([data])] == [b"/"]


def test_reader_knows_whether_a_head_has_begun() -> None:
    reader = RequestReader(1000)
    assert not reader.started
    reader.receive(b"\r\nGE")
    assert reader.next() is None
    assert reader.started


def test_refusal_is_for_good() -> None:
    reader = RequestReader(1000)
    reader.receive(b"rubbish")
    first = reader.next()
    reader.receive(b"GET / HTTP/1.1\r\n" + H + b"\r\n")
    assert isinstance(first, Refusal)
    assert reader.next() is first


def test_rubbish_is_refused_at_its_first_byte(read_requests) -> None:
    assert read_requests([b"\x16"])[0].reason == "not_http"


@pytest.mark.parametrize("size", [99, 100, 101])
def test_head_may_be_as_long_as_the_limit(read_requests, size: int) -> None:
    start = b"GET / HTTP/1.1\r\n" + H + b"X: "
    data = start + b"y" * (size - len(start) - 4) + b"\r\n\r\n"
    assert len(data) == size
    whole = read_requests([data], max_header_bytes=100)
    assert [getattr(event, "status", 200) for event in whole] == [200 if size <= 100 else 431]


def test_body_that_is_malformed_is_refused_after_what_came_before(read_requests) -> None:
    data = b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nX"
    _, body, fault = read_requests([data])
    assert (body, fault.status, fault.reason) == (b"3\r\nabc\r\n", 400, "bad_chunk")


@given(data=st.data())
def test_how_the_bytes_are_cut_up_does_not_matter(data, streams, read_requests, cut) -> None:
    stream = data.draw(streams)
    places = data.draw(st.lists(st.integers(0, 200), max_size=8))
    whole = read_requests([stream], max_header_bytes=120)
    assert read_requests(cut(stream, places), max_header_bytes=120) == whole
    assert read_requests([stream[at : at + 1] for at in range(len(stream))], max_header_bytes=120) == whole


_token = st.text("abcXYZ-_09", min_size=1, max_size=8).map(str.encode)
_value = st.text("abc ,;=\t\xe9", max_size=12).map(lambda text: text.encode("latin-1").strip(b" \t"))
_field = st.tuples(_token, _value)


@given(
    method=st.sampled_from([b"GET", b"POST", b"PUT", b"OPTIONS"]),
    path=st.text("abc/?=&%20", max_size=10).map(lambda text: b"/" + text.encode()),
    fields=st.lists(_field, max_size=6),
    options=st.lists(_token, max_size=3),
    body=st.none() | st.lists(st.binary(min_size=1, max_size=20), max_size=4),
)
def test_h11_sees_in_what_is_forwarded_the_request_that_was_sent(
    read_requests, method: bytes, path: bytes, fields: list, options: list, body: list[bytes] | None
) -> None:
    lines = [b"Host: x", *(b"%b: %b" % field for field in fields)]
    if options:
        lines.append(b"Connection: " + b", ".join(options))
    if body is not None:
        lines.append(b"Transfer-Encoding: chunked")
    sent = b"\r\n".join([b"%b %b HTTP/1.1" % (method, path), *lines, b"", b""])
    if body is not None:
        sent += b"".join(b"%X\r\n%b\r\n" % (len(chunk), chunk) for chunk in body) + b"0\r\n\r\n"
    head, *rest = read_requests([sent])
    forwarded = forwarded_request(head, b"default") + b"".join(piece for piece in rest if isinstance(piece, bytes))

    judge = h11.Connection(h11.SERVER)
    judge.receive_data(forwarded)
    seen = judge.next_event()
    data = b""
    while isinstance(event := judge.next_event(), h11.Data):
        data += bytes(event.data)
    assert isinstance(event, h11.EndOfMessage)
    assert judge.trailing_data == (b"", False)
    assert (seen.method, seen.target, data) == (method, path, b"".join(body or []))
    dropped = {option.lower() for option in options}
    expected = [(name.lower(), value) for name, value in fields if name.lower() not in dropped]
    framing = [(b"transfer-encoding", b"chunked")] if body is not None else []
    assert list(seen.headers) == [(b"host", b"x"), *expected, *framing]
