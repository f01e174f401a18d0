"""All that was sent to the Go proxy, sent to ours, before the services and pods of the recorded cluster.

Each entry is sent twice: as a connection that is led here on its way to the fake IP and the port that Go's client had
dialled, and to the plain listener. What has to come of it is said here for each, beside what Go did.
"""

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from enum import Enum
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, NamedTuple

import h11
import pytest

from edgecore.beehive import wire
from edgecore.clock import SystemClock
from edgecore.modules.edgemesh.directory import ServiceDirectory
from edgecore.modules.edgemesh.fakeip import FakeIpPool
from edgecore.modules.edgemesh.mesh import Mesh
from edgecore.modules.edgemesh.msgprocess import Rejected, process
from edgecore.modules.edgemesh.names import Endpoint, ServiceKey
from edgecore.modules.edgemesh.proxy.doors.destination import OriginalDestination
from edgecore.modules.edgemesh.proxy.limits import ProxyLimits
from edgecore.modules.edgemesh.proxy.server import MeshProxy
from edgecore.observe.metrics import Metrics
from edgecore.recording.entries import CloudFrame, Direction
from edgecore.recording.reader import read_entries
from tests.support.upstreams import fresh_table

DATA = Path(__file__).parents[3] / "data"
ENTRIES: list[dict[str, Any]] = [
    json.loads(line) for line in (DATA / "http.jsonl").read_text("utf-8").splitlines()
]  # without 48 to 52 of the original, as its README says
FAKE_IPS = {
    "9.251.0.2": ServiceKey("default", "nginx-svc"),
    "9.251.0.3": ServiceKey("default", "noname-svc"),
    "9.251.0.4": ServiceKey("default", "tcp-svc"),
    "9.251.0.5": ServiceKey("default", "headless-svc"),
    "9.251.0.6": ServiceKey("default", "named-svc"),
    "9.251.0.7": ServiceKey("kube-system", "sys-svc"),
    "9.251.0.8": ServiceKey("default", "nopods-svc"),
    "9.251.0.9": ServiceKey("default", "udp-svc"),
    "9.251.0.10": ServiceKey("default", "ext-svc"),
}
"""As they were recorded. Of the service at 9.251.0.1 (kubernetes) the cloud had told this node nothing."""
MIB = 1024 * 1024


def ok(method: str, target: str, length: int = 0, connection: str = "") -> bytes:
    """Return the usual answer of the recorded backends, with a Connection header if there is to be one."""
    body = f"backend 8000 {method} {target} body={length}\n"
    head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nContent-Type: text/plain\r\n"
    head += "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\nServer: rig\r\nX-Backend: 8000\r\n"
    return f"{head}{f'Connection: {connection}{chr(13)}{chr(10)}' if connection else ''}\r\n{body}".encode()


HELLO = ok("GET", "/hello")
WEBSOCKET = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
ZIPPED = next(entry for entry in ENTRIES if entry["desc"] == "gzip with Accept-Encoding")["events"][2]["data"].encode(
    "latin-1"
)


class Bare(Enum):
    """What comes, where it is not said byte by byte."""

    AS_GO = "what Go sent, byte by byte"
    NOTHING = "nothing, while the client says no more"
    RESET = "the connection is reset"


class Own(NamedTuple):
    """An answer of the proxy's own."""

    status: int
    reason: str
    closed: bool = False


class Closed(NamedTuple):
    """These bytes, and then the end of the connection."""

    data: bytes


class Row(NamedTuple):
    """One entry: how Go's answer begins, what comes of ours led here, and of ours at the plain listener."""

    desc: str
    go: str
    led: Bare | Own | Closed | bytes
    plain: Bare | Own | Closed | bytes


GO, NOTHING, RESET = Bare.AS_GO, Bare.NOTHING, Bare.RESET
GO_200 = "HTTP/1.1 200 OK"
META_0 = "HTTP/0.0 503 lb: service length from meta db is 0"
NO_HOST = Own(400, "bad_host", closed=True)
NO_HTTP = Own(400, "not_http", closed=True)
NO_SERVICE = Own(503, "unknown_service")
NO_PORT = Own(503, "port_not_in_service")
NO_PODS = Own(503, "no_pods")
NO_REACHABLE = Own(503, "no_reachable_pods")


def both(desc: str, go: str, ours: Bare | Own | Closed | bytes) -> Row:
    """Return a row in which it does not matter who says what is meant."""
    return Row(desc, go, ours, ours)


ROWS = [
    both("GET", GO_200, GO),
    both("keep-alive 3 requests", GO_200, GO),
    both("pipelined 2 requests in one write", GO_200, ok("GET", "/p1") + ok("GET", "/p2")),  # Go lost the second
    both("404", "HTTP/1.1 404 Not Found", GO),
    both("204", "HTTP/1.1 204 No Content", GO),
    both("304", "HTTP/1.1 304 Not Modified", GO),
    both("500", "HTTP/1.1 500 Internal Server Error", GO),
    both(
        "302 to itself (followed or passed?)",  # Go followed it
        GO_200,
        b"HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n",
    ),
    both("HEAD", GO_200, GO),
    both("OPTIONS *", GO_200, GO),
    both("DELETE", GO_200, GO),
    both("PUT with body", GO_200, GO),
    both("POST chunked request", GO_200, ok("POST", "/post", 5)),  # that backend counted the chunks' frames as well
    both("POST body in 2nd packet", GO_200, GO),
    both("Expect 100-continue", GO_200, CONTINUE + ok("POST", "/exp", 5)),  # Go let the client wait
    both("chunked response with trailer", GO_200, GO),
    both(
        "response until close",
        GO_200,
        Closed(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nuntil close\n"),
    ),
    both(
        "HTTP/1.0 backend response",
        "HTTP/1.0 200 OK",
        Closed(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\nhttp10 body\n"),
    ),
    both("HTTP/1.0 client", GO_200, Closed(ok("GET", "/hello", 0, "close"))),  # Go did not close
    both("HTTP/1.0 client keep-alive", GO_200, ok("GET", "/hello", 0, "keep-alive")),
    both("Connection: close", GO_200, Closed(ok("GET", "/hello", 0, "close"))),  # Go did not close
    both("gzip response without Accept-Encoding", GO_200, ZIPPED),  # Go unpacked it
    both("gzip with Accept-Encoding", GO_200, GO),
    both("multi Set-Cookie, lower-case header", GO_200, GO),
    both("request headers passed?", GO_200, GO),
    both("big 10MiB response", GO_200, b"HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n\r\n" + b"x" * 10 * MIB),
    both("big POST 5MiB", GO_200, GO),
    both("slow 3 s", GO_200, GO),
    both("backend drops", 'HTTP/0.0 503 Get "http://10.66.0.1:8000/drop": EOF', Own(502, "backend_closed")),
    both(
        "backend garbage",
        'HTTP/0.0 503 Get "http://10.66.0.2:8000/garbage": net/http: HTTP/1.x transport connection broken: malformed '
        'HTTP status code "HTTP"',
        Own(502, "bad_response"),
    ),
    both(
        "backend short body",
        "HTTP/0.0 503 unexpected EOF",
        Closed(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"),
    ),
    both("websocket upgrade", "", WEBSOCKET + b"\x81\x05hello"),  # Go hung
    Row("unknown host header (other name)", META_0, HELLO, NO_SERVICE),
    Row(
        "host without port (=> port 80)", "HTTP/0.0 503 lb: port 80 not found in svc: default.nginx-svc", HELLO, NO_PORT
    ),
    both("host short nginx-svc.default:12345", META_0, HELLO),
    both("host nginx-svc:12345", META_0, HELLO),
    Row("host = fake IP", META_0, HELLO, NO_SERVICE),  # it is Go's fake IP, and none of ours
    Row("host wrong port", "HTTP/0.0 503 lb: port 1 not found in svc: default.nginx-svc", HELLO, NO_PORT),
    both("host a:b:c", "HTTP/0.0 503 lb: service url nginx-svc.default:1:2 invalid", NO_HOST),
    both("host non-numeric port", 'HTTP/0.0 503 lb: strconv.Atoi: parsing "abc": invalid syntax', NO_HOST),
    both("no Host header 1.1", "HTTP/0.0 503 lb: service length from meta db is 10", NO_HOST),
    both("absolute URI", GO_200, GO),
    both("CONNECT", GO_200, Own(501, "connect_unsupported", closed=True)),
    both("not HTTP", "", NO_HTTP),
    both("TLS client hello bytes", "", NO_HTTP),
    both("partial request then idle", "", NOTHING),
    Row("host of other service (sys-svc, no pods)", "", HELLO, NO_PODS),  # the Go process ended
    Row("host other service nopods-svc:9004", "", HELLO, NO_PODS),
    both("partial request then idle", "", NOTHING),
    both(
        "second port 12346 (targetPort 81 not in pods)",
        'HTTP/0.0 503 Get "http://10.66.0.1:0/hello": dial tcp 10.66.0.1:0: connect: connection refused',
        NO_REACHABLE,
    ),
    Row("port not in service 9999", "", NO_PORT, HELLO),
    Row("port substring 1234 (12345 contains it)", GO_200, NO_PORT, GO),  # Go takes a port that is within another
    Row("port 80 (a targetPort)", GO_200, NO_PORT, GO),
    Row("port 2", GO_200, NO_PORT, GO),
    Row("fake IP unassigned 9.251.200.1", "", RESET, HELLO),
    both("noname-svc (port name empty)", "", HELLO),  # Go knows no port without a name; ours looks at the bytes
    both("tcp-svc (tcp-0)", "", HELLO),  # Go knows HTTP only; ours passes bytes
    both("headless", META_0, HELLO),
    both("named target port", META_0, NO_REACHABLE),  # no pod has a container port called web
    both("sys-svc name http (no dash)", "HTTP/0.0 503 lb: pod list pods.kube-system.sys-svc is empty", NO_PODS),
    both("udp port named http-u", META_0, NO_PORT),
    both("ext-svc", "", Own(502, "connect_failed")),  # a name of no network
    Row("kubernetes service (https)", "", RESET, NO_SERVICE),
    Row("direct connect to listener 172.17.0.1:40001", "", RESET, HELLO),
    both("headless", GO_200, GO),
    both("named target port", "HTTP/0.0 503 lb: port 9003 not found in svc: default.named-svc", NO_REACHABLE),
    both("udp port named http-u", "HTTP/0.0 503 lb: port 9005 not found in svc: default.udp-svc", NO_PORT),
    both("nginx-svc conn, Host of headless-svc (host header decides)", GO_200, GO),
    both("name.ns. with trailing dot", GO_200, GO),
    both("from a pod netns (PREROUTING)", GO_200, GO),
    both("nopods-svc:9004 (podlist null pushed by the cloud)", META_0, NO_PODS),
]


def sent(entry: dict[str, Any]) -> list[bytes]:
    """Return what the client sent. Long data was not recorded whole: it went on as it began."""
    pieces = [(event["data"].encode("latin-1"), event["n"]) for event in entry["events"] if event["ev"] == "sent"]
    return [data + data[-1:] * (number - len(data)) for data, number in pieces]


def received(entry: dict[str, Any]) -> bytes:
    return b"".join(event["data"].encode("latin-1") for event in entry["events"] if event["ev"] == "recv")


def test_every_entry_has_its_row() -> None:
    assert [row.desc for row in ROWS] == [entry["desc"] for entry in ENTRIES]
    assert [row.go for row in ROWS] == [received(entry).split(b"\r\n")[0].decode("latin-1") for entry in ENTRIES]
    assert len(ROWS) == 71


class Closing(bytes):
    """An answer after which the backend closes."""

    closes = True


SPECIAL = {
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
    b"/gzip": ZIPPED,
    b"/multi": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Lower: v\r\n\r\nok\n",
    b"/big": b"HTTP/1.1 200 OK\r\nContent-Length: 10485760\r\n\r\n" + b"x" * 10 * MIB,
    b"/slow?3": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nslow\n",
    b"/drop": Closing(b""),
    b"/garbage": Closing(b"HTTP garbage\r\n\r\n"),
    b"/short": Closing(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort"),
    b"/ws": WEBSOCKET,
}
"""What the recorded backends sent where it was not the usual answer."""


def script(request: Any) -> bytes:
    usual = ok(request.method.decode(), request.target.decode(), len(request.body))
    bare = usual[: usual.index(b"\r\n\r\n") + 4]
    return SPECIAL.get(request.target, bare if request.method == b"HEAD" else usual)


class Client:
    """A socket and what comes of it."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._loop = asyncio.get_running_loop()
        self.got = b""

    async def send(self, data: bytes) -> None:
        await self._loop.sock_sendall(self._sock, data)

    def send_no_more(self) -> None:
        self._sock.shutdown(socket.SHUT_WR)

    async def until(self, number: int) -> bytes:
        """Return so many bytes, or fewer if the connection ends."""
        while len(self.got) < number and await self._more():
            pass
        return self.got[:number]

    async def rest(self) -> bytes:
        while await self._more():
            pass
        return self.got

    async def _more(self) -> bool:
        data = await asyncio.wait_for(self._loop.sock_recv(self._sock, 1 << 20), 10)
        self.got += data
        return bool(data)


async def fits(client: Client, entry: dict[str, Any], expected: Bare | Own | Closed | bytes) -> None:
    """Send what was recorded; fail unless what is expected comes of it."""
    pieces = sent(entry)
    data = received(entry) if expected in (GO, RESET) else expected
    for piece in pieces[:-1]:
        await client.send(piece)
        if isinstance(data, bytes) and data.startswith((CONTINUE, WEBSOCKET)):
            await client.until(data.index(b"\r\n\r\n") + 4)
    await client.send(pieces[-1])
    if isinstance(data, bytes):
        assert await client.until(len(data)) == data
        if not data.startswith(WEBSOCKET):  # the connection is still of use
            await client.send(b"OPTIONS * HTTP/1.1\r\nHost: nginx-svc:12345\r\n\r\n")
            assert await client.until(len(data) + 9) == data + b"HTTP/1.1 "
    elif isinstance(data, Closed):
        assert await client.rest() == data.data
    elif isinstance(data, Own):
        await answers_itself(client, data)
    else:
        client.send_no_more()
        assert await client.rest() == b""


@contextmanager
def of(what: str) -> Iterator[None]:
    """Say of a failure what it is about."""
    try:
        yield
    except BaseException as error:
        error.add_note(what)
        raise


async def answers_itself(client: Client, own: Own) -> None:
    if not own.closed:
        client.send_no_more()
    judge = h11.Connection(h11.CLIENT)
    judge.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))
    judge.send(h11.EndOfMessage())
    judge.receive_data(await client.rest())
    judge.receive_data(b"")
    head = judge.next_event()
    assert isinstance(head, h11.Response)
    headers = dict(head.headers)
    assert (head.status_code, headers[b"x-edgecore-reason"]) == (own.status, own.reason.encode())
    assert (headers.get(b"connection") == b"close") == own.closed
    assert isinstance(body := judge.next_event(), h11.Data)
    assert bytes(body.data).count(b"\n") == 1


def recorded_cluster(backend: Endpoint, clock: SystemClock) -> Mesh:
    """Return the mesh of the recorded cluster; both of its pods are at ``backend``."""
    mesh = Mesh(fresh_table(clock), FakeIpPool(IPv4Network("127.251.0.0/16"), 128.0))
    for entry in read_entries(DATA / "b_services_endpoints_pods.jsonl"):
        if not isinstance(entry, CloudFrame) or entry.direction is not Direction.TO_EDGE:
            continue
        text = entry.text.replace('"hostPort":8000', f'"hostPort":{backend.port}')
        for host in ("10.66.0.1", "10.66.0.2"):
            text = text.replace(f'"hostIP":"{host}"', f'"hostIP":"{backend.host}"')
        text = text.replace('"externalName":"a.test"', '"externalName":"255.255.255.255"')  # no look-up
        message = wire.decode(text)
        for change in process(message) if message.route.operation != "response" else ():
            if not isinstance(change, Rejected):
                mesh.apply(change, 0.0)
    mesh.table.complete = True
    return mesh


@pytest.mark.parametrize("way", ["led", "plain"])
async def test_each_recorded_entry_has_the_right_result(rig, way: str) -> None:
    backend = await rig.backend(script, host="127.0.0.2")
    clock = SystemClock()
    table = recorded_cluster(backend.endpoint, clock).table
    proxy = MeshProxy(
        ServiceDirectory(table, "cluster.local"), table.upstreams, clock, Metrics(), ProxyLimits(sniff_timeout_s=5.0)
    )
    goal = [Endpoint("", 0)]
    led_here = OriginalDestination(FAKE_IPS.get, lambda _: goal[0]) if way == "led" else None
    try:
        listener = await proxy.listen("127.0.0.1", 0, None, destination=led_here)
        for number, (row, entry) in enumerate(zip(ROWS, ENTRIES, strict=True)):
            goal[0] = Endpoint(entry["ip"], entry["port"])
            expected = row.led if way == "led" else row.plain
            with socket.socket() as sock, of(f"entry {number}: {row.desc}"):
                sock.setblocking(False)
                with pytest.raises(ConnectionError) if expected is RESET else nullcontext():
                    await asyncio.get_running_loop().sock_connect(sock, listener.address)
                    await fits(Client(sock), entry, expected)
    finally:
        await proxy.stop()
