"""Heads cut out of a stream, and what httptools says of them."""

import pytest

from edgecore.modules.edgemesh.proxy.http.framing import BadHead, HeadCutter, RequestCutter, judge_response

HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"


def test_head_in_the_middle_of_data_is_found() -> None:
    cutter = RequestCutter(100)
    assert cutter.cut(b"..." + HEAD + b"rest", 3) == (HEAD, 3 + len(HEAD))


def test_head_in_two_pieces_is_put_together() -> None:
    for place in range(1, len(HEAD)):
        cutter = RequestCutter(100)
        assert cutter.cut(HEAD[:place], 0) == (None, place)
        assert cutter.started
        assert cutter.cut(HEAD[place:] + b"rest", 0) == (HEAD, len(HEAD) - place)
        assert not cutter.started


def test_the_next_head_is_cut_where_the_last_one_ended() -> None:
    cutter = RequestCutter(100)
    _, at = cutter.cut(HEAD + HEAD, 0)
    assert cutter.cut(HEAD + HEAD, at) == (HEAD, 2 * len(HEAD))


def test_head_of_an_upgrade_is_a_head() -> None:
    head = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"
    assert HeadCutter(100).cut(head + b"\x00", 0) == (head, len(head))
    judge_response(head)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x16", "not_http"),
        (b"GET \x01", "bad_target"),
        (b"GET / HTTP/3.0\r\n", "bad_request_line"),
        (b"GET / HTTP/1.1\n", "bad_request_line"),
        (b"GET / HTTP/1.1\r\nA B", "bad_header"),
        (b"GET / HTTP/1.1\r\nContent-Length: a", "bad_length"),
        (b"GET / HTTP/1.1\r\nX: " + b"y" * 100, "header_too_large"),
    ],
)
def test_reason_is_a_word_and_comes_at_the_first_wrong_byte(data: bytes, reason: str) -> None:
    with pytest.raises(BadHead) as caught:
        RequestCutter(100).cut(data, 0)
    assert caught.value.reason == reason
