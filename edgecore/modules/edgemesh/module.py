"""EdgeMesh on the bus: takes the messages of MetaManager, and has names, addresses and listeners follow them.

What a message means is decided in ``msgprocess`` and ``mesh``. Here it is done: a new address is stored, then DNS is
told of it and its ports are listened on; of a service that is gone, names and listeners go at once.
"""

import asyncio
from collections.abc import Iterable, Mapping
from functools import partial
from ipaddress import IPv4Network
from typing import Any, Protocol

import structlog
from prometheus_client.core import Metric

from edgecore.beehive.message import Message
from edgecore.beehive.port import Port
from edgecore.beehive.resource import EDGEMESH, GROUP_MESH, METAMANAGER
from edgecore.clock import Clock
from edgecore.config.schema import EdgeCoreConfig
from edgecore.errors import BusClosed, BusError, StoreError
from edgecore.modules.edgemesh import tables
from edgecore.modules.edgemesh.addressbook import AddressBook
from edgecore.modules.edgemesh.backlog import Backlog
from edgecore.modules.edgemesh.explain.sight import Sight
from edgecore.modules.edgemesh.fakeip import AddressRow, FakeIpPool
from edgecore.modules.edgemesh.footing import Footing
from edgecore.modules.edgemesh.intercept.places import Places
from edgecore.modules.edgemesh.intercept.plain import BoundListener, PlainListener
from edgecore.modules.edgemesh.inventory import Inventory, MetaQuestions, read_inventory
from edgecore.modules.edgemesh.mesh import (
    AddressGiven,
    AddressReturned,
    Event,
    Mesh,
    NamesChanged,
    PoolEmpty,
    PortsChanged,
)
from edgecore.modules.edgemesh.msgprocess import Change, Rejected, process
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.modules.edgemesh.omissions import Omissions
from edgecore.modules.edgemesh.proxy.figures.figures import PortFigures
from edgecore.modules.edgemesh.published import Published
from edgecore.modules.edgemesh.recovery import recover
from edgecore.modules.edgemesh.services import Lease, ServiceEntry, ServiceTable
from edgecore.modules.edgemesh.serviceview import ServiceView
from edgecore.modules.edgemesh.settings import default_policy
from edgecore.modules.edgemesh.status import metric_families, not_bound_status
from edgecore.modules.edgemesh.upstream.spec import PortKey, Transport
from edgecore.observe.metrics import Metrics
from edgecore.store.store import Store

log = structlog.get_logger("edgemesh")

BACKLOG = 16_384
"""So many changes, of as many things, are kept while MetaManager is still being asked what there was."""
RECOVERY_RETRY_S = 1.0


class Names(Protocol):
    """The names that DNS answers for."""

    complete: bool
    """False while there may be services that are not set yet."""

    def set(self, service: Published) -> bool:
        """Answer for ``service`` from now on with what this says; return False if its name cannot be asked for."""

    def remove(self, service: ServiceKey) -> None:
        """Answer for ``service`` no more."""

    def serve_pool(self, pool: IPv4Network) -> None:
        """Answer for the names of the addresses in ``pool``: nobody else knows them."""


class Dns(Protocol):
    """The DNS server."""

    async def start(self) -> None:
        """Listen. Raises ``ListenError``."""

    async def stop(self) -> None:
        """Listen no more."""

    def status(self) -> dict[str, Any]:
        """Return what it did and does, as a JSON object."""


class Proxy(Protocol):
    """What forwards."""

    async def listen(
        self, address: str, port: int, service: ServiceKey | None, transport: Transport = "tcp"
    ) -> BoundListener:
        """Serve ``service`` at this address; ``None``: the one that each request names. Raises ``ListenError``."""

    async def stop(self) -> None:
        """End all connections and listeners."""

    def status(self) -> dict[str, Any]:
        """Return what was served, as a JSON object."""

    def figures(self) -> Mapping[PortKey, PortFigures]:
        """Return what was counted at each port."""


class Closing(Protocol):
    """Something that runs for the ports until they are gone."""

    async def close(self) -> None:
        """Return when nothing runs any more."""


class _Parts:
    """What there is between ``start`` and ``stop``."""

    def __init__(self, mesh: Mesh, book: AddressBook, places: Places) -> None:
        self.mesh = mesh
        self.book = book
        self.places = places


class EdgeMesh:
    """The module ``edgemesh``.

    ``footing`` gives the fake IPs and who leads here; ``ttl_s`` is how long resolvers may remember one. The plain
    listener gets ``plain_port`` or one soon behind it. ``health`` is closed when the ports are gone.
    """

    name = EDGEMESH
    group = GROUP_MESH

    def __init__(
        self,
        *,
        port: Port,
        meta: MetaQuestions,
        store: Store,
        clock: Clock,
        metrics: Metrics,
        table: ServiceTable,
        names: Names,
        dns: Dns,
        proxy: Proxy,
        footing: Footing,
        ttl_s: int,
        plain_address: str,
        plain_port: int,
        health: Closing | None = None,
    ) -> None:
        self._port = port
        self._meta = meta
        self._store = store
        self._clock = clock
        self._metrics = metrics
        self._table = table
        self._names = names
        self._dns = dns
        self._proxy = proxy
        self._footing = footing
        self._ttl_s = ttl_s
        self._health = health
        self._parts: _Parts | None = None
        self._plain = PlainListener(proxy.listen, plain_address, plain_port)
        self._omissions = Omissions()
        self._backlog = Backlog(BACKLOG)
        self._recovered = False
        self._table.complete = self._names.complete = False
        metrics.pull(self._collect)

    async def start(self) -> None:
        """Claim a pool, start DNS and the plain listener.

        Raises ``PoolExhausted``, ``ListenError``, ``StoreError`` or ``InterceptError``.
        """
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise

    async def run(self) -> None:
        """Find out what there was before the restart; then, and meanwhile, take messages until the bus is closed.

        The mailbox is emptied all the time, for MetaManager cannot answer while it waits for room in it.
        """
        catching_up = asyncio.create_task(self._catch_up(), name="edgemesh recovery")
        try:
            async for message in self._port:
                self._handle(message)
        finally:
            catching_up.cancel()
            await asyncio.gather(catching_up, return_exceptions=True)

    async def stop(self) -> None:
        """Close everything and let the pool go."""
        parts, self._parts = self._parts, None
        try:
            if parts is not None:
                await parts.book.close()
            await self._footing.stop()
            self._plain.close()
            await self._proxy.stop()
            self._table.upstreams.close()
            if self._health is not None:
                await self._health.close()
        finally:  # whatever would not end in time: the host's resolv.conf is put back
            await self._dns.stop()
            self._footing.close()

    async def reload(self, config: EdgeCoreConfig) -> None:
        """Treat traffic as the settings say now, where no annotation says otherwise."""
        self._table.go_by(default_policy(config.modules.edge_mesh))

    def status(self) -> dict[str, Any]:
        """See ``Module``. Costs about the same however many services there are; ``view`` lists them."""
        parts = self._parts
        return {
            **self._footing.status(),
            "recovered": self._recovered,
            "backlog": len(self._backlog),
            "backlog_dropped": self._backlog.dropped,
            "addresses_in_use": len(parts.mesh.pool) if parts is not None else 0,
            "draining_backends": self._table.upstreams.draining,
            "writes_unfinished": parts.book.unfinished if parts is not None else 0,
            "dns": self._dns.status(),
            "plain_listener": self._plain.in_use or None,
            "proxy": self._proxy.status(),
            "ports_not_bound": not_bound_status(parts.places.not_bound) if parts is not None else [],
        }

    def view(self) -> ServiceView:
        """Return a look at the services and their traffic, as they are now."""
        return ServiceView(*self.sight()[:4])

    def sight(self) -> Sight:
        """Return what there is to explain from, as it is now."""
        places = self._parts.places if self._parts is not None else None
        sight = Sight(self._table, self._proxy.figures(), places, self._clock.monotonic(), plain=self._plain.in_use)
        return sight.standing_on(self._footing.status())

    def _collect(self) -> Iterable[Metric]:
        parts = self._parts
        if parts is None:
            return ()
        not_bound, dropped = len(parts.places.not_bound), self._backlog.dropped
        return (*metric_families(self._table, len(parts.mesh.pool), not_bound, dropped), *self._footing.families())

    # Starting.

    async def _start(self) -> None:
        last_used = tables.read_pool(self._store)
        subnet, places = await self._footing.start(last_used)
        # Twice the TTL: a resolver may have fetched the name just before it went, and a client have just asked it.
        pool = FakeIpPool(subnet, 2.0 * self._ttl_s)
        book = AddressBook(self._store, self._meta, pool, self._clock)
        self._parts = _Parts(Mesh(self._table, pool), book, places)
        self._names.serve_pool(subnet)
        log.info("pool_claimed", subnet=str(subnet), mode=self._footing.mode)
        if str(subnet) != last_used:
            await self._store.write(tables.pool_used(str(subnet)))
        await self._dns.start()
        await self._plain.start()

    # Recovery.

    async def _catch_up(self) -> None:
        while not self._recovered:
            parts = self._parts
            if parts is None:
                return
            try:
                await self._recover(parts)
            except BusClosed:
                return
            except (BusError, StoreError) as error:
                log.warning("not_recovered", error=str(error), again_in_s=RECOVERY_RETRY_S)
                await self._clock.sleep(RECOVERY_RETRY_S)
            except Exception:
                log.exception("not_recovered", again_in_s=RECOVERY_RETRY_S)
                await self._clock.sleep(RECOVERY_RETRY_S)

    async def _recover(self, parts: _Parts) -> None:
        """Enter what there was, then what has come meanwhile: all without giving way, once everything is read."""
        pool = parts.mesh.pool
        rows, inventory = await self._read(pool)
        if self._parts is not parts:
            return
        found = recover(pool, rows, inventory.listeners, self._clock.monotonic(), self._clock.now_ms())
        for refusal in found.refused:
            log.warning("address_not_kept", reason=refusal.reason, error=refusal.text)
        # Ahead of what follows from the changes: an address whose row is useless may have a new owner by then.
        tidied = self._store.submit(*(tables.address_forgotten(row.address) for row in found.useless))
        for row in found.gone:
            parts.book.release(row.service, row.address)
        parts.mesh.recovered(found.stored)
        for row in rows:
            if row.service in found.stored and row.address not in inventory.said:
                parts.book.confirm(row.service, row.address)
        for change in inventory.changes:
            self._apply(change, METAMANAGER, "")
        for waiting in self._backlog.take():
            self._apply(waiting.change, "cloud", waiting.resource)
        self._recovered = self._table.complete = self._names.complete = True
        log.info("recovered", services=len(self._table), addresses_kept=len(found.stored))
        try:
            await tidied
        except StoreError as error:
            log.warning("addresses_not_tidied", error=str(error))

    async def _read(self, pool: FakeIpPool) -> tuple[list[AddressRow], Inventory]:
        """Return our rows and what MetaManager has; what has come since it was asked is in the backlog."""
        while True:
            self._backlog.overflowed = False
            rows = tables.read_addresses(self._store)
            settled = {row.service for row in rows if row.released_at_ms is None and pool.has(row.address)}
            inventory = await read_inventory(self._meta, settled)
            if not self._backlog.overflowed:
                return rows, inventory

    # Messages.

    def _handle(self, message: Message) -> None:
        resource = message.route.resource
        for change in process(message):
            if self._recovered or isinstance(change, Rejected):
                self._apply(change, "cloud", resource)
                continue
            dropped = self._backlog.add(change, resource)
            if dropped:
                log.warning("backlog_dropped", changes=dropped, then="MetaManager is asked for everything once more")

    def _apply(self, change: Change, peer: str, resource: str) -> None:
        parts = self._parts
        if parts is None:
            return
        try:
            if isinstance(change, Rejected):
                self._metrics.bad_input(EDGEMESH, change.reason, peer, resource=resource, text=change.text)
                return
            self._act(parts.mesh.apply(change, self._clock.monotonic()), parts)
            for key in parts.mesh.concerned(change):
                for omission in self._omissions.look(key, self._table.get(key)):
                    self._metrics.bad_input(EDGEMESH, omission.reason, peer, resource=resource, text=omission.text)
        except Exception:
            log.exception("change_not_applied", change=type(change).__name__, resource=resource)

    def _act(self, events: Iterable[Event], parts: _Parts) -> None:
        for event in events:
            try:
                self._do(event, parts)
            except Exception:
                log.exception("change_not_applied", change=type(event).__name__)

    def _do(self, event: Event, parts: _Parts) -> None:
        match event:
            case AddressGiven(entry, lease):
                parts.book.keep(entry.key, lease.address, partial(self._stored, entry, lease))
            case NamesChanged():
                self._tell_dns(event)
            case PortsChanged(key, address, ports):
                parts.places.set(key, address, ports)
            case AddressReturned(key, address):
                parts.book.release(key, address)
            case PoolEmpty(key, text):
                log.error("pool_empty", service=str(key), error=text)

    def _stored(self, entry: ServiceEntry, lease: Lease) -> None:
        parts = self._parts
        if parts is not None:
            self._act(parts.mesh.stored(entry, lease), parts)

    def _tell_dns(self, names: NamesChanged) -> None:
        key, before, now = names
        if now is None:
            self._names.remove(key)
            log.info("service_gone", service=str(key))
            return
        if not self._names.set(now):
            log.warning("name_not_served", service=str(key), reason="too long for DNS")
        tell = log.info if before is None else log.debug
        tell(
            "service_known" if before is None else "names_changed",
            service=str(key),
            fake_ip=now.address,
            pods=len(now.pods),
            external_name=now.external_name,
            ready=now.is_ready,
        )
