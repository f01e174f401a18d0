"""How the connections to a port of a service are treated (pure).

``appProtocol`` says it; where that is none we know, the name of the port up to its first ``-``; where that is none
either, the first bytes of each connection do. UDP is passed on as datagrams, whatever it carries. (Go takes the name
alone, and serves ``http``: kubeedge edgemesh/pkg/proxy/protocol.go@v1.3.1, bug X2.)
"""

from typing import Literal

from edgecore.kube import ServicePort
from edgecore.modules.edgemesh.upstream.spec import Handling, Transport

Source = Literal["protocol", "appProtocol", "name", "first_bytes"]
"""What says how connections are treated."""

_HTTP = frozenset(("http", "ws", "kubernetes.io/ws"))
_BYTES = frozenset(
    (
        *("tcp", "tls", "https", "wss", "http2", "h2", "h2c", "grpc", "grpcs"),
        *("kubernetes.io/h2c", "kubernetes.io/wss"),
        # Protocols in which the server may speak first: nobody need wait for bytes of the client to find out.
        *(
            "amqp",
            "amqps",
            "ftp",
            "imap",
            "imaps",
            "kafka",
            "ldap",
            "ldaps",
            "modbus",
            "mongo",
            "mongodb",
            "mqtt",
            "mqtts",
        ),
        *("mssql", "mysql", "nats", "postgres", "postgresql", "redis", "rtsp", "sftp", "smtp", "smtps", "ssh"),
    )
)


def handling_of(port: ServicePort) -> Handling:
    """Return how connections to ``port`` are treated."""
    return handling_and_source(port)[0]


def handling_and_source(port: ServicePort) -> tuple[Handling, Source]:
    """Return how connections to ``port`` are treated, and what says so."""
    if port.protocol == "UDP":
        return "datagrams", "protocol"
    words: tuple[tuple[str, Source], ...] = (
        (port.app_protocol.lower(), "appProtocol"),
        (port.name.partition("-")[0], "name"),
    )
    for word, source in words:
        if word in _HTTP:
            return "http", source
        if word in _BYTES:
            return "bytes", source
    return "sniff", "first_bytes"


def transport_of(port: ServicePort) -> Transport:
    """Return what the connections to ``port`` are made of. (What is neither TCP nor UDP is not served.)"""
    return "udp" if port.protocol == "UDP" else "tcp"


def is_of(transport: Transport, protocol: str) -> bool:
    """Say whether ``protocol``, of a port of Kubernetes, is this one; where none is given, TCP is meant."""
    return (protocol or "TCP") == transport.upper()


def why_not_served(port: ServicePort) -> str:
    """Return why ``port`` is not served, as a fixed snake_case word; empty if it is."""
    if not port.port:
        return "no_port_number"
    return "" if port.protocol in ("TCP", "UDP", "") else "not_tcp_or_udp"
