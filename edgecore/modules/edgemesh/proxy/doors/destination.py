"""Which service a connection means: that of the listener it came in by, or the one it was on its way to.

A connection that the system has led here (netfilter's REDIRECT) was meant for another address; the system says which.
"""

import ipaddress
import socket
from collections.abc import Callable
from typing import NamedTuple, Protocol

from edgecore.modules.edgemesh.names import Endpoint, ServiceKey

SO_ORIGINAL_DST = 80
"""``linux/netfilter_ipv4.h``; ``IP6T_SO_ORIGINAL_DST`` has the same number. Python names neither."""

_SOCKADDR_IN_BYTES = 16
_SOCKADDR_IN6_BYTES = 28
_MAPPED = "::ffff:"


class Meant(NamedTuple):
    """What a connection means: ``service`` is None where each request says it; ``address`` was dialled."""

    service: ServiceKey | None
    address: Endpoint


class Destination(Protocol):
    """Tells of each connection what it means."""

    @property
    def fixed(self) -> Meant | None:
        """What all connections mean, where they all mean the same."""

    def of(self, client: socket.socket) -> Meant | None:
        """Return what ``client`` means, an accepted socket; ``None`` if that is no service. Never raises."""


class DoorDestination:
    """All mean the service that is listened for."""

    def __init__(self, service: ServiceKey | None, address: Endpoint) -> None:
        self.fixed = Meant(service, address)

    def of(self, client: socket.socket) -> Meant:
        """See ``Destination``."""
        return self.fixed


ReadOriginal = Callable[[socket.socket], Endpoint]
"""Says where an accepted socket was to go. Raises ``OSError`` if the system does not know."""


class OriginalDestination:
    """Each means the service that has the address it was on its way to, at the port it was on its way to."""

    fixed = None

    def __init__(self, service_at: Callable[[str], ServiceKey | None], read: ReadOriginal | None = None) -> None:
        self._service_at = service_at
        self._read = read or original_destination

    def of(self, client: socket.socket) -> Meant | None:
        """See ``Destination``. What nobody has led elsewhere was to come here."""
        try:
            address = self._read(client)
        except (OSError, ValueError):
            try:
                address = Endpoint(*client.getsockname()[:2])
            except OSError:
                return None
        service = self._service_at(address.host)
        return Meant(service, address) if service is not None else None


def original_destination(client: socket.socket) -> Endpoint:
    """Return where ``client`` was to go before the system led it here. Raises ``OSError`` if it was not led."""
    if client.family == socket.AF_INET6 and not client.getsockname()[0].startswith(_MAPPED):
        return endpoint_of(client.getsockopt(socket.IPPROTO_IPV6, SO_ORIGINAL_DST, _SOCKADDR_IN6_BYTES))
    return endpoint_of(client.getsockopt(socket.IPPROTO_IP, SO_ORIGINAL_DST, _SOCKADDR_IN_BYTES))


def endpoint_of(sockaddr: bytes) -> Endpoint:
    """Return the address and port of a ``sockaddr_in`` or ``sockaddr_in6``. Raises ``ValueError`` if it is neither."""
    port = int.from_bytes(sockaddr[2:4], "big")
    if len(sockaddr) >= _SOCKADDR_IN6_BYTES:
        return Endpoint(str(ipaddress.IPv6Address(sockaddr[8:24])), port)
    if len(sockaddr) >= _SOCKADDR_IN_BYTES:
        return Endpoint(str(ipaddress.IPv4Address(sockaddr[4:8])), port)
    raise ValueError(f"{len(sockaddr)} bytes are no socket address")
