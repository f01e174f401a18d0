"""A process that forwards beside the node: ``python -m edgecore.modules.edgemesh.proxy.workers.worker <socket>``."""

import random
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from edgecore.clock import Clock
from edgecore.modules.edgemesh.names import Endpoint
from edgecore.modules.edgemesh.proxy.figures.proxyfigures import ProxyFigures
from edgecore.modules.edgemesh.proxy.server import MeshProxy
from edgecore.modules.edgemesh.proxy.workers.changes import Changes
from edgecore.modules.edgemesh.proxy.workers.morelisteners import MoreListeners
from edgecore.modules.edgemesh.proxy.workers.orders import (
    AddressOf,
    BadInput,
    Begin,
    Checked,
    Listen,
    Order,
    PortRemoved,
    PortSet,
    Requests,
    Unlisten,
)
from edgecore.modules.edgemesh.proxy.workers.recipe import ProxyRecipe
from edgecore.modules.edgemesh.proxy.workers.relayedaccess import RelayedAccess
from edgecore.modules.edgemesh.proxy.workers.tolddirectory import ToldDirectory
from edgecore.modules.edgemesh.upstream.health.judge import HealthJudge
from edgecore.modules.edgemesh.upstream.health.outliers import take_back
from edgecore.modules.edgemesh.upstream.spec import PortKey, PortSpec
from edgecore.modules.edgemesh.upstream.upstreams import Upstreams
from edgecore.modules.edgemesh.workers.link import Link
from edgecore.modules.edgemesh.workers.relay import Look, Relay
from edgecore.modules.edgemesh.workers.worker import run_worker
from edgecore.observe.metrics import Metrics
from edgecore.recording.entries import ProxiedRequest


class ForwardingDuty:
    """Forwards as it is told."""

    def __init__(self, link: Link[Struct], clock: Clock) -> None:
        self._link = link
        self._clock = clock
        spread = random.Random()  # noqa: S311 - spreads load, guards nothing
        self._judge = HealthJudge(clock, spread)
        self._upstreams = Upstreams(clock, spread, self._judge.judge)
        self._directory = ToldDirectory(self._upstreams)
        self._proxy: MeshProxy | None = None
        self._listeners: MoreListeners | None = None
        self._access: RelayedAccess | None = None
        self._shown: Relay[ProxiedRequest] = Relay(link, clock, Requests)
        self._changes = Changes()
        self._figures: ProxyFigures | None = None

    async def obey(self, order: Order) -> None:
        """See ``Duty``."""
        match order:
            case Begin(recipe):
                self._begin(recipe)
            case PortSet(spec):
                self._upstreams.put(_unchecked(spec))
            case PortRemoved(key):
                self._upstreams.remove(key)
            case Checked(key, endpoint, well):
                self._checked(key, endpoint, well)
            case Listen(address, meant, transport) if self._listeners is not None:
                await self._listeners.open(address, meant, transport)
            case Unlisten(address, transport) if self._listeners is not None:
                self._listeners.close(address, transport)
            case AddressOf(fake_ip, service):
                self._directory.own(fake_ip, service)
            case Look(on) if self._proxy is not None:
                self._proxy.show(self._shown.take if on else None)

    def figures(self) -> ProxyFigures | None:
        """See ``Duty``. Ports whose figures are as they were the last time are left out."""
        return self._figures if self._proxy is None or self._figures else self._changed(self._proxy)

    async def stop(self) -> None:
        """See ``Duty``. What was counted until then can still be read."""
        if self._listeners is not None:
            await self._listeners.stop()
        if self._proxy is not None:
            await self._proxy.stop()
            self._figures = self._changed(self._proxy)
        if self._access is not None:
            self._access.stop()
        self._shown.stop()
        self._upstreams.close()
        await self._judge.close()

    def _begin(self, recipe: ProxyRecipe) -> None:
        metrics = RelayedMetrics(self._link)
        if recipe.access_log:
            self._access = RelayedAccess(self._link, self._clock)
        tell = self._access.tell if self._access is not None else None
        self._proxy = MeshProxy(
            self._directory, self._upstreams, self._clock, metrics, recipe.share, options=recipe.options, access=tell
        )
        self._listeners = MoreListeners(self._proxy, self._clock)

    def _changed(self, proxy: MeshProxy) -> ProxyFigures:
        return replace(proxy.own_numbers(), ports=self._changes.since_last(self._upstreams))

    def _checked(self, key: PortKey, endpoint: Endpoint, well: bool | None) -> None:
        upstream = self._upstreams.get(key)
        host = upstream.hosts.get(endpoint) if upstream is not None else None
        if upstream is not None and host is not None and host.checked is not well:
            host.checked = well
            if well and host.ejected_until:  # seen to be back, so there is nothing to wait for
                take_back(host, self._clock.monotonic())
            upstream.refresh()


class RelayedMetrics(Metrics):
    """Has refused input counted and logged by the node."""

    def __init__(self, link: Link[Struct]) -> None:
        super().__init__()
        self._link = link

    def bad_input(self, module: str, reason: str, peer: str, *, left_out: int | None = None, **details: Any) -> None:
        """See ``Metrics``."""
        texts = {name: str(value)[:200] for name, value in details.items()}
        self._link.mention(BadInput(module, reason, peer, left_out, texts))


def _unchecked(spec: PortSpec) -> PortSpec:
    """Return the port as one whose hosts nobody checks: that is done by the node."""
    return replace(spec, policy=replace(spec.policy, checks="off"))


def main() -> None:
    """Run the program."""
    run_worker(Order, ForwardingDuty, "edgemesh.proxy")


if __name__ == "__main__":
    main()
