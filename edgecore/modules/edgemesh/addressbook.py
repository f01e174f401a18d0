"""Storing which service has which fake IP, so that a restart finds it.

Each address is stored twice: in our own table, which is what holds; then as the service's ``listener`` row, through
MetaManager, where the Go edgecore looks for it. It is given back in the other order. So a process that ends between the
two leaves no listener row that nobody would ever find again; one that is missing is written after the next start. A
listener row that says anything but an address of the pool is somebody else's: it is neither written nor deleted. The
address of a pod that has a name is in our table alone: the Go edgecore would take such a row for that of a service.

Writes of one service are done in the order in which they were asked for; those of different services, up to
``IN_FLIGHT`` at a time, share their commits. A write that fails is tried again until it holds or does not matter any
more.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol

import structlog

from edgecore.clock import Clock
from edgecore.errors import BusClosed, BusError, ContentError, StoreError
from edgecore.modules.edgemesh import tables
from edgecore.modules.edgemesh.fakeip import FakeIpPool
from edgecore.modules.edgemesh.names import ServiceKey
from edgecore.store.store import Store

log = structlog.get_logger("edgemesh")

IN_FLIGHT = 256
RETRY_S = 5.0

UNREADABLE = "unreadable"
"""Stands for a listener row that is no text: not an address, so it stays as it is."""

Work = Callable[[], Awaitable[None]]


class ListenerRows(Protocol):
    """The part of ``MetaClient`` that reads and writes listener rows."""

    async def listener(self, namespace: str, name: str) -> str | None:
        """Return the address in the service's row."""

    async def set_listener(self, namespace: str, name: str, address: str) -> None:
        """Write the row; return after the commit."""

    async def delete_listener(self, namespace: str, name: str) -> None:
        """Delete the row."""


async def read_listener(rows: ListenerRows, service: ServiceKey) -> str | None:
    """Return what the service's listener row says, be it an address or not; ``None`` if there is none.

    Raises ``BusError``.
    """
    try:
        return await rows.listener(service.namespace, service.name)
    except (StoreError, ContentError) as error:
        log.warning("listener_row_unreadable", service=str(service), error=str(error))
        return UNREADABLE


class AddressBook:
    """Writes for one pool. ``close`` gives up what is not stored yet."""

    def __init__(self, store: Store, rows: ListenerRows, pool: FakeIpPool, clock: Clock) -> None:
        self._store = store
        self._rows = rows
        self._pool = pool
        self._clock = clock
        self._slots = asyncio.Semaphore(IN_FLIGHT)
        self._last: dict[ServiceKey, asyncio.Task[None]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def unfinished(self) -> int:
        """How many writes are under way or waiting."""
        return len(self._tasks)

    def keep(self, service: ServiceKey, address: str, stored: Callable[[], object]) -> None:
        """Store that ``service`` has ``address``; then call ``stored``, unless it has lost it meanwhile."""
        self._enter(service, partial(self._keep, service, address, stored))

    def confirm(self, service: ServiceKey, address: str) -> None:
        """See that the listener row of ``service`` says ``address``, which is in our table already."""
        self._enter(service, partial(self._say, service, address))

    def release(self, service: ServiceKey, address: str) -> None:
        """Store that ``service`` has given back ``address`` at this moment."""
        self._enter(service, partial(self._release, service, address, self._clock.now_ms()))

    async def close(self) -> None:
        """End all writes; those under way may be stored or not."""
        self._closed = True
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _keep(self, service: ServiceKey, address: str, stored: Callable[[], object]) -> None:
        if self._pool.owner(address) != service:
            return
        await self._store.write(tables.address_taken(service, address))
        await self._say(service, address)
        if self._pool.owner(address) == service:
            stored()

    async def _say(self, service: ServiceKey, address: str) -> None:
        """Have the listener row say ``address``, unless the service has lost it or the row is somebody else's."""
        if service.is_pod or self._pool.owner(address) != service:
            return
        row = await read_listener(self._rows, service)
        if row != address and (row is None or self._pool.has(row)):
            await self._rows.set_listener(service.namespace, service.name, address)

    async def _release(self, service: ServiceKey, address: str, at_ms: int) -> None:
        if not service.is_pod and await read_listener(self._rows, service) == address:
            await self._rows.delete_listener(service.namespace, service.name)
        # Last: if the node ends before this, the next start finds the address of a service that is gone.
        await self._store.write(tables.address_released(service, address, at_ms))

    def _enter(self, service: ServiceKey, work: Work) -> None:
        """Do ``work`` once all that was asked for before, for the same service, is done."""
        if self._closed:
            return
        task = asyncio.create_task(self._do(service, self._last.get(service), work))
        self._last[service] = task
        self._tasks.add(task)
        task.add_done_callback(partial(self._forget, service))

    def _forget(self, service: ServiceKey, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if self._last.get(service) is task:
            del self._last[service]

    async def _do(self, service: ServiceKey, previous: asyncio.Task[None] | None, work: Work) -> None:
        if previous is not None:
            await asyncio.wait((previous,))
        failures = 0
        while not await self._tried(service, work, failures):
            failures += 1
            await self._clock.sleep(RETRY_S)

    async def _tried(self, service: ServiceKey, work: Work, failures: int) -> bool:
        """Try ``work`` once; return whether that is all. Of many failures in a row the first is logged."""
        try:
            async with self._slots:
                await work()
        except BusClosed:
            pass
        except (BusError, StoreError, ContentError) as error:
            if not failures:
                log.warning("address_not_stored", service=str(service), error=str(error), again_every_s=RETRY_S)
            return False
        except Exception:
            log.exception("address_not_stored", service=str(service))
        else:
            if failures:
                log.info("address_stored", service=str(service), failures=failures)
        return True
