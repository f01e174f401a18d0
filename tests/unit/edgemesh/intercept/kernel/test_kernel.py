"""The kernel plane as a whole: started, told of, stopped."""

import json
from collections.abc import AsyncIterator, Sequence

from edgecore.clock import VirtualClock
from edgecore.modules.edgemesh.intercept.kernel.ctnetlink import Flow
from edgecore.modules.edgemesh.intercept.kernel.kernel import Kernel
from edgecore.modules.edgemesh.intercept.rules.interception import Balanced, Spot, Spots
from edgecore.modules.edgemesh.upstream.spec import Backend, PortSpec
from tests.support.healthrig import WEB, endpoint
from tests.support.upstreams import fresh_upstreams


class Rules:
    """Have at once what they are told."""

    applied: Spots | None = Spots()

    def balance(self, spot: Spot, balanced: Balanced | None) -> None:
        self.applied = Spots(balanced={} if balanced is None else {spot: balanced})


class Table:
    """No connection is there."""

    async def flows(self) -> AsyncIterator[Sequence[Flow]]:
        yield []

    async def forget(self, flows: Sequence[Flow]) -> None:
        pass


async def list_counters() -> str:
    counters = [{"counter": {"name": name, "packets": 4}} for name in ("hits-1", "sum-9.251.0.1-80-tcp")]
    return json.dumps({"nftables": counters})


async def test_what_the_kernel_did_is_in_the_status_the_figures_and_the_metrics() -> None:
    upstreams, clock = fresh_upstreams(), VirtualClock()
    kernel = Kernel(upstreams, Rules(), list_counters, clock, conntrack=Table())
    upstreams.put(PortSpec(WEB, 80, "tcp", "bytes", (Backend("a", endpoint(1)),)))
    kernel.plane.place(Spot("9.251.0.1", 80, "tcp"), (WEB, 80, "tcp"))
    kernel.start()
    kernel.start()
    await clock.advance(1.5)

    assert (kernel.status()["ports"], kernel.status()["connections"]) == (1, 4)
    (figures,) = kernel.figures()
    assert figures.ports[WEB, 80, "tcp"].codes == {0: 4}
    samples = {sample.name: sample.value for family in kernel.families() for sample in family.samples}
    assert samples["edgecore_kernel_plane_connections_total"] == 4
    assert samples["edgecore_kernel_plane_ports"] == 1

    await kernel.stop()
    await kernel.stop()
