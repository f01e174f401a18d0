"""One port of a service as a process that forwards knows it: who asks gets a host, or the reason why there is none.

It lives as long as the port does, whatever changes behind it: hosts that stay keep what is known of them, a strategy
that stays keeps its memory, and connections of hosts that stay are left alone.
"""

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from edgecore.clock import Clock
from edgecore.modules.edgemesh.names import Endpoint, Refusal
from edgecore.modules.edgemesh.upstream.balancing.choice import same_strategy, strategy_of
from edgecore.modules.edgemesh.upstream.balancing.latency import observe_failure
from edgecore.modules.edgemesh.upstream.balancing.room import Room
from edgecore.modules.edgemesh.upstream.balancing.roundrobin import RoundRobin
from edgecore.modules.edgemesh.upstream.balancing.strategy import Asking, Strategy
from edgecore.modules.edgemesh.upstream.drains import Drains
from edgecore.modules.edgemesh.upstream.health.budget import Budget
from edgecore.modules.edgemesh.upstream.health.health import Health, MakeHealth
from edgecore.modules.edgemesh.upstream.health.outliers import served
from edgecore.modules.edgemesh.upstream.host import Host
from edgecore.modules.edgemesh.upstream.spec import Backend, PortSpec

_NOBODY = Backend("", None)
_NOWHERE = Endpoint("", 0)
_NOT_RUNNING = frozenset(("not_running", "no_status", "terminating"))
_NOT_READY = frozenset(("not_ready", "not_ready_endpoint"))
_OF_THE_STRATEGY = frozenset(("choose", "set_cookie"))


class Upstream:
    """See the module. Made by ``Upstreams``. Its strategy is made when it is first asked, its judge when one fails."""

    __slots__ = (
        "_budget",
        "_changed",
        "_clock",
        "_drains",
        "_health",
        "_lingering",
        "_make_health",
        "_rng",
        "_room",
        "_strategy",
        "available",
        "choose",
        "codes",
        "gone",
        "hosts",
        "panicking",
        "past",
        "refused",
        "retries",
        "set_cookie",
        "spec",
    )

    choose: Callable[..., Host | None]
    """The method of the strategy itself: who is on the hot path asks it first and ``pick`` only on ``None``."""
    set_cookie: Callable[[Asking, Host], bytes]
    """As ``choose``."""

    def __init__(
        self,
        spec: PortSpec,
        clock: Clock,
        rng: random.Random,
        make_health: MakeHealth,
        *,
        drains: Drains,
        room: Room,
        changed: "Callable[[Upstream], None]",
    ) -> None:
        self.spec = spec
        self.hosts: dict[Endpoint, Host] = {}
        """The backends that are in, in their order, well or not."""
        self.available: tuple[Host, ...] = ()
        """Those that may be chosen now."""
        self.panicking = False
        """Too few hosts are well: all are used."""
        self.gone = False
        """The port is no more."""
        self.codes: dict[int, int] = {}
        """HTTP status of answers, of hosts and our own, to the number of requests; 0 where no HTTP is spoken."""
        self.refused: dict[str, int] = {}
        """Reason to the number of requests that were answered by the proxy itself."""
        self.past = Host(_NOBODY, _NOWHERE)
        """The figures of the hosts that are gone, together."""
        self.retries = 0
        """Requests that were tried again."""
        self._clock = clock
        self._rng = rng
        self._make_health = make_health
        self._drains = drains
        self._room = room
        self._changed = changed
        self._health: Health | None = None
        self._budget: Budget | None = None
        self._strategy: Strategy | None = None
        self._lingering: list[Host] = []  # those that nobody chooses any more, though their pods are there
        self._take(spec)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> object:
            """Make the strategy, whose methods are asked for the first time."""
            if name not in _OF_THE_STRATEGY:
                raise AttributeError(name, name=name, obj=self)
            self._set_strategy()
            return getattr(self, name)

    def apply(self, spec: PortSpec) -> None:
        """Be as ``spec`` says from now on."""
        before, self.spec = self.spec, spec
        self._take(spec)
        if self._strategy is not None and not same_strategy(before.policy, spec.policy):
            self._set_strategy()

    def pick(self, asking: Asking, tried: Sequence[Host] = ()) -> Host | Refusal:
        """Return the host for the next request, or why there is none (503)."""
        return self.choose(asking, tried) or self.refusal()

    def foretell(self) -> Host | None:
        """Return the host of the next request, if that can be said without asking for it; ``None``: it cannot.

        Nothing is changed by it: a strategy is made when the first request comes.
        """
        if len(self.available) == 1:
            return self.available[0]
        if self._strategy is None:
            return self.available[0] if self.available and self.spec.policy.strategy == "RoundRobin" else None
        return self._strategy.foretell() if isinstance(self._strategy, RoundRobin) else None

    def refusal(self) -> Refusal:
        """Return why no host can be chosen (503)."""
        spec = self.spec
        found = Counter(backend.reason for backend in spec.backends if backend.endpoint is None)
        if self.gone:
            reason, text = "port_not_in_service", "the service has no such port any more"
        elif self.hosts:
            reason, text = "all_ejected", f"all of its {len(self.hosts)} backends fail"
        elif not spec.backends:
            reason, text = spec.empty_reason, spec.empty_text
        else:
            told = ", ".join(f"{number} {why}" for why, number in found.items())
            if set(found) <= _NOT_RUNNING:
                reason, text = "no_running_pods", f"none of its pods runs ({told})"
            else:
                reason, text = "no_reachable_pods", f"none of its pods can be reached ({told})"
        kind = "pod" if spec.service.is_pod else "service"
        return Refusal(503, reason, f"cannot reach {kind} {spec.service} port {spec.port}: {text}")

    def answered(self, status: int) -> None:
        """Count a request by the status of its answer."""
        self.codes[status] = self.codes.get(status, 0) + 1

    def succeeded(self, host: Host) -> None:
        """Take note that ``host`` served a request. To be called only where ``host.failures`` is not 0."""
        served(host, self._clock.monotonic())

    def failed(self, host: Host, reason: str, began_at: float | None = None) -> None:
        """Take note that a request failed at ``host``, which is to blame: no connection, or a gateway's error of it.

        ``began_at``, by the monotonic clock, is when it was sent there, if it took so long that this may matter: what
        was sent before ``host`` was last left out, or before the cloud had news of it, is no further failure in a row.
        """
        host.failed(reason, self._clock.monotonic())
        observe_failure(host)
        if not host.gone and (began_at is None or began_at >= host.in_since):
            host.failures += 1
            self._judge().failed(host)

    def may_retry(self) -> bool:
        """Say whether one more request may be tried again now; if so, it is counted."""
        now = self._clock.monotonic()
        if self._budget is None:
            self._budget = Budget(now)
        hosts = self.hosts.values()
        requests = self.past.requests + sum(host.requests for host in hosts) - self.retries
        if not self._budget.take(now, requests, sum(host.active for host in hosts), self.spec.policy):
            return False
        self.retries += 1
        return True

    def why(self, host: Host) -> str:
        """Return how ``host`` stands, a fixed word.

        ``in``; ``trial``: in again, and out at the next failure; ``ejected``: requests failed (``host.last_error``),
        until ``host.ejected_until``; ``check_failed``: for ``host.check_error``; ``panic``: one of the two, but used,
        as too few are well; ``gone``: no backend any more.
        """
        if host.gone:
            return "gone"
        if _is_well(host):
            return "trial" if host.on_trial else "in"
        if self.panicking:
            return "panic"
        return "ejected" if host.ejected_until else "check_failed"

    def refresh(self) -> None:
        """Find out anew which hosts may be chosen: the health of one has changed."""
        self._choose_among_well()
        self._changed(self)

    def close(self) -> None:
        """Be no more: as if no host were left."""
        self.gone = True
        if self._health is not None:
            self._health.close()
        leaving, self.hosts = self.hosts, {}
        self._choose_among_well()
        self._retire(leaving)

    def _take(self, spec: PortSpec) -> None:
        """Have the hosts that ``spec`` says, in its order. One that was gone and comes again is a new host."""
        before, self.hosts = self.hosts, {}
        for backend in spec.backends:
            endpoint = backend.endpoint
            if endpoint is None or endpoint in self.hosts:
                continue
            host = before.pop(endpoint, None)
            if host is None:
                host = Host(backend, endpoint)
            elif host.backend.version != backend.version:  # the cloud's word counts, until we know better
                host.judge_anew(self._clock.monotonic())
            host.backend = backend
            self.hosts[endpoint] = host
        if self._health is not None:
            self._health.follow(tuple(self.hosts.values()), spec.policy)
        elif spec.policy.checks != "off":
            self._judge()
        self._choose_among_well()
        self._retire(before)

    def _choose_among_well(self) -> None:
        hosts = tuple(self.hosts.values())
        well = tuple(host for host in hosts if _is_well(host))
        self.panicking = len(well) < len(hosts) * self.spec.policy.panic_share
        self.available = hosts if self.panicking else well
        if self._strategy is not None:
            self._strategy.replace(self.available)

    def _judge(self) -> Health:
        if self._health is None:
            self._health = self._make_health(self.spec.key, self.refresh)
            self._health.follow(tuple(self.hosts.values()), self.spec.policy)
        return self._health

    def _set_strategy(self) -> None:
        strategy = self._strategy = strategy_of(self.spec.policy, self._rng, self._clock, self._room)
        strategy.replace(self.available)
        self.choose, self.set_cookie = strategy.choose, strategy.set_cookie

    def _retire(self, hosts: dict[Endpoint, Host]) -> None:
        """Have ``hosts`` come to their end. Nobody chooses them any more.

        A pod that is there and only not ready keeps the connections that it has, for as long as it is there: it may
        serve them as well as ever (the link of its node to the cloud is cut, say), and is the one to end them if not.
        """
        there = () if self.gone else self.spec.backends
        pods = {backend.pod for backend in there if backend.endpoint is not None or backend.reason in _NOT_READY}
        unready = {backend.pod for backend in there if backend.reason in _NOT_READY}
        drain_s = self.spec.policy.drain_s
        lingering, self._lingering = self._lingering, []
        for host in lingering:
            if host.backend.pod not in pods:
                self._drains.hurry(host, drain_s)
            elif self._drains.lasts(host):
                self._lingering.append(host)
        for host in hosts.values():
            stays = host.backend.pod in unready
            self._drains.leave(host, math.inf if stays else drain_s, self.past)
            if stays and self._drains.lasts(host):
                self._lingering.append(host)


def _is_well(host: Host) -> bool:
    return not host.ejected_until and host.checked is not False
