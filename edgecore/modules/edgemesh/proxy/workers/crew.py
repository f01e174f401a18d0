"""The processes that forward beside the node, with the ports that the node has.

The node alone runs the active checks, and tells the others what they say. What fails is judged by each process itself.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from prometheus_client.core import CounterMetricFamily, Metric

from edgecore.clock import Clock
from edgecore.modules.edgemesh.names import Endpoint, ServiceKey
from edgecore.modules.edgemesh.proxy.doors.destination import Meant
from edgecore.modules.edgemesh.proxy.figures.proxyfigures import ProxyFigures, added
from edgecore.modules.edgemesh.proxy.workers.orders import (
    AccessLines,
    AddressOf,
    BadInput,
    Begin,
    Checked,
    Listen,
    News,
    PortRemoved,
    PortSet,
    Requests,
    Unlisten,
)
from edgecore.modules.edgemesh.proxy.workers.recipe import ProxyRecipe
from edgecore.modules.edgemesh.upstream.spec import PortKey, PortSpec, Transport
from edgecore.modules.edgemesh.upstream.upstreams import Upstreams
from edgecore.modules.edgemesh.workers.crew import Crew, Member
from edgecore.modules.edgemesh.workers.relay import Look
from edgecore.modules.edgemesh.workers.sharing import Sharing
from edgecore.observe.metrics import Metrics
from edgecore.recording.entries import ProxiedRequest
from edgecore.recording.watch import Watch

_PROGRAM = "edgecore.modules.edgemesh.proxy.workers.worker"

Findings = dict[Endpoint, bool]
Place = tuple[Endpoint, Transport]


class ForwardingCrew(Crew[ProxyFigures]):
    """``recipe.processes - 1`` workers that forward as ``recipe`` says, for the ports of ``upstreams``.

    ``log_access`` takes lines of their access log, and how many were dropped (see ``AccessLog.pass_on``). What they
    served is shown to ``watch`` too, a moment later.
    """

    def __init__(
        self,
        recipe: ProxyRecipe,
        upstreams: Upstreams,
        clock: Clock,
        metrics: Metrics,
        log_access: Callable[[bytes, int], object] | None = None,
        *,
        watch: Watch | None = None,
    ) -> None:
        super().__init__(recipe.processes - 1, clock, work="proxy", program=_PROGRAM, news=News)
        self._recipe = replace(recipe, access_log=log_access is not None)
        self._log_access = log_access
        self._upstreams = upstreams
        self._metrics = metrics
        self._shown_to = watch or Watch()
        self._is_looked_at = False
        self._shown_to.follow(self._look)
        metrics.pull(self._families)
        self._places: dict[Place, Meant] = {}
        self._addresses: dict[str, ServiceKey] = {}
        self._checked: dict[PortKey, Findings] = {}
        """What the workers were told of hosts last; ``None`` is left out."""

    @property
    def sharing(self) -> Sharing:
        """How the node listens at the address of a service."""
        return Sharing.FIRST if self._recipe.processes > 1 else Sharing.ALONE

    def start(self) -> None:
        """See ``Crew``. Does nothing if they run already, or if there are none: the ports are followed once."""
        if self.size and not self.runs:
            super().start()
            self._upstreams.follow(self._pass_on)

    async def stop(self) -> None:
        """See ``Crew``."""
        if self.runs:
            self._upstreams.unfollow(self._pass_on)
            self._places.clear()
            self._addresses.clear()
        await super().stop()

    def listen(self, address: Endpoint, meant: Meant, transport: Transport) -> None:
        """Have them accept clients at ``address`` too, at which the node listens already; see ``Listen``."""
        self._places[address, transport] = meant
        self.tell(Listen(address, meant, transport))

    def own(self, address: str, service: ServiceKey | None) -> None:
        """Tell them whose fake IP ``address`` is; ``None``: nobody's any more."""
        if service is not None:
            self._addresses[address] = service
        elif self._addresses.pop(address, None) is None:
            return
        self.tell(AddressOf(address, service))

    def unlisten(self, address: Endpoint, transport: Transport) -> None:
        """Have them accept no more clients there; what is being served is served."""
        if self._places.pop((address, transport), None) is not None:
            self.tell(Unlisten(address, transport))

    def everything(self) -> Iterator[Struct]:
        """See ``Crew``."""
        yield Begin(self._recipe)
        for upstream in self._upstreams:
            key = upstream.spec.key
            yield PortSet(upstream.spec)
            for endpoint, well in self._checked.get(key, {}).items():  # as the others know it
                yield Checked(key, endpoint, well)
        for fake_ip, service in self._addresses.items():
            yield AddressOf(fake_ip, service)
        for (address, transport), meant in self._places.items():
            yield Listen(address, meant, transport)
        if self._shown_to.request is not None:
            yield Look(True)

    def take(self, member: Member[ProxyFigures], news: Any) -> None:
        """See ``Crew``."""
        match news:
            case BadInput(module, reason, peer, left_out, details):
                self._metrics.bad_input(module, reason, peer, left_out=left_out, **details)
            case AccessLines(lines, dropped) if self._log_access is not None:
                self._log_access(lines, dropped)
            case Requests(requests, lost):
                self._show(requests, lost)

    def total(self, figures: Iterable[ProxyFigures]) -> ProxyFigures:
        """See ``Crew``."""
        return added(figures)

    def lasting(self, figures: ProxyFigures) -> ProxyFigures:
        """See ``Crew``."""
        return figures.ended({each.spec.key: frozenset(map(str, each.hosts)) for each in self._upstreams})

    def heard(self, known: ProxyFigures | None, news: ProxyFigures) -> ProxyFigures:
        """See ``Crew``: a worker tells of all ports once, then of those whose figures have changed."""
        return news if known is None else news.on_top_of(known)

    def each_second(self) -> None:
        """Tell the workers what the active checks have found meanwhile."""
        for upstream in self._upstreams:
            key = upstream.spec.key
            if upstream.spec.policy.checks != "off" or key in self._checked:
                self._tell_checks(key, self._checked.get(key, {}))

    def _show(self, requests: Iterable[ProxiedRequest], lost: int) -> None:
        show = self._shown_to.request
        if show is None:
            return
        if lost and self._shown_to.lost is not None:
            self._shown_to.lost(lost, "proxy_worker_not_heard")
        for request in requests:
            show(request)

    def _look(self) -> None:
        on = self._shown_to.request is not None
        if on != self._is_looked_at:
            self._is_looked_at = on
            self.tell(Look(on))

    def _families(self) -> Iterator[Metric]:
        yield CounterMetricFamily(
            "edgecore_proxy_worker_restarts", "Workers that ended and were started again.", value=self.restarts
        )

    def _pass_on(self, key: PortKey, spec: PortSpec | None) -> None:
        told = self._checked.pop(key, {})
        if spec is None:
            self.tell(PortRemoved(key))
        else:
            self.tell(PortSet(spec))
            self._tell_checks(key, {}, told)

    def _tell_checks(self, key: PortKey, told: Findings, unsure: Iterable[Endpoint] = ()) -> None:
        """Tell what is found and was not ``told``, and what is found of those that are ``unsure``."""
        upstream = self._upstreams.get(key)
        hosts = upstream.hosts.items() if upstream is not None else ()
        found = {endpoint: host.checked for endpoint, host in hosts if host.checked is not None}
        for endpoint in dict.fromkeys((*unsure, *told, *found)):
            well = found.get(endpoint)
            if told.get(endpoint) != well or endpoint in unsure:
                self.tell(Checked(key, endpoint, well))
        if found:
            self._checked[key] = found
        else:
            self._checked.pop(key, None)
