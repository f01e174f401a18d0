"""A node that is nothing but its kernel plane: a program for tests that run it in a namespace.

It reads one instruction a line, a message below as JSON, and prints a line of JSON for each: what came of it.
"""

import asyncio
import random
import sys
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog

from edgecore.clock import SystemClock
from edgecore.errors import InterceptError
from edgecore.modules.edgemesh.intercept.interceptor import Interceptor
from edgecore.modules.edgemesh.intercept.keeper.link import KeeperLink
from edgecore.modules.edgemesh.intercept.kernel.kernel import Kernel
from edgecore.modules.edgemesh.intercept.rules.interception import Spot
from edgecore.modules.edgemesh.intercept.settings import InterceptSettings
from edgecore.modules.edgemesh.names import Endpoint
from edgecore.modules.edgemesh.upstream.spec import Backend, PortSpec
from edgecore.modules.edgemesh.upstream.upstreams import Upstreams


class Put(msgspec.Struct, tag="put"):
    """Have a port be so, and the spot be this port; answered when the kernel has it."""

    spec: PortSpec
    spot: Spot


class Churn(msgspec.Struct, tag="churn"):
    """Give the port some of its backends, others each time; answered when it is done."""

    spec: PortSpec
    times: int
    every_s: float


class Renew(msgspec.Struct, tag="renew"):
    """Make all rules anew."""


class Look(msgspec.Struct, tag="look"):
    """Read the counters and the connections, and tell."""


class End(msgspec.Struct, tag="end"):
    """Take everything away, and end."""


Message = Put | Churn | Renew | Look | End


@dataclass
class KernelNode:
    """What obeys."""

    upstreams: Upstreams
    interceptor: Interceptor
    kernel: Kernel

    async def obey(self, message: Message) -> Any:
        match message:
            case Put(spec, spot):
                self.upstreams.put(spec)
                self.interceptor.rules.lead(spot, Endpoint(self.interceptor.settings.address, 9))
                self.kernel.plane.place(spot, spec.key)
                await self.interceptor.rules.settled()
                return self.kernel.plane.decision(spot)
            case Churn(spec, times, every_s):
                return await self._churn(spec, times, every_s)
            case Renew():
                return await self.interceptor.rules.remake()
            case Look():
                await self.kernel.look()
                return {"status": self.kernel.status(), "backends": self._backends()}
            case End():
                await self.kernel.stop()
                return await self.interceptor.stop()

    async def _churn(self, spec: PortSpec, times: int, every_s: float) -> int:
        rng, before = random.Random(8), self.interceptor.rules.applied
        applied = 0
        for _ in range(times):
            some: list[Backend] = rng.sample(spec.backends, rng.randint(1, len(spec.backends)))
            self.upstreams.put(msgspec.structs.replace(spec, backends=tuple(some)))
            await asyncio.sleep(every_s)
            now = self.interceptor.rules.applied
            applied += now is not before
            before = now
        await self.interceptor.rules.settled()
        return applied

    def _backends(self) -> dict[str, dict[str, int]]:
        return {
            endpoint: {"requests": host.requests, "active": host.active}
            for figures in self.kernel.figures()
            for port in figures.ports.values()
            for endpoint, host in (*port.hosts.items(), ("gone", port.past))
        }


async def follow(settings: InterceptSettings) -> None:
    clock = SystemClock()
    upstreams = Upstreams(clock, random.Random(7))
    interceptor = Interceptor(settings, clock, lambda on_end: KeeperLink(clock, on_end))
    node = KernelNode(upstreams, interceptor, Kernel(upstreams, interceptor.rules, interceptor.list_counters, clock))

    async def listen(address: str) -> None:
        pass

    await interceptor.start(listen)
    node.kernel.start()
    tell("started")
    reader = asyncio.StreamReader(limit=1 << 24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        message = msgspec.json.decode(line, type=Message)
        try:
            tell(await node.obey(message))
        except InterceptError as error:
            tell({"error": str(error)})
        if isinstance(message, End):
            return


def tell(what: object) -> None:
    sys.stdout.write(msgspec.json.encode(what).decode() + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(follow(msgspec.json.decode(sys.argv[1], type=InterceptSettings)))
