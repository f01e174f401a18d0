"""A cloud that brings, changes and takes services as fast as it can, and clients that ask for them all the while."""

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from dnslib import DNSRecord

from edgecore.clock import SystemClock
from edgecore.modules.edgemesh.dns.listening.listeners import Bind
from edgecore.modules.edgemesh.dns.recipe import Recipe
from edgecore.modules.edgemesh.dns.server import DnsServer
from edgecore.modules.edgemesh.dns.zone.nametable import NameTable
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.observe.metrics import Metrics
from meshnode import Node, service_json

SERVICES = 40
CHANGES = 300
"""In a round, before all is looked at."""
ROUNDS = 2
CLIENTS = 2


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    """A node with a DNS server."""

    def dns(names: NameTable, metrics: Metrics) -> DnsServer:
        return DnsServer(
            names,
            Recipe(upstreams=()),
            [Bind("127.0.0.1", 0)],
            clock=SystemClock(),
            metrics=metrics,
            random_id=lambda: random.randrange(65_536),
        )

    node = Node(tmp_path / "edgecore.db", ttl_s=3600, dns=dns)  # an address rests for longer than any run
    await node.start()
    await node.settled()
    yield node
    await node.stop()


@pytest.fixture
async def ask(node: Node) -> AsyncIterator[Callable[[str], Awaitable[str | None]]]:
    """``await ask(name)``: the address of a service, or ``None`` if there is no such name."""
    host, _, port = node.mesh.status()["dns"]["listening"][0].rpartition(":")
    socks: list[socket.socket] = []

    async def question(name: str) -> str | None:
        sock = socks.pop() if socks else socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.connect((host, int(port)))
        sock.send(DNSRecord.question(f"{name}.svc.cluster.local").pack())
        async with asyncio.timeout(20):
            reply = DNSRecord.parse(await asyncio.get_running_loop().sock_recv(sock, 4096))
        socks.append(sock)
        assert reply.header.rcode in (0, 3)
        return str(reply.rr[0].rdata) if reply.rr else None

    yield question
    for sock in socks:
        sock.close()


def pod_json(hostname: str, service: str) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "default", "name": hostname},
        "spec": {
            "hostname": hostname,
            "subdomain": service,
            "containers": [{"ports": [{"containerPort": 80, "hostPort": 8080}]}],
        },
        "status": {"phase": "Running", "hostIP": "127.0.0.1"},
    }


async def change(node: Node, rng: random.Random) -> None:
    """Have the cloud say one thing."""
    name = f"s-{rng.randrange(SERVICES)}"
    share = rng.random()
    if share < 0.4:
        await node.say("insert", f"default/service/{name}", service_json(ServiceKey("default", name), 18_080))
    elif share < 0.7:
        pods = [pod_json(f"p-{number}", name) for number in range(rng.randrange(3))]
        await node.say("update", f"default/podlist/{name}", pods)
    else:
        await node.say("delete", f"default/service/{name}")


async def test_an_address_is_only_ever_that_of_one_name_and_names_follow_their_services(
    node: Node, ask: Callable[[str], Awaitable[str | None]], request: pytest.FixtureRequest, scale: int
) -> None:
    rng = random.Random(int(request.config.getoption("randomly_seed", default=1)))
    names = [f"s-{number}.default" for number in range(SERVICES)]
    names += [f"p-{number}.{name}" for name in names[:] for number in range(2)]
    owners: dict[str, str] = {}
    is_over = False

    async def look(name: str) -> str | None:
        address = await ask(name)
        if address is not None:
            assert owners.setdefault(address, name) == name, f"{address} was that of {owners[address]}, now of {name}"
        return address

    async def look_on() -> int:
        times = 0
        while not is_over:
            await look(rng.choice(names))
            times += 1
        return times

    for _ in range(ROUNDS * scale):
        is_over = False
        lookers = [asyncio.create_task(look_on()) for _ in range(CLIENTS)]
        for _ in range(CHANGES):
            await change(node, rng)
        await node.settled()
        is_over = True
        assert min(await asyncio.gather(*lookers)) > 10
        there = {f"{name}.default": address for name, address in node.addresses().items()}
        there |= {f"{pod}.default": address for pod, address in node.pod_addresses().items()}
        assert {name: await look(name) for name in names} == {name: there.get(name) for name in names}
