"""What clients sent to the Go proxy, sent to ours: the same bytes come back where Go was right, others where not."""

import gzip
import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from edgecore.modules.edgemesh.names import Refusal

MIB = 1024 * 1024
DATA = Path(__file__).parents[3] / "data" / "http.jsonl"

PLAIN = b"Content-Type: text/plain\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\nServer: rig\r\nX-Backend: 8000\r\n"
WEBSOCKET = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


class Closing(bytes):
    """An answer after which the backend closes."""

    closes = True


def rig_answers(entries: dict[str, Any]) -> dict[bytes, bytes]:
    """Return by path what the backends of the recording sent, as far as it was not the usual answer."""
    packed = entries["gzip with Accept-Encoding"]["events"][2]["data"].encode("latin-1").partition(b"\r\n\r\n")[2]
    assert gzip.decompress(packed) == b"hello gzip\n" * 10
    return {
        b"/404": b"HTTP/1.1 404 Not Found\r\nContent-Length: 10\r\nContent-Type: text/plain\r\nX-Backend: 8000\r\n"
        b"\r\nnot found\n",
        b"/204": b"HTTP/1.1 204 No Content\r\nX-Backend: 8000\r\n\r\n",
        b"/304": b'HTTP/1.1 304 Not Modified\r\nEtag: "x"\r\n\r\n',
        b"/500": b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 5\r\n\r\noops\n",
        b"/redirect": b"HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n",
        b"/chunked": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n"
        + b"6\r\nhello\n\r\n" * 3
        + b"0\r\nX-T: v\r\n\r\n",
        b"/close": b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\n\r\nuntil close\n",
        b"/http10": Closing(b"HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nhttp10 body\n"),
        b"/gzip": b"HTTP/1.1 200 OK\r\nContent-Length: 34\r\nContent-Encoding: gzip\r\n\r\n" + packed,
        b"/multi": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Lower: v\r\n"
        b"\r\nok\n",
        b"/big": b"HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n\r\n" + b"x" * 10 * MIB,
        b"/slow?3": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nslow\n",
        b"/drop": Closing(b""),
        b"/garbage": Closing(b"HTTP garbage\r\n\r\n"),
        b"/short": Closing(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"),
        b"/ws": WEBSOCKET,
    }


@pytest.fixture
def entries() -> dict[str, Any]:
    lines = DATA.read_text("utf-8").splitlines()
    return {entry["desc"]: entry for entry in map(json.loads, reversed(lines))}  # the first of each description


@pytest.fixture
def client(rig, entries: dict[str, Any]):
    """Connect to a proxy before the backends of the recording."""
    answers = rig_answers(entries)

    def script(request: Any) -> bytes:
        body = b"backend 8000 %b %b body=%d\n" % (request.method, request.target, len(request.body))
        usual = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n" % len(body) + PLAIN + b"\r\n"
        return answers.get(request.target, usual + (b"" if request.method == b"HEAD" else body))

    async def connect():
        backend = await rig.backend(script)
        return backend, await rig.client()

    return connect


def sent(entry: dict[str, Any]) -> list[bytes]:
    """Return what the client sent. Long data was not recorded whole: it went on as it began."""
    pieces = [(event["data"].encode("latin-1"), event["n"]) for event in entry["events"] if event["ev"] == "sent"]
    return [data + data[-1:] * (number - len(data)) for data, number in pieces]


def received(entry: dict[str, Any]) -> bytes:
    return b"".join(event["data"].encode("latin-1") for event in entry["events"] if event["ev"] == "recv")


@pytest.mark.parametrize(
    "desc",
    [
        "GET",
        "keep-alive 3 requests",
        "404",
        "204",
        "304",
        "500",
        "HEAD",
        "OPTIONS *",
        "DELETE",
        "PUT with body",
        "POST body in 2nd packet",
        "chunked response with trailer",
        "gzip with Accept-Encoding",
        "multi Set-Cookie, lower-case header",
        "request headers passed?",
        "big POST 5MiB",
        "slow 3 s",
        "absolute URI",
        "nginx-svc conn, Host of headless-svc (host header decides)",
        "name.ns. with trailing dot",
        "from a pod netns (PREROUTING)",
    ],
)
async def test_where_go_was_right_the_same_bytes_come_back(client, entries, desc: str) -> None:
    _, connection = await client()
    for piece in sent(entries[desc]):
        await connection.send(piece)
    expected = received(entries[desc])
    assert await connection.exactly(len(expected)) == expected


async def test_chunked_request_arrives_as_its_body(client, entries) -> None:
    entry = entries["POST chunked request"]
    backend, connection = await client()
    await connection.send(sent(entry)[0])
    assert b"body=15\n" in received(entry)  # that backend counted the bytes of the chunks, frames included
    assert (await connection.answer())[2] == b"backend 8000 POST /post body=5\n"
    assert backend.requests[0].values(b"transfer-encoding") == [b"chunked"]


async def test_big_answer_comes_whole(client, entries) -> None:
    entry = entries["big 10MiB response"]
    _, connection = await client()
    await connection.send(sent(entry)[0])
    answer = await connection.exactly(entry["total"])
    assert answer.startswith(b"HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n\r\nxxx")


class Row(NamedTuple):
    """One entry with two answers: the first lines, and what ours ends with."""

    desc: str
    go: bytes
    ours: bytes
    ends: bytes
    closed: bool = False
    """Our proxy closes after it."""


OK = b"HTTP/1.1 200 OK"
HELLO = b"backend 8000 GET /hello body=0\n"
BAD_REQUEST = b"HTTP/1.1 400 Bad Request"
BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway"
NOTHING = b""

ROWS = [
    Row(
        "302 to itself (followed or passed?)", OK, b"HTTP/1.1 302 Found", b"Location: /ok\r\nContent-Length: 0\r\n\r\n"
    ),
    Row("response until close", OK, OK, b"Connection: close\r\n\r\nuntil close\n", closed=True),
    Row(
        "HTTP/1.0 backend response",
        b"HTTP/1.0 200 OK",
        OK,
        b"Connection: close\r\n\r\nhttp10 body\n",
        closed=True,
    ),
    Row("HTTP/1.0 client", OK, OK, b"Connection: close\r\n\r\n" + HELLO, closed=True),
    Row("HTTP/1.0 client keep-alive", OK, OK, b"Connection: keep-alive\r\n\r\n" + HELLO),
    Row("Connection: close", OK, OK, b"Connection: close\r\n\r\n" + HELLO, closed=True),
    Row("backend drops", b'HTTP/0.0 503 Get "http://10.66.0.1:8000/drop": EOF', BAD_GATEWAY, b" without an answer\n"),
    Row(
        "backend garbage",
        b'HTTP/0.0 503 Get "http://10.66.0.2:8000/garbage": net/http: HTTP/1.x transport connection broken: '
        b'malformed HTTP status code "HTTP"',
        BAD_GATEWAY,
        b" malformed: Expected HTTP/, RTSP/ or ICE/\n",
    ),
    Row("backend short body", b"HTTP/0.0 503 unexpected EOF", OK, b"short", closed=True),
    Row(
        "unknown host header (other name)",
        b"HTTP/0.0 503 lb: service length from meta db is 0",
        OK,
        HELLO,
    ),
    Row(
        "host without port (=> port 80)",
        b"HTTP/0.0 503 lb: port 80 not found in svc: default.nginx-svc",
        OK,
        HELLO,
    ),
    Row("host short nginx-svc.default:12345", b"HTTP/0.0 503 lb: service length from meta db is 0", OK, HELLO),
    Row("host nginx-svc:12345", b"HTTP/0.0 503 lb: service length from meta db is 0", OK, HELLO),
    Row("host = fake IP", b"HTTP/0.0 503 lb: service length from meta db is 0", OK, HELLO),
    Row("host wrong port", b"HTTP/0.0 503 lb: port 1 not found in svc: default.nginx-svc", OK, HELLO),
    Row(
        "host a:b:c",
        b"HTTP/0.0 503 lb: service url nginx-svc.default:1:2 invalid",
        BAD_REQUEST,
        b" its Host header is no host\n",
        closed=True,
    ),
    Row(
        "host non-numeric port",
        b'HTTP/0.0 503 lb: strconv.Atoi: parsing "abc": invalid syntax',
        BAD_REQUEST,
        b" its Host header is no host\n",
        closed=True,
    ),
    Row(
        "no Host header 1.1",
        b"HTTP/0.0 503 lb: service length from meta db is 10",
        BAD_REQUEST,
        b" it has 0 Host headers\n",
        closed=True,
    ),
    Row("CONNECT", OK, b"HTTP/1.1 501 Not Implemented", b" CONNECT is not supported\n", closed=True),
    Row("not HTTP", NOTHING, BAD_REQUEST, b" Invalid method encountered\n", closed=True),
    Row(
        "TLS client hello bytes",
        NOTHING,
        BAD_REQUEST,
        b" the client speaks TLS, and this port plain HTTP\n",
        closed=True,
    ),
    Row("host of other service (sys-svc, no pods)", NOTHING, OK, HELLO),  # it killed the Go process
    Row("host other service nopods-svc:9004", NOTHING, OK, HELLO),
]


@pytest.mark.parametrize("row", ROWS, ids=[row.desc for row in ROWS])
async def test_where_go_was_wrong_ours_is_right(client, entries, row: Row) -> None:
    assert received(entries[row.desc]).split(b"\r\n")[0] == row.go
    _, connection = await client()
    await connection.send(sent(entries[row.desc])[0])
    assert await connection.until(b"\r\n") == row.ours + b"\r\n"
    if row.closed:
        assert (await connection.rest()).endswith(row.ends)
    else:
        await connection.until(row.ends)
        assert (await connection.get("/hello"))[0] == 200


async def test_pipelined_requests_are_both_answered(client, entries) -> None:
    entry = entries["pipelined 2 requests in one write"]
    _, connection = await client()
    await connection.send(sent(entry)[0])
    first = received(entry)  # all that Go sent
    assert await connection.exactly(2 * len(first)) == first + first.replace(b"/p1", b"/p2")


async def test_body_is_called_for_where_go_left_the_client_waiting(client, entries) -> None:
    entry = entries["Expect 100-continue"]
    head, body = sent(entry)
    _, connection = await client()
    await connection.send(head)
    assert await connection.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    await connection.send(body)
    expected = received(entry)
    assert await connection.exactly(len(expected)) == expected


async def test_compressed_answer_stays_compressed(client, entries) -> None:
    _, connection = await client()
    await connection.send(sent(entries["gzip response without Accept-Encoding"])[0])
    expected = received(entries["gzip with Accept-Encoding"])
    assert await connection.exactly(len(expected)) == expected


async def test_websocket_is_upgraded_where_go_hung(client, entries) -> None:
    entry = entries["websocket upgrade"]
    head, frame = sent(entry)
    assert received(entry) == b""
    _, connection = await client()
    await connection.send(head)
    assert await connection.until(b"\r\n\r\n") == WEBSOCKET
    await connection.send(frame)
    assert await connection.exactly(len(frame)) == frame


async def test_half_a_request_is_408_where_go_waited_for_ever(make_rig, vclock, entries) -> None:
    rig = await make_rig(vclock)
    connection = await rig.client()
    await connection.send(sent(entries["partial request then idle"])[0])
    await rig.until(lambda: rig.proxy.status()["connections"])
    await vclock.advance(61)
    await vclock.advance(61)
    assert await connection.until(b"\r\n") == b"HTTP/1.1 408 Request Timeout\r\n"


async def test_service_without_pods_is_503_and_the_process_lives_on(rig, nginx, entries) -> None:
    rig.directory.services[nginx] = Refusal(503, "no_pods", "cannot reach service default/nginx-svc: it has no pods")
    connection = await rig.client()
    for _ in range(2):
        await connection.send(sent(entries["nopods-svc:9004 (podlist null pushed by the cloud)"])[0])
        status, headers, _ = await connection.answer()
        assert (status, headers[b"X-Edgecore-Reason"]) == (503, b"no_pods")
