"""EdgeMesh with the real bus, MetaManager, SQLite file, pool lock and proxy around it."""

import asyncio
from collections.abc import Callable
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, Protocol

from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Message, Route
from edgecore.beehive.port import Port
from edgecore.beehive.resource import EDGED, EDGEHUB, EDGEMESH, METAMANAGER
from edgecore.clock import SystemClock
from edgecore.ids import random_ids
from edgecore.metaclient import MetaClient
from edgecore.modules.edgemesh import tables
from edgecore.modules.edgemesh.directory import ServiceDirectory
from edgecore.modules.edgemesh.dns.zone.nametable import NameTable
from edgecore.modules.edgemesh.footing import Footing, Wanted
from edgecore.modules.edgemesh.intercept.rootless import RootlessListeners
from edgecore.modules.edgemesh.module import EdgeMesh
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.proxy.server import MeshProxy
from edgecore.modules.metamanager import tables as meta_tables
from edgecore.modules.metamanager.module import MetaManager
from edgecore.observe.ledger import Ledger
from edgecore.observe.metrics import Metrics
from edgecore.store.store import open_store
from tests.support.upstreams import fresh_table

SUBNET = IPv4Network("127.217.0.0/16")  # not the default pool: a node may be running on this machine


class Dns(Protocol):
    """What EdgeMesh starts and stops."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def status(self) -> dict[str, Any]: ...


class SilentDns:
    """No DNS server: the name table is looked at directly."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def status(self) -> dict[str, Any]:
        return {}


class Node:
    """MetaManager and EdgeMesh on one bus, over one file, and a stand-in for the link to the cloud.

    ``dns(names, metrics)`` makes the DNS server, if there is to be one.
    """

    def __init__(self, path: Path, *, ttl_s: int = 64, dns: Callable[[NameTable, Metrics], Dns] | None = None) -> None:
        clock = SystemClock()
        self.bus = Bus(clock, random_ids())
        self.cloud = self.bus.register(EDGEHUB, "hub")
        self.edged = self.bus.register(EDGED, "edged")
        self.store = open_store(path, (*meta_tables.SCHEMA, *tables.SCHEMA))
        self.metrics = Metrics()
        self.names = NameTable()
        table = fresh_table(clock)
        port = self.bus.register(EDGEMESH, "mesh")
        self.meta = MetaManager(
            self.bus.register(METAMANAGER, "meta"), self.store, self.metrics, ledger=Ledger(clock.monotonic)
        )
        proxy = MeshProxy(ServiceDirectory(table, "cluster.local"), table.upstreams, clock, self.metrics)
        self.mesh = EdgeMesh(
            port=port,
            meta=MetaClient(port, EDGEMESH),
            store=self.store,
            clock=clock,
            metrics=self.metrics,
            table=table,
            names=self.names,
            dns=SilentDns() if dns is None else dns(self.names, self.metrics),
            proxy=proxy,
            footing=Footing(
                Wanted(mode="rootless", rootless_subnet=SUBNET), lambda: RootlessListeners(proxy.listen, clock, 5.0)
            ),
            ttl_s=ttl_s,
            plain_address="127.0.0.1",
            plain_port=0,
        )
        self._tasks: list[asyncio.Task[Any]] = []
        self._unacknowledged: set[str] = set()

    async def start(self) -> None:
        await self.mesh.start()
        for work in (self.meta.run(), self.mesh.run(), self._drain(self.cloud), self._drain(self.edged)):
            self._tasks.append(asyncio.create_task(work))

    async def stop(self) -> None:
        await self.mesh.stop()
        await self.meta.stop()
        self.bus.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.store.close()

    async def send(self, message: Message) -> None:
        self._unacknowledged.add(message.header.id)
        await self.cloud.send(METAMANAGER, message)

    async def say(self, operation: str, resource: str, content: Any = None) -> None:
        await self.send(self.cloud.build(Route("edgecontroller", "resource", operation, resource), content))

    async def put(self, key: ServiceKey, *ports: int) -> None:
        await self.say("insert", f"{key.namespace}/service/{key.name}", service_json(key, *ports))

    async def until(self, holds: Callable[[], bool]) -> None:
        """Wait until ``holds``; the test's timeout is what ends it otherwise."""
        while not holds():
            await asyncio.sleep(0.002)

    async def settled(self) -> None:
        """Wait until all that was sent is applied and stored: EdgeMesh has a message before it is acknowledged."""
        await self.until(lambda: not self._unacknowledged)
        await self.until(lambda: self.mesh.status()["recovered"] and not self.bus.statistics()[EDGEMESH].depth)
        await self.until(lambda: not self.mesh.status()["writes_unfinished"])

    def address(self, key: ServiceKey) -> str | None:
        found = self.names.find((key.name.encode(), key.namespace.encode())).service
        return found.address if found is not None else None

    def pod_addresses(self) -> dict[str, str]:
        """Return the fake IPs of pods that have names, by service and host name."""
        return {
            f"{pod['hostname']}.{service['name']}": pod["fake_ip"]
            for service in self.mesh.view().states()
            for pod in service["named_pods"]
        }

    def addresses(self) -> dict[str, Any]:
        return {service["name"]: service["fake_ip"] for service in self.mesh.view().states()}

    def listener_rows(self) -> dict[str, str]:
        return dict(self.store.rows("SELECT key, value FROM meta WHERE type = 'listener'"))

    async def _drain(self, port: Port) -> None:
        async for message in port:
            self._unacknowledged.discard(message.header.parent_id)


def service_json(key: ServiceKey, *ports: int) -> dict[str, Any]:
    return {
        "metadata": {"namespace": key.namespace, "name": key.name},
        "spec": {
            "ports": [{"name": f"http-{number}", "port": number, "targetPort": 80} for number in ports],
            "selector": {"app": key.name},
        },
    }
