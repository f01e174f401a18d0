"""Header lines: what is one, and how they are looked up."""

import pytest

from edgecore.modules.edgemesh.proxy.http.fields import parse_fields


def test_lines_keep_order_and_spelling() -> None:
    fields = parse_fields(b"X-B: 1\r\nx-a:2\r\nX-b:\t3 \r\n")
    assert fields is not None
    assert fields.lines == [b"X-B: 1", b"x-a:2", b"X-b:\t3 "]
    assert fields.values(b"x-b") == [b"1", b"3"]


def test_block_without_lines_is_empty() -> None:
    fields = parse_fields(b"")
    assert fields is not None
    assert (fields.names, fields.lines) == ([], [])


def test_lists_are_joined_over_lines_and_lose_case_and_gaps() -> None:
    fields = parse_fields(b"Connection: Keep-Alive ,, x\r\nconnection: Y\r\n")
    assert fields is not None
    assert fields.tokens(b"connection") == [b"keep-alive", b"x", b"y"]


@pytest.mark.parametrize(
    "block",
    [
        b"a\r\n",
        b": a\r\n",
        b"a : b\r\n",
        b" a: b\r\n",
        b"a: b\n",
        b"a: b",
        b"a: \x00\r\n",
        b"a: b\rc\r\n",
        b"a@: b\r\n",
    ],
)
def test_what_is_no_line_is_refused(block: bytes) -> None:
    assert parse_fields(b"ok: ok\r\n" + block) is None


def test_every_character_of_a_token_may_be_in_a_name() -> None:
    assert parse_fields(b"!#$%&'*+-.^_`|~09azAZ: \x80\xff\t\r\n") is not None
