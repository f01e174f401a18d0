"""The sockets that upstream servers are asked on."""

import socket

from edgecore.modules.edgemesh.dns.resolver.exchange import Server


def asking_socket(server: Server, kind: socket.SocketKind, mark: int) -> socket.socket:
    """Return a non-blocking socket for asking ``server``. Raises ``OSError``.

    A ``mark`` other than 0 is that of its packets (SO_MARK, socket(7)): rules that lead questions for the server to
    us let these through. It needs CAP_NET_ADMIN, or CAP_NET_RAW.
    """
    sock = socket.socket(socket.AF_INET6 if ":" in server[0] else socket.AF_INET, kind)
    try:
        sock.setblocking(False)
        if mark:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
    except BaseException:
        sock.close()
        raise
    return sock
