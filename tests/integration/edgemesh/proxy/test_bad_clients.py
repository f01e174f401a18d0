"""Clients that send what is no request, too much, too slowly, or too many at once."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress

import pytest
from structlog.testing import capture_logs

from edgecore.modules.edgemesh.upstream.policy import Policy

H = b"Host: x\r\n"
CHUNKED = b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n"

REFUSED = [
    pytest.param(b"hello\r\n\r\n", 400, "not_http", id="not_http"),
    pytest.param(b"\x16\x03\x01\x00\x05hello", 400, "not_http", id="tls"),
    pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "bad_request_line", id="http2"),
    pytest.param(b"GET /\r\n" + H + b"\r\n", 400, None, id="http_0_9"),
    pytest.param(b"GET  / HTTP/1.1\r\n" + H + b"\r\n", 400, "bad_request_line", id="two_spaces"),
    pytest.param(b"GET / HTTP/1.1 \r\n" + H + b"\r\n", 400, "bad_request_line", id="space_after_version"),
    pytest.param(b"GET / HTTP/2.0\r\n" + H + b"\r\n", 400, "bad_request_line", id="version_2"),
    pytest.param(b"GET / RTSP/1.0\r\n" + H + b"\r\n", 400, "bad_request_line", id="rtsp"),
    pytest.param(b"GET nowhere HTTP/1.1\r\n" + H + b"\r\n", 400, "bad_target", id="target"),
    pytest.param(b"GET https://x/ HTTP/1.1\r\n" + H + b"\r\n", 400, "bad_target", id="https_target"),
    pytest.param(b"GET http://u:p@x/ HTTP/1.1\r\n" + H + b"\r\n", 400, "bad_target", id="user_in_target"),
    pytest.param(b"GET / HTTP/1.1\r\n\r\n", 400, "bad_host", id="no_host"),
    pytest.param(b"GET / HTTP/1.1\r\n" + H + H + b"\r\n", 400, "bad_host", id="two_hosts"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "bad_host", id="host_with_space"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: x:1:2\r\n\r\n", 400, "bad_host", id="host_with_two_ports"),
    pytest.param(b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", 400, "bad_header", id="space_before_colon"),
    pytest.param(b"GET / HTTP/1.1\r\n" + H + b"X: a\r\n b\r\n\r\n", 400, "bad_header", id="obs_fold"),
    pytest.param(b"GET / HTTP/1.1\r\n X: a\r\n" + H + b"\r\n", 400, "bad_header", id="fold_at_first_line"),
    pytest.param(b"GET / HTTP/1.1\r\n" + H + b"X: a\x00b\r\n\r\n", 400, "bad_header", id="nul"),
    pytest.param(b"GET / HTTP/1.1\r\n" + H + b"X: a\rb\r\n\r\n", 400, "bad_header", id="bare_cr"),
    pytest.param(b"GET / HTTP/1.1\nHost: x\n\n", 400, "bad_request_line", id="bare_lf"),
    pytest.param(b"GET / HTTP/1.1\r\n" + H + b"X: a\n\r\n", 400, "bad_header", id="bare_lf_in_header"),
    pytest.param(b"GET / HTTP/1.1\r\n" + H + b"nocolon\r\n\r\n", 400, "bad_header", id="no_colon"),
    pytest.param(
        b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        400,
        "length_conflict",
        id="both_lengths",
    ),
    pytest.param(
        b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
        400,
        "length_conflict",
        id="both_lengths_the_other_way",
    ),
    pytest.param(
        b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
        400,
        "bad_length",
        id="two_lengths",
    ),
    pytest.param(b"POST / HTTP/1.1\r\n" + H + b"Content-Length: +1\r\n\r\n", 400, "bad_length", id="signed_length"),
    pytest.param(b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 1, 1\r\n\r\n", 400, "bad_length", id="list_of_lengths"),
    pytest.param(
        b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: xchunked\r\n\r\n",
        400,
        "bad_transfer_encoding",
        id="other_coding",
    ),
    pytest.param(
        b"POST / HTTP/1.0\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n",
        400,
        "bad_transfer_encoding",
        id="chunked_1_0",
    ),
    pytest.param(
        b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: gzip, chunked\r\n\r\n",
        501,
        "unsupported_transfer_encoding",
        id="gzip_coding",
    ),
    pytest.param(b"BREW /pot HTTP/1.1\r\n" + H + b"\r\n", 501, "unknown_method", id="unknown_method"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: \r\nHost: x\r\n\r\n", 400, "bad_host", id="two_hosts_one_empty"),
    pytest.param(b"GET /a\x00b HTTP/1.1\r\n" + H + b"\r\n", 400, "bad_target", id="nul_in_target"),
    pytest.param(
        b"POST / HTTP/1.1\r\n" + H + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\nx",
        400,
        "bad_length",
        id="the_same_length_twice",
    ),
    pytest.param(b"CONNECT x:80 HTTP/1.1\r\n" + H + b"\r\n", 501, "connect_unsupported", id="connect"),
    pytest.param(b"GET / HTTP/1.1\r\n" + H + b"X: " + b"y" * 70_000, 431, "header_too_large", id="large_head"),
    *(
        pytest.param(
            b"POST / HTTP/1.1\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n" + chunk,
            400,
            "bad_chunk",
            id=f"chunk_{name}",
        )
        for name, chunk in {
            "no_number": b"zz\r\n",
            "negative": b"-1\r\n",
            "prefixed": b"0x5\r\nhello\r\n",
            "empty": b"\r\n",
            "too_large": b"ffffffffffffffffff\r\n",
            "space_behind": b"5 \r\nhello\r\n",
            "bare_lf": b"5\nhello\n",
            "too_long": b"3\r\nhello\r\n",
        }.items()
    ),
]


@pytest.mark.parametrize(("sent", "status", "reason"), REFUSED)
async def test_bytes_that_are_no_request_are_refused_and_the_connection_closed(
    rig, sent: bytes, status: int, reason: str | None
) -> None:
    backend = await rig.backend()
    client = await rig.client()
    await client.send(sent)
    found, headers, body = await client.answer()
    assert (found, headers[b"Connection"], body.count(b"\n")) == (status, b"close", 1)
    word = headers[b"X-Edgecore-Reason"].decode()
    assert word == (reason or word)
    assert await client.rest() == b""
    assert backend.requests == []
    assert rig.errors() == {word: 1}
    assert rig.metrics.bad_input_counts == {("edgemesh.proxy", word): 1}


async def test_fault_in_a_body_that_is_being_forwarded_closes_both_sides(rig) -> None:
    async def reads(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.read(4096))
        while data := await reader.read(4096):
            received.append(data)
        ended.set()

    received: list[bytes] = []
    ended = asyncio.Event()
    await rig.raw_backend(reads)
    client = await rig.client()
    await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
    await rig.until(lambda: b"abc" in b"".join(received))
    await client.send(b"zz\r\n")
    status, headers, _ = await client.answer()
    assert (status, headers[b"X-Edgecore-Reason"], headers[b"Connection"]) == (400, b"bad_chunk", b"close")
    assert await client.rest() == b""
    await ended.wait()
    assert not b"".join(received).endswith(b"0\r\n\r\n")


async def test_fault_in_a_body_after_the_answer_began_closes_both_sides(rig) -> None:
    async def answers_early(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart")
        await reader.read()
        ended.set()

    ended = asyncio.Event()
    await rig.raw_backend(answers_early)
    client = await rig.client()
    await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    await client.until(b"part")
    await client.send(b"zz\r\n")
    assert await client.rest() == b""
    await ended.wait()


async def test_requests_before_the_bad_one_are_answered(rig) -> None:
    backend = await rig.backend()
    client = await rig.client()
    await client.send(b"GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\nrubbish")
    assert [(await client.answer())[0] for _ in range(3)] == [200, 200, 400]
    assert len(backend.requests) == 2


async def test_big_rubbish_does_not_take_the_answer_away(rig) -> None:
    client = await rig.client()
    client.writer.write(b"rubbish" * 500_000)
    assert (await client.answer())[0] == 400


async def test_flood_of_bad_clients_is_one_line_a_second(make_rig, vclock) -> None:
    rig = await make_rig(vclock)
    listener = await rig.listen()
    with capture_logs() as lines:
        for _ in range(20):
            client = await rig.connect(listener)
            await client.send(b"hello\r\n\r\n")
            await client.answer()
        await vclock.advance(1)
    said = [(line["reason"], line["left_out"]) for line in lines if line["event"] == "bad_input"]
    assert said == [("not_http", 0), ("not_http", 18)]
    assert rig.errors() == {"not_http": 20}


async def test_log_says_which_port_the_client_took_for_another(rig, nginx) -> None:
    listener = await rig.listen()
    client = await rig.connect(listener)
    with capture_logs() as lines:
        await client.send(b"\x16\x03\x01\x00\x05hello")
        await client.answer()
    (line,) = [line for line in lines if line["event"] == "bad_input"]
    assert line["details"] == (
        "cannot forward the request: the client speaks TLS, and this port plain HTTP"
        f" (at service {nginx} port {listener.address.port})"
    )


async def test_slow_head_is_408(make_rig, vclock) -> None:
    rig = await make_rig(vclock, idle_timeout_s=60.0)
    client = await rig.client()
    await passed(rig, client.send(b"GET / HTTP/1.1\r\nHost: "))
    await vclock.advance(59)
    await passed(rig, client.send(b"x\r\nX"))
    await vclock.advance(2)
    assert (await client.answer())[0] == 408
    await vclock.advance(3)
    assert await client.rest() == b""
    assert rig.errors() == {"slow_request": 1}


async def test_slow_body_is_408(make_rig, vclock) -> None:
    rig = await make_rig(vclock, Policy(request_timeout_s=300.0))
    backend = await rig.backend()
    client = await rig.client()
    await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n")
    await rig.until(lambda: backend.open)
    await vclock.advance(301)
    assert (await client.answer())[0] == 408
    await rig.until(lambda: not backend.open)


async def test_silent_connection_is_closed_without_a_word(make_rig, vclock) -> None:
    rig = await make_rig(vclock, idle_timeout_s=60.0)
    await rig.backend()
    client = await rig.client()
    assert (await client.get())[0] == 200
    await vclock.advance(59)
    assert (await client.get())[0] == 200
    await vclock.advance(61)
    assert await client.rest() == b""
    assert rig.errors() == {}


async def test_client_that_keeps_talking_after_a_refusal_is_cut(make_rig, vclock) -> None:
    rig = await make_rig(vclock, linger_s=2.0)
    client = await rig.client()
    await client.send(b"rubbish")
    assert (await client.answer())[0] == 400
    await client.send(b"more")
    await vclock.advance(3)
    await rig.until(lambda: not rig.proxy.status()["connections"])


async def test_client_that_leaves_within_its_head_is_counted(rig) -> None:
    client = await rig.client()
    await client.send(b"GET / HT")
    client.writer.write_eof()
    assert await client.rest() == b""
    assert rig.errors() == {"truncated": 1}


async def test_client_that_leaves_within_its_body_lets_the_backend_go(rig) -> None:
    backend = await rig.backend()
    client = await rig.client()
    await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab")
    client.writer.write_eof()
    assert (await client.answer())[0] == 400
    assert rig.errors() == {"truncated": 1}
    await rig.until(lambda: backend.connections and not backend.open)


async def test_client_that_leaves_before_its_answer_is_counted_as_499(rig) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    backend = await rig.raw_backend(serve)
    listener = await rig.listen()
    client = await rig.connect(listener)
    await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nab")
    await rig.until(lambda: backend.open)
    client.writer.transport.abort()
    await rig.until(lambda: rig.requests(listener))
    assert rig.requests(listener) in ({"499": 1}, {"400": 1})  # gone, or seen to end within its body
    await rig.until(lambda: not backend.open)


async def test_connections_over_the_limit_are_503(make_rig) -> None:
    rig = await make_rig(max_connections=2)
    begun, go_on = asyncio.Queue[None](), asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            begun.put_nowait(None)
            await go_on.wait()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    await rig.raw_backend(serve)
    listener = await rig.listen()
    inside = [await rig.connect(listener) for _ in range(2)]
    answers = [asyncio.create_task(client.get()) for client in inside]
    for _ in inside:
        await begun.get()
    outside = await rig.connect(listener)
    status, headers, _ = await outside.answer()
    assert (status, headers[b"X-Edgecore-Reason"]) == (503, b"too_many_connections")
    assert await outside.rest() == b""
    go_on.set()
    assert [(await answer)[0] for answer in answers] == [200, 200]
    assert rig.errors() == {"too_many_connections": 1}
    await inside[1].close()
    await rig.until(lambda: rig.proxy.status()["connections"] == 1)
    assert (await (await rig.connect(listener)).get())[0] == 200


async def test_clients_that_ask_nothing_leave_for_those_that_come(make_rig) -> None:
    rig = await make_rig(max_connections=32)
    await rig.backend()
    listener = await rig.listen()
    slow = [await rig.connect(listener) for _ in range(31)]
    for client in slow:
        await client.send(b"GET / HTTP/1.1\r\nX-Slow: ")
    asking = await rig.connect(listener)
    assert (await asking.get())[0] == 200
    for _ in range(40):
        newcomer = await rig.connect(listener)
        assert (await newcomer.get())[0] == 200
    with suppress(ConnectionResetError):
        assert await slow[0].rest() == b""
    errors = rig.errors()
    assert errors.keys() == {"crowded_out"}
    assert 40 <= errors["crowded_out"] <= 44
    assert rig.proxy.status()["connections"] <= 32


async def test_slow_clients_do_not_stop_a_fast_one(rig) -> None:
    await rig.backend()
    listener = await rig.listen()
    for _ in range(100):
        await (await rig.connect(listener)).send(b"GET / HTTP/1.1\r\nHos")
    assert (await (await rig.connect(listener)).get())[0] == 200


async def passed(rig, sending: Awaitable[None]) -> None:
    """Send something to which there is no answer, and give it the time to arrive."""
    await sending
    for _ in range(10):
        await asyncio.sleep(0.005)
