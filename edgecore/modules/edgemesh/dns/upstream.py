"""Puts questions to the upstream servers: one connected UDP socket, one random port and one random id an attempt.

A connected socket hands up only datagrams of the server's own address and port, and reports its ICMP errors.
"""

import asyncio
import socket
from collections.abc import Callable, Sequence

from edgecore.clock import Clock
from edgecore.modules.edgemesh.dns.exchange import Attempt, Exchange, Server, Verdict, is_ourselves

_DATAGRAM_LIMIT_BYTES = 65535


class Upstream:
    """Asks the upstream servers.

    ``random_id`` returns an unpredictable number from 0 to 65535 for each query; ``listening`` returns our own
    addresses, which are never asked.
    """

    def __init__(self, clock: Clock, random_id: Callable[[], int], listening: Callable[[], Sequence[Server]]) -> None:
        self._clock = clock
        self._random_id = random_id
        self._listening = listening
        self.ignored = 0
        """Datagrams that were not the reply to our query."""

    async def ask(self, packet: bytes, question: bytes, servers: Sequence[Server]) -> bytes | None:
        """Return the reply to ``packet``, under its id; ``None`` if no server gave one in time.

        The reply is passed on as it is, TC bit included.
        """
        exchange = Exchange(question, servers, self._clock.monotonic())
        while (attempt := exchange.next(self._clock.monotonic())) is not None:
            query = self._random_id().to_bytes(2, "big") + packet[2:]
            try:
                reply = await self._attempt(exchange, attempt, query)
            except OSError:  # no route, not permitted, no more sockets
                exchange.give_up(attempt.server)
                continue
            if reply is not None:
                return packet[:2] + reply[2:]
        return None if exchange.refusal is None else packet[:2] + exchange.refusal[2:]

    async def _attempt(self, exchange: Exchange, attempt: Attempt, query: bytes) -> bytes | None:
        """Return the server's reply; ``None`` if it gave none. Raises ``OSError`` if it cannot even be asked."""
        loop = asyncio.get_running_loop()
        with _connect(attempt.server) as sock:
            if is_ourselves(attempt.server, self._listening(), sock.getsockname()[0]):
                exchange.give_up(attempt.server)
                return None
            result: asyncio.Future[bytes | None] = loop.create_future()
            timer = self._clock.call_at(attempt.deadline, lambda: _end_silence(result))
            loop.add_reader(sock, self._receive, sock, exchange, attempt, query, result)
            try:
                sock.send(query)
                return await result
            finally:
                loop.remove_reader(sock)
                timer.cancel()

    def _receive(
        self,
        sock: socket.socket,
        exchange: Exchange,
        attempt: Attempt,
        query: bytes,
        result: asyncio.Future[bytes | None],
    ) -> None:
        if result.done():
            return
        try:
            reply = sock.recv(_DATAGRAM_LIMIT_BYTES)
        except BlockingIOError:
            return
        except OSError:  # what ICMP reported: nothing listens there, or no way leads there
            exchange.give_up(attempt.server)
            result.set_result(None)
            return
        match exchange.judge(attempt.server, query, reply):
            case Verdict.ACCEPT:
                result.set_result(reply)
            case Verdict.REFUSED:
                result.set_result(None)
            case Verdict.IGNORE:
                self.ignored += 1


def _end_silence(result: asyncio.Future[bytes | None]) -> None:
    if not result.done():
        result.set_result(None)


def _connect(server: Server) -> socket.socket:
    """Return a socket that speaks only with ``server``; the system chooses a random source port."""
    sock = socket.socket(socket.AF_INET6 if ":" in server[0] else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        sock.connect(server)
    except BaseException:
        sock.close()
        raise
    return sock
