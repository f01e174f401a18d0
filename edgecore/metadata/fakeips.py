"""Whether every service has a fake IP, and none the same as another.

What holds is our table ``edgemesh_address``; for a service that it does not name, its ``listener`` row
(``edgemesh/addressbook.py``). In a file of a Go edgecore there are only these rows.
"""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from ipaddress import AddressValueError, IPv4Address, IPv4Network
from typing import NamedTuple

from edgecore.metaclient import LISTENER_NAMESPACE
from edgecore.metadata.finding import ERROR, INFO, LEFT_OVER, WARNING, Finding
from edgecore.modules.edgemesh.fakeip import AddressRow
from edgecore.modules.edgemesh.names import ServiceKey

_WAIT = "a running node gives it one at once; `edgecore status` says what is in the way, or that EdgeMesh is off"
_GIVEN_BACK = "nothing: the next start of the node gives it back"
_ANOTHER = "start a node with this file: EdgeMesh gives one of them another address"


class FakeIps(NamedTuple):
    """What a database says of fake IPs."""

    services: Collection[ServiceKey]
    external: Collection[ServiceKey]
    """Those of type ExternalName: they need no address."""
    listeners: Mapping[ServiceKey, str]
    """The listener rows that hold an address."""
    rows: Collection[AddressRow]
    """Those of our own table."""
    pool: IPv4Network | None = None
    """The one that a node used last; ``None`` where that is not known."""


def listener_key(service: ServiceKey) -> str:
    """Return the key of a service's listener row."""
    return f"{LISTENER_NAMESPACE}/listener/{service.namespace}.{service.name}"


def service_of(listener_name: str) -> ServiceKey:
    """Return whose listener row has that name."""
    namespace, _, name = listener_name.partition(".")
    return ServiceKey(namespace, name)


def fake_ip_findings(found: FakeIps) -> Iterator[Finding]:
    """Yield what is wrong with the fake IPs of a database."""
    owned: dict[ServiceKey, list[str]] = defaultdict(list)
    for row in found.rows:
        if row.released_at_ms is None:
            owned[row.service].append(row.address)
    services = frozenset(found.services)
    served = services.difference(found.external)
    if served and not owned and not found.listeners:
        text = f"none of the {len(served)} services has a fake IP: EdgeMesh has not run with this file yet"
        yield Finding(INFO, "no_fake_ips", "", text, "nothing, if modules.edgeMesh.enable is false; else run the node")
    else:
        yield from _missing(served, owned, found.listeners)
    yield from _doubled(services, owned, found.listeners)
    for service, addresses in owned.items():
        if len(addresses) > 1:
            text = f"{service} has {len(addresses)} addresses in edgemesh_address: {', '.join(addresses)}"
            advice = "the next start of the node keeps one of them"
            yield Finding(WARNING, "many_fake_ips", _service_row(service), text, advice)
        if service.service not in services:  # it may be that of one of its pods
            text = f"{addresses[0]} belongs to {service}, which is no service here"
            yield Finding(INFO, "address_without_service", "", text, _GIVEN_BACK)
    yield from _other_pools(found)
    for service, address in found.listeners.items():
        if service not in services and _is_in(found.pool, address):
            text = f"there is no service {service}"
            yield Finding(WARNING, "listener_without_service", listener_key(service), text, LEFT_OVER)


def _other_pools(found: FakeIps) -> Iterator[Finding]:
    if number := sum(not _is_in(found.pool, row.address) for row in found.rows):
        text = f"{number} addresses in edgemesh_address are of another pool than {found.pool}, which was used last"
        yield Finding(INFO, "address_of_other_pool", "", text, "nothing: the next start of the node removes them")
    if number := sum(not _is_in(found.pool, address) for address in found.listeners.values()):
        text = f"{number} listener rows hold addresses of another pool than {found.pool}, which was used last"
        advice = "nothing: they are kept for the program that wrote them, such as a Go edgecore, and say nothing here"
        yield Finding(INFO, "listener_of_other_pool", "", text, advice)


def _is_in(pool: IPv4Network | None, text: str) -> bool:
    """Return whether an address is of the pool; where it cannot be told, it is."""
    try:
        return pool is None or IPv4Address(text) in pool
    except AddressValueError:
        return True


def _missing(
    services: Collection[ServiceKey], owned: Mapping[ServiceKey, list[str]], listeners: Mapping[ServiceKey, str]
) -> Iterator[Finding]:
    for service in services:
        if service not in owned and service not in listeners:
            text = f"the service {service} has no fake IP: neither in edgemesh_address nor in a listener row"
            yield Finding(WARNING, "fake_ip_missing", _service_row(service), text, _WAIT)


def _doubled(
    services: Collection[ServiceKey], owned: Mapping[ServiceKey, list[str]], listeners: Mapping[ServiceKey, str]
) -> Iterator[Finding]:
    holding: dict[str, list[ServiceKey]] = defaultdict(list)
    in_listeners: dict[str, list[ServiceKey]] = defaultdict(list)
    for service in sorted(services):
        for address in owned.get(service) or filter(None, [listeners.get(service)]):
            holding[address].append(service)
        if service in listeners:
            in_listeners[listeners[service]].append(service)
    for address, sharers in holding.items():
        if len(sharers) > 1:
            text = f"the fake IP {address} belongs to {' and to '.join(map(str, sharers))}"
            yield Finding(ERROR, "fake_ip_doubled", _service_row(sharers[1]), text, _ANOTHER)
    for address, sharers in in_listeners.items():
        if len(sharers) > 1 and len(holding[address]) < 2:
            text = f"the listener rows of {' and of '.join(map(str, sharers))} all say {address}"
            advice = "nothing for this node: what holds is edgemesh_address; a Go edgecore would mix them up"
            yield Finding(WARNING, "listener_doubled", listener_key(sharers[1]), text, advice)


def _service_row(service: ServiceKey) -> str:
    return f"{service.namespace}/service/{service.name}"
