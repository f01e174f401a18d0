"""Bytes from a client to one host and back: whole, in order, with an end on each side, and little kept in between."""

import asyncio
import random
import socket
import ssl
import struct
from asyncio import StreamReader, StreamWriter
from pathlib import Path

import pytest

from edgecore.clock import VirtualClock
from edgecore.modules.edgemesh.names import Endpoint, Refusal, ServiceKey
from edgecore.modules.edgemesh.proxy import lookups
from edgecore.modules.edgemesh.proxy.bytes.pipes import Pipes
from edgecore.modules.edgemesh.upstream.policy import Policy

MIB = 1 << 20
RESET = struct.pack("ii", 1, 0)


@pytest.fixture
async def make_rig(make_rig):
    """Rigs whose ports are bytes."""

    async def make(clock=None, **limits):
        rig = await make_rig(clock, **limits)
        rig.directory.handling = "bytes"
        return rig

    return make


@pytest.fixture(params=["splice", "copy"])
def way(request, monkeypatch) -> str:
    """How much is passed on: through pipes, or, where there are none, through a buffer."""
    if request.param == "copy":
        monkeypatch.setattr(Pipes, "take", lambda pipes: None)
    return request.param


async def echo(reader: StreamReader, writer: StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


async def silent(reader: StreamReader, writer: StreamWriter) -> None:
    await reader.read()


def host_of(rig, listener):
    upstream = rig.directory.upstream(listener.service, listener.address.port)
    return upstream, next(iter(upstream.hosts.values()))


async def reset_by(rig, listener) -> None:
    """Connect, and see that it comes to nothing: perhaps so soon that it seems never to have been accepted."""
    with pytest.raises(ConnectionResetError):
        await (await rig.connect(listener)).rest()


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def refusing() -> Endpoint:
    """Return where nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return Endpoint(*sock.getsockname())


async def test_bytes_go_there_and_back(rig) -> None:
    await rig.raw_backend(echo)
    client = await rig.client()
    for piece in (b"hello", b"\0" * 70_000, b"GET / HTTP/1.1\r\n\r\n"):
        await client.send(piece)
        assert await client.exactly(len(piece)) == piece


async def test_server_may_speak_first(rig) -> None:
    async def greet(reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(b"220 ready\r\n")
        await reader.read()

    await rig.raw_backend(greet)
    client = await rig.client()
    assert await client.until(b"\r\n") == b"220 ready\r\n"


async def test_client_that_has_sent_all_still_receives(rig) -> None:
    async def count(reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(b"%d" % len(await reader.read()))

    await rig.raw_backend(count)
    client = await rig.client()
    await client.send(b"x" * 100_000)
    client.writer.write_eof()
    assert await client.rest() == b"100000"


async def test_backend_that_has_sent_all_still_receives(rig) -> None:
    received: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(b"all")
        writer.write_eof()
        received.set_result(await reader.read())

    await rig.raw_backend(serve)
    client = await rig.client()
    assert await client.rest() == b"all"
    await client.send(b"after the end")
    client.writer.write_eof()
    assert await asyncio.wait_for(received, 5) == b"after the end"


async def test_much_passes_both_ways_at_once(rig, way, scale) -> None:
    rng = random.Random(3)
    there, back = rng.randbytes(4 * MIB * scale), rng.randbytes(3 * MIB * scale + 17)
    received: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(back)
        received.set_result(await reader.readexactly(len(there)))
        await writer.drain()

    await rig.raw_backend(serve)
    client = await rig.client()
    client.writer.write(there)
    client.writer.write_eof()
    got = bytearray()
    while data := await asyncio.wait_for(client.reader.read(MIB), 30):
        got += data
    assert bytes(got) == back
    assert await received == there


async def test_pieces_of_all_sizes_keep_their_order(rig, way) -> None:
    await rig.raw_backend(echo)
    client = await rig.client()
    rng = random.Random(5)
    pieces = [rng.randbytes(rng.choice((1, 100, 9000, 40_000, 200_000))) for _ in range(60)]

    async def send() -> None:
        for piece in pieces:
            await client.send(piece)

    sending = asyncio.create_task(send())
    whole = b"".join(pieces)
    assert await asyncio.wait_for(client.reader.readexactly(len(whole)), 30) == whole
    await sending


async def test_slow_reader_stops_the_sender_and_little_is_kept(rig, way) -> None:
    sent = 0

    async def flood(reader: StreamReader, writer: StreamWriter) -> None:
        nonlocal sent
        while True:
            writer.write(bytes(65536))
            await writer.drain()
            sent += 65536

    await rig.raw_backend(flood)
    listener = await rig.listen()
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        client.setblocking(False)
        await asyncio.get_running_loop().sock_connect(client, tuple(listener.address))
        before = -1
        while sent != before or not sent:  # until the sender stands still
            before = sent
            await asyncio.sleep(0.1)
        (relay,) = rig.proxy._listeners[0]._doors.front.clients
        down = relay._down
        kept = down._piped if down._pipe is not None else len(down._kept)
        assert 0 < kept <= 256 * 1024
        assert sent < 32 * MIB  # what the system's own buffers hold
        assert (await asyncio.get_running_loop().sock_recv(client, 10)).strip(b"\0") == b""


async def test_tls_passes_untouched(rig, authority, tmp_path) -> None:
    certificate, key = authority.server_files(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    backend = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=server)
    rig.directory.services[ServiceKey("default", "nginx-svc")] = [Endpoint(*backend.sockets[0].getsockname())]
    rig.directory.handling = "sniff"
    listener = await rig.listen()
    trusting = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    trusting.check_hostname = False
    trusting.load_verify_locations(cadata=certificate.read_text())
    trusting.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    reader, writer = await asyncio.open_connection(*listener.address, ssl=trusting)
    writer.write(b"secret" * 50_000)
    assert await asyncio.wait_for(reader.readexactly(300_000), 10) == b"secret" * 50_000
    writer.close()
    await writer.wait_closed()
    backend.close()


async def test_preface_of_http_2_reaches_the_backend_as_it_is(rig) -> None:
    rig.directory.handling = "sniff"
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes.fromhex("000000040000000000")
    await rig.raw_backend(echo)
    client = await rig.client()
    await client.send(preface)
    assert await client.exactly(len(preface)) == preface


async def test_reset_of_the_client_resets_the_backend(rig) -> None:
    seen: asyncio.Future[BaseException | bytes] = asyncio.get_running_loop().create_future()

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        try:
            await reader.readexactly(2)
            seen.set_result(await reader.read())
        except ConnectionError as error:
            seen.set_result(error)

    backend = await rig.raw_backend(serve)
    client = await rig.client()
    await client.send(b"hi")
    await rig.until(lambda: backend.open)
    await asyncio.sleep(0.05)
    client.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    client.writer.transport.abort()
    assert isinstance(await asyncio.wait_for(seen, 5), ConnectionResetError)
    assert [line.reason for line in rig.served] == ["client_reset"]


async def test_reset_of_the_backend_resets_the_client_and_is_its_failure(rig) -> None:
    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readexactly(2)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        writer.transport.abort()

    await rig.raw_backend(serve)
    listener = await rig.listen()
    client = await rig.connect(listener)
    await client.send(b"hi")
    with pytest.raises(ConnectionResetError):
        await client.rest()
    _, host = host_of(rig, listener)
    assert (host.errors, host.active, host.connections, host.users) == ({"backend_closed": 1}, 0, 0, set())
    assert [line.reason for line in rig.served] == ["backend_reset"]


async def test_host_that_refuses_is_left_for_another(rig, nginx) -> None:
    rig.directory.policy = Policy(retry_budget_min=10)
    rig.directory.services[nginx] = [refusing()]
    await rig.raw_backend(echo)
    listener = await rig.listen()
    for _ in range(4):
        client = await rig.connect(listener)
        await client.send(b"x")
        assert await client.exactly(1) == b"x"
    upstream, first = host_of(rig, listener)
    assert first.errors == {"connect_failed": first.requests}
    assert first.requests == upstream.retries == 4
    assert upstream.codes == {0: 4}


async def test_without_retries_the_client_of_a_host_that_refuses_is_reset(rig, nginx) -> None:
    rig.directory.policy = Policy(retries=0)
    rig.directory.services[nginx] = [refusing(), refusing()]
    listener = await rig.listen()
    await reset_by(rig, listener)
    upstream, host = host_of(rig, listener)
    assert (upstream.refused, host.requests, host.active) == ({"connect_failed": 1}, 1, 0)
    assert rig.errors() == {"connect_failed": 1}


async def test_one_host_that_refuses_is_not_asked_again(rig, nginx) -> None:
    rig.directory.services[nginx] = [refusing()]
    listener = await rig.listen()
    await reset_by(rig, listener)
    assert host_of(rig, listener)[1].requests == 1


async def test_host_that_is_a_black_hole_is_left_for_another(rig, nginx) -> None:
    rig.directory.policy = Policy(connect_timeout_s=0.2)
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with socket.create_connection(full.getsockname()):
            rig.directory.services[nginx] = [Endpoint(*full.getsockname())]
            await rig.raw_backend(echo)
            listener = await rig.listen()
            client = await rig.connect(listener)
            await client.send(b"x")
            assert await client.exactly(1) == b"x"
            assert host_of(rig, listener)[1].errors == {"connect_slow": 1}
            client.writer.close()
            await rig.until(lambda: rig.served)
            assert (rig.served[0].retries, rig.served[0].connect_s > 0.05) == (1, True)


async def test_host_may_be_a_name(rig, nginx, monkeypatch) -> None:
    monkeypatch.setattr(lookups, "is_reachable", lambda address: True)
    backend = await rig.raw_backend(echo)
    rig.directory.services[nginx] = [Endpoint("localhost", backend.endpoint.port)]
    client = await rig.client()
    await client.send(b"x")
    assert await client.exactly(1) == b"x"


@pytest.mark.parametrize("name", ["localhost", "127.1", "2130706433", "0x7f.1"])
async def test_name_that_leads_to_this_machine_is_a_host_that_fails(rig, nginx, name) -> None:
    backend = await rig.raw_backend(echo)
    rig.directory.services[nginx] = [Endpoint(name, backend.endpoint.port)]
    listener = await rig.listen()
    await reset_by(rig, listener)
    assert host_of(rig, listener)[1].errors == {"connect_failed": 1}


async def test_name_that_is_none_is_a_host_that_fails(rig, nginx) -> None:
    rig.directory.services[nginx] = [Endpoint("no such name", 1)]
    listener = await rig.listen()
    await reset_by(rig, listener)
    assert host_of(rig, listener)[1].errors == {"connect_failed": 1}


async def test_port_without_hosts_resets(rig, nginx) -> None:
    rig.directory.services[nginx] = []
    listener = await rig.listen()
    await reset_by(rig, listener)
    upstream = rig.directory.upstream(nginx, listener.address.port)
    assert (upstream.refused, upstream.codes) == ({"no_pods": 1}, {0: 1})
    assert [line.reason for line in rig.served] == ["no_pods"]


async def test_port_that_is_gone_resets(rig, nginx) -> None:
    await rig.raw_backend(echo)
    listener = await rig.listen()
    rig.directory.services[nginx] = Refusal(503, "port_not_in_service", "gone")
    await reset_by(rig, listener)
    assert [line.reason for line in rig.served] == ["port_not_in_service"]


async def test_silence_ends_after_the_idle_timeout(make_rig) -> None:
    clock = VirtualClock()
    rig = await make_rig(clock)
    rig.directory.policy = Policy(idle_timeout_s=100)
    await rig.raw_backend(echo)
    client = await rig.client()
    for _ in range(6):  # longer than the timeout, but never silent for so long
        await client.send(b"x")
        assert await client.exactly(1) == b"x"
        await clock.advance(90)
    await clock.advance(40)
    with pytest.raises(ConnectionResetError):
        await client.rest()
    assert [line.reason for line in rig.served] == ["idle_timeout"]


async def test_without_an_idle_timeout_silence_may_last(make_rig) -> None:
    clock = VirtualClock()
    rig = await make_rig(clock)
    rig.directory.policy = Policy(idle_timeout_s=0)
    await rig.raw_backend(echo)
    client = await rig.client()
    await client.send(b"x")
    await client.exactly(1)
    await clock.advance(1e6)
    await client.send(b"y")
    assert await client.exactly(1) == b"y"


async def test_connections_of_a_host_that_has_gone_last_for_the_drain(make_rig, nginx) -> None:
    clock = VirtualClock()
    rig = await make_rig(clock)
    rig.directory.policy = Policy(drain_s=30)
    await rig.raw_backend(echo)
    listener = await rig.listen()
    client = await rig.connect(listener)
    await client.send(b"x")
    await client.exactly(1)
    rig.directory.services[nginx] = []
    rig.directory.upstream(nginx, listener.address.port)
    await clock.advance(29)
    await client.send(b"y")
    assert await client.exactly(1) == b"y"
    await clock.advance(2)
    with pytest.raises(ConnectionResetError):
        await client.rest()
    assert [line.reason for line in rig.served] == ["drained"]


async def test_closed_listener_leaves_its_connections_alone(rig) -> None:
    await rig.raw_backend(echo)
    listener = await rig.listen()
    client = await rig.connect(listener)
    await client.send(b"x")
    await client.exactly(1)
    listener.close()
    assert not listener.over
    await client.send(b"y")
    assert await client.exactly(1) == b"y"
    client.writer.write_eof()
    assert await client.rest() == b""
    await rig.until(lambda: listener.over)


async def test_stop_ends_all_that_is_open(rig) -> None:
    backend = await rig.raw_backend(silent)
    listener = await rig.listen()
    clients = [await rig.connect(listener) for _ in range(5)]
    await rig.until(lambda: backend.open == 5)
    await rig.proxy.stop()
    for client in clients:
        with pytest.raises(ConnectionResetError):
            await client.rest()


async def test_connections_over_the_limit_are_reset(make_rig) -> None:
    rig = await make_rig(max_connections=2)
    await rig.raw_backend(echo)
    listener = await rig.listen()
    first, second = [await rig.connect(listener) for _ in range(2)]
    await reset_by(rig, listener)
    first.writer.close()
    await rig.until(lambda: rig.proxy.status()["connections"] == 1)
    fourth = await rig.connect(listener)
    for client in (second, fourth):
        await client.send(b"x")
        assert await client.exactly(1) == b"x"
    assert rig.errors() == {"too_many_connections": 1}


async def test_many_connections_leave_nothing_behind(rig, way) -> None:
    await rig.raw_backend(echo)
    listener = await rig.listen()
    before = open_files()
    message = bytes(200_000)

    async def visit(number: int) -> None:
        reader, writer = await asyncio.open_connection(*listener.address)
        writer.write(message)
        if number % 3:
            await reader.readexactly(len(message))
        if number % 2:
            writer.write_eof()
            await reader.read()
        writer.transport.abort()

    await asyncio.gather(*(visit(number) for number in range(200)))
    await rig.until(lambda: rig.proxy.status()["connections"] == 0)
    upstream, host = host_of(rig, listener)
    assert (host.active, host.connections, host.users, host.requests) == (0, 0, set(), 200)
    assert upstream.codes == {0: 200}
    rig.proxy._entrance._pipes.close()
    await rig.until(lambda: open_files() <= before)


async def test_what_passed_is_told_at_the_end(rig) -> None:
    backend = await rig.raw_backend(echo)
    listener = await rig.listen()
    client = await rig.connect(listener)
    await client.send(b"x" * 1000)
    await client.exactly(1000)
    upstream, host = host_of(rig, listener)
    assert (host.active, host.connections, len(host.users), sum(host.latency)) == (1, 1, 1, 1)
    host.failures = 2
    client.writer.write_eof()
    assert await client.rest() == b""
    await rig.until(lambda: rig.served)
    (line,) = rig.served
    assert (line.client, line.service, line.port) == (
        str(Endpoint(*client.writer.get_extra_info("sockname"))),
        listener.service,
        listener.address.port,
    )
    assert (line.handling, line.host, line.status, line.reason) == ("bytes", host, 0, "")
    assert (line.bytes_in, line.bytes_out, line.retries) == (1000, 1000, 0)
    assert 0 < line.connect_s < line.first_byte_s < line.duration_s
    assert (upstream.codes, host.failures, backend.endpoint) == ({0: 1}, 0, host.endpoint)
