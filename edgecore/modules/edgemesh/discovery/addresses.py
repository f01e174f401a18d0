"""What the Endpoints of a service without a selector say is behind one of its ports (pure)."""

import ipaddress
from collections.abc import Iterator

from edgecore.kube import EndpointAddress, Endpoints, ServicePort
from edgecore.modules.edgemesh.discovery.pods import without_doubles
from edgecore.modules.edgemesh.names import Endpoint
from edgecore.modules.edgemesh.protocols import is_of, transport_of
from edgecore.modules.edgemesh.upstream.spec import Backend, Transport


def listed(port: ServicePort, endpoints: Endpoints | None) -> tuple[Backend, ...]:
    """Return what each address is to ``port``, in the order in which they stand there.

    A port of Endpoints is that of the service which has the same name, whatever its number. The reasons:
    ``not_ready_endpoint``, ``bad_address``, ``same_endpoint`` (as an address before it).
    """
    if endpoints is None:
        return ()
    return without_doubles(_each(port.name, transport_of(port), endpoints))


def _each(name: str, transport: Transport, endpoints: Endpoints) -> Iterator[Backend]:
    for subset in endpoints.subsets:
        numbers = (one.port for one in subset.ports if one.name == name and is_of(transport, one.protocol))
        number = next(numbers, 0)
        if not number:
            continue
        for address in subset.addresses:
            called = _called(address)
            if not is_reachable(address.ip):
                yield Backend(called, None, "bad_address")
            else:
                yield Backend(called, Endpoint(address.ip, number), "", address.target_ref.uid)
        for address in subset.not_ready_addresses:
            yield Backend(_called(address), None, "not_ready_endpoint")


def _called(address: EndpointAddress) -> str:
    return address.pod or address.ip


def is_reachable(text: str) -> bool:
    """Say whether ``text`` is an address that something can be behind: no loopback, where we are ourselves.

    As the API server takes them (Kubernetes ValidateNonSpecialIP).
    """
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return not (address.is_loopback or address.is_unspecified or address.is_multicast or address.is_link_local)
