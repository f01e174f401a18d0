"""Requests and answers through the proxy, as they should be: nothing here goes wrong."""

import asyncio

import pytest


def text(body: bytes, *lines: bytes) -> bytes:
    return b"\r\n".join([b"HTTP/1.1 200 OK", *lines, b"Content-Length: %d" % len(body), b"", body])


async def test_answer_comes_as_the_backend_wrote_it(rig) -> None:
    answer = b"HTTP/1.1 404 Nowhere\r\nx-lower: v\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nContent-Length: 2\r\n\r\nno"
    await rig.backend(lambda _: answer)
    client = await rig.client()
    await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert await client.exactly(len(answer)) == answer


async def test_request_reaches_the_backend_with_its_headers_in_order(rig) -> None:
    backend = await rig.backend()
    client = await rig.client()
    await client.get("/a?b=c", "X-Test: a", "x-lower: b", "X-Test: c", "Cookie: a=b")
    received = backend.requests[0]
    assert (received.method, received.target) == (b"GET", b"/a?b=c")
    assert received.headers == [
        (b"host", b"nginx-svc.default:12345"),
        (b"x-test", b"a"),
        (b"x-lower", b"b"),
        (b"x-test", b"c"),
        (b"cookie", b"a=b"),
    ]


async def test_requests_of_one_connection_take_turns_over_the_backends(rig) -> None:
    backends = [await rig.backend(host=f"127.0.0.{number}") for number in (2, 3)]
    client = await rig.client()
    for _ in range(6):
        assert (await client.get())[0] == 200
    assert [len(backend.requests) for backend in backends] == [3, 3]


async def test_backend_connection_is_kept_for_the_next_request(rig) -> None:
    backend = await rig.backend()
    listener = await rig.listen()
    for _ in range(3):
        client = await rig.connect(listener)
        await client.get()
        await client.close()
    assert (backend.connections, len(backend.requests)) == (1, 3)


async def test_requests_at_the_same_time_have_a_connection_each(rig) -> None:
    backend = await rig.backend()
    listener = await rig.listen()
    clients = [await rig.connect(listener) for _ in range(4)]
    await asyncio.gather(*(client.get() for client in clients))
    assert backend.connections == 4
    assert rig.proxy.status()["idle_backend_connections"] == 4


async def test_pipelined_requests_are_answered_in_order(rig) -> None:
    await rig.backend(host="127.0.0.2")
    await rig.backend(host="127.0.0.3")
    client = await rig.client()
    await client.send(b"".join(b"GET /%d HTTP/1.1\r\nHost: x\r\n\r\n" % number for number in range(50)))
    assert [(await client.answer())[2] for _ in range(50)] == [b"GET /%d body=0\n" % number for number in range(50)]


async def test_pipelined_bodies_do_not_run_into_each_other(rig) -> None:
    backend = await rig.backend()
    client = await rig.client()
    await client.send(
        b"POST /1 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nGET"
        b"POST /2 HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
        b"GET /3 HTTP/1.1\r\nHost: x\r\n\r\n"
    )
    assert [(await client.answer())[2] for _ in range(3)] == [
        b"POST /1 body=3\n",
        b"POST /2 body=5\n",
        b"GET /3 body=0\n",
    ]
    assert [request.body for request in backend.requests] == [b"GET", b"hello", b""]


async def test_body_that_comes_after_its_head_is_forwarded(rig) -> None:
    backend = await rig.backend()
    client = await rig.client()
    await client.send(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234")
    await rig.until(lambda: backend.connections)
    await client.send(b"56789")
    assert (await client.answer())[0] == 200
    assert backend.requests[0].body == b"0123456789"


async def test_chunked_request_keeps_its_trailers(rig) -> None:
    backend = await rig.backend()
    client = await rig.client()
    await client.send(
        b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5;ext=1\r\nhello\r\n00\r\nX-T: v\r\nContent-Length: 9\r\n\r\n"
    )
    assert (await client.answer())[0] == 200
    assert (backend.requests[0].body, backend.requests[0].trailers) == (b"hello", [(b"x-t", b"v")])


async def test_head_has_the_length_and_no_body(rig) -> None:
    await rig.backend()
    client = await rig.client()
    await client.send(b"HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n")
    assert await client.until(b"\r\n\r\n") == b"HTTP/1.1 200 OK\r\nContent-Length: 19\r\n\r\n"
    assert (await client.get("/after"))[2] == b"GET /after body=0\n"


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"HTTP/1.1 204 No Content\r\nX: y\r\n\r\n", b"HTTP/1.1 204 No Content\r\nX: y\r\n\r\n"),
        (b"HTTP/1.1 304 Not Modified\r\nEtag: x\r\n\r\n", b"HTTP/1.1 304 Not Modified\r\nEtag: x\r\n\r\n"),
        (
            b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
            b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
        ),
    ],
)
async def test_answers_that_never_have_a_body_leave_the_connection_usable(rig, answer: bytes, expected: bytes) -> None:
    await rig.backend(lambda request: answer if request.target == b"/bare" else text(b"next"))
    client = await rig.client()
    await client.send(b"GET /bare HTTP/1.1\r\nHost: x\r\n\r\n")
    assert await client.until(b"\r\n\r\n") == expected
    assert (await client.get())[2] == b"next"


async def test_chunked_answer_keeps_chunks_and_trailers(rig) -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-T\r\n\r\n6\r\nhello\n\r\n0\r\nX-T: v\r\n\r\n"
    await rig.backend(lambda _: answer)
    client = await rig.client()
    await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert await client.exactly(len(answer)) == answer


async def test_answer_until_close_says_so_and_closes(rig) -> None:
    await rig.backend(lambda _: b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil close\n")
    client = await rig.client()
    await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert await client.rest() == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil close\n"


async def test_answer_of_http_1_0_comes_as_http_1_1(rig) -> None:
    await rig.backend(lambda _: b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nold")
    client = await rig.client()
    await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert await client.rest() == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nold"


async def test_backend_that_closes_after_each_answer_does_not_close_the_client(rig) -> None:
    backend = await rig.backend(lambda _: text(b"ok", b"Connection: close"))
    client = await rig.client()
    for _ in range(3):
        status, headers, _ = await client.get()
        assert (status, b"Connection" in headers) == (200, False)
    assert backend.connections == 3


async def test_connection_close_of_the_client_is_honoured(rig) -> None:
    backend = await rig.backend()
    client = await rig.client()
    await client.send(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert await client.rest() == b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\nConnection: close\r\n\r\nGET / body=0\n"
    assert backend.requests[0].values(b"connection") == []


async def test_http_1_0_client_is_answered_and_closed(rig) -> None:
    backend = await rig.backend()
    client = await rig.client()
    await client.send(b"GET / HTTP/1.0\r\n\r\n")
    assert await client.rest() == b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\nConnection: close\r\n\r\nGET / body=0\n"
    host = b"127.0.0.1:%d" % client.writer.get_extra_info("peername")[1]
    assert backend.requests[0].values(b"host") == [host]


async def test_http_1_0_client_may_keep_the_connection(rig) -> None:
    await rig.backend()
    client = await rig.client()
    for _ in range(2):
        await client.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
        status, headers, _ = await client.answer()
        assert (status, headers[b"Connection"]) == (200, b"keep-alive")


async def test_http_1_0_client_gets_chunks_as_bare_bytes(rig) -> None:
    chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\nX: y\r\n\r\n"
    await rig.backend(lambda _: chunks)
    client = await rig.client()
    await client.send(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert await client.rest() == b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabcde"


async def test_redirects_and_encodings_pass_untouched(rig) -> None:
    answer = b"HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08"
    backend = await rig.backend(lambda _: answer)
    client = await rig.client()
    await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert await client.exactly(len(answer)) == answer
    assert len(backend.requests) == 1


async def test_client_that_has_finished_sending_is_still_answered(rig) -> None:
    await rig.backend()
    client = await rig.client()
    await client.send(b"GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\n")
    client.writer.write_eof()
    answers = await client.rest()
    assert answers.count(b"HTTP/1.1 200 OK") == 2


async def test_interim_answers_are_passed_on(rig) -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"
    await rig.backend(lambda _: hints + text(b"ok"))
    client = await rig.client()
    await client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    assert await client.exactly(len(hints + text(b"ok"))) == hints + text(b"ok")


async def test_interim_answers_are_kept_from_http_1_0_clients(rig) -> None:
    await rig.backend(lambda _: b"HTTP/1.1 103 Early Hints\r\n\r\n" + text(b"ok"))
    client = await rig.client()
    await client.send(b"GET / HTTP/1.0\r\n\r\n")
    assert await client.rest() == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
