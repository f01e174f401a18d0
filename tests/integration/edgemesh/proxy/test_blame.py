"""What is held against a backend, and what is its client's or nobody's fault."""

import asyncio
import socket
import ssl
import struct
from asyncio import StreamReader, StreamWriter

import pytest

from edgecore.modules.edgemesh.names import Endpoint
from edgecore.modules.edgemesh.upstream.policy import Policy

MIB = 1 << 20
RESET = struct.pack("ii", 1, 0)


def only_host(rig, listener):
    (host,) = rig.upstream(listener).hosts.values()
    return host


async def answers_once(reader: StreamReader, writer: StreamWriter) -> None:
    """Answer a request, and take the next one without an answer to it."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    await reader.readuntil(b"\r\n\r\n")


async def answers_once_and_falls_silent(reader: StreamReader, writer: StreamWriter) -> None:
    await answers_once(reader, writer)
    await reader.read()


@pytest.mark.parametrize("framing", [b"Content-Length: %d\r\n" % (64 * MIB), b""])
async def test_client_that_takes_nothing_of_its_answer_is_cut_and_the_backend_is_not_blamed(
    make_rig, vclock, framing: bytes
) -> None:
    rig = await make_rig(vclock, Policy(request_timeout_s=10.0))

    async def much(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\n")
        while True:
            writer.write(bytes(MIB))
            await writer.drain()

    backend = await rig.raw_backend(much)
    listener = await rig.listen()
    with socket.create_connection(listener.address) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        host = None
        await rig.until(lambda: rig.gateway.backends.number)
        host = only_host(rig, listener)
        (connection,) = host.users
        await rig.until(lambda: not connection.reading)
        for _ in range(3):  # once to see that nothing moves, once to be late
            await vclock.advance(10.5)
        await rig.until(lambda: rig.served)
    await rig.until(lambda: not backend.open)
    assert [(line.status, line.reason) for line in rig.served] == [(200, "client_stalled")]
    assert (host.errors, host.failures, host.active, rig.errors()) == ({}, 0, 0, {"client_stalled": 1})


@pytest.mark.parametrize("size", [0, 200_000])
async def test_idle_connection_that_closes_at_a_request_that_cannot_be_sent_again_is_not_held_against_the_backend(
    rig, size: int
) -> None:
    backend = await rig.raw_backend(answers_once)
    listener = await rig.listen()
    client = await rig.connect(listener)
    assert (await client.get())[0] == 200
    await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))
    status, headers, _ = await client.answer()
    assert (status, headers[b"X-Edgecore-Reason"], backend.connections) == (502, b"backend_closed", 1)
    host = only_host(rig, listener)
    assert (host.errors, host.failures, host.active) == ({}, 0, 0)


async def test_fresh_connection_that_closes_without_an_answer_is_held_against_the_backend(rig) -> None:
    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")

    await rig.raw_backend(serve)
    listener = await rig.listen()
    client = await rig.connect(listener)
    await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
    assert (await client.answer())[0] == 502
    host = only_host(rig, listener)
    assert (host.errors, host.failures, host.active) == ({"backend_closed": 1}, 1, 0)


@pytest.mark.parametrize("method", [b"GET", b"POST"])
async def test_backend_that_falls_silent_is_blamed_also_where_its_connection_was_used_before(
    make_rig, vclock, method: bytes
) -> None:
    rig = await make_rig(vclock, Policy(request_timeout_s=10.0))
    backend = await rig.raw_backend(answers_once_and_falls_silent)
    listener = await rig.listen()
    client = await rig.connect(listener)
    assert (await client.get())[0] == 200
    await client.send(method + b" / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
    host = only_host(rig, listener)
    await rig.until(lambda: host.requests == 2)
    await vclock.advance(10.5)
    status, headers, _ = await client.answer()
    assert (status, headers[b"X-Edgecore-Reason"], backend.connections) == (504, b"response_timeout", 1)
    assert (host.errors, host.failures) == ({"response_timeout": 1}, 1)


@pytest.mark.parametrize("name", ["localhost", "127.1", "0x7f.1", "2130706433", "169.254.43518", "0"])
async def test_name_that_leads_to_this_machine_or_its_link_is_not_dialled(rig, nginx, name: str) -> None:
    backend = await rig.backend()
    rig.directory.services[nginx] = [Endpoint(name, backend.endpoint.port)]
    listener = await rig.listen()
    client = await rig.connect(listener)
    await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    status, headers, text = await client.answer()
    assert (status, headers[b"X-Edgecore-Reason"], backend.connections) == (502, b"connect_failed", 0)
    assert b"stands for this machine" in text
    assert only_host(rig, listener).errors == {"connect_failed": 1}


async def test_clients_that_talk_junk_to_a_tls_port_do_not_have_its_backends_left_out(
    rig, nginx, authority, tmp_path
) -> None:
    certificate, key = authority.server_files(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        writer.write(await reader.readexactly(1))

    backends = [await asyncio.start_server(serve, f"127.0.0.{number}", 0, ssl=server) for number in (2, 3)]
    rig.directory.handling = "bytes"
    rig.directory.policy = Policy(eject_after=2)
    rig.directory.services[nginx] = [Endpoint(*backend.sockets[0].getsockname()) for backend in backends]
    listener = await rig.listen()
    for _ in range(12):
        client = await rig.connect(listener)
        await client.send(b"GET / HTTP/1.1\r\n\r\n" + bytes(200_000))
        with pytest.raises(ConnectionResetError):
            await client.rest()
    await rig.until(lambda: len(rig.served) == 12)
    upstream = rig.upstream(listener)
    assert [upstream.why(host) for host in upstream.hosts.values()] == ["in", "in"]
    assert [(host.failures, host.ejections, host.active) for host in upstream.hosts.values()] == [(0, 0, 0)] * 2
    for backend in backends:
        backend.close()
