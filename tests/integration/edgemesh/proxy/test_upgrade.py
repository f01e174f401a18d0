"""Upgraded connections pass bytes, in both directions, until both have ended."""

import asyncio
import socket
import struct
from asyncio import StreamReader, StreamWriter

from edgecore.modules.edgemesh.upstream.policy import Policy

UPGRADE = (
    b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
RESET = struct.pack("ii", 1, 0)
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"


async def switch(reader: StreamReader, writer: StreamWriter) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    writer.write(SWITCHED)
    return head


async def echo_until_eof(reader: StreamReader, writer: StreamWriter) -> None:
    await switch(reader, writer)
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


async def test_bytes_pass_both_ways_after_101(rig) -> None:
    await rig.raw_backend(echo_until_eof)
    client = await rig.client()
    await client.send(UPGRADE)
    assert await client.until(b"\r\n\r\n") == SWITCHED
    await client.send(b"\x81\x05hello")
    assert await client.exactly(7) == b"\x81\x05hello"


async def test_backend_is_asked_to_upgrade(rig) -> None:
    heads: asyncio.Queue[bytes] = asyncio.Queue()

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        heads.put_nowait(await switch(reader, writer))
        await reader.read()

    await rig.raw_backend(serve)
    client = await rig.client()
    await client.send(UPGRADE)
    assert await heads.get() == (
        b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nConnection: Upgrade\r\n\r\n"
    )


async def test_bytes_sent_along_with_the_heads_are_not_lost(rig) -> None:
    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        early = await asyncio.wait_for(reader.read(5), 0.2) if reader.at_eof() else b""
        writer.write(SWITCHED + b"first" + early)
        writer.write(await reader.readexactly(5))
        await reader.read()

    await rig.raw_backend(serve)
    client = await rig.client()
    await client.send(UPGRADE + b"hello")
    assert await client.until(b"\r\n\r\n") == SWITCHED
    assert await client.exactly(10) == b"firsthello"


async def test_client_that_has_finished_still_receives(rig) -> None:
    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        await switch(reader, writer)
        everything = await reader.read()
        writer.write(b"got %b" % everything)

    await rig.raw_backend(serve)
    client = await rig.client()
    await client.send(UPGRADE)
    await client.until(b"\r\n\r\n")
    await client.send(b"all of it")
    client.writer.write_eof()
    assert await client.rest() == b"got all of it"


async def test_backend_that_has_finished_still_receives(rig) -> None:
    received: asyncio.Queue[bytes] = asyncio.Queue()

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        await switch(reader, writer)
        writer.write(b"bye")
        writer.write_eof()
        received.put_nowait(await reader.read())

    backend = await rig.raw_backend(serve)
    client = await rig.client()
    await client.send(UPGRADE)
    assert await client.rest() == SWITCHED + b"bye"
    await client.send(b"late")
    await client.close()
    assert await received.get() == b"late"
    await rig.until(lambda: not backend.open)


async def test_both_connections_close_when_both_have_finished(rig) -> None:
    backend = await rig.raw_backend(echo_until_eof)
    client = await rig.client()
    await client.send(UPGRADE + b"x")
    await client.until(b"\r\n\r\nx")
    client.writer.write_eof()
    assert await client.rest() == b""
    await rig.until(lambda: not backend.open and not rig.proxy.status()["connections"])


async def test_slow_reader_holds_the_other_side_back(rig) -> None:
    written = 0

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        nonlocal written
        await switch(reader, writer)
        for _ in range(64):
            writer.write(bytes(1 << 20))
            await writer.drain()
            written += 1
        writer.write_eof()
        await reader.read()

    await rig.raw_backend(serve)
    client = await rig.client()
    await client.send(UPGRADE)
    await client.until(b"\r\n\r\n")
    last = -1
    while last != written:
        last = written
        await asyncio.sleep(0.2)
    assert written < 32
    assert len(await client.exactly(64 << 20)) == 64 << 20


async def test_refused_upgrade_is_an_ordinary_answer(rig) -> None:
    answer = b"HTTP/1.1 426 Upgrade Required\r\nUpgrade: h3\r\nContent-Length: 2\r\nConnection: Upgrade\r\n\r\nno"
    await rig.backend(lambda request: answer)
    client = await rig.client()
    await client.send(UPGRADE)
    assert await client.exactly(len(answer)) == answer
    assert (await client.get())[0] == 426


async def test_101_that_nobody_asked_for_is_a_bad_answer(rig) -> None:
    await rig.backend(lambda _: SWITCHED)
    client = await rig.client()
    status, headers, _ = await client.get()
    assert (status, headers[b"X-Edgecore-Reason"]) == (502, b"bad_response")


async def test_silence_ends_an_upgraded_connection_after_the_idle_timeout_of_connections(make_rig, vclock) -> None:
    rig = await make_rig(vclock, Policy(idle_timeout_s=3600.0))
    backend = await rig.raw_backend(echo_until_eof)
    client = await rig.client()
    await client.send(UPGRADE)
    await client.until(b"\r\n\r\n")
    await vclock.advance(3000)
    await client.send(b"ping")
    assert await client.exactly(4) == b"ping"
    await vclock.advance(3000)
    assert backend.open == 1
    await vclock.advance(601)
    assert await client.rest() == b""
    await rig.until(lambda: not backend.open)


async def test_silence_does_not_end_an_upgraded_connection_without_a_timeout(make_rig, vclock) -> None:
    rig = await make_rig(vclock, Policy(idle_timeout_s=0.0))
    await rig.raw_backend(echo_until_eof)
    client = await rig.client()
    await client.send(UPGRADE)
    await client.until(b"\r\n\r\n")
    await vclock.advance(86_400)
    await client.send(b"still here")
    assert await client.exactly(10) == b"still here"


async def test_lost_backend_ends_the_client(rig) -> None:
    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        await switch(reader, writer)
        await writer.drain()
        await reader.read(1)
        writer.transport.abort()

    await rig.raw_backend(serve)
    client = await rig.client()
    await client.send(UPGRADE + b"xyz")
    assert await client.until(b"\r\n\r\n") == SWITCHED
    client.writer.write_eof()
    assert await client.rest() == b""


async def pour_into_tunnel(rig, backend_reads: asyncio.Event):
    """Fill the tunnel to a backend that does not read, and reset it; return the backend."""

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        await switch(reader, writer)
        reader._transport.pause_reading()
        await backend_reads.wait()
        reader._transport.resume_reading()
        while await reader.read(1 << 20):
            pass

    backend = await rig.raw_backend(serve)
    client = await rig.client()
    await client.send(UPGRADE)
    await client.until(b"\r\n\r\n")
    (connection,) = rig.gateway.backends._open
    while not connection.unsent:
        await client.send(bytes(65536))
    client.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    client.writer.transport.abort()
    await rig.until(lambda: connection in rig.gateway.backends._finishing)
    return backend


async def test_last_bytes_of_a_tunnel_that_are_not_taken_are_given_up_after_the_idle_timeout(make_rig, vclock) -> None:
    rig = await make_rig(vclock, max_buffer_bytes=16 << 20)
    reads = asyncio.Event()
    await pour_into_tunnel(rig, reads)
    await vclock.advance(59)
    assert rig.gateway.backends.number == 1
    await vclock.advance(2)
    await rig.until(lambda: not rig.gateway.backends.number)
    reads.set()


async def test_tunnel_whose_last_bytes_were_taken_leaves_no_timer(make_rig, vclock) -> None:
    rig = await make_rig(vclock, max_buffer_bytes=16 << 20)
    reads = asyncio.Event()
    backend = await pour_into_tunnel(rig, reads)
    (timer,) = rig.gateway.backends._finishing.values()
    reads.set()
    await rig.until(lambda: not backend.open and not rig.gateway.backends.number)
    assert (timer.callback, rig.gateway.backends._finishing) == (None, {})
