"""The ports that the kernel balances by itself: which they are, and with which backends, as pods and health change.

It follows ``Upstreams`` and is told which port of a service each spot is. A backend whose checks fail, or that was left
out for its failures, leaves the rules and comes back into them, by the same rules as in the proxy: where too few are
well, all are used.

The kernel's round robin begins with the first target after each change. Of a service with fewer connections than
changes that would get them all, so with each change another target is the first: the one that was it longest ago.
"""

from collections.abc import Callable, Collection
from typing import NamedTuple, Protocol

import structlog
from msgspec.structs import replace

from edgecore.modules.edgemesh.intercept.kernel.planes import Decision, Unable, decide
from edgecore.modules.edgemesh.intercept.rules.interception import Balanced, Spot, Target
from edgecore.modules.edgemesh.names import Endpoint
from edgecore.modules.edgemesh.upstream.spec import PortKey, PortSpec
from edgecore.modules.edgemesh.upstream.upstream import Upstream
from edgecore.modules.edgemesh.upstream.upstreams import Upstreams

log = structlog.get_logger("edgemesh")

_UNKNOWN = Decision("proxy", "no_backend")


class Balances(Protocol):
    """The rules; see ``Ruleset``."""

    def balance(self, spot: Spot, balanced: Balanced | None) -> None:
        """Have the kernel balance new connections to ``spot``; ``None``: no more."""


class Backing(NamedTuple):
    """A backend of one spot."""

    spot: Spot
    key: PortKey
    endpoint: Endpoint


Changed = Callable[[Spot, Balanced | None], object]
"""Hears what the rules are told of a spot."""


class KernelPlane:
    """See the module. ``unable`` says why no port is for the kernel, if so."""

    def __init__(
        self, upstreams: Upstreams, rules: Balances, unable: Unable = "", changed: Changed | None = None
    ) -> None:
        self._upstreams = upstreams
        self._rules = rules
        self._unable = unable
        self._changed = changed
        self._places: dict[Spot, _Place] = {}
        self._spots: dict[PortKey, dict[Spot, None]] = {}
        self._last_id = 0
        self._closed = False
        self.backings: dict[int, Backing] = {}
        """The backends that the kernel uses, by the id of their targets."""
        upstreams.follow(self._port_changed)
        upstreams.follow_health(self._health_changed)

    def __len__(self) -> int:
        """Return how many spots the kernel balances."""
        return sum(place.decision.plane == "kernel" for place in self._places.values())

    def place(self, spot: Spot, key: PortKey) -> None:
        """Take note that ``spot`` is this port. To be called before the spot is led anywhere else."""
        known = self._places.get(spot)
        if known is not None and known.key == key:
            return
        if known is not None:
            self.unplace(spot)
        self._places[spot] = _Place(key)
        self._spots.setdefault(key, {})[spot] = None
        self._decide(spot)
        if self._changed is not None and self._places[spot].balanced is None:
            self._changed(spot, None)  # a node before this one may have left flows

    def unplace(self, spot: Spot) -> None:
        """Take note that ``spot`` is no port any more."""
        place = self._places.pop(spot, None)
        if place is None:
            return
        spots = self._spots[place.key]
        del spots[spot]
        if not spots:
            del self._spots[place.key]
        self._give(spot, place, None)

    def decision(self, spot: Spot) -> Decision:
        """Return which plane serves ``spot``, and why."""
        place = self._places.get(spot)
        return place.decision if place is not None else _UNKNOWN

    def hosts(self, key: PortKey) -> Collection[Endpoint] | None:
        """Return the backends of a port, whichever plane serves it; ``None`` if there is no such port."""
        upstream = self._upstreams.get(key)
        return upstream.hosts if upstream is not None else None

    def close(self) -> None:
        """Follow nothing more. The rules stay as they are. May be called again."""
        if self._closed:
            return
        self._closed = True
        self._upstreams.unfollow(self._port_changed)
        self._upstreams.unfollow_health(self._health_changed)

    def _port_changed(self, key: PortKey, spec: PortSpec | None) -> None:
        for spot in tuple(self._spots.get(key, ())):
            self._decide(spot)

    def _health_changed(self, upstream: Upstream) -> None:
        self._port_changed(upstream.spec.key, upstream.spec)

    def _decide(self, spot: Spot) -> None:
        """Have the rules say of ``spot`` what is so now."""
        place = self._places[spot]
        upstream = self._upstreams.get(place.key)
        decision = _decide(upstream, self._unable)
        if decision != place.decision:
            told = {"service": str(place.key[0]), "port": place.key[1], "transport": place.key[2]}
            log.debug("plane_chosen", **told, plane=decision.plane, reason=decision.reason)
        place.decision = decision
        self._give(spot, place, upstream if decision.plane == "kernel" else None)

    def _give(self, spot: Spot, place: "_Place", upstream: Upstream | None) -> None:
        self._name_targets(spot, place, upstream)
        balanced = _balanced(upstream, place.ids) if upstream is not None else None
        if balanced != place.balanced:
            place.balanced = balanced
            told = place.turned(balanced, upstream.hosts) if balanced is not None and upstream is not None else None
            self._rules.balance(spot, told)
            if self._changed is not None:
                self._changed(spot, told)

    def _name_targets(self, spot: Spot, place: "_Place", upstream: Upstream | None) -> None:
        """Have each backend have an id: its own as long as it is used. One that comes back counts from 0: a new id."""
        before, place.ids = place.ids, {}
        for host in upstream.available if upstream is not None else ():
            endpoint = host.endpoint
            id_ = before.pop(endpoint, 0)
            if not id_:
                self._last_id += 1
                id_ = self._last_id
                self.backings[id_] = Backing(spot, place.key, endpoint)
            place.ids[endpoint] = id_
        for id_ in before.values():
            del self.backings[id_]


class _Place:
    """One spot."""

    __slots__ = ("_changes", "_first_at", "balanced", "decision", "ids", "key")

    def __init__(self, key: PortKey) -> None:
        self.key = key
        self.decision = _UNKNOWN
        self.balanced: Balanced | None = None
        """In the order of the port's backends."""
        self.ids: dict[Endpoint, int] = {}
        self._changes = 0
        self._first_at: dict[Endpoint, int] = {}

    def turned(self, balanced: Balanced, hosts: Collection[Endpoint]) -> Balanced:
        """Return ``balanced`` as it is told; ``hosts`` are all backends, of which those that are left out come back.

        One that is new is taken to have been the first just now.
        """
        before = self._first_at
        self._first_at = {host: before.get(host, self._changes) for host in hosts}
        self._changes += 1
        targets = balanced.targets
        if not targets:
            return balanced
        first = min(range(len(targets)), key=lambda place: self._first_at.get(targets[place].endpoint, 0))
        self._first_at[targets[first].endpoint] = self._changes
        return replace(balanced, targets=targets[first:] + targets[:first])


def _decide(upstream: Upstream | None, unable: Unable) -> Decision:
    if upstream is None:
        return _UNKNOWN
    decision = decide(upstream.spec, unable)
    if decision.plane == "kernel" and not upstream.available:
        return Decision("proxy", "all_ejected")
    return decision


def _balanced(upstream: Upstream, ids: dict[Endpoint, int]) -> Balanced:
    policy = upstream.spec.policy
    return Balanced(
        tuple(Target(ids[host.endpoint], host.endpoint) for host in upstream.available),
        "random" if policy.strategy == "Random" else "round_robin",
        policy.affinity_timeout_s if policy.strategy == "SessionStickiness" else 0.0,
    )
