"""Tells the cloud the states of all pods, now and then, while it is there; forgets those of pods that are gone."""

import asyncio
from collections.abc import Callable

import structlog

from edgecore.beehive.port import Port
from edgecore.beehive.resource import DELETE, METAMANAGER, PODSTATUS
from edgecore.clock import until_set
from edgecore.errors import BusClosed, BusError, StoreError
from edgecore.modules.metamanager.answers import Answers
from edgecore.modules.metamanager.podstatus import report_route, resync
from edgecore.modules.metamanager.tables import MetaTable, Origin
from edgecore.observe.metrics import Metrics

log = structlog.get_logger("metamanager")


class PodReports:
    """One look at the rows every ``every_s`` seconds, and whenever somebody wants one."""

    def __init__(
        self,
        port: Port,
        table: MetaTable,
        answers: Answers,
        metrics: Metrics,
        *,
        every_s: float,
        connected: Callable[[], bool],
    ) -> None:
        self._port = port
        self._table = table
        self._answers = answers
        self._metrics = metrics
        self._every_s = every_s
        self._connected = connected
        self._due = asyncio.Event()

    def now(self) -> None:
        """Have a report made at once. However often this is called before it is begun, it is one."""
        self._due.set()

    def every(self, seconds: float) -> None:
        """Report that often from now on."""
        self._every_s = seconds
        self._due.set()

    async def run(self) -> None:
        """Report until the bus is closed."""
        clock = self._port.clock
        next_at = clock.monotonic() + self._every_s
        while True:
            next_at = min(next_at, clock.monotonic() + self._every_s)  # it may have become less
            await until_set(clock, self._due, next_at)
            self._due.clear()
            if clock.monotonic() >= next_at:
                next_at = clock.monotonic() + self._every_s
            try:
                await self._report()
            except BusClosed:
                return
            except (BusError, StoreError) as error:
                log.warning("pod_statuses_not_reported", error=str(error))

    async def _report(self) -> None:
        found = resync(self._table.rows(PODSTATUS), self._table.value)
        if found.gone:
            origin = Origin("", METAMANAGER, DELETE, PODSTATUS, self._port.clock.now_ms())
            await self._table.write(found.gone, origin)
        if found.unreadable:
            self._metrics.bad_input(METAMANAGER, "unreadable_podstatus", peer="store", keys=", ".join(found.unreadable))
        if self._connected():
            for namespace, statuses in found.statuses.items():
                await self._answers.to_cloud(self._port.build(report_route(namespace), statuses))
