"""What was counted at the ports, as values: read from upstreams, sent by other processes, added up (pure).

Everything that people and Prometheus are told of traffic is made of these. A process that forwards reads its own; the
node adds those of its workers to them, port by port.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, TypeVar

import msgspec

from edgecore.modules.edgemesh.upstream.host import LATENCY_BOUNDS_S, Host
from edgecore.modules.edgemesh.upstream.spec import PortKey
from edgecore.modules.edgemesh.upstream.upstream import Upstream

Key = TypeVar("Key")

Ill = Literal["", "ejected", "check_failed", "trial"]
"""Why a backend is not well; empty if it is. See ``Upstream.why``."""

_NO_LATENCY = (0,) * (len(LATENCY_BOUNDS_S) + 1)


class HostFigures(msgspec.Struct, frozen=True):
    """One backend, or all that are gone. See ``Host`` for the numbers."""

    pod: str = ""
    requests: int = 0
    active: int = 0
    connections: int = 0
    errors: Mapping[str, int] = {}
    latency: tuple[int, ...] = _NO_LATENCY
    latency_sum_s: float = 0.0
    ejections: int = 0
    ill: Ill = ""
    ill_until: float = 0.0
    """By the monotonic clock, which all processes of a machine share; 0: not known. Of several the last."""
    out: int = 0
    """So many processes leave it out: where too few are well, it is used all the same."""
    judges: int = 1
    """Of so many."""
    last_error: str = ""
    """The reason of the failure that came last."""
    last_error_at: float = 0.0
    """By the monotonic clock."""
    check_error: str = ""
    """Why the last active check failed; empty if it did not."""

    @property
    def has_traffic(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.requests or self.ejections or self.out or self.connections)


class PortFigures(msgspec.Struct, frozen=True):
    """One port. See ``Upstream`` for the numbers."""

    key: PortKey
    codes: Mapping[int, int] = {}
    refused: Mapping[str, int] = {}
    retries: int = 0
    panicking: int = 0
    """In so many processes too few backends are well, and all are used."""
    hosts: Mapping[str, HostFigures] = {}
    """By endpoint, as text."""
    past: HostFigures = HostFigures()
    """The backends that are gone, together."""

    @property
    def has_traffic(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.codes or self.refused or self.past.requests) or any(
            host.has_traffic for host in self.hosts.values()
        )

    @property
    def every_host(self) -> HostFigures:
        """All backends together, those that are gone too."""
        sum_of = self.past
        for host in self.hosts.values():
            sum_of = _both(sum_of, host)
        return sum_of

    def ended(self) -> "PortFigures":
        """Return what is left of them when their process has ended: what was counted, and nothing that was so."""
        hosts = {endpoint: _counted(host) for endpoint, host in self.hosts.items()}
        return msgspec.structs.replace(self, panicking=0, hosts=hosts, past=_counted(self.past))


def has_traffic(upstream: Upstream) -> bool:
    """Say the same of what ``read`` would return, quickly: most ports of a large cluster are never asked for here."""
    return bool(upstream.codes or upstream.refused or upstream.past.requests) or any(
        host.requests
        or host.connections
        or host.ejections
        or ((host.ejected_until or host.checked is False) and not upstream.panicking)
        for host in upstream.hosts.values()
    )


def read(upstream: Upstream) -> PortFigures:
    """Return what this process has counted at a port."""
    return PortFigures(
        upstream.spec.key,
        dict(upstream.codes),
        dict(upstream.refused),
        upstream.retries,
        int(upstream.panicking),
        {str(endpoint): _read_host(host, upstream) for endpoint, host in upstream.hosts.items()},
        _read_host(upstream.past, upstream),
    )


def merge(one: PortFigures, other: PortFigures) -> PortFigures:
    """Return the sum of what two processes have counted at one port."""
    return PortFigures(
        one.key,
        _sums(one.codes, other.codes),
        _sums(one.refused, other.refused),
        one.retries + other.retries,
        one.panicking + other.panicking,
        {
            endpoint: _both(one.hosts[endpoint], other.hosts[endpoint])
            if endpoint in one.hosts and endpoint in other.hosts
            else one.hosts.get(endpoint) or other.hosts[endpoint]
            for endpoint in {**one.hosts, **other.hosts}
        },
        _both(one.past, other.past),
    )


def quantile_s(latency: Iterable[int], share: float) -> float | None:
    """Return the time within which ``share`` of the answers began, as a histogram's buckets tell it.

    Within a bucket it is interpolated; what took longer than the last bound is that bound. ``None`` without answers.
    """
    counts = list(latency)
    wanted = share * sum(counts)
    if not wanted:
        return None
    before, lower = 0, 0.0
    for number, upper in zip(counts, LATENCY_BOUNDS_S, strict=False):
        if before + number >= wanted:
            return lower + (upper - lower) * (wanted - before) / number
        before, lower = before + number, upper
    return lower


def cumulative(latency: Iterable[int]) -> Iterator[tuple[str, int]]:
    """Yield the buckets as Prometheus has them: each with all below it, the last one without a bound."""
    total = 0
    for number, bound in zip(latency, (*map(str, LATENCY_BOUNDS_S), "+Inf"), strict=True):
        total += number
        yield bound, total


def _read_host(host: Host, upstream: Upstream) -> HostFigures:
    if not (host.requests or host.connections or host.ejections or host.ejected_until) and host.checked is not False:
        return HostFigures(host.backend.pod)
    standing = upstream.why(host)
    ill: Ill = ""
    if standing == "trial":
        ill = "trial"
    elif standing in ("ejected", "check_failed", "panic"):
        ill = "ejected" if host.ejected_until else "check_failed"
    return HostFigures(
        host.backend.pod,
        host.requests,
        host.active,
        host.connections,
        dict(host.errors),
        tuple(host.latency),
        host.latency_sum_s,
        host.ejections,
        ill,
        host.ejected_until,
        int(standing in ("ejected", "check_failed")),
        last_error=host.last_error,
        last_error_at=host.last_error_at,
        check_error=host.check_error,
    )


def _both(one: HostFigures, other: HostFigures) -> HostFigures:
    later = max((one, other), key=lambda host: (bool(host.last_error), host.last_error_at, host.last_error))
    return HostFigures(
        one.pod or other.pod,
        one.requests + other.requests,
        one.active + other.active,
        one.connections + other.connections,
        _sums(one.errors, other.errors),
        tuple(map(int.__add__, one.latency, other.latency)),
        one.latency_sum_s + other.latency_sum_s,
        one.ejections + other.ejections,
        one.ill or other.ill,
        max(one.ill_until, other.ill_until),
        one.out + other.out,
        one.judges + other.judges,
        later.last_error,
        later.last_error_at,
        one.check_error or other.check_error,
    )


def _counted(host: HostFigures) -> HostFigures:
    return msgspec.structs.replace(
        host, active=0, connections=0, ill="", ill_until=0.0, out=0, judges=0, check_error=""
    )


def _sums(one: Mapping[Key, int], other: Mapping[Key, int]) -> dict[Key, int]:
    return {key: one.get(key, 0) + other.get(key, 0) for key in {**one, **other}}
