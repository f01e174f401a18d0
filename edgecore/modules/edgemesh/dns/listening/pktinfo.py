"""Answers from the address that was asked, on a socket that is bound to all of them (IP_PKTINFO, ip(7); RFC 3542).

Without it the system would choose the sender's address, and resolvers do not take answers from another address than
they asked. Where the system has no such option its choice stands.
"""

import platform
import socket
from collections.abc import Callable
from struct import Struct
from typing import Any, NamedTuple

_IP_PKTINFO: int | None = getattr(socket, "IP_PKTINFO", 8 if platform.system() == "Linux" else None)
"""Python names it from 3.12 on only."""
_INFO = Struct("=i4s4s")  # interface, address to send from, address that the packet was sent to
_INFO6 = Struct("=16sI")  # address, interface
_ROOM_BYTES = 64


class Route(NamedTuple):
    """Who sent a packet, and what has the answer go the same way back."""

    host: str
    port: int
    address: tuple[Any, ...]
    ancillary: tuple[tuple[int, int, bytes], ...]


Receive = Callable[[int], tuple[bytes, Any]]
Send = Callable[[bytes, Any], object]


def ways(sock: socket.socket) -> tuple[Receive, Send]:
    """Return how to receive on ``sock``, a UDP socket, and how to send to whom that names."""
    if sock.getsockname()[0] not in ("0.0.0.0", "::") or not _asks_for_info(sock):
        return sock.recvfrom, sock.sendto

    def receive(size: int) -> tuple[bytes, Route]:
        packet, ancillary, _, address = sock.recvmsg(size, _ROOM_BYTES)
        return packet, Route(address[0], address[1], address, tuple(map(_back, ancillary)))

    def send(reply: bytes, route: Route) -> None:
        sock.sendmsg((reply,), route.ancillary, 0, route.address)

    return receive, send


def _asks_for_info(sock: socket.socket) -> bool:
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        return True
    if _IP_PKTINFO is None:
        return False
    sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
    return True


def _back(item: tuple[int, int, bytes]) -> tuple[int, int, bytes]:
    """Return what makes the address that a packet was sent to the one that its answer comes from.

    The interface is left to the system, but for addresses that mean something on one link only.
    """
    level, kind, data = item
    if level == socket.IPPROTO_IPV6:
        address, interface = _INFO6.unpack_from(data)
        is_of_link = address[0] == 0xFE and address[1] & 0xC0 == 0x80
        return level, kind, _INFO6.pack(address, interface if is_of_link else 0)
    _, local, _ = _INFO.unpack_from(data)
    return level, kind, _INFO.pack(0, local, bytes(4))
