"""Room for datagrams that come faster than they are read: thousands may come at once, and what finds none is lost."""

import socket
from contextlib import suppress

RECEIVE_BUFFER_BYTES = 4 << 20
"""The system may give less (net.core.rmem_max)."""

_RCVBUFFORCE = 33  # socket(7); Python names it nowhere


def widen(sock: socket.socket) -> None:
    """Give a UDP socket as much of it as the system allows."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, _RCVBUFFORCE, RECEIVE_BUFFER_BYTES)
    except OSError:  # it takes CAP_NET_ADMIN
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
