"""A port with hosts whose health is judged, on a clock that stands still."""

import asyncio
import random
from collections.abc import Iterable
from dataclasses import dataclass, field

from edgecore.clock import VirtualClock
from edgecore.modules.edgemesh.names import Endpoint, ServiceKey
from edgecore.modules.edgemesh.upstream.health.judge import HealthJudge
from edgecore.modules.edgemesh.upstream.health.probing import Check
from edgecore.modules.edgemesh.upstream.host import Host
from edgecore.modules.edgemesh.upstream.policy import Policy
from edgecore.modules.edgemesh.upstream.spec import Backend, PortSpec, Probe
from edgecore.modules.edgemesh.upstream.upstream import Upstream
from edgecore.modules.edgemesh.upstream.upstreams import Upstreams

WEB = ServiceKey("default", "web")


def endpoint(number: int) -> Endpoint:
    return Endpoint(f"10.0.0.{number}", 8080)


@dataclass
class Answers:
    """What hosts say to checks: nothing is wrong unless a test says so; ``silence`` never ends."""

    errors: dict[Endpoint, str] = field(default_factory=dict)
    silent: set[Endpoint] = field(default_factory=set)
    asked: list[Endpoint] = field(default_factory=list)
    under_way: int = 0
    most: int = 0

    async def ask(self, check: Check) -> str:
        self.asked.append(check.address)
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            if check.address in self.silent:
                await asyncio.get_running_loop().create_future()
            return self.errors.get(check.address, "")
        finally:
            self.under_way -= 1


@dataclass
class HealthRig:
    """The port, and what a test does to it."""

    clock: VirtualClock
    answers: Answers
    judge: HealthJudge
    upstreams: Upstreams

    def put(
        self,
        numbers: Iterable[int],
        policy: Policy | None = None,
        *,
        version: str = "",
        probe: Probe | None = None,
        port: int = 80,
    ) -> Upstream:
        """Have the port be one with these hosts."""
        backends = tuple(Backend(f"web-{n}", endpoint(n), version=version, probe=probe) for n in numbers)
        return self.upstreams.put(PortSpec(WEB, port, "tcp", "http", backends, policy or Policy()))

    def upstream(self, port: int = 80) -> Upstream:
        upstream = self.upstreams.get((WEB, port, "tcp"))
        assert upstream is not None
        return upstream

    def host(self, number: int, port: int = 80) -> Host:
        return self.upstream(port).hosts[endpoint(number)]

    def fail(self, number: int, times: int = 1, reason: str = "connect_failed") -> Host:
        """Have requests fail at a host."""
        host = self.host(number)
        for _ in range(times):
            host.requests += 1
            self.upstream().failed(host, reason)
        return host

    def serve(self, number: int) -> None:
        """Have a request served as a proxy does it."""
        host = self.host(number)
        host.requests += 1
        if host.failures:
            self.upstream().succeeded(host)

    def available(self) -> list[int]:
        """Return the numbers of the hosts that may be chosen."""
        return [int(host.endpoint.host.rpartition(".")[2]) for host in self.upstream().available]

    @property
    def timers(self) -> int:
        """How many timers are set."""
        return sum(1 for _, _, timer in self.clock._timers if timer.callback is not None)

    async def close(self) -> None:
        self.upstreams.close()
        await self.judge.close()


def health_rig() -> HealthRig:
    """Return a rig without a port, and with the same random numbers each time."""
    clock, answers = VirtualClock(), Answers()
    judge = HealthJudge(clock, random.Random(5), answers.ask)
    return HealthRig(clock, answers, judge, Upstreams(clock, random.Random(7), judge.judge))
