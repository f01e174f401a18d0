"""Which /16 of loopback addresses this node uses for fake IPs, while other nodes of the same machine use others.

A node holds its pool by a lock that vanishes with the process, however it ends. On Linux that is a Unix socket bound to
an abstract name (unix(7)), which belongs to the network namespace, as loopback addresses do; elsewhere it is a locked
file in the directory for temporary files, the same for all nodes whatever their state directories are.
"""

import errno
import fcntl
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Sequence
from ipaddress import IPv4Network
from pathlib import Path
from typing import Protocol

from edgecore.errors import ListenError, PoolExhausted

CANDIDATES = 16
"""So many /16 are tried: the configured one and those below it."""

_HOST = IPv4Network("127.0.0.0/16")
"""Holds 127.0.0.1 and is never a pool."""


class Held(Protocol):
    """A lock; closing it, or the end of the process, lets go."""

    def close(self) -> None:
        """Let go."""


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


def machine_lock() -> TryLock:
    """Return the lock that all nodes of this machine, or network namespace, understand."""
    return lock_by_socket if sys.platform == "linux" else file_lock(Path(tempfile.gettempdir()))


def lock_by_socket(subnet: IPv4Network) -> Held | None:
    """Hold ``subnet`` by an abstract Unix socket (Linux). See ``TryLock``."""
    try:
        return hold_name(f"fake-ip-pool/{subnet}")
    except OSError as error:
        raise ListenError(str(subnet), "failed", str(error)) from error


def hold_name(name: str) -> socket.socket | None:
    """Hold an abstract name (unix(7)) below ``edgecore/``; ``None`` if another process does. Raises ``OSError``."""
    held = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        held.bind(f"\0edgecore/{name}")
    except OSError as error:
        held.close()
        if error.errno != errno.EADDRINUSE:
            raise
        return None
    return held


def file_lock(directory: Path) -> TryLock:
    """Return a lock that holds a subnet by a file in ``directory``. The files stay there, empty."""

    def lock(subnet: IPv4Network) -> Held | None:
        path = directory / f"edgecore-fake-ip-pool-{subnet.network_address}.lock"
        try:
            # Opened for reading only, so that nodes of different users can lock the same file.
            descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise ListenError(str(subnet), "failed", f"{path}: {error.strerror}") from error
        held = os.fdopen(descriptor, "rb")
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            held.close()
            if error.errno != errno.EWOULDBLOCK:
                raise ListenError(str(subnet), "failed", str(error)) from error
            return None
        return held

    return lock
