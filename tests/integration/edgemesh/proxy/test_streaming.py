"""Bodies pass as they come, in bounded memory, at the pace of the slower side."""

import asyncio
import resource
from asyncio import StreamReader, StreamWriter

MIB = 1024 * 1024


async def test_pieces_of_an_answer_pass_before_its_end(rig) -> None:
    go_on = asyncio.Event()

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n")
        await go_on.wait()
        writer.write(b"6\r\nsecond\r\n0\r\nX-T: v\r\n\r\n")
        await reader.read()

    await rig.raw_backend(serve)
    client = await rig.client()
    await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await client.until(b"5\r\nfirst\r\n")
    go_on.set()
    assert await client.until(b"\r\n\r\n") == b"6\r\nsecond\r\n0\r\nX-T: v\r\n\r\n"


async def test_pieces_of_a_request_pass_before_its_end(rig) -> None:
    seen: asyncio.Queue[bytes] = asyncio.Queue()

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        while data := await reader.read(65536):
            seen.put_nowait(data)

    await rig.raw_backend(serve)
    client = await rig.client()
    await client.send(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234")
    first = await seen.get()
    if not first.endswith(b"01234"):
        first += await seen.get()
    assert first == b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234"
    await client.send(b"56789")
    assert await seen.get() == b"56789"


async def test_100_continue_of_the_backend_calls_for_the_body(rig) -> None:
    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"Expect: 100-continue\r\n" in head
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        body = await reader.readexactly(5)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n" + body)
        await reader.read()

    await rig.raw_backend(serve)
    client = await rig.client()
    await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    assert await client.until(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    await client.send(b"hello")
    assert (await client.answer())[2] == b"hello"


async def test_final_answer_in_place_of_100_continue_ends_the_exchange(rig) -> None:
    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\n\r\n")
        assert await reader.read() == b""

    await rig.raw_backend(serve)
    client = await rig.client()
    await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
    refused = b"HTTP/1.1 417 Expectation Failed\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    assert await client.rest() == refused


async def test_early_answer_reaches_a_client_that_is_still_sending(rig) -> None:
    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
        await writer.drain()
        await asyncio.sleep(0.2)

    await rig.raw_backend(serve)
    client = await rig.client()
    client.writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (64 * MIB) + bytes(8 * MIB))
    status, headers, body = await client.answer()
    assert (status, headers[b"Connection"], body) == (413, b"close", b"big")
    assert await client.rest() == b""


async def test_answer_that_begins_before_the_body_is_complete_is_the_last_of_its_connection(rig) -> None:
    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")
        writer.write(await reader.readexactly(4))

    await rig.raw_backend(serve)
    client = await rig.client()
    await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n")
    assert await client.until(b"\r\n\r\n") == b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\n"
    await client.send(b"body")
    assert await client.rest() == b"body"


async def test_slow_client_holds_the_backend_back(rig) -> None:
    sent = 0

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (64 * MIB))
        for _ in range(64):
            writer.write(bytes(MIB))
            await writer.drain()
            sent += 1
        await reader.read()

    await rig.raw_backend(serve)
    client = await rig.client()
    await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    await client.until(b"\r\n\r\n")
    await settled(lambda: sent)
    assert sent < 32  # what fits into the buffers of sockets, asyncio and the proxy
    assert await client.exactly(64 * MIB) == bytes(64 * MIB)


async def test_slow_backend_holds_the_client_back(rig) -> None:
    go_on = asyncio.Event()

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await go_on.wait()
        body = await reader.readexactly(64 * MIB)
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n%08d" % len(body))
        await reader.read()

    await rig.raw_backend(serve)
    client = await rig.client()
    sent = 0

    async def send() -> None:
        nonlocal sent
        await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % (64 * MIB))
        for _ in range(64):
            await client.send(bytes(MIB))
            sent += 1

    sending = asyncio.create_task(send())
    await settled(lambda: sent)
    assert sent < 32
    go_on.set()
    await sending
    assert (await client.answer())[2] == b"67108864"


async def test_pipelining_client_that_does_not_read_is_not_read_either(rig) -> None:
    backend = await rig.backend(lambda _: b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % MIB + bytes(MIB))
    client = await rig.client()
    request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    client.writer.write(request * 2000)
    await settled(lambda: len(backend.requests))
    assert len(backend.requests) < 32
    for _ in range(40):
        assert (await client.answer())[0] == 200


async def test_big_bodies_leave_no_mark_in_memory(rig) -> None:
    size = 256 * MIB

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        left = size
        while left:
            left -= len(await reader.read(MIB))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(size // MIB):
            writer.write(bytes(MIB))
            await writer.drain()
        await reader.read()

    await rig.raw_backend(serve)
    client = await rig.client()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size)
    for _ in range(size // MIB):
        await client.send(bytes(MIB))
    await client.until(b"\r\n\r\n")
    left = size
    while left:
        left -= len(await client.reader.read(MIB))
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown_kib < 32 * 1024  # client, backend and proxy together


async def settled(value) -> None:
    """Wait until ``value()`` has stopped changing."""
    last = None
    while last != value():
        last = value()
        await asyncio.sleep(0.2)
