"""Network addresses as they are written in settings: ``host:port``, ``scheme://host:port``, ``auto``."""

import re
from ipaddress import AddressValueError, IPv4Network, NetmaskValueError, ip_address
from typing import NamedTuple

from edgecore.addresses import join_address, split_address

AUTO = "auto"
"""The word by which a setting leaves an address or a place to the node."""

TLS_SCHEMES = frozenset({"ssl", "tls", "mqtts"})
"""Of MQTT, with TLS."""

_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_HOST_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?")
_LARGEST_PORT = 65535
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)


class HostPort(NamedTuple):
    """An IP address or a host name, and a port. IPv6 addresses stand without brackets."""

    host: str
    port: int

    def __str__(self) -> str:
        return join_address(self.host, self.port)


class ServerAddress(NamedTuple):
    """Where a connection is made to, and how (``ws`` or ``wss``)."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.scheme}://{HostPort(self.host, self.port)}"


class ListenAddress(NamedTuple):
    """Where a listener is bound. With ``next_free`` a port in use is replaced by the next one that is free."""

    host: str
    port: int
    next_free: bool


def is_ip(text: str) -> bool:
    """Say whether ``text`` is an IPv4 or IPv6 address, without a zone."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return "%" not in text


def parse_host_port(text: str, default_port: int | None = None) -> HostPort:
    """Take ``host:port`` or ``[IPv6]:port`` apart; the port may be missing if there is a ``default_port``.

    Raises ``ValueError`` when ``text`` is neither.
    """
    if default_port is not None and (is_ip(text) or ":" not in text):
        host, port = text, default_port
    elif default_port is not None and text.startswith("[") and text.endswith("]"):
        host, port = text[1:-1], default_port
    else:
        host, port = split_address(text)
    if not is_ip(host) and not (_HOST_NAME.fullmatch(host) and len(host) <= 253):
        raise ValueError("the host is neither an IP address nor a host name")
    return HostPort(host, port)


def parse_server(text: str, default_scheme: str) -> ServerAddress:
    """Take ``[scheme://]host:port`` apart. Raises ``ValueError`` when it is not, or when the port is 0."""
    match = _SCHEME.fullmatch(text)
    scheme, rest = (match[1].lower(), match[2]) if match else (default_scheme, text)
    host, port = parse_host_port(rest)
    if port == 0:
        raise ValueError("the port is 0")
    return ServerAddress(scheme, host, port)


def parse_broker(text: str) -> ServerAddress:
    """Take ``[scheme://]host[:port]`` of an MQTT broker apart; 1883 and, with TLS, 8883 where there is no port.

    The scheme comes as it was written, in lower case. Raises ``ValueError`` when it is none.
    """
    match = _SCHEME.fullmatch(text)
    scheme, rest = (match[1].lower(), match[2]) if match else ("tcp", text)
    host, port = parse_host_port(rest, 8883 if scheme in TLS_SCHEMES else 1883)
    if port == 0:
        raise ValueError("the port is 0")
    return ServerAddress(scheme, host, port)


def listen_address(text: str, auto: HostPort) -> ListenAddress:
    """Return where to listen: ``auto`` and the ports after it for the word ``auto``, otherwise exactly what it says."""
    if text == AUTO:
        return ListenAddress(*auto, next_free=True)
    return ListenAddress(*parse_host_port(text), next_free=False)


def parse_zone_servers(text: str) -> tuple[str, tuple[HostPort, ...]]:
    """Take ``zone=server[,server]`` apart; the zone comes in lower case, without a dot behind it.

    Raises ``ValueError`` otherwise.
    """
    zone, separator, servers = text.partition("=")
    zone = zone.strip().lower().removesuffix(".")
    addresses = tuple(parse_host_port(server.strip(), 53) for server in servers.split(","))
    if not separator or not _HOST_NAME.fullmatch(zone) or len(zone) > 253:
        raise ValueError("it is not zone=server")
    if not all(is_ip(address.host) and address.port for address in addresses):
        raise ValueError("a server is not an IP address")
    return zone, addresses


def parse_port_target(text: str) -> tuple[int, HostPort]:
    """Take ``port=host:port`` apart: a port, and the place that it stands for. Raises ``ValueError`` otherwise."""
    port, separator, place = text.partition("=")
    target = parse_host_port(place)
    if not (separator and port.isascii() and port.isdigit() and 0 < int(port) <= _LARGEST_PORT and target.port):
        raise ValueError("it is not port=host:port")
    return int(port), target


def parse_subnet(text: str) -> IPv4Network:
    """Read an IPv4 network of 16 bits, such as ``9.251.0.0/16``. Raises ``ValueError`` otherwise."""
    try:
        network = IPv4Network(text)
    except (AddressValueError, NetmaskValueError) as error:
        raise ValueError(str(error)) from None
    if network.prefixlen != 16:
        raise ValueError("the network is not one of 16 bits")
    return network
