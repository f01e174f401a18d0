"""What is forwarded of a head, byte for byte."""

import pytest

from edgecore.modules.edgemesh.proxy.http.head import connection_value, forwarded_answer, forwarded_request
from edgecore.modules.edgemesh.proxy.http.requesthead import RequestHead, parse_request
from edgecore.modules.edgemesh.proxy.http.responsehead import ResponseHead, parse_response


def to_backend(*lines: bytes, first: bytes = b"GET / HTTP/1.1") -> list[bytes]:
    head = parse_request(b"\r\n".join([first, *lines, b"", b""]))
    assert isinstance(head, RequestHead)
    forwarded = forwarded_request(head, b"default:80")
    assert forwarded.endswith(b"\r\n\r\n")
    return forwarded[:-4].split(b"\r\n")


def to_client(
    *lines: bytes, first: bytes = b"HTTP/1.1 200 OK", framed: bool = True, connection: bytes = b"", bare: bool = False
) -> list[bytes]:
    head = parse_response(b"\r\n".join([first, *lines, b"", b""]), bare=bare)
    assert isinstance(head, ResponseHead)
    forwarded = forwarded_answer(head, framed=framed, connection=connection)
    assert forwarded.endswith(b"\r\n\r\n")
    return forwarded[:-4].split(b"\r\n")


def test_ordinary_request_is_forwarded_as_it_is() -> None:
    lines = [b"user-agent: x", b"HOST: a:1", b"X-A: 1", b"Cookie: b", b"X-A: 2", b"Content-Length: 3"]
    assert to_backend(*lines) == [b"GET / HTTP/1.1", *lines]


def test_hop_by_hop_headers_stay_behind() -> None:
    sent = to_backend(
        b"Host: a",
        b"Connection: keep-alive, X-Mine",
        b"Keep-Alive: timeout=5",
        b"Proxy-Connection: keep-alive",
        b"x-mine: 1",
        b"X-Other: 2",
        b"Upgrade: websocket",
    )
    assert sent == [b"GET / HTTP/1.1", b"Host: a", b"X-Other: 2"]


def test_connection_header_cannot_take_away_what_the_message_is_read_by() -> None:
    sent = to_backend(b"Host: a", b"Content-Length: 3", b"Connection: host, content-length, transfer-encoding")
    assert sent == [b"GET / HTTP/1.1", b"Host: a", b"Content-Length: 3"]


def test_transfer_encoding_is_written_anew_in_its_place() -> None:
    assert to_backend(b"Host: a", b"TRANSFER-ENCODING:  Chunked", b"X: y")[2:] == [
        b"Transfer-Encoding: chunked",
        b"X: y",
    ]


def test_trailers_are_asked_for_if_the_client_takes_them() -> None:
    assert to_backend(b"Host: a", b"TE: gzip, trailers")[2:] == [b"TE: trailers", b"Connection: TE"]
    assert to_backend(b"Host: a", b"TE: gzip")[2:] == []


def test_upgrade_goes_with_the_request_for_it() -> None:
    sent = to_backend(b"Host: a", b"Upgrade: websocket", b"Connection: Upgrade")
    assert sent[2:] == [b"Upgrade: websocket", b"Connection: Upgrade"]


def test_absolute_target_becomes_a_path_and_the_host() -> None:
    sent = to_backend(b"X: y", b"host: lie", first=b"GET http://real:8?q HTTP/1.1")
    assert sent == [b"GET /?q HTTP/1.1", b"X: y", b"host: real:8"]


def test_request_of_http_1_0_becomes_one_of_http_1_1() -> None:
    assert to_backend(b"Expect: 100-continue", first=b"GET / HTTP/1.0") == [b"GET / HTTP/1.1", b"Host: default:80"]
    assert to_backend(first=b"GET http://a/ HTTP/1.0") == [b"GET / HTTP/1.1", b"Host: a"]


def test_expect_of_http_1_1_is_forwarded() -> None:
    assert b"Expect: 100-continue" in to_backend(b"Host: a", b"Expect: 100-continue", b"Content-Length: 1")


def test_ordinary_answer_is_forwarded_as_it_is() -> None:
    lines = [b"server: x", b"Set-Cookie: a", b"Set-Cookie: b", b"Content-Length: 3"]
    assert to_client(*lines, first=b"HTTP/1.0 404 Odd") == [b"HTTP/1.1 404 Odd", *lines]


def test_what_concerns_the_backend_connection_stays_behind() -> None:
    sent = to_client(b"Connection: close, X-Mine", b"Keep-Alive: a", b"X-Mine: 1", b"Upgrade: h2", b"Content-Length: 0")
    assert sent[1:] == [b"Content-Length: 0"]


def test_chunks_are_announced_to_who_knows_them() -> None:
    assert to_client(b"Transfer-Encoding: chunked")[1:] == [b"Transfer-Encoding: chunked"]
    assert to_client(b"Transfer-Encoding: chunked", framed=False, connection=b"close")[1:] == [b"Connection: close"]
    assert to_client(b"Transfer-Encoding: chunked", bare=True)[1:] == []


@pytest.mark.parametrize("first", [b"HTTP/1.1 204 No Content", b"HTTP/1.1 103 Early Hints"])
def test_length_is_dropped_where_it_must_not_be(first: bytes) -> None:
    assert to_client(b"Content-Length: 3", first=first) == [first]


def test_length_is_kept_where_it_tells_of_another_answer() -> None:
    assert to_client(b"Content-Length: 3", first=b"HTTP/1.1 304 Not Modified")[1:] == [b"Content-Length: 3"]
    assert to_client(b"Content-Length: 3", bare=True)[1:] == [b"Content-Length: 3"]


def test_upgrade_is_announced_with_101_and_offered_with_426() -> None:
    switching = to_client(b"Connection: Upgrade", b"Upgrade: x", first=b"HTTP/1.1 101 Switching Protocols")
    assert switching[1:] == [b"Upgrade: x", b"Connection: Upgrade"]
    offered = to_client(b"Upgrade: x, y", first=b"HTTP/1.1 426 Upgrade Required", connection=b"close")
    assert offered[1:] == [b"Upgrade: x, y", b"Connection: Upgrade, close"]


@pytest.mark.parametrize(
    ("version", "keep", "value"),
    [(b"1.1", True, b""), (b"1.1", False, b"close"), (b"1.0", True, b"keep-alive"), (b"1.0", False, b"close")],
)
def test_client_is_told_of_its_connection_where_it_would_not_know(version: bytes, keep: bool, value: bytes) -> None:
    head = parse_request(b"GET / HTTP/%b\r\nHost: a\r\n\r\n" % version)
    assert isinstance(head, RequestHead)
    assert connection_value(head, keep=keep) == value
