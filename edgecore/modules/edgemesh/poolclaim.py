"""Which /16 of loopback addresses this node uses for fake IPs, while other nodes of the same machine use others.

A node holds its pool by a name (``heldname.py``) that is free again when the process has ended, however it ends.
"""

from collections.abc import Callable, Sequence
from ipaddress import IPv4Network

from edgecore.errors import ListenError, PoolExhausted
from edgecore.modules.edgemesh.heldname import Held, hold_name

CANDIDATES = 16
"""So many /16 are tried: the configured one and those below it."""

_HOST = IPv4Network("127.0.0.0/16")
"""Holds 127.0.0.1 and is never a pool."""

TryLock = Callable[[IPv4Network], Held | None]
"""Holds a subnet for this process; ``None`` if another node holds it. Raises ``ListenError`` if that cannot be said."""


class PoolClaim:
    """A subnet that this node holds until ``close``."""

    def __init__(self, subnet: IPv4Network, held: Held) -> None:
        self.subnet = subnet
        self._held = held

    def close(self) -> None:
        """Let the subnet go; other nodes may have it."""
        self._held.close()


def candidates(configured: IPv4Network, last_used: str | None) -> tuple[IPv4Network, ...]:
    """Return the subnets to try, in order.

    They are ``configured`` and the /16 below it that have the same first byte. The one that was used last, if it is one
    of them, comes first, so that a node keeps its addresses when others come and go.
    """
    first, second = configured.network_address.packed[:2]
    subnets = [IPv4Network((bytes((first, number, 0, 0)), 16)) for number in range(second, -1, -1)][:CANDIDATES]
    subnets = [subnet for subnet in subnets if subnet != _HOST]
    return tuple(sorted(subnets, key=lambda subnet: str(subnet) != last_used))


def claim_pool(
    subnets: Sequence[IPv4Network], try_lock: TryLock, otherwise: str = "rootlessSubNet to another loopback /16"
) -> PoolClaim:
    """Hold the first of ``subnets`` that nobody holds. Raises ``PoolExhausted`` if there is none; see ``TryLock``.

    ``otherwise``: which setting would help then.
    """
    for subnet in subnets:
        held = try_lock(subnet)
        if held is not None:
            return PoolClaim(subnet, held)
    tried = ", ".join(str(subnet) for subnet in subnets)
    raise PoolExhausted(
        f"cannot claim a pool of fake IPs: other nodes of this machine hold {tried}; "
        f"stop one of them, or set modules.edgeMesh.{otherwise}",
    )


def lock_subnet(subnet: IPv4Network) -> Held | None:
    """Hold ``subnet`` among all nodes of this machine, or network namespace. See ``TryLock``."""
    try:
        return hold_name(f"fake-ip-pool/{subnet}")
    except OSError as error:
        raise ListenError(str(subnet), "failed", str(error)) from error
