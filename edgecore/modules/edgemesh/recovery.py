"""Giving services back, after a restart, the fake IPs that they had; and letting those given back lately rest on.

What our own table says holds; of pods it alone says anything. A service that it does not name takes the address of its
``listener`` row, which the Go edgecore or an earlier one of ours wrote, if the pool in force has that address. Whatever
such a row says, it is only a proposal: a text that is no address is one refusal (Go cuts two characters off it unseen:
kubeedge edgemesh/pkg/listener/listener.go:111-140@v1.3.1, bug X20).
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from edgecore.modules.edgemesh.fakeip import AddressRow, ClaimRefused, FakeIpPool
from edgecore.modules.edgemesh.names import ServiceKey


class Recovered(NamedTuple):
    """What came of it."""

    stored: frozenset[ServiceKey]
    """Services and pods that have the address that our table says."""
    refused: tuple[ClaimRefused, ...]
    """Addresses that could not be given back; their services get others."""
    gone: tuple[AddressRow, ...]
    """Rows of services that are there no more; their addresses rest from now on."""
    useless: tuple[AddressRow, ...]
    """Rows that say nothing any more: their address is of another pool, or has rested for long enough."""


def recover(
    pool: FakeIpPool,
    rows: Sequence[AddressRow],
    listeners: Mapping[ServiceKey, str | None],
    now: float,
    now_ms: int,
) -> Recovered:
    """Fill an empty pool.

    ``rows`` is our table, in the order of ``tables.read_addresses``. ``listeners`` names every service and pod that is
    to have an address, with what its listener row says. ``now`` and ``now_ms`` are one instant on the clock's two
    scales.
    """
    stored: set[ServiceKey] = set()
    refused: list[ClaimRefused] = []
    gone: list[AddressRow] = []
    useless: list[AddressRow] = []
    for row in rows:
        if row.released_at_ms is not None:
            released_s_ago = max(0.0, (now_ms - row.released_at_ms) / 1000)
            if released_s_ago >= pool.reuse_after_s or not pool.rest(row.address, row.service, now - released_s_ago):
                useless.append(row)
        elif row.service in listeners:
            problem = pool.claim(row.service, row.address)
            if problem is None:
                stored.add(row.service)
            else:
                refused.append(problem)
                useless.append(row)
        else:
            gone.append(row)
    for row in gone:
        pool.rest(row.address, row.service, now)
    for service, address in listeners.items():
        if service not in stored and address is not None:
            problem = pool.claim(service, address)
            if problem is not None:
                refused.append(problem)
    return Recovered(frozenset(stored), tuple(refused), tuple(gone), tuple(useless))
