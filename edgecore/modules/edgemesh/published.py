"""What DNS is told of a service (pure): everything that its names answer with, as one value.

Whoever makes it compares it with the one before: DNS is told only what is new.
"""

import re
from typing import NamedTuple

from edgecore.kube import Service
from edgecore.modules.edgemesh.discovery.pods import why_out
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.services import ServiceEntry

_DNS_NAME = re.compile(r"(?=.{1,253}$)[!-\-/-~]{1,63}(\.[!-\-/-~]{1,63})*")
"""Labels of printable ASCII, of up to 63 bytes each: what a CNAME record can say and a person can read."""


class PublishedPort(NamedTuple):
    """A port by its name, for SRV records."""

    name: str
    protocol: str
    """``TCP``, ``UDP`` or ``SCTP``."""
    number: int


class PublishedPod(NamedTuple):
    """A pod that has a name of its own below its service: ``<hostname>.<service>.<namespace>.svc.<domain>``."""

    hostname: str
    address: str
    """Where this pod alone is reached by that name: IPv4."""
    is_ready: bool = True
    """As for a service whose only pod it is."""


class Published(NamedTuple):
    """One service."""

    key: ServiceKey
    address: str | None
    """Its fake IP; ``None`` where it needs none: an ExternalName."""
    ports: tuple[PublishedPort, ...] = ()
    """Those that have a name and a number."""
    pods: tuple[PublishedPod, ...] = ()
    """In the order of their host names."""
    external_name: str = ""
    """The name outside that it stands for (type ExternalName), without a dot behind it."""
    is_ready: bool = True
    """Whether a backend is there at all."""


def publish(entry: ServiceEntry) -> Published | None:
    """Return what is told of a service; ``None``: nothing, for its address is not stored yet, or there is none for it.

    The same goes for a pod in it whose address is not stored.
    """
    if entry.service is None:
        return None
    if entry.is_external:
        return Published(entry.key, None, external_name=external_name(entry.service))
    if entry.stored_address is None:
        return None
    ports = tuple(
        PublishedPort(port.name, port.protocol or "TCP", port.port)
        for port in entry.service.spec.ports
        if port.name and port.port
    )
    pods = tuple(
        PublishedPod(hostname, pod.stored_address, is_ready(pod))
        for hostname, pod in sorted(entry.named.items())
        if pod.stored_address is not None
    )
    return Published(entry.key, entry.stored_address, ports, pods, is_ready=is_ready(entry))


def is_ready(entry: ServiceEntry) -> bool:
    """Say whether there is a backend at one of the ports that are served.

    Where no port is served, a pod that runs, is ready, is not told to go and says where it is will do, or an address in
    the Endpoints of a service without a selector. An ExternalName needs none.
    """
    if entry.service is None or entry.is_external:
        return entry.is_external
    served = [route for route in entry.routes if not route.not_served]
    if served:
        return any(backend.endpoint is not None for route in served for backend in route.backends)
    if not entry.service.selects_pods:
        return entry.endpoints is not None and entry.endpoints.ready_addresses > 0
    return any(not why_out(pod, entry.terms) for pod in entry.selected_pods)


def external_name(service: Service) -> str:
    """Return the name outside that an ExternalName stands for; empty if what it says is no name of DNS."""
    name = service.spec.external_name.removesuffix(".")
    return name if _DNS_NAME.fullmatch(name) else ""
