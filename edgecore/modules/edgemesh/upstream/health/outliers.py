"""Hosts at which requests fail are left out for a while (pure but for what is written into ``Host``).

::

          eject_after failures in a row              the time is over
    ┌────┐ ───────────────────────────▶ ┌─────────┐ ─────────────────▶ ┌──────────┐
    │ in │                              │ ejected │                    │ on trial │
    └────┘ ◀─────────────┐              └─────────┘ ◀───────────────── └──────────┘
                         │                            one more failure       │
                         └───────────────────────────────────────────────────┘
                                           a request is served

Each time lasts twice as long as the one before, up to ``eject_max_s``. One time is forgotten again for every so long as
it would last that the host has been well since it served its first request. All times are ``Clock.monotonic``'s.

What fails while a host is left out says nothing new: it was under way already, or all hosts are used, as too few are
well.
"""

from collections.abc import Iterable, Sequence

from edgecore.modules.edgemesh.upstream.host import Host
from edgecore.modules.edgemesh.upstream.policy import Policy


def eject(host: Host, hosts: Sequence[Host], policy: Policy, now: float) -> float:
    """Leave out ``host``, one of ``hosts``, if the failure that was counted last is one too many.

    Returns for how many seconds; 0 if it stays as it is.
    """
    if host.ejected_until:
        host.failures = 0
        return 0.0
    if not policy.eject_after or (host.failures < policy.eject_after and not host.on_trial):
        return 0.0
    if _ejected(hosts) >= most(len(hosts), policy):
        return 0.0
    times = _remembered(host, policy, now) + 1
    for_s = _lasts(times, policy)
    if for_s <= 0:
        return 0.0
    # More than it takes for the longest time need not be remembered, and would take long to be forgotten.
    host.ejections_lately = times if _lasts(times - 1, policy) < policy.eject_max_s else host.ejections_lately
    host.ejections += 1
    host.ejected_until = now + for_s
    host.failures = 0
    return for_s


def most(count: int, policy: Policy) -> int:
    """Return how many of ``count`` hosts may be left out at one time: the share, or one if there are others."""
    if not policy.eject_after or count < 2:
        return 0
    return min(count, max(1, int(count * policy.eject_max_share)))


def take_back(host: Host, now: float) -> None:
    """Have ``host`` in again, on trial: it is not 0 failures that it has, so that its first success is noticed."""
    host.ejected_until = 0.0
    host.in_since = now
    host.well_since = 0.0
    host.failures = 1


def served(host: Host, now: float) -> None:
    """Take note that ``host`` served a request after failures."""
    host.failures = 0
    if host.ejections_lately and not host.well_since:
        host.well_since = now


def due(hosts: Iterable[Host], now: float) -> list[Host]:
    """Return those of ``hosts`` whose time is over."""
    return [host for host in hosts if host.ejected_until and host.ejected_until <= now]


def next_due(hosts: Iterable[Host]) -> float:
    """Return when the next one is due; 0 if none is left out."""
    return min((host.ejected_until for host in hosts if host.ejected_until), default=0.0)


def surplus(hosts: Sequence[Host], policy: Policy) -> list[Host]:
    """Return those that are left out although fewer may be by now: those that would be back first."""
    ejected = sorted((host for host in hosts if host.ejected_until), key=lambda host: host.ejected_until)
    return ejected[: max(0, len(ejected) - most(len(hosts), policy))]


def _ejected(hosts: Iterable[Host]) -> int:
    return sum(1 for host in hosts if host.ejected_until)


def _lasts(times: int, policy: Policy) -> float:
    if times < 1:
        return 0.0
    return min(policy.eject_base_s * 2.0 ** min(times - 1, 64), policy.eject_max_s)


def _remembered(host: Host, policy: Policy, now: float) -> int:
    """Return how many times before count, after ``host`` has been well for as long as it was."""
    times = host.ejections_lately
    well_s = now - host.well_since if host.well_since else 0.0
    while times and (lasted := _lasts(times, policy)) <= well_s:
        well_s -= lasted
        times -= 1
    return times
