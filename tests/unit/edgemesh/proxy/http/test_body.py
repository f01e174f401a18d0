"""Bodies being passed on: where they end, what is written, what is no body."""

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgecore.modules.edgemesh.proxy.http.body import (
    UNTIL_CLOSE,
    Body,
    ChunkedBody,
    PlainBody,
    body_of,
    is_whole_chunked,
)


def passed(body: Body, data: bytes) -> tuple[bytes, int]:
    out: list[bytes] = []
    at = body.take(data, 0, out)
    return b"".join(out), at


def chunked(*, framed: bool = True, room: int = 100) -> ChunkedBody:
    return ChunkedBody(framed=framed, max_trailer_bytes=room)


def test_plain_body_takes_its_length_and_no_more() -> None:
    body = PlainBody(5)
    assert passed(body, b"abc") == (b"abc", 3)
    assert not body.done
    assert passed(body, b"defgh") == (b"de", 2)
    assert body.done


def test_plain_body_passes_whole_data_without_a_copy() -> None:
    data = b"x" * 1000
    out: list[bytes] = []
    PlainBody(2000).take(data, 0, out)
    assert out[0] is data


def test_body_until_close_takes_everything_and_never_ends() -> None:
    body = PlainBody(UNTIL_CLOSE)
    assert passed(body, b"abc") == (b"abc", 3)
    assert not body.done


def test_empty_body_is_done_at_once() -> None:
    assert body_of(0, framed=True, max_trailer_bytes=0).done


def test_chunks_are_written_anew_without_what_they_need_not_have() -> None:
    body = chunked()
    assert passed(body, b"0005;name=value\r\nhello\r\n000\r\n\r\nnext") == (b"5\r\nhello\r\n0\r\n\r\n", 31)
    assert body.done


def test_chunk_passes_before_it_is_complete() -> None:
    assert passed(chunked(), b"ff\r\nab") == (b"ff\r\nab", 6)


def test_chunks_are_taken_off_when_not_framed() -> None:
    body = chunked(framed=False)
    assert passed(body, b"3\r\nabc\r\n3\r\ndef\r\n0\r\nX: y\r\n\r\n")[0] == b"abcdef"
    assert body.done


def test_trailers_pass_but_for_those_that_would_change_the_message() -> None:
    trailers = b"X-Sum: 1\r\nContent-Length: 5\r\nTRANSFER-ENCODING: x\r\nHost: h\r\nx-b: 2\r\n"
    assert passed(chunked(), b"0\r\n" + trailers + b"\r\n")[0] == b"0\r\nX-Sum: 1\r\nx-b: 2\r\n\r\n"


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"x\r\n", "bad_chunk"),
        (b"\r\n", "bad_chunk"),
        (b"-1\r\n", "bad_chunk"),
        (b"+1\r\n", "bad_chunk"),
        (b"0x1\r\n", "bad_chunk"),
        (b"1 \r\n", "bad_chunk"),
        (b" 1\r\n", "bad_chunk"),
        (b"1_0\r\n", "bad_chunk"),
        (b"1\n", "bad_chunk"),
        (b"1\rx", "bad_chunk"),
        (b"1;a\x00\r\n", "bad_chunk"),
        (b"1;" + b"a" * 5000, "bad_chunk"),
        (b"f" * 16 + b"\r\n", "bad_chunk"),
        (b"3\r\nabcd\r\n", "bad_chunk"),
        (b"3\r\nabc\n", "bad_chunk"),
        (b"3\r\nabc\r\r", "bad_chunk"),
        (b"0\r\nX : y\r\n", "bad_trailer"),
        (b"0\r\n folded\r\n", "bad_trailer"),
        (b"0\r\nX: y\n", "bad_trailer"),
        (b"0\r\nX: " + b"y" * 100, "bad_trailer"),
        (b"0\r\n" + b"X: yyyy\r\n" * 12, "bad_trailer"),
    ],
)
def test_bytes_that_are_no_chunks_are_a_fault(data: bytes, fault: str) -> None:
    body = chunked()
    passed(body, data)
    assert (body.fault, body.done) == (fault, False)


def test_nothing_is_taken_after_a_fault() -> None:
    body = chunked()
    passed(body, b"x\r\n")
    assert passed(body, b"3\r\nabc\r\n") == (b"", 0)


@given(
    chunks=st.lists(st.binary(min_size=1, max_size=300), max_size=5),
    places=st.lists(st.integers(0, 1000), max_size=6),
    framed=st.booleans(),
)
def test_what_passes_does_not_depend_on_how_it_is_cut_up(cut, chunks: list[bytes], places, framed: bool) -> None:
    data = b"".join(b"%X\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\nX: y\r\n\r\n"
    whole, in_pieces, in_bytes = (chunked(framed=framed) for _ in range(3))
    expected = passed(whole, data)[0]
    assert b"".join(passed(in_pieces, piece)[0] for piece in cut(data, places)) == expected
    assert b"".join(passed(in_bytes, data[at : at + 1])[0] for at in range(len(data))) == expected
    assert (whole.done, in_pieces.done, in_bytes.done) == (True, True, True)


@given(st.lists(st.sampled_from([b"3", b"0", b"a", b"\r\n", b"\n", b";x", b"abc", b"X: y", b" "]), max_size=12))
def test_h11_never_finds_a_fault_in_what_passes(parts: list[bytes]) -> None:
    body = chunked()
    out, _ = passed(body, b"".join(parts))
    judge = h11.Connection(h11.SERVER)
    judge.receive_data(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + out)
    while (event := judge.next_event()) is not h11.NEED_DATA:
        if isinstance(event, h11.EndOfMessage):
            break
    assert isinstance(event, h11.EndOfMessage) == body.done


_parts = [b"3\r\nabc\r\n", b"03\r\nabc\r\n", b"A\r\n0123456789\r\n", b"0\r\n\r\n", b"0\r\n", b"\r\n", b"x"]


@given(st.lists(st.sampled_from(_parts)))
def test_body_that_is_whole_is_passed_on_as_it_is(parts: list[bytes]) -> None:
    data = b"..." + b"".join(parts)
    body, out = ChunkedBody(framed=True, max_trailer_bytes=100), list[bytes]()
    end = body.take(data, 3, out)
    same = body.done and not body.fault and end == len(data) and b"".join(out) == data[3:]
    assert is_whole_chunked(data, 3) is same
