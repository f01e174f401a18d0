"""Checks of servers that are well, hang, refuse, lie or are slow."""

import asyncio
import socket
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, Protocol

import pytest

from edgecore.modules.edgemesh.names import Endpoint
from edgecore.modules.edgemesh.upstream.health.asking import ask
from edgecore.modules.edgemesh.upstream.health.probing import Check
from edgecore.modules.edgemesh.upstream.spec import Probe

Serve = Callable[[StreamReader, StreamWriter], Coroutine[Any, Any, None]]
StartServer = Callable[..., Awaitable[Endpoint]]


class Authority(Protocol):
    def server_files(self, folder: Path, address: str = "127.0.0.1") -> tuple[Path, Path]: ...


def answers(data: bytes, *, close: bool = True) -> Serve:
    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(data)
        await writer.drain()
        if not close:
            await reader.read()

    return serve


async def checked(endpoint: Endpoint, probe: Probe | None = None) -> str:
    return await asyncio.wait_for(ask(Check(endpoint, probe or Probe("http"), "")), 5)


async def test_a_server_that_accepts_is_well_for_tcp_even_if_it_says_nothing(start_server: StartServer) -> None:
    ended = asyncio.Event()

    async def serve(reader: StreamReader, _writer: StreamWriter) -> None:
        assert await reader.read() == b""
        ended.set()

    assert await checked(await start_server(serve), Probe("tcp")) == ""
    await asyncio.wait_for(ended.wait(), 5)


@pytest.mark.parametrize("kind", ["tcp", "http"])
async def test_where_nobody_listens_the_connection_fails(kind: str) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        assert await checked(Endpoint(*sock.getsockname()), Probe(kind)) == "connect_failed"  # type: ignore[arg-type]


async def test_a_port_that_cannot_be_is_one_where_nobody_listens() -> None:
    assert await checked(Endpoint("127.0.0.1", 70000)) == "connect_failed"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", ""),
        (b"HTTP/1.0 204 No Content\r\n\r\n", ""),
        (b"HTTP/1.1 302 Found\r\nLocation: /login\r\n\r\n", ""),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "status_400"),
        (b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n", "status_500"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", ""),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 503 No\r\n\r\n", "status_503"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "status_101"),
        (b"HTTP/1.1 100 Continue\r\nX: 1", "closed"),
        (b"", "closed"),
        (b"SSH-2.0-OpenSSH\r\n", "bad_response"),
        (b"x" * 100_000, "bad_response"),
        (b"HTTP/1.1 100 \r\n" + b"x" * 100_000, "bad_response"),
    ],
)
async def test_an_answer_says_whether_a_server_is_well(start_server: StartServer, answer: bytes, error: str) -> None:
    assert await checked(await start_server(answers(answer))) == error


async def test_a_server_that_keeps_the_connection_is_not_waited_for(start_server: StartServer) -> None:
    endpoint = await start_server(answers(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", close=False))

    assert await checked(endpoint) == ""


async def test_what_is_sent_is_the_request_of_the_probe(start_server: StartServer) -> None:
    received = bytearray()

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        received.extend(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")

    probe = Probe("http", path="/ready?x=1", host="web.example", headers=(("X-Probe", "1"),))
    assert await checked(await start_server(serve), probe) == ""
    assert received.startswith(b"GET /ready?x=1 HTTP/1.1\r\nHost: web.example\r\n")
    assert b"\r\nX-Probe: 1\r\n" in received


async def test_with_tls_any_certificate_will_do(
    start_server: StartServer, authority: Authority, tmp_path: Path
) -> None:
    certificate, key = authority.server_files(tmp_path, "10.1.2.3")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    endpoint = await start_server(answers(b"HTTP/1.1 200 OK\r\n\r\n"), ssl=context)

    assert await checked(endpoint, Probe("http", tls=True)) == ""


async def test_a_server_without_tls_is_no_server_with_tls(start_server: StartServer) -> None:
    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await writer.drain()

    assert await checked(await start_server(serve), Probe("http", tls=True)) == "tls_failed"


async def test_an_ipv6_address_is_asked(start_server: StartServer) -> None:
    endpoint = await start_server(answers(b"HTTP/1.1 200 OK\r\n\r\n"), host="::1")

    assert await checked(endpoint) == ""


@pytest.mark.parametrize("tls", [False, True])
async def test_a_server_that_hangs_is_let_go_when_time_is_up(start_server: StartServer, tls: bool) -> None:
    accepted, ended = asyncio.Event(), asyncio.Event()

    async def serve(reader: StreamReader, _writer: StreamWriter) -> None:
        accepted.set()
        while await reader.read(1000):
            pass
        ended.set()

    task = asyncio.ensure_future(ask(Check(await start_server(serve), Probe("http", tls=tls), "")))
    await asyncio.wait_for(accepted.wait(), 5)
    task.cancel()
    await asyncio.wait({task})

    assert task.cancelled()
    await asyncio.wait_for(ended.wait(), 5)
