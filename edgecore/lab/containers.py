"""The containers of a lab's pods: they come and go as the cloud says that pods run."""

import asyncio
import sys
from collections.abc import Mapping
from typing import NamedTuple

import structlog

from edgecore.errors import LabError
from edgecore.lab.building import container
from edgecore.lab.daemon import Daemon
from edgecore.lab.machine import Machine
from edgecore.lab.plan import LabPlan
from edgecore.lab.pods import Container

log = structlog.get_logger("lab")


class _Running(NamedTuple):
    own: Machine | None
    """Its machine; none where it has the node's network."""
    daemons: tuple[Daemon, ...]


class Containers:
    """Runs what it was last told."""

    def __init__(self, lab: LabPlan, machines: Mapping[str, Machine]) -> None:
        self._lab = lab
        self._machines = machines
        self._running: dict[Container, _Running] = {}
        self._refused: set[Container] = set()
        """Those that could not be started, which is not tried again while they are wanted."""

    def pods_of(self, node: str) -> list[str]:
        """Return the names of the pods of a node that have a container."""
        return sorted(each.pod for each in self._running if each.node == node)

    async def change_to(self, wanted: frozenset[Container]) -> None:
        """End what is not wanted and start what is."""
        for gone in self._running.keys() - wanted:
            await self._end(gone)
        self._refused &= wanted
        for new in wanted - self._running.keys() - self._refused:
            try:
                self._running[new] = await self._start(new)
            except (LabError, OSError) as error:
                self._refused.add(new)
                log.warning("container_not_started", pod=new.pod, node=new.node, error=str(error))

    async def _start(self, new: Container) -> _Running:
        node = self._machines[new.node]
        name = new.pod[:63]
        own = None
        if not new.on_host:
            own = await asyncio.to_thread(container, self._lab, self._lab.node(new.node), node, name, new.address)
        program = [sys.executable, "-m", "edgecore.lab.webserver"]
        output = self._lab.root / "containers.log"
        daemons = [Daemon(name, own or node, [*program, new.pod, new.node, *map(str, new.ports)], output)]
        if new.published:
            pairs = [f"{outer}:{inner}" for outer, inner in new.published]
            daemons.append(Daemon(f"{name}-ports", node, [*program, "publish", new.address, *pairs], output))
        running = _Running(own, tuple(daemons))
        try:
            for daemon in daemons:
                await daemon.start()
        except OSError:
            await _stop(running)
            raise
        log.info("container_started", pod=new.pod, node=new.node, address=new.address)
        return running

    async def _end(self, gone: Container) -> None:
        await _stop(self._running.pop(gone))
        log.info("container_ended", pod=gone.pod, node=gone.node)


async def _stop(running: _Running) -> None:
    for daemon in running.daemons:
        await daemon.stop()
    if running.own is not None:
        await asyncio.to_thread(running.own.end)
