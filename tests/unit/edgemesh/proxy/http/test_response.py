"""Reading answers, whole and in pieces; where they end; h11 as a second opinion."""

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.edgemesh.names import Refusal
from edgecore.modules.edgemesh.proxy.http.body import CHUNKED, UNTIL_CLOSE
from edgecore.modules.edgemesh.proxy.http.head import forwarded_answer
from edgecore.modules.edgemesh.proxy.http.request import END
from edgecore.modules.edgemesh.proxy.http.response import ResponseReader
from edgecore.modules.edgemesh.proxy.http.responsehead import ResponseHead, parse_response


def answer(*lines: bytes, first: bytes = b"HTTP/1.1 200 OK", bare: bool = False) -> ResponseHead:
    parsed = parse_response(b"\r\n".join([first, *lines, b"", b""]), bare=bare)
    assert isinstance(parsed, ResponseHead)
    return parsed


@pytest.mark.parametrize(
    ("first", "lines", "length"),
    [
        (b"HTTP/1.1 200 OK", [b"Content-Length: 3"], 3),
        (b"HTTP/1.1 200 OK", [b"Transfer-Encoding: Chunked"], CHUNKED),
        (b"HTTP/1.1 200 OK", [], UNTIL_CLOSE),
        (b"HTTP/1.0 200 OK", [], UNTIL_CLOSE),
        (b"HTTP/1.1 204 No Content", [b"Content-Length: 3"], 0),
        (b"HTTP/1.1 304 Not Modified", [b"Content-Length: 3"], 0),
        (b"HTTP/1.1 103 Early Hints", [], 0),
        (b"HTTP/1.1 101 Switching Protocols", [], 0),
    ],
)
def test_length_follows_from_status_and_headers(first: bytes, lines: list[bytes], length: int) -> None:
    assert answer(*lines, first=first).length == length


def test_answer_to_head_has_no_body_whatever_it_says() -> None:
    assert answer(b"Content-Length: 3", bare=True).length == 0
    assert answer(b"Transfer-Encoding: chunked", bare=True).length == 0


@pytest.mark.parametrize(
    ("first", "lines", "kept"),
    [
        (b"HTTP/1.1 200 OK", [b"Content-Length: 0"], True),
        (b"HTTP/1.1 200 OK", [b"Content-Length: 0", b"Connection: close"], False),
        (b"HTTP/1.0 200 OK", [b"Content-Length: 0"], False),
        (b"HTTP/1.0 200 OK", [b"Content-Length: 0", b"Connection: keep-alive"], True),
        (b"HTTP/1.1 200 OK", [], False),
    ],
)
def test_backend_connection_is_kept_if_both_may(first: bytes, lines: list[bytes], kept: bool) -> None:
    assert answer(*lines, first=first).keep_alive is kept


def test_phrase_may_be_missing_or_odd() -> None:
    assert answer(first=b"HTTP/1.1 200").status_text == b"200"
    assert answer(first=b"HTTP/1.1 404 N\xf6 \xe4").status_text == b"404 N\xf6 \xe4"


@pytest.mark.parametrize(
    ("first", "lines"),
    [
        (b"HTTP/1.1 20 OK", []),
        (b"HTTP/1.1 099 OK", []),
        (b"HTTP/2.0 200 OK", []),
        (b"HTTP/1.1  200 OK", []),
        (b"200 OK", []),
        (b"HTTP/1.1 200 OK", [b"X : y"]),
        (b"HTTP/1.1 200 OK", [b"X: a", b" b"]),
        (b"HTTP/1.1 200 OK", [b"Content-Length: 1", b"Content-Length: 1"]),
        (b"HTTP/1.1 200 OK", [b"Content-Length: x"]),
        (b"HTTP/1.1 200 OK", [b"Content-Length: 1", b"Transfer-Encoding: chunked"]),
        (b"HTTP/1.1 200 OK", [b"Transfer-Encoding: gzip"]),
        (b"HTTP/1.0 200 OK", [b"Transfer-Encoding: chunked"]),
    ],
)
def test_an_answer_with_a_bad_status_line_header_or_length_is_refused(first: bytes, lines: list[bytes]) -> None:
    parsed = parse_response(b"\r\n".join([first, *lines, b"", b""]), bare=False)
    assert isinstance(parsed, Refusal)
    assert (parsed.status, parsed.reason) == (502, "bad_response")


def test_interim_heads_come_before_the_final_one(read_answer) -> None:
    data = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    *heads, body, end = read_answer([data])
    assert [(head.status, head.interim) for head in heads] == [(100, True), (103, True), (200, False)]
    assert (body, end) == (b"ok", END)


def test_answer_until_close_ends_with_the_connection(read_answer) -> None:
    data = b"HTTP/1.1 200 OK\r\n\r\nall there is"
    assert read_answer([data])[1:] == [b"all there is"]
    assert read_answer([data], closed=True)[1:] == [b"all there is", END]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "backend_closed"),
        (b"HTTP/1.1 200", "bad_response"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", "backend_closed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", "short_body"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n", "short_body"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx", "bad_chunk"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 200, "bad_response"),
    ],
)
def test_connection_that_ends_too_early_says_where(read_answer, data: bytes, reason: str) -> None:
    fault = read_answer([data], closed=True, max_header_bytes=100)[-1]
    assert (fault.status, fault.reason) == (502, reason)


def test_what_follows_an_upgrade_is_given_away() -> None:
    reader = ResponseReader(1000)
    reader.receive(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n\x81\x00")
    head = reader.next()
    assert isinstance(head, ResponseHead)
    assert (head.interim, reader.rest(), reader.pending) == (False, b"\x81\x00", False)


def test_chunks_are_taken_off_for_who_does_not_know_them(read_answer) -> None:
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n"
    assert read_answer([data], framed=False)[1:] == [b"abcde", END]


@given(data=st.data(), closed=st.booleans(), bare=st.booleans(), framed=st.booleans())
def test_how_the_bytes_are_cut_up_does_not_matter(data, streams, read_answer, cut, closed, bare, framed) -> None:
    stream = data.draw(streams)
    places = data.draw(st.lists(st.integers(0, 200), max_size=8))
    options = {"closed": closed, "bare": bare, "framed": framed, "max_header_bytes": 120}
    whole = read_answer([stream], **options)
    assert read_answer(cut(stream, places), **options) == whole
    assert read_answer([stream[at : at + 1] for at in range(len(stream))], **options) == whole


_field = st.tuples(
    st.text("abcXYZ-_09", min_size=1, max_size=8).map(str.encode),
    st.text("abc ,;=\xe9", max_size=12).map(lambda text: text.encode("latin-1").strip()),
)


@given(
    status=st.sampled_from([200, 206, 404, 500]),
    fields=st.lists(_field, max_size=6),
    chunks=st.lists(st.binary(min_size=1, max_size=20), max_size=4),
    chunked=st.booleans(),
)
def test_h11_sees_in_what_is_forwarded_the_answer_that_was_sent(
    read_answer, status: int, fields: list, chunks: list[bytes], chunked: bool
) -> None:
    content = b"".join(chunks)
    framing = (b"transfer-encoding", b"chunked") if chunked else (b"content-length", b"%d" % len(content))
    lines = [b"%b: %b" % field for field in [*fields, framing]]
    sent = b"\r\n".join([b"HTTP/1.1 %d Some Phrase" % status, *lines, b"", b""])
    sent += b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in chunks) + b"0\r\n\r\n" if chunked else content
    head, *rest = read_answer([sent])
    forwarded = forwarded_answer(head, framed=True, connection=b"")
    forwarded += b"".join(piece for piece in rest if isinstance(piece, bytes))

    judge = h11.Connection(h11.CLIENT)
    judge.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))
    judge.send(h11.EndOfMessage())
    judge.receive_data(forwarded)
    seen = judge.next_event()
    data = b""
    while isinstance(event := judge.next_event(), h11.Data):
        data += bytes(event.data)
    assert isinstance(event, h11.EndOfMessage)
    assert (seen.status_code, seen.reason, data) == (status, b"Some Phrase", content)
    assert list(seen.headers) == [(name.lower(), value) for name, value in [*fields, framing]]
