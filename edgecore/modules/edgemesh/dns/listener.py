"""The sockets that queries come in on: binding them, and the short way from a packet to its ready answer."""

import asyncio
import socket
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from ipaddress import ip_address
from typing import Any, cast

import structlog

from edgecore.addresses import join_address
from edgecore.errors import ListenError, listen_error
from edgecore.modules.edgemesh.dns.answers import ready_outcome
from edgecore.modules.edgemesh.dns.exchange import Server

log = structlog.get_logger("edgemesh.dns")

AUTO_HOST = "127.0.0.1"
_PORTS_TRIED = 100


def bind_udp(host: str, port: int) -> socket.socket:
    """Return a non-blocking socket bound to IP address ``host``; port 0 lets the system choose.

    A wildcard IPv6 address does not take the IPv4 ones with it. Raises ``ListenError``.
    """
    address = join_address(host, port)
    try:
        family = socket.AF_INET if ip_address(host).version == 4 else socket.AF_INET6
    except ValueError as error:
        raise ListenError(address, "no_such_address", str(error)) from None
    try:
        sock = socket.socket(family, socket.SOCK_DGRAM)
    except OSError as error:
        raise listen_error(address, error) from error
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.setblocking(False)
        sock.bind((host, port))
    except OSError as error:
        sock.close()
        raise listen_error(address, error) from error
    except OverflowError as error:
        sock.close()
        raise ListenError(address, "failed", str(error)) from None
    return sock


def bind_all(addresses: Iterable[Server]) -> list[socket.socket]:
    """Return a socket for each of ``addresses``, or raise ``ListenError`` and leave none open."""
    with ExitStack() as opened:
        sockets = [opened.enter_context(bind_udp(host, port)) for host, port in addresses]
        opened.pop_all()
    return sockets


def bind_udp_auto(first_port: int) -> socket.socket:
    """Return a socket on the first free port of the hundred from ``first_port`` on, on loopback.

    Raises ``ListenError``.
    """
    ports = range(first_port, min(first_port + _PORTS_TRIED, 65536))
    for port in ports:
        try:
            return bind_udp(AUTO_HOST, port)
        except ListenError as error:
            if error.reason != "in_use":
                raise
    raise ListenError(f"{AUTO_HOST}:{ports[0]}-{ports[-1]}", "in_use", "all these ports are in use")


class Listener(asyncio.DatagramProtocol):
    """One socket. A ready answer goes out before any object is made; other packets go to ``receive``."""

    def __init__(
        self,
        ready: Callable[[bytes], bytes | None],
        receive: Callable[[bytes, tuple[Any, ...], "Listener"], object],
        counts: dict[str, int],
    ) -> None:
        self.address: Server = ("", 0)
        self.unsent = 0
        """Replies that the socket did not take, or that the system reports as lost (ICMP)."""
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ready = ready
        self._receive = receive
        self._counts = counts
        self._transport: asyncio.DatagramTransport | None = None
        self._is_full = False

    def send(self, reply: bytes, peer: tuple[Any, ...]) -> None:
        """Send, or count as unsent what the socket does not take: the asker will ask again."""
        if self._is_full or self._transport is None:
            self.unsent += 1
            return
        try:
            self._transport.sendto(reply, peer)
        except OSError:  # for instance a forged peer with port 0
            self.unsent += 1

    def close(self) -> None:
        """Close the socket; it is closed when ``closed`` is done."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See ``asyncio.DatagramProtocol``."""
        self._transport = cast("asyncio.DatagramTransport", transport)  # uvloop's are not of that class
        self.address = transport.get_extra_info("sockname")[:2]

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """See ``asyncio.DatagramProtocol``."""
        reply = self._ready(data)
        if reply is None:
            self._receive(data, addr, self)
        else:
            self._counts[ready_outcome(reply)] += 1
            self.send(reply, addr)

    def error_received(self, exc: Exception) -> None:
        """See ``asyncio.DatagramProtocol``; an error of one reply ends nothing."""
        self.unsent += 1

    def pause_writing(self) -> None:
        """See ``asyncio.BaseProtocol``."""
        self._is_full = True

    def resume_writing(self) -> None:
        """See ``asyncio.BaseProtocol``."""
        self._is_full = False

    def connection_lost(self, exc: Exception | None) -> None:
        """See ``asyncio.BaseProtocol``."""
        self._transport = None
        self.closed.set_result(None)
        if exc is not None:
            log.error("dns_listener_lost", address=join_address(*self.address), reason=str(exc))
