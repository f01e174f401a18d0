"""Service tables, upstreams and hosts for tests: with a clock of their own, and the same random numbers each time."""

import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from edgecore.clock import Clock, VirtualClock
from edgecore.modules.edgemesh.directory import ServiceDirectory
from edgecore.modules.edgemesh.names import Endpoint, Refusal, ServiceKey
from edgecore.modules.edgemesh.services import ServiceEntry, ServiceTable
from edgecore.modules.edgemesh.upstream.host import Host
from edgecore.modules.edgemesh.upstream.policy import Policy
from edgecore.modules.edgemesh.upstream.spec import Backend, Handling, PortSpec, Transport
from edgecore.modules.edgemesh.upstream.upstreams import Upstreams


def fresh_upstreams(clock: Clock | None = None) -> Upstreams:
    """Return upstreams without a port; the clock stands still unless one is given."""
    return Upstreams(clock or VirtualClock(), random.Random(7))


def fresh_table(clock: Clock | None = None) -> ServiceTable:
    """Return a table without a service."""
    return ServiceTable(fresh_upstreams(clock))


def host(address: str, port: int) -> Host:
    """Return a host that is called by its address."""
    endpoint = Endpoint(address, port)
    return Host(Backend(address, endpoint), endpoint)


@dataclass(frozen=True)
class FixedAsking:
    """Somebody who asks, with what a test gives."""

    ip: str = "10.9.9.9"
    headers: Mapping[bytes, bytes] = field(default_factory=dict)
    cookies: Mapping[bytes, bytes] = field(default_factory=dict)

    def header(self, name: bytes) -> bytes:
        return self.headers.get(name, b"")

    def cookie(self, name: bytes) -> bytes:
        return self.cookies.get(name, b"")


def asking(
    ip: str = "10.9.9.9", headers: Mapping[bytes, bytes] | None = None, cookies: Mapping[bytes, bytes] | None = None
) -> FixedAsking:
    """Return somebody who asks for a host."""
    return FixedAsking(ip, headers or {}, cookies or {})


def port_spec(
    service: ServiceKey,
    port: int,
    endpoints: Iterable[Endpoint],
    *,
    transport: Transport = "tcp",
    handling: Handling = "http",
    policy: Policy | None = None,
) -> PortSpec:
    """Return a port whose backends are all in, each called by its endpoint."""
    backends = tuple(Backend(str(endpoint), endpoint) for endpoint in endpoints)
    return PortSpec(service, port, transport, handling, backends, policy or Policy())


def chosen(
    directory: ServiceDirectory, service: ServiceKey, port: int, transport: Transport = "tcp"
) -> Endpoint | Refusal:
    """Return where the next request for a port goes, or why it is refused."""
    found = directory.upstream(service, port, transport)
    picked = found if isinstance(found, Refusal) else found.pick(asking())
    return picked if isinstance(picked, Refusal) else picked.endpoint


def turn(entry: ServiceEntry, port: int, transport: Transport = "tcp") -> Endpoint | Refusal:
    """Return where the next request for a port of an entry goes, or why it is refused."""
    upstream = entry.by_port[port, transport].upstream
    assert upstream is not None
    picked = upstream.pick(asking())
    return picked if isinstance(picked, Refusal) else picked.endpoint
