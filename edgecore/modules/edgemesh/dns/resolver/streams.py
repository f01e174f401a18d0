"""One question over TCP: each message with its length in two bytes before it (RFC 1035 section 4.2.2, RFC 7766)."""

import asyncio
import socket

from edgecore.clock import Clock, before
from edgecore.modules.edgemesh.dns.resolver.asking import asking_socket
from edgecore.modules.edgemesh.dns.resolver.exchange import Server


class StreamError(Exception):
    """No message came; ``word`` says why: ``tcp_refused``, ``tcp_closed`` or ``tcp_silent``."""

    def __init__(self, word: str) -> None:
        super().__init__(word)
        self.word = word


async def ask_stream(server: Server, query: bytes, clock: Clock, deadline: float, mark: int = 0) -> bytes:
    """Return the first message that ``server`` sends back, of up to 65535 bytes. Raises ``StreamError``.

    ``mark``: see ``asking_socket``.
    """
    try:
        return await before(clock, deadline, _ask(server, query, mark))
    except TimeoutError:
        raise StreamError("tcp_silent") from None
    except OSError:
        raise StreamError("tcp_refused") from None


async def _ask(server: Server, query: bytes, mark: int) -> bytes:
    loop = asyncio.get_running_loop()
    with asking_socket(server, socket.SOCK_STREAM, mark) as sock:
        await loop.sock_connect(sock, server)
        await loop.sock_sendall(sock, len(query).to_bytes(2, "big") + query)
        size = int.from_bytes(await _receive(sock, 2), "big")
        return await _receive(sock, size)


async def _receive(sock: socket.socket, size: int) -> bytes:
    loop = asyncio.get_running_loop()
    received = bytearray()
    while len(received) < size:
        piece = await loop.sock_recv(sock, size - len(received))
        if not piece:
            raise StreamError("tcp_closed")
        received += piece
    return bytes(received)
