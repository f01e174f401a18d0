"""What goes wrong behind the proxy is told to the client, and counted."""

import asyncio
import socket
import struct
from asyncio import StreamReader, StreamWriter

import pytest

from edgecore.clock import settle
from edgecore.modules.edgemesh.names import Endpoint, Refusal
from edgecore.modules.edgemesh.proxy.http.response import MOST_INTERIM
from edgecore.modules.edgemesh.upstream.policy import Policy


async def refused(client) -> tuple[int, str, str]:
    """Read an answer of the proxy's own: status, reason, text."""
    status, headers, body = await client.answer()
    assert headers[b"Content-Type"] == b"text/plain; charset=utf-8"
    assert body.count(b"\n") == 1
    return status, headers[b"X-Edgecore-Reason"].decode(), body.decode()


async def test_service_without_pods_is_503(rig, nginx) -> None:
    rig.directory.services[nginx] = []
    listener = await rig.listen()
    client = await rig.connect(listener)
    text = f"cannot reach service default/nginx-svc port {listener.address.port}: the service has no pods"
    for _ in range(2):  # the connection stays usable
        await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await refused(client) == (503, "no_pods", text + "\n")
    assert (rig.errors(), rig.requests(listener)) == ({"no_pods": 2}, {"503": 2})
    assert rig.upstream(listener).refused == {"no_pods": 2}


async def test_port_that_nothing_forwards_for_is_503_with_the_words_of_the_directory(rig, nginx) -> None:
    text = "cannot reach service default/nginx-svc port 80: the service has no such port"
    rig.directory.services[nginx] = Refusal(503, "port_not_in_service", text)
    client = await rig.client()
    for _ in range(2):
        await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await refused(client) == (503, "port_not_in_service", text + "\n")
    assert rig.errors() == {"port_not_in_service": 2}


async def test_all_hosts_left_out_is_503(rig, nginx) -> None:
    backend = await rig.backend()
    rig.directory.policy = Policy(panic_share=0.0)
    listener = await rig.listen()
    client = await rig.connect(listener)
    assert (await client.get())[0] == 200
    upstream = rig.upstream(listener)
    upstream.hosts[backend.endpoint].checked = False
    upstream.refresh()
    await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await refused(client))[:2] == (503, "all_ejected")


async def test_refused_request_with_a_body_closes_the_connection(rig, nginx) -> None:
    rig.directory.services[nginx] = Refusal(503, "no_pods", "none")
    client = await rig.client()
    client.writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n" + bytes(4_000_000))
    status, headers, _ = await client.answer()
    assert (status, headers[b"Connection"]) == (503, b"close")
    assert await client.rest() == b""


async def test_many_refused_pipelined_requests_are_all_answered(rig, nginx) -> None:
    rig.directory.services[nginx] = Refusal(503, "no_pods", "none")
    client = await rig.client()
    client.writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" * 3000)
    for _ in range(3000):
        assert (await client.answer())[0] == 503


async def test_backend_that_refuses_the_connection_is_502(rig, nginx) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = Endpoint("127.0.0.1", unused.getsockname()[1])
        rig.directory.services[nginx] = [endpoint]
        client = await rig.client()
        await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        status, reason, text = await refused(client)
    assert (status, reason) == (502, "connect_failed")
    assert text.startswith("cannot reach service default/nginx-svc port ")
    assert text.endswith(f"cannot connect to the backend {endpoint}: Connection refused\n")


async def test_address_that_is_none_is_502(rig, nginx) -> None:
    rig.directory.services[nginx] = [Endpoint("127.0.0.1", 70_000)]
    client = await rig.client()
    await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await refused(client))[:2] == (502, "connect_failed")


async def test_backend_that_does_not_accept_is_504(make_rig, vclock, nginx) -> None:
    rig = await make_rig(vclock, Policy(connect_timeout_s=5.0))
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        rig.directory.services[nginx] = [Endpoint(*full.getsockname())]
        waiting = [socket.create_connection(full.getsockname()) for _ in range(1)]
        client = await rig.client()
        await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        await rig.until(lambda: rig.directory.asked)
        await vclock.advance(4.9)
        assert rig.errors() == {}
        await vclock.advance(0.2)
        assert (await refused(client))[:2] == (504, "connect_timeout")
        for sock in waiting:
            sock.close()


@pytest.mark.parametrize("request_timeout_s", [3.0, 5.0])
async def test_request_may_expire_while_its_backend_is_dialled(make_rig, vclock, nginx, request_timeout_s) -> None:
    rig = await make_rig(vclock, Policy(connect_timeout_s=5.0, request_timeout_s=request_timeout_s))
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        rig.directory.services[nginx] = [Endpoint(*full.getsockname())]
        with socket.create_connection(full.getsockname()):
            client = await rig.client()
            await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await rig.until(lambda: rig.directory.asked)
            await vclock.advance(6)
            assert (await refused(client))[0] == 504
    assert sum(rig.errors().values()) == 1


async def test_clients_that_leave_while_the_backend_is_dialled_leave_nothing(rig) -> None:
    backend = await rig.backend()
    listener = await rig.listen()
    for _ in range(100):
        client = await rig.connect(listener)
        await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        client.writer.transport.abort()
    await rig.until(lambda: len(rig.directory.asked) == 100 or not rig.proxy.status()["connections"])
    await asyncio.wait_for(rig.proxy.stop(), 5)
    await rig.until(lambda: not backend.open)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "backend_closed"),
        (b"HTTP garbage\r\n\r\n", "bad_response"),
        (b"HTTP/1.1 200 OK\r\nContent-Le", "bad_response"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", "bad_response"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "bad_response"),
        (b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "bad_response"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "bad_response"),
        (b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n", "bad_response"),
    ],
)
async def test_backend_that_sends_no_answer_is_502(rig, answer: bytes, reason: str) -> None:
    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)

    await rig.raw_backend(serve)
    client = await rig.client()
    await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await refused(client))[:2] == (502, reason)
    assert rig.errors() == {reason: 1}


async def test_backend_that_resets_is_502(rig) -> None:
    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readexactly(1)
        reset(writer)

    await rig.raw_backend(serve)
    client = await rig.client()
    await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
    assert (await refused(client))[:2] == (502, "backend_closed")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nshort\r\nzz\r\n",
    ],
)
async def test_answer_that_breaks_off_is_seen_to_break_off(rig, answer: bytes) -> None:
    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)

    await rig.raw_backend(serve)
    client = await rig.client()
    await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert await client.rest() == answer.removesuffix(b"zz\r\n")


async def test_answer_until_close_that_is_reset_resets_the_client(rig) -> None:
    go_on = asyncio.Event()

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\npart")
        await writer.drain()
        await go_on.wait()
        reset(writer)

    await rig.raw_backend(serve)
    client = await rig.client()
    await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await client.until(b"part")
    go_on.set()
    with pytest.raises(ConnectionResetError):
        await client.rest()


async def test_backend_that_does_not_answer_is_504(make_rig, vclock) -> None:
    rig = await make_rig(vclock, Policy(request_timeout_s=30.0))

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        received.set()
        await reader.read()

    received = asyncio.Event()
    await rig.raw_backend(serve)
    listener = await rig.listen()
    client = await rig.connect(listener)
    await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await received.wait()
    await vclock.advance(29)
    assert rig.errors() == {}
    await vclock.advance(2)
    assert (await refused(client))[:2] == (504, "response_timeout")
    assert rig.requests(listener) == {"504": 1}


async def test_backend_whose_head_comes_byte_by_byte_is_504_in_the_same_time(make_rig, vclock) -> None:
    rig = await make_rig(vclock, Policy(request_timeout_s=30.0))
    drops = asyncio.Queue[StreamWriter]()

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        drops.put_nowait(writer)
        await reader.read()

    await rig.raw_backend(serve)
    listener = await rig.listen()
    client = await rig.connect(listener)
    await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    writer = await drops.get()
    for byte in b"HTTP/":
        writer.write(bytes([byte]))
        await settle()
        await vclock.advance(7)
    assert (await refused(client))[:2] == (504, "response_timeout")


async def test_backend_that_announces_its_answer_without_end_is_502(make_rig) -> None:
    rig = await make_rig()

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 103 Early Hints\r\n\r\n" * (MOST_INTERIM + 1))
        await reader.read()

    await rig.raw_backend(serve)
    client = await rig.client()
    await client.send(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert (await client.rest()).count(b"103 Early Hints") == MOST_INTERIM
    assert rig.errors() == {"bad_response": 1}


async def test_answer_that_falls_silent_is_cut(make_rig, vclock) -> None:
    rig = await make_rig(vclock, Policy(request_timeout_s=30.0))

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
        await reader.read()

    await rig.raw_backend(serve)
    client = await rig.client()
    await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await client.until(b"short")
    await vclock.advance(31)
    assert await client.rest() == b""
    assert rig.errors() == {"response_timeout": 1}


async def test_stale_connection_is_replaced_without_the_client_noticing(rig) -> None:
    backend = await rig.raw_backend(answers_once_and_drops_the_next)
    listener = await rig.listen()
    client = await rig.connect(listener)
    assert (await client.get())[0] == 200
    assert (await client.get())[0] == 200
    assert backend.connections == 2
    assert (rig.errors(), rig.requests(listener)) == ({}, {"200": 2})


async def test_request_that_is_not_idempotent_is_not_sent_again(rig) -> None:
    backend = await rig.raw_backend(answers_once_and_drops_the_next)
    client = await rig.client()
    assert (await client.get())[0] == 200
    await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
    assert (await refused(client))[:2] == (502, "backend_closed")
    assert backend.connections == 1


async def test_request_whose_body_was_kept_is_sent_again_whole(rig) -> None:
    bodies: list[bytes] = []

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        if not bodies:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")
        bodies.append(await reader.readexactly(4))
        if len(bodies) > 1:
            writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n")
            await reader.read()

    await rig.raw_backend(serve)
    client = await rig.client()
    assert (await client.get())[0] == 200
    await client.send(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbo")
    await asyncio.sleep(0.01)
    await client.send(b"dy")
    assert (await client.answer())[0] == 201
    assert bodies == [b"body", b"body"]


async def test_request_whose_body_was_too_large_to_keep_is_not_sent_again(rig) -> None:
    size = 200_000

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(size)

    backend = await rig.raw_backend(serve)
    client = await rig.client()
    assert (await client.get())[0] == 200
    await client.send(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))
    assert (await refused(client))[:2] == (502, "backend_closed")
    assert backend.connections == 1


async def test_request_is_sent_again_once_only(rig) -> None:
    attempts = 0

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        nonlocal attempts
        attempts += 1
        await reader.readuntil(b"\r\n\r\n")
        if attempts == 1:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            await reader.readuntil(b"\r\n\r\n")

    await rig.raw_backend(serve)
    client = await rig.client()
    assert (await client.get())[0] == 200
    await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await refused(client))[:2] == (502, "backend_closed")
    assert attempts == 2


async def test_idle_connection_that_the_backend_closes_is_forgotten(rig) -> None:
    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    await rig.raw_backend(serve)
    client = await rig.client()
    assert (await client.get())[0] == 200
    await rig.until(lambda: rig.proxy.status()["idle_backend_connections"] == 0)


async def test_idle_connection_on_which_something_comes_is_closed(rig) -> None:
    closed = asyncio.Event()

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
        await reader.read()
        closed.set()

    await rig.raw_backend(serve)
    client = await rig.client()
    assert (await client.get())[0] == 200
    await closed.wait()
    assert rig.proxy.status()["idle_backend_connections"] == 0


async def test_backend_that_says_too_much_is_not_used_again(rig) -> None:
    backend = await rig.backend(lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n\r\n")
    client = await rig.client()
    for _ in range(2):
        assert (await client.get())[2] == b"ok"
    assert backend.connections == 2


async def test_idle_connections_are_closed_in_time(make_rig, vclock) -> None:
    rig = await make_rig(vclock, backend_idle_timeout_s=30.0)
    backend = await rig.backend()
    client = await rig.client()
    await client.get()
    await vclock.advance(20)
    await client.get()
    await vclock.advance(29)
    assert backend.open == 1
    await vclock.advance(2)
    await rig.until(lambda: not backend.open)


async def test_backend_of_a_client_that_leaves_is_let_go(rig) -> None:
    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while True:
            writer.write(bytes(65536))
            await writer.drain()

    backend = await rig.raw_backend(serve)
    client = await rig.client()
    await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await client.until(b"\r\n\r\n")
    client.writer.transport.abort()
    await rig.until(lambda: backend.connections and not backend.open)


async def test_connections_do_not_outlive_stop(rig) -> None:
    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.read()

    backend = await rig.raw_backend(serve)
    client = await rig.client()
    await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await rig.until(lambda: backend.open)
    await rig.proxy.stop()
    assert rig.proxy.status()["connections"] == 0
    assert await client.rest() == b""
    await rig.until(lambda: not backend.open)


async def test_dialling_does_not_outlive_stop(rig, nginx) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        rig.directory.services[nginx] = [Endpoint(*full.getsockname())]
        with socket.create_connection(full.getsockname()):
            client = await rig.client()
            await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await rig.until(lambda: len(rig.directory.asked) == 3)  # to listen, to accept, and by the request
            await rig.proxy.stop()
            assert await client.rest() == b""


async def test_answer_that_comes_before_the_request_is_an_answer(rig) -> None:
    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(b"HTTP/1.1 503 Overloaded\r\nContent-Length: 0\r\n\r\n")

    await rig.raw_backend(serve)
    client = await rig.client()
    assert (await client.get())[0] == 503
    assert (await client.get())[0] == 503


def reset(writer: StreamWriter) -> None:
    """End a connection with RST."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def answers_once_and_drops_the_next(reader: StreamReader, writer: StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")


async def test_client_that_has_closed_its_side_is_not_given_more_time_than_its_request_has(make_rig, vclock) -> None:
    rig = await make_rig(vclock, Policy(request_timeout_s=2.0, retries=0))
    asked = asyncio.Event()

    async def begins_its_answer(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        assert await reader.read() == b""

    await rig.raw_backend(begins_its_answer)
    client = await rig.client()
    await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await asked.wait()
    client.writer.write_eof()
    await asyncio.sleep(0.05)  # the end of its side arrives
    await vclock.advance(3)
    assert (await client.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 504 ")


async def test_client_that_has_closed_its_side_is_given_up_after_a_while(make_rig, vclock) -> None:
    rig = await make_rig(vclock, Policy(request_timeout_s=300.0))
    asked, left = asyncio.Event(), asyncio.Event()

    async def silent(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        assert await reader.read() == b""
        left.set()

    await rig.raw_backend(silent)
    listener = await rig.listen()
    client = await rig.connect(listener)
    await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await asked.wait()
    client.writer.write_eof()
    for _ in range(100):  # seconds: far less than the timeout of the request
        await vclock.advance(1)
        await asyncio.sleep(0.005)
        if left.is_set():
            break

    assert rig.requests(listener) == {"499": 1}
    assert [host.failures for host in rig.upstream(listener).hosts.values()] == [0]
