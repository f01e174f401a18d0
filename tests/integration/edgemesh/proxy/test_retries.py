"""Requests that go to another backend, what is held against the one before, and backends that are taken away."""

import asyncio
import socket
from asyncio import StreamReader, StreamWriter

from edgecore.modules.edgemesh.names import Endpoint
from edgecore.modules.edgemesh.upstream.policy import Policy

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def close_at_once(reader: StreamReader, writer: StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")


def refusing() -> Endpoint:
    """An address at which nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return Endpoint(*unused.getsockname())


async def test_request_goes_on_where_a_backend_refuses_the_connection(rig, nginx) -> None:
    dead = refusing()
    rig.directory.services[nginx] = [dead]
    backend = await rig.backend(lambda _: OK)
    listener = await rig.listen()
    client = await rig.connect(listener)
    for _ in range(2):
        await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
        assert (await client.answer())[0] == 200
    upstream = rig.upstream(listener)
    assert [request.body for request in backend.requests] == [b"hello", b"hello"]
    assert upstream.hosts[dead].errors == {"connect_failed": 2}
    assert (upstream.retries, rig.requests(listener), rig.errors()) == (2, {"200": 2}, {})
    assert [host.active for host in upstream.hosts.values()] == [0, 0]


async def test_idempotent_request_goes_on_where_a_backend_gives_no_answer(rig) -> None:
    silent = await rig.raw_backend(close_at_once, host="127.0.0.2")
    backend = await rig.backend(lambda _: OK, host="127.0.0.3")
    listener = await rig.listen()
    client = await rig.connect(listener)
    assert (await client.get())[2] == b"ok"
    assert (silent.connections, len(backend.requests)) == (1, 1)
    assert rig.upstream(listener).hosts[silent.endpoint].errors == {"backend_closed": 1}


async def test_request_that_is_not_idempotent_stays_where_it_was_sent(rig) -> None:
    await rig.raw_backend(close_at_once, host="127.0.0.2")
    backend = await rig.backend(lambda _: OK, host="127.0.0.3")
    client = await rig.client()
    await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
    status, headers, _ = await client.answer()
    assert (status, headers[b"X-Edgecore-Reason"]) == (502, b"backend_closed")
    assert backend.requests == []


async def test_request_goes_on_where_a_backend_is_silent(make_rig, vclock) -> None:
    rig = await make_rig(vclock, Policy(request_timeout_s=10.0))
    received = asyncio.Event()

    async def silent(reader: StreamReader, writer: StreamWriter) -> None:
        received.set()
        await reader.read()

    await rig.raw_backend(silent, host="127.0.0.2")
    await rig.backend(lambda _: OK, host="127.0.0.3")
    client = await rig.client()
    await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await received.wait()
    await vclock.advance(10.5)
    assert (await client.answer())[0] == 200


async def test_request_does_not_wait_for_a_backend_that_is_slow_to_accept(make_rig, vclock, nginx) -> None:
    rig = await make_rig(vclock, Policy(connect_timeout_s=5.0))
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        black_hole = Endpoint(*full.getsockname())
        rig.directory.services[nginx] = [black_hole]
        await rig.backend(lambda _: OK)
        listener = await rig.listen()
        with socket.create_connection(full.getsockname()):
            client = await rig.connect(listener)
            await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
            await rig.until(lambda: rig.directory.asked)
            await vclock.advance(1)
            assert (await client.answer())[0] == 200
            upstream = rig.upstream(listener)
            assert (upstream.hosts[black_hole].errors, upstream.retries) == ({"connect_slow": 1}, 0)


async def test_answer_that_has_begun_is_not_asked_for_again(rig) -> None:
    async def breaks_off(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart")

    broken = await rig.raw_backend(breaks_off, host="127.0.0.2")
    backend = await rig.backend(lambda _: OK, host="127.0.0.3")
    listener = await rig.listen()
    client = await rig.connect(listener)
    await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await client.rest()).endswith(b"part")
    assert backend.requests == []
    assert rig.upstream(listener).hosts[broken.endpoint].errors == {"short_body": 1}


async def test_gateway_error_of_a_backend_is_passed_on_and_held_against_it(rig) -> None:
    answers = [b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", OK]
    backend = await rig.backend(lambda _: answers.pop(0))
    listener = await rig.listen()
    client = await rig.connect(listener)
    assert (await client.get())[0] == 503
    host = rig.upstream(listener).hosts[backend.endpoint]
    assert (host.failures, host.errors) == (1, {"gateway_503": 1})
    assert (await client.get())[0] == 200
    assert host.failures == 0


async def test_backend_that_goes_loses_its_idle_connections_and_keeps_its_requests(rig, nginx) -> None:
    go_on = asyncio.Event()

    async def slow(reader: StreamReader, writer: StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            if "slow" in paths.pop(0):
                await go_on.wait()
            writer.write(OK)

    paths = ["quick", "slow", "quick"]
    backend = await rig.raw_backend(slow, host="127.0.0.2")
    listener = await rig.listen()
    one, two = await rig.connect(listener), await rig.connect(listener)
    await one.get()
    await one.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await rig.until(lambda: len(paths) == 1)
    await two.get()
    assert backend.open == 2
    host = rig.upstream(listener).hosts[backend.endpoint]
    assert host.connections == 2
    rig.directory.services[nginx] = []
    rig.directory.upstream(nginx, listener.address.port)
    await rig.until(lambda: backend.open == 1)
    go_on.set()
    assert (await one.answer())[2] == b"ok"
    await rig.until(lambda: backend.open == 0)
    assert (host.connections, host.users) == (0, set())


async def test_request_that_does_not_end_is_cut_when_its_backend_is_long_gone(make_rig, vclock, nginx) -> None:
    rig = await make_rig(vclock)

    async def silent(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.read()

    backend = await rig.raw_backend(silent)
    rig.directory.policy = Policy(drain_s=20.0)
    listener = await rig.listen()
    client = await rig.connect(listener)
    await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await rig.until(lambda: backend.open and rig.upstream(listener).hosts[backend.endpoint].users)
    rig.directory.services[nginx] = []
    rig.directory.upstream(nginx, listener.address.port)
    await vclock.advance(19)
    assert backend.open == 1
    await vclock.advance(2)
    status, headers, _ = await client.answer()
    assert (status, headers[b"X-Edgecore-Reason"]) == (502, b"backend_closed")


async def test_service_that_is_made_anew_is_found_by_clients_of_the_old_one(rig, nginx) -> None:
    backend = await rig.backend(lambda _: OK)
    listener = await rig.listen()
    client = await rig.connect(listener)
    assert (await client.get())[0] == 200
    rig.directory.upstreams.remove((nginx, listener.address.port, "tcp"))
    assert (await client.get())[0] == 200
    assert backend.connections == 2
