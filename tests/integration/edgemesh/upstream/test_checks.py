"""A port whose hosts are real servers: those that hang, refuse, answer 500 or are slow are out, until they are well."""

import asyncio
import random
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable

from edgecore.clock import SystemClock
from edgecore.modules.edgemesh.names import Endpoint, ServiceKey
from edgecore.modules.edgemesh.upstream.health.judge import HealthJudge
from edgecore.modules.edgemesh.upstream.policy import Policy
from edgecore.modules.edgemesh.upstream.spec import Backend, PortSpec, Probe
from edgecore.modules.edgemesh.upstream.upstreams import Upstreams

StartServer = Callable[..., Awaitable[Endpoint]]
PROBE = Probe("http", path="/ready", period_s=1, timeout_s=0.3, rise=1, fall=1)


class Server:
    """Answers with ``status`` after ``delay_s``; never, if that is below 0."""

    def __init__(self, status: int = 200, delay_s: float = 0.0) -> None:
        self.status = status
        self.delay_s = delay_s
        self.asked = 0

    async def serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        if self.delay_s < 0:
            await reader.read()
        await asyncio.sleep(self.delay_s)
        writer.write(b"HTTP/1.1 %d X\r\n\r\n" % self.status)
        await writer.drain()


async def until(holds: Callable[[], object]) -> None:
    for _ in range(1000):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came to hold")


async def test_servers_that_are_not_well_are_out_until_they_are(start_server: StartServer) -> None:
    servers = {"well": Server(), "hangs": Server(delay_s=-1), "fails": Server(500), "slow": Server(delay_s=0.6)}
    endpoints = {name: await start_server(server.serve) for name, server in servers.items()}
    backends = tuple(Backend(name, endpoint, probe=PROBE) for name, endpoint in endpoints.items())
    clock = SystemClock()
    judge = HealthJudge(clock, random.Random(1))
    upstreams = Upstreams(clock, random.Random(2), judge.judge)
    policy = Policy(checks="probe", panic_share=0.1)
    upstream = upstreams.put(PortSpec(ServiceKey("default", "web"), 80, "tcp", "http", backends, policy))
    hosts = {host.backend.pod: host for host in upstream.hosts.values()}

    await until(lambda: upstream.available == (hosts["well"],) and servers["well"].asked)

    assert {name: host.check_error for name, host in hosts.items()} == {
        "well": "",
        "hangs": "timeout",
        "fails": "status_500",
        "slow": "timeout",
    }
    assert all(host.requests == 0 for host in hosts.values())
    servers["fails"].status = 200
    servers["hangs"].delay_s = 0.0
    await until(lambda: set(upstream.available) == set(hosts.values()) - {hosts["slow"]})
    upstreams.close()
    await judge.close()
