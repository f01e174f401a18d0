"""The probes of the demonstration against servers that say what the test has them say."""

import asyncio
import socket
from collections.abc import Callable

import pytest
from dnslib import DNSRecord

from edgecore.demo import probes

Address = tuple[str, int]


async def _answer_datagram(server: socket.socket, answer: Callable[[bytes], bytes]) -> bytes:
    loop = asyncio.get_running_loop()
    packet, peer = await loop.sock_recvfrom(server, 512)
    await loop.sock_sendto(server, answer(packet), peer)
    return packet


async def test_a_question_asks_for_the_a_record_with_recursion() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.setblocking(False)
        serving = asyncio.create_task(_answer_datagram(server, lambda packet: packet))

        exchange = await asyncio.to_thread(probes.ask, server.getsockname(), "web.default.svc.cluster.local.")

        question = DNSRecord.parse(await serving)
    assert (str(question.q.qname), question.q.qtype, question.q.qclass) == ("web.default.svc.cluster.local.", 1, 1)
    assert question.header.rd == 1
    assert exchange.question == exchange.answer == question.pack()


async def test_a_server_that_is_not_there_is_an_error() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = nobody.getsockname()

    with pytest.raises(OSError, match="refused"):
        await asyncio.to_thread(probes.ask, address, "web")


async def test_a_request_has_target_and_host_as_given_and_the_answer_is_returned_whole() -> None:
    received: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        received.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 503 Out Of Order\r\nX-Why: tired\r\nContent-Length: 4\r\n\r\nno\xff!")
        await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        answer = await asyncio.to_thread(
            probes.get, server.sockets[0].getsockname(), "http://web:80/x?y", "web.default:80"
        )

    (head,) = received
    assert head.startswith(b"GET http://web:80/x?y HTTP/1.1\r\n")
    assert b"\r\nHost: web.default:80\r\n" in head
    assert (answer.status, answer.reason, answer.body) == (503, "Out Of Order", "no\N{REPLACEMENT CHARACTER}!")
    assert ("X-Why", "tired") in answer.headers
