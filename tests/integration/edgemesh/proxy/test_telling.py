"""What backends and the access log are told of requests."""

import asyncio
import socket
import struct
from asyncio import StreamReader, StreamWriter

import pytest

from edgecore.modules.edgemesh.names import Endpoint
from edgecore.modules.edgemesh.proxy.accesslog.access import Served
from edgecore.modules.edgemesh.proxy.accesslog.accessline import LineMaker
from edgecore.modules.edgemesh.proxy.options import ProxyOptions
from edgecore.recording.entries import ProxiedRequest


@pytest.fixture
def log(rig) -> list[Served]:
    lines: list[Served] = []
    rig.gateway.access = lines.append
    return lines


def only_client(rig):
    (client,) = rig.proxy._listeners[0]._doors.front.clients
    return client


async def test_backend_is_told_who_asks_behind_what_others_have_said(rig) -> None:
    rig.gateway.options = ProxyOptions(forwarded_headers="both")
    backend = await rig.backend()
    client = await rig.client()
    for _ in range(2):
        await client.get("/", "X-Forwarded-For: 192.0.2.1", "Forwarded: for=192.0.2.1")
    for request in backend.requests:
        assert request.values(b"x-forwarded-for") == [b"192.0.2.1", b"127.0.0.1"]
        assert request.values(b"forwarded") == [b"for=192.0.2.1", b"for=127.0.0.1;proto=http"]


async def test_backend_is_told_nothing_of_who_asks_unless_that_is_wanted(rig) -> None:
    backend = await rig.backend()
    client = await rig.client()
    await client.get()
    assert backend.requests[0].headers == [(b"host", b"nginx-svc.default:12345")]


async def test_cookie_by_which_the_client_comes_back_is_added_to_the_answer(rig) -> None:
    await rig.backend(lambda _: b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 2\r\n\r\nok")
    listener = await rig.listen()
    client = await rig.connect(listener)
    assert (await client.get())[0] == 200
    upstream = rig.upstream(listener)
    upstream.set_cookie = lambda asking, host: b"Set-Cookie: node=" + asking.header(b"x-name")
    await client.send(b"GET / HTTP/1.1\r\nHost: x\r\nX-Name: n\r\n\r\n")
    head = await client.until(b"\r\n\r\n")
    assert head.endswith(b"Set-Cookie: a=b\r\nContent-Length: 2\r\nSet-Cookie: node=n\r\n\r\n")


async def test_request_is_told_without_what_may_be_secret(rig, nginx, log) -> None:
    backend = await rig.backend()
    listener = await rig.listen()
    client = await rig.connect(listener)
    await client.send(b"POST /a?token=secret HTTP/1.1\r\nHost: x\r\nCookie: c=secret\r\nContent-Length: 5\r\n\r\nhello")
    _, _, body = await client.answer()
    await client.get("/b?token=secret")
    one, two = log
    assert (one.service, one.port, one.handling) == (nginx, listener.address.port, "http")
    assert one.client == str(Endpoint(*client.writer.get_extra_info("sockname")))
    assert one.host is rig.upstream(listener).hosts[backend.endpoint]
    assert (one.method, one.target, one.status, one.reason) == ("POST", "/a", 200, "")
    assert (one.bytes_in, one.bytes_out, one.retries) == (5, len(body), 0)
    assert 0 < one.connect_s <= one.first_byte_s <= one.duration_s
    assert (two.method, two.target, two.connect_s) == ("GET", "/b", 0.0)
    assert 0 < two.first_byte_s <= two.duration_s
    assert "secret" not in repr(log)


async def test_request_that_was_tried_again_is_told_once(rig, log) -> None:
    async def gives_no_answer(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    await rig.raw_backend(gives_no_answer, host="127.0.0.2")
    await rig.backend(host="127.0.0.3")
    client = await rig.client()
    await client.get()
    assert [(line.status, line.retries, line.reason) for line in log] == [(200, 1, "")]


async def test_request_that_failed_is_told_with_the_reason(rig, log) -> None:
    async def gives_no_answer(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    await rig.raw_backend(gives_no_answer)
    client = await rig.client()
    await client.get()
    assert [(line.status, line.reason) for line in log] == [(502, "backend_closed")]


async def test_request_that_no_host_is_there_for_is_told(rig, nginx, log) -> None:
    rig.directory.services[nginx] = []
    client = await rig.client()
    await client.get("/x?y")
    assert [(line.service, line.host, line.target, line.status, line.reason) for line in log] == [
        (nginx, None, "/x", 503, "no_pods")
    ]


async def test_bytes_that_are_no_request_are_told(rig, nginx, log) -> None:
    client = await rig.client()
    await client.send(b"rubbish")
    await client.answer()
    assert [(line.service, line.method, line.target, line.status, line.reason) for line in log] == [
        (nginx, "", "", 400, "not_http")
    ]


async def test_client_that_resets_its_connection_is_told_as_499(rig, log) -> None:
    received = asyncio.Event()

    async def silent(reader: StreamReader, writer: StreamWriter) -> None:
        received.set()
        await reader.read()

    await rig.raw_backend(silent)
    client = await rig.client()
    await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await received.wait()
    sock = client.writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.writer.transport.abort()
    await rig.until(lambda: log)
    assert [(line.status, line.reason) for line in log] == [(499, "client_gone")]


async def test_head_that_comes_in_pieces_is_timed_from_its_own_first_byte(make_rig, vclock) -> None:
    rig = await make_rig(vclock, idle_timeout_s=60.0)
    await rig.backend()
    client = await rig.client()
    await client.get()
    for wait_s in (50.0, 20.0):  # the first one's beginning, 50 s and more ago, is not that of the second
        await client.send(b"GET / HTTP/1.1\r\n")
        await rig.until(lambda: only_client(rig)._head_begun is not None)
        await vclock.advance(wait_s)
        await client.send(b"Host: x\r\n\r\n")
        assert (await client.answer())[0] == 200
    await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n")
    await client.send(b"x")
    assert (await client.answer())[0] == 200
    assert [line.duration_s for line in rig.served] == [0.0, 50.0, 20.0, 0.0]


async def test_each_head_that_comes_in_pieces_has_the_whole_idle_timeout(make_rig, vclock) -> None:
    rig = await make_rig(vclock, idle_timeout_s=60.0)
    await rig.backend()
    client = await rig.client()
    await client.get()
    for _ in range(3):
        await client.send(b"GET / HTTP/1.1\r\n")
        await rig.until(lambda: only_client(rig)._head_begun is not None)
        await vclock.advance(40)
        await client.send(b"Host: x\r\n\r\n")
        assert (await client.answer())[0] == 200
        await vclock.advance(40)
    assert rig.errors() == {}


async def test_request_is_shown_whole_to_who_looks_while_the_log_has_no_secrets_of_it(rig, log) -> None:
    shown: list[ProxiedRequest] = []
    rig.proxy._access = rig.gateway.access
    await rig.backend()
    listener = await rig.listen()
    client = await rig.connect(listener)
    head = b"POST /a?token=secret HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n"

    rig.proxy.show(shown.append)
    await client.send(head + b"hello")
    await client.answer()
    await client.get("/b")
    rig.proxy.show(None)
    await client.get("/c?token=secret")

    assert [told.head.partition("\r\n")[0] for told in shown] == ["POST /a?token=secret HTTP/1.1", "GET /b HTTP/1.1"]
    assert shown[0].head == head.decode()
    assert (shown[0].status, shown[0].bytes_in, shown[0].handling) == (200, 5, "http")
    assert [line.target for line in log] == ["/a", "/b", "/c"]
    assert b"secret" not in LineMaker().lines(log)
    assert log[2].head == b""


async def test_refused_request_is_shown_with_the_reason(rig) -> None:
    shown: list[ProxiedRequest] = []
    rig.proxy.show(shown.append)
    client = await rig.connect(await rig.listen())

    await client.get("/x")

    (told,) = shown
    assert (told.status, told.reason, told.backend) == (503, "unknown_service", "")
    assert told.head.startswith("GET /x HTTP/1.1\r\n")
