"""One connected UDP socket to one upstream server, on a random port: it hands up datagrams of that server alone."""

import asyncio
import socket
from collections.abc import Callable

from edgecore.modules.edgemesh.dns.resolver.asking import asking_socket
from edgecore.modules.edgemesh.dns.resolver.exchange import Server

_DATAGRAM_LIMIT_BYTES = 65535
_AT_A_TIME = 16


class Conversation:
    """A query and what comes back. ``hear(self, datagram)``; ``None``: the system reports that nobody is there.

    ``mark``: see ``asking_socket``. Raises ``OSError`` if the system will not send to ``server``.
    """

    def __init__(self, server: Server, query: bytes, sent_at: float, mark: int = 0) -> None:
        self.server = server
        self.query = query
        self.sent_at = sent_at
        self.ignored = 0
        self.hear: Callable[[Conversation, bytes | None], None] = _deaf
        self._loop = asyncio.get_running_loop()
        self._sock = _connect(server, mark)
        self._loop.add_reader(self._sock, self._read)

    @property
    def source(self) -> str:
        """The address that the system sends from."""
        return str(self._sock.getsockname()[0])

    @property
    def is_open(self) -> bool:
        """Whether more may come."""
        return self._sock.fileno() >= 0

    def send(self) -> None:
        """Send the query, again or for the first time. Raises ``OSError``."""
        try:
            self._sock.send(self.query)
        except BlockingIOError:
            return  # as good as lost on the way: there is another time

    def close(self) -> None:
        """Hear no more; may be called again."""
        if self.is_open:
            self._loop.remove_reader(self._sock)
            self._sock.close()

    def _read(self) -> None:
        for _ in range(_AT_A_TIME):
            if not self.is_open:
                return
            try:
                datagram = self._sock.recv(_DATAGRAM_LIMIT_BYTES)
            except BlockingIOError:
                return
            except OSError:  # what ICMP reported: nothing listens there, or no way leads there
                self.hear(self, None)
                return
            self.hear(self, datagram)


def _deaf(_conversation: Conversation, _datagram: bytes | None) -> None:
    """Hear nothing: nobody has asked yet."""


def _connect(server: Server, mark: int) -> socket.socket:
    sock = asking_socket(server, socket.SOCK_DGRAM, mark)
    try:
        sock.connect(server)
    except BaseException:
        sock.close()
        raise
    return sock
