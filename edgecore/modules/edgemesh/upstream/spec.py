"""One port of a service, as far as forwarding needs to know it: values, the same in every process."""

from typing import Literal

import msgspec

from edgecore.modules.edgemesh.names import Endpoint, ServiceKey
from edgecore.modules.edgemesh.upstream.policy import Policy

Transport = Literal["tcp", "udp"]

Handling = Literal["http", "bytes", "sniff", "datagrams"]
"""How connections are treated: as HTTP/1.x; as bytes; as what the first bytes show; or as datagrams (UDP)."""


class Probe(msgspec.Struct, frozen=True):
    """How a host is asked whether it is well: the readinessProbe of its pod, or a connection and nothing else."""

    kind: Literal["tcp", "http"] = "tcp"
    port: int = 0
    """Where the host is asked; 0: at the endpoint itself."""
    path: str = "/"
    host: str = ""
    """Of the Host header; empty: the address that is asked."""
    headers: tuple[tuple[str, str], ...] = ()
    tls: bool = False
    """The scheme is HTTPS. No certificate is looked at, as the kubelet does it."""
    period_s: float = 10.0
    timeout_s: float = 1.0
    rise: int = 1
    """So many successes in a row bring the host back (``successThreshold``)."""
    fall: int = 3
    """So many failures in a row take it out (``failureThreshold``)."""


class Backend(msgspec.Struct, frozen=True):
    """One pod, address or name behind a port, whether it can be used or not."""

    pod: str
    """The name of the pod; of an address without a pod, the address."""
    endpoint: Endpoint | None
    """Where it is reached; ``None`` if it is out. Its host may be a name of DNS (ExternalName)."""
    reason: str = ""
    """Why it is out, a fixed snake_case word; empty if it is in."""
    version: str = ""
    """Changes when the cloud says that it is another one, or lives anew: its health is then judged anew."""
    probe: Probe | None = None
    """Of its pod, if that has one that can be asked from here."""


class PortSpec(msgspec.Struct, frozen=True):
    """One port of a service, or of a pod that has a name of its own."""

    service: ServiceKey
    port: int
    transport: Transport = "tcp"
    handling: Handling = "sniff"
    backends: tuple[Backend, ...] = ()
    """Each endpoint that is in stands here once."""
    policy: Policy = Policy()
    empty_reason: str = "no_pods"
    """Why it has no backend at all, if it has none: a fixed snake_case word."""
    empty_text: str = "the service has no pods"
    """The same for people."""

    @property
    def key(self) -> "PortKey":
        """What it is called."""
        return (self.service, self.port, self.transport)


PortKey = tuple[ServiceKey, int, Transport]
"""Service, port number and transport: one port."""
