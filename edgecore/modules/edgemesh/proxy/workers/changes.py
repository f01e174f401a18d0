"""Which ports a worker tells the node of: those whose figures are not as they were when it told of them last."""

from collections.abc import Iterable

from edgecore.modules.edgemesh.proxy.figures.figures import PortFigures, has_traffic, read
from edgecore.modules.edgemesh.upstream.host import Host
from edgecore.modules.edgemesh.upstream.spec import PortKey
from edgecore.modules.edgemesh.upstream.upstream import Upstream


class Changes:
    """Remembers of each port with traffic what it was like; everything is new at first."""

    def __init__(self) -> None:
        self._told: dict[PortKey, int] = {}

    def since_last(self, upstreams: Iterable[Upstream]) -> dict[PortKey, PortFigures]:
        """Return the figures that changed since this was last asked; a port without any more has empty ones."""
        before, self._told = self._told, {}
        changed = {}
        for upstream in upstreams:
            if has_traffic(upstream):
                key = upstream.spec.key
                mark = self._told[key] = _mark(upstream)
                if before.pop(key, None) != mark:
                    changed[key] = read(upstream)
        return changed | {key: PortFigures(key) for key in before}


def _mark(upstream: Upstream) -> int:
    """Return what is another number when the port's figures are others: a fraction of what reading them costs."""
    past = upstream.past
    return hash(
        (
            tuple(upstream.codes.items()),
            tuple(upstream.refused.items()),
            upstream.retries,
            upstream.panicking,
            _of_host(past) if past.requests or past.ejections else None,
            *[_of_host(host) for host in upstream.hosts.values()],
        )
    )


def _of_host(host: Host) -> tuple[object, ...]:
    """Whatever is counted at a host, or known of it, changes one of these."""
    return (
        host.endpoint,
        host.backend.pod,
        host.requests,
        host.active,
        host.connections,
        host.latency_sum_s,
        host.ejections,
        host.ejected_until,
        host.well_since,
        host.checked,
        host.check_error,
        host.last_error_at,
        sum(host.errors.values()) if host.requests else 0,
    )
