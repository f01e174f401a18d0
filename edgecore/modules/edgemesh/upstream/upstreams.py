"""All ports that are forwarded for, by service, number and transport; followed by whoever has to know them all."""

import random
from collections.abc import Callable, Iterator

from edgecore.clock import Clock
from edgecore.modules.edgemesh.upstream.balancing.room import Room
from edgecore.modules.edgemesh.upstream.drains import Drains
from edgecore.modules.edgemesh.upstream.health.health import MakeHealth, NoHealth
from edgecore.modules.edgemesh.upstream.spec import PortKey, PortSpec
from edgecore.modules.edgemesh.upstream.upstream import Upstream

Follower = Callable[[PortKey, PortSpec | None], None]
"""Hears of a port that is new or changed; ``None``: it is no more."""
HealthFollower = Callable[[Upstream], None]
"""Hears that other hosts of a port may be chosen now, though the port is as it was."""


class Upstreams:
    """See the module. Ports are ``put`` and ``remove``d by the service table; in a worker, by what it is told."""

    def __init__(self, clock: Clock, rng: random.Random, make_health: MakeHealth = NoHealth) -> None:
        self._clock = clock
        self._rng = rng
        self._make_health = make_health
        self._drains = Drains(clock)
        self._room = Room()
        self._upstreams: dict[PortKey, Upstream] = {}
        self._followers: list[Follower] = []
        self._health_followers: list[HealthFollower] = []
        self._health_changed = self._tell_of_health  # one object for all ports

    def __iter__(self) -> Iterator[Upstream]:
        return iter(self._upstreams.values())

    def __len__(self) -> int:
        return len(self._upstreams)

    @property
    def draining(self) -> int:
        """How many hosts are no backends any more while something is under way there."""
        return len(self._drains)

    def get(self, key: PortKey) -> Upstream | None:
        """Return what is known of a port; ``None`` if it is not forwarded for."""
        return self._upstreams.get(key)

    def put(self, spec: PortSpec) -> Upstream:
        """Have a port be as ``spec`` says, and return what is known of it."""
        upstream = self._upstreams.get(spec.key)
        if upstream is None:
            upstream = Upstream(
                spec,
                self._clock,
                self._rng,
                self._make_health,
                drains=self._drains,
                room=self._room,
                changed=self._health_changed,
            )
            self._upstreams[spec.key] = upstream
        elif upstream.spec == spec:
            return upstream
        else:
            upstream.apply(spec)
        self._tell(spec.key, spec)
        return upstream

    def remove(self, key: PortKey) -> None:
        """Forward for a port no more."""
        upstream = self._upstreams.pop(key, None)
        if upstream is not None:
            upstream.close()
            self._tell(key, None)

    def follow(self, follower: Follower) -> None:
        """Tell ``follower`` of every port there is, and of every change from now on."""
        self._followers.append(follower)
        for upstream in tuple(self._upstreams.values()):
            follower(upstream.spec.key, upstream.spec)

    def unfollow(self, follower: Follower) -> None:
        """Tell ``follower`` nothing more."""
        self._followers.remove(follower)

    def follow_health(self, follower: HealthFollower) -> None:
        """Tell ``follower`` whenever the health of hosts changes which of them may be chosen."""
        self._health_followers.append(follower)

    def unfollow_health(self, follower: HealthFollower) -> None:
        """Tell ``follower`` nothing more."""
        self._health_followers.remove(follower)

    def close(self) -> None:
        """End everything that runs for the ports, connections that drain included; followers are not told."""
        upstreams, self._upstreams = self._upstreams, {}
        for upstream in upstreams.values():
            upstream.close()
        self._drains.close()

    def _tell(self, key: PortKey, spec: PortSpec | None) -> None:
        for follower in tuple(self._followers):
            follower(key, spec)

    def _tell_of_health(self, upstream: Upstream) -> None:
        for follower in tuple(self._health_followers):
            follower(upstream)
