"""What interception comes to: which traffic is led where, as values.

::

    process of the host ──OUTPUT──┐                       ┌─▶ a backend           spots that are balanced (kernel plane)
                                  ├─▶ fake IP, port ──DNAT┤
    container ──PREROUTING────────┘   (a spot)            ├─▶ a listener of ours  spots that are led (proxy plane)
                                                          └─▶ refused at once     any other spot of the subnet
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import msgspec

from edgecore.modules.edgemesh.names import Endpoint
from edgecore.modules.edgemesh.upstream.spec import Transport


class Spot(NamedTuple):
    """One port of one fake IP."""

    address: str
    port: int
    transport: Transport


class Target(msgspec.Struct, frozen=True):
    """A backend that the kernel sends connections to by itself."""

    id: int
    """Names the counter, the chain and the memory of clients of this backend at this spot, for as long as it is one."""
    endpoint: Endpoint


class Balanced(msgspec.Struct, frozen=True):
    """How the kernel balances the new connections of one spot. Those that there are stay where they are."""

    targets: tuple[Target, ...]
    strategy: Literal["random", "round_robin"] = "round_robin"
    sticky_s: float = 0.0
    """How long an address of a client stays with its backend after its last new connection; 0: it does not."""


class NameHijack(msgspec.Struct, frozen=True):
    """Questions of DNS to the host's name servers, led to ours. What carries the mark is ours and let through."""

    servers: tuple[str, ...]
    """IPv4 addresses."""
    listener: Endpoint


class Spots(msgspec.Struct, frozen=True):
    """What comes and goes while a node runs."""

    led: Mapping[Spot, Endpoint] = {}
    """Every spot, with the listener of ours that serves it."""
    balanced: Mapping[Spot, Balanced] = {}
    """Those that the kernel balances by itself. One without targets is led, as if it were not here."""
    names: NameHijack | None = None


class Interception(msgspec.Struct, frozen=True):
    """What holds from the start to the end of a node. ``Spot``s come and go meanwhile."""

    table: str
    """Name of the nftables table (family ip)."""
    interface: str
    """Whose traffic is intercepted, besides that of the host's own processes."""
    subnet: str
    """The fake IPs, such as 9.251.0.0/16."""
    address: str
    """The interface's own address, to which connections of the proxy plane are led."""
    mark: int
    """Of our own packets."""
    forwards: bool = True
    """``ip_forward`` is on. Without it the kernel plane serves the processes of the host alone; containers get the
    proxy, at spots that are balanced too, for which there is always a listener as well."""
