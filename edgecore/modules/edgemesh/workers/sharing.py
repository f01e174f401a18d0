"""How several processes listen at one address: the system spreads what comes over them (SO_REUSEPORT, socket(7)).

The first process binds ``FIRST``: nobody else may have the address, not even with that option. Only then it lets the
others (``MORE``) in. So two nodes of one user never share a port without knowing.
"""

import socket
from enum import Enum


class Sharing(Enum):
    """Whether other processes of ours listen at the same address."""

    ALONE = "alone"
    FIRST = "first"
    MORE = "more"


def bind_shared(sock: socket.socket, address: tuple[str, int], sharing: Sharing) -> None:
    """Bind ``sock``, which does not listen yet. Raises ``OSError`` or ``OverflowError``."""
    if sharing is Sharing.MORE:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(address)
    if sharing is Sharing.FIRST:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
