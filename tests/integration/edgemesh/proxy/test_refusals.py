"""What could be read in two ways, or is none of ours, is refused wherever it comes: alone, in pieces, behind others.

The backend never gets to see a byte of it, and what the client gets is an answer that h11 reads without complaint.
"""

import asyncio
import contextlib

import h11
import pytest

GOOD = b"GET /good HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nHost: x\r\n"
GET = b"GET / HTTP/1.1\r\nHost: x\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"

HEADS = {
    "both lengths": (POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    "both lengths, the other way": (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n", 400),
    "a length repeated": (POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", 400),
    "two lengths": (POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400),
    "a list of lengths": (POST + b"Content-Length: 3, 3\r\n\r\nabc", 400),
    "a signed length": (POST + b"Content-Length: +3\r\n\r\nabc", 400),
    "a negative length": (POST + b"Content-Length: -1\r\n\r\n", 400),
    "a hexadecimal length": (POST + b"Content-Length: 0x3\r\n\r\nabc", 400),
    "a length that is too long": (POST + b"Content-Length: " + b"9" * 30 + b"\r\n\r\n", 400),
    "an empty length": (POST + b"Content-Length: \r\n\r\n", 400),
    "chunked twice": (POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "chunked, and more": (POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400),
    "nearly chunked": (POST + b"Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n", 400),
    "another coding": (POST + b"Transfer-Encoding: identity\r\n\r\n", 400),
    "a coding that we do not know": (POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
    "chunked in 1.0": (b"POST / HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "a space before the colon": (POST + b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400),
    "a tab before the colon": (GET + b"X\t: y\r\n\r\n", 400),
    "bare LF in the first line": (b"GET / HTTP/1.1\nHost: x\r\n\r\n", 400),
    "bare LF in a line": (GET + b"X: a\nY: b\r\n\r\n", 400),
    "bare LF at the end": (GET + b"X: a\r\n\n", 400),
    "bare CR": (GET + b"X: a\rY: b\r\n\r\n", 400),
    "obs-fold": (GET + b"X: a\r\n b\r\n\r\n", 400),
    "obs-fold with a tab": (GET + b"X: a\r\n\tb\r\n\r\n", 400),
    "obs-fold at first": (b"GET / HTTP/1.1\r\n X: a\r\nHost: x\r\n\r\n", 400),
    "NUL in a value": (GET + b"X: a\0b\r\n\r\n", 400),
    "NUL in a name": (GET + b"X\0: a\r\n\r\n", 400),
    "NUL in the target": (b"GET /\0 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "no name": (GET + b": a\r\n\r\n", 400),
    "no colon": (GET + b"nonsense\r\n\r\n", 400),
    "no Host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two Hosts": (b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n", 400),
    "a Host twice": (b"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", 400),
    "a Host that is none": (b"GET / HTTP/1.1\r\nHost: x/y\r\n\r\n", 400),
    "version 0.9": (b"GET /\r\n\r\n", 400),
    "version 1.2": (b"GET / HTTP/1.2\r\nHost: x\r\n\r\n", 400),
    "version 2.0": (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", 400),
    "version 0.0": (b"GET / HTTP/0.0\r\nHost: x\r\n\r\n", 400),
    "version 11": (b"GET / HTTP/11\r\nHost: x\r\n\r\n", 400),
    "the preface of HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "two spaces": (b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "a tab in the first line": (b"GET\t/ HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "CONNECT": (b"CONNECT x:80 HTTP/1.1\r\nHost: x:80\r\n\r\n", 501),
    "an unknown method": (b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n", 501),
    "an unknown method, and a body": (b"BREW / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", 501),
    "a head that is too long": (GET + b"X: " + b"y" * 70_000 + b"\r\n\r\n", 431),
    "a target that is too long": (b"GET /" + b"y" * 70_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 431),
}
BODIES = {
    "no number": b"zz\r\nabc\r\n",
    "a negative size": b"-3\r\nabc\r\n",
    "0x": b"0x3\r\nabc\r\n",
    "a size that is too long": b"fffffffffffffffff\r\nabc\r\n",
    "a space before the size": b" 3\r\nabc\r\n",
    "a space behind it": b"3 \r\nabc\r\n",
    "bare LF behind the size": b"3\nabc\r\n",
    "bare CR behind it": b"3\rabc\r\n",
    "bare LF behind the data": b"3\r\nabc\n0\r\n\r\n",
    "more data than was said": b"3\r\nabcd\r\n",
    "an extension with a control": b"3;a=\0\r\nabc\r\n",
    "a trailer that is folded": b"0\r\nX: a\r\n b\r\n\r\n",
    "a trailer without a colon": b"0\r\nnonsense\r\n\r\n",
    "a trailer with bare LF": b"0\r\nX: a\n\r\n",
}


def judged(data: bytes, before: int) -> tuple[h11.Response, bytes]:
    """Return the last answer in ``data``; so many good ones are before it, and nothing behind."""
    judge = h11.Connection(h11.CLIENT)
    judge.receive_data(data)
    judge.receive_data(b"")
    for number in range(before + 1):
        judge.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))
        judge.send(h11.EndOfMessage())
        answer, body = judge.next_event(), b""
        assert isinstance(answer, h11.Response)
        while isinstance(event := judge.next_event(), h11.Data):
            body += bytes(event.data)
        assert isinstance(event, h11.EndOfMessage)
        if number < before:
            assert answer.status_code == 200
            judge.start_next_cycle()
    assert judge.trailing_data[0] == b""
    return answer, body


@pytest.mark.parametrize("arrival", ["alone", "in pieces", "behind one in one piece", "after one"])
@pytest.mark.parametrize("what", HEADS)
async def test_head_is_refused_and_the_connection_closed(rig, what: str, arrival: str) -> None:
    data, status = HEADS[what]
    backend = await rig.backend()
    client = await rig.client()
    before = 0
    if arrival == "in pieces":
        for at in range(0, len(data), 1 + len(data) // 60):
            client.writer.write(data[at : at + 1 + len(data) // 60])
            await asyncio.sleep(0)
    elif arrival == "behind one in one piece":
        before = 1
        client.writer.write(GOOD + data)
    elif arrival == "after one":
        assert (await client.get("/good"))[0] == 200
        client.writer.write(data)
    else:
        client.writer.write(data)
    answer, body = judged(await client.rest(), before)
    headers = dict(answer.headers)
    assert (answer.status_code, headers[b"connection"], body.count(b"\n")) == (status, b"close", 1)
    assert {request.target for request in backend.requests} <= {b"/good"}
    assert sum(rig.errors().values()) == sum(rig.metrics.bad_input_counts.values()) == 1
    await client.close()
    await rig.until(lambda: not rig.proxy.status()["connections"])


@pytest.mark.parametrize("what", BODIES)
async def test_bad_chunks_behind_good_ones_close_both_sides(rig, what: str) -> None:
    """The backend has a part of it already: it must not take that for the whole."""
    ended = asyncio.get_running_loop().create_future()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got = b""
        try:
            while data := await reader.read(65_536):
                got += data
        except ConnectionError:
            pass
        ended.set_result(got)

    await rig.raw_backend(serve)
    client = await rig.client()
    await client.send(CHUNKED + b"4\r\ngood\r\n")
    await rig.until(lambda: rig.gateway.backends.number)
    await client.send(BODIES[what])
    answer, _ = judged(await client.rest(), 0)
    assert (answer.status_code, dict(answer.headers)[b"connection"]) == (400, b"close")
    judge = h11.Connection(h11.SERVER)
    judge.receive_data(await asyncio.wait_for(ended, 10))
    events = []
    while (event := judge.next_event()) is not h11.NEED_DATA:
        events.append(event)
    assert not any(isinstance(event, h11.EndOfMessage) for event in events)
    assert rig.gateway.backends.number == 0


async def test_bad_chunks_behind_the_begin_of_the_answer_close_both_sides(rig) -> None:
    ended = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"good")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart")
        with contextlib.suppress(ConnectionError):
            await reader.read()
        ended.set()

    await rig.raw_backend(serve)
    client = await rig.client()
    await client.send(CHUNKED + b"4\r\ngood\r\n")
    await client.until(b"part")
    await client.send(b"zz\r\n")
    assert await client.rest() == b""
    await asyncio.wait_for(ended.wait(), 10)
    assert rig.errors() == {"bad_chunk": 1}
