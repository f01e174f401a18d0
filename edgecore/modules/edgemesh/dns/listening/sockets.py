"""Binding the sockets that queries come in on: UDP and TCP at one address and port."""

import socket
from ipaddress import ip_address

from edgecore.addresses import join_address
from edgecore.errors import ListenError, listen_error
from edgecore.modules.edgemesh.dns.resolver.exchange import Server
from edgecore.modules.edgemesh.receivebuffer import widen
from edgecore.modules.edgemesh.workers.sharing import Sharing, bind_shared

BACKLOG = 128

_PORTS_TRIED = 100
_CHANCES = 16
"""So many ports that the system chose for UDP are tried for TCP."""


class Pair:
    """A UDP and a TCP socket at one address, both non-blocking; the latter listens."""

    def __init__(self, udp: socket.socket, tcp: socket.socket) -> None:
        self.udp = udp
        self.tcp = tcp

    @property
    def address(self) -> Server:
        """Where they are bound."""
        host, port = self.udp.getsockname()[:2]
        return host, port

    def close(self) -> None:
        """Close both."""
        self.udp.close()
        self.tcp.close()


def bind_udp(host: str, port: int, sharing: Sharing = Sharing.ALONE) -> socket.socket:
    """Return a non-blocking socket bound to IP address ``host``; port 0 lets the system choose.

    A wildcard IPv6 address does not take the IPv4 ones with it. Raises ``ListenError``.
    """
    sock = _bind(host, port, socket.SOCK_DGRAM, sharing)
    widen(sock)
    return sock


def bind_pair(host: str, port: int, sharing: Sharing = Sharing.ALONE) -> Pair:
    """Return sockets bound to IP address ``host``; for port 0, both to a port that the system chooses.

    Raises ``ListenError``.
    """
    for chance in range(_CHANCES):
        udp = bind_udp(host, port, sharing)
        try:
            return Pair(udp, _bind(host, udp.getsockname()[1], socket.SOCK_STREAM, sharing))
        except ListenError as error:
            udp.close()
            if port or error.reason != "in_use" or chance == _CHANCES - 1:
                raise
    raise AssertionError("the last chance raised or returned")


def bind_pair_auto(host: str, first_port: int, sharing: Sharing = Sharing.ALONE, *, rather: int = 0) -> Pair:
    """Return sockets at ``host``: at port ``rather``, else at the first free one of a hundred from ``first_port`` on.

    Raises ``ListenError``.
    """
    if rather:
        try:
            return bind_pair(host, rather, sharing)
        except ListenError as error:
            if error.reason not in ("in_use", "no_permission"):
                raise
    ports = range(first_port, min(first_port + _PORTS_TRIED, 65536))
    for port in ports:
        try:
            return bind_pair(host, port, sharing)
        except ListenError as error:
            if error.reason != "in_use":
                raise
    raise ListenError(f"{host}:{ports[0]}-{ports[-1]}", "in_use", "all these ports are in use")


def _bind(host: str, port: int, kind: socket.SocketKind, sharing: Sharing) -> socket.socket:
    address = join_address(host, port)
    try:
        family = socket.AF_INET if ip_address(host).version == 4 else socket.AF_INET6
    except ValueError as error:
        raise ListenError(address, "no_such_address", str(error)) from None
    try:
        sock = socket.socket(family, kind)
    except OSError as error:
        raise listen_error(address, error) from error
    try:
        _prepare(sock)
        bind_shared(sock, (host, port), sharing)
        if kind == socket.SOCK_STREAM:
            sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise listen_error(address, error) from error
    except OverflowError as error:
        sock.close()
        raise ListenError(address, "failed", str(error)) from None
    return sock


def _prepare(sock: socket.socket) -> None:
    sock.setblocking(False)
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    if sock.type == socket.SOCK_STREAM:  # connections of the process before may still be closing (tcp(7), TIME_WAIT)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
