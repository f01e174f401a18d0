"""What the kernel plane has counted, as the figures of a process that forwards have it (pure but for the asking).

The kernel counts the new connections of each target. Readings become sums that only grow, also when the rules, and with
them the counters, are made anew: a counter that has less than before has begun at 0 again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Protocol

import msgspec
import structlog
from msgspec.structs import replace

from edgecore.clock import Clock, until_set
from edgecore.errors import InterceptError
from edgecore.modules.edgemesh.intercept.kernel.kernelplane import Backing
from edgecore.modules.edgemesh.intercept.kernel.sweep import OpenFlows
from edgecore.modules.edgemesh.intercept.rules.interception import Spot
from edgecore.modules.edgemesh.intercept.rules.nftables import read_counters, read_sums
from edgecore.modules.edgemesh.names import Endpoint
from edgecore.modules.edgemesh.proxy.figures.figures import HostFigures, PortFigures
from edgecore.modules.edgemesh.proxy.figures.proxyfigures import ProxyFigures
from edgecore.modules.edgemesh.upstream.spec import PortKey

log = structlog.get_logger("edgemesh")

READ_S = 1.0
"""Between two readings, while the kernel balances anything, if they take no longer than that allows."""
SHARE, SHARE_ASKED = 50, 10
"""So many times as long as a reading took it is to the next, for meanwhile the keeper changes no rule; where somebody
has asked for the figures it is less."""

ListCounters = Callable[[], Awaitable[str]]
"""Returns what ``list_counters`` prints, as JSON. Raises ``InterceptError``."""

_NOTHING = HostFigures(judges=0)


class Plane(Protocol):
    """See ``KernelPlane``."""

    backings: dict[int, Backing]

    def hosts(self, key: PortKey) -> Collection[Endpoint] | None:
        """Return the backends of a port; ``None`` if there is no such port."""


class KernelTally:
    """Adds readings up (pure). What is kept is bounded by the ports and backends that there are."""

    def __init__(self) -> None:
        self._meters: dict[int, _Meter] = {}
        self._spots: dict[Spot, _Meter] = {}
        self._ports: dict[PortKey, _Port] = {}
        self._open: OpenFlows = {}
        self.connections = 0
        """All that was ever counted."""

    def enter(self, readings: Mapping[int, int], sums: Mapping[Spot, int], plane: Plane) -> None:
        """Take note of a reading, of targets and of spots. A backend that has left may still be read for a while.

        What was counted at backends that are gone is entered together; ports that are gone are forgotten.
        """
        for id_, backing in plane.backings.items():
            if id_ not in self._meters:
                self._meters[id_] = _Meter(backing)
                self._spots.setdefault(backing.spot, _Meter(backing))
        for id_, meter in tuple(self._meters.items()):
            self._port(meter).count(meter.backing.endpoint, meter.advance(readings.get(id_, 0)))
            if id_ not in plane.backings and id_ not in readings:
                del self._meters[id_]
        in_use = {backing.spot for backing in plane.backings.values()}
        for spot, meter in tuple(self._spots.items()):
            self._port(meter).sum_now += meter.advance(sums.get(spot, 0))
            if spot not in in_use and spot not in sums:
                del self._spots[spot]
        for key, port in tuple(self._ports.items()):
            self.connections += port.settle()
            hosts = plane.hosts(key)
            if hosts is None:
                del self._ports[key]
            else:
                port.keep(hosts)

    @property
    def spots(self) -> Collection[Spot]:
        """Those whose counters are to be read, besides those of new backends."""
        return self._spots

    @property
    def has_meters(self) -> bool:
        """Whether there is anything to be read."""
        return bool(self._meters or self._spots)

    def open_now(self, flows: OpenFlows) -> None:
        """Take note of what is open now."""
        self._open = flows

    @property
    def open(self) -> int:
        """How many connections and flows were open at the last look."""
        return sum(self._open.values())

    def figures(self) -> ProxyFigures:
        """Return what was counted until now, and what is open."""
        open_at: dict[PortKey, dict[Endpoint, int]] = {}
        for meter in self._meters.values():
            spot, key, endpoint = meter.backing
            number = self._open.get((spot, endpoint), 0)
            if number:
                at = open_at.setdefault(key, {})
                at[endpoint] = at.get(endpoint, 0) + number
        every = {key: port.figures(key, open_at.get(key, {})) for key, port in self._ports.items()}
        return ProxyFigures({key: figures for key, figures in every.items() if figures.codes})

    def _port(self, meter: "_Meter") -> "_Port":
        key = meter.backing.key
        port = self._ports.get(key)
        if port is None:
            port = self._ports[key] = _Port()
        return port


class _Meter:
    """The counter of one target, or of a spot with all targets that it has had."""

    __slots__ = ("_last", "backing")

    def __init__(self, backing: Backing) -> None:
        self.backing = backing
        self._last = 0

    def advance(self, now: int) -> int:
        """Return how far it has gone on since it was last read."""
        gone_on = now - self._last if now >= self._last else now
        self._last = now
        return gone_on


class _Port:
    """The sums of one port.

    A target that goes takes with it what was counted there since it was last read; the sum of its spot still has that.
    """

    __slots__ = ("_lost", "_of_targets", "_settled", "_sum_before", "counted", "past", "sum_now")

    def __init__(self) -> None:
        self.counted: dict[Endpoint, int] = {}
        self.past = 0
        self.sum_now = 0
        """What the sums of its spots have come to."""
        self._sum_before = 0
        self._of_targets = 0
        self._lost = 0
        self._settled = 0

    def count(self, endpoint: Endpoint, number: int) -> None:
        if number:
            self._of_targets += number
            self.counted[endpoint] = self.counted.get(endpoint, 0) + number

    def settle(self) -> int:
        """Enter what was lost, and return how much more was counted than before.

        The kernel reads one counter after the other. What the sum was at the last reading is in those of the targets
        by now, or lost.
        """
        lost = max(self._lost, self._sum_before - self._of_targets)
        self.past += lost - self._lost
        self._lost, self._sum_before = lost, self.sum_now
        before, self._settled = self._settled, lost + self._of_targets
        return self._settled - before

    def keep(self, hosts: Collection[Endpoint]) -> None:
        for endpoint in tuple(self.counted):
            if endpoint not in hosts:
                self.past += self.counted.pop(endpoint)

    def figures(self, key: PortKey, open_at: Mapping[Endpoint, int]) -> PortFigures:
        hosts = {
            str(endpoint): replace(_NOTHING, requests=number, active=is_open, connections=is_open)
            for endpoint, number in self.counted.items()
            for is_open in (open_at.get(endpoint, 0),)
        }
        total = self.past + sum(self.counted.values())
        return PortFigures(key, {0: total} if total else {}, hosts=hosts, past=replace(_NOTHING, requests=self.past))


class KernelCounters:
    """Reads the counters once a second, less often when that takes long, and when asked, as long as there are any."""

    def __init__(self, plane: Plane, list_counters: ListCounters, clock: Clock) -> None:
        self._plane = plane
        self._list_counters = list_counters
        self._clock = clock
        self.tally = KernelTally()
        self.failures = 0
        """Readings that failed."""
        self._problem = ""
        self._asked = asyncio.Event()

    async def run(self) -> None:
        """Read until cancelled."""
        while True:
            self._asked.clear()
            began = self._clock.monotonic()
            await self.look()
            ended = self._clock.monotonic()
            await self._clock.sleep(max(READ_S, SHARE_ASKED * (ended - began)))
            await self._asked_or(ended + SHARE * (ended - began))

    async def _asked_or(self, moment: float) -> None:
        """Return when somebody has asked for the figures since they were read, at ``moment`` at the latest."""
        if moment > self._clock.monotonic():
            await until_set(self._clock, self._asked, moment)

    async def look(self) -> None:
        """Read now. What cannot be read is counted, and logged when it begins."""
        readings: Mapping[int, int] = {}
        sums: Mapping[Spot, int] = {}
        if self._plane.backings or self.tally.has_meters:
            try:
                text = await self._list_counters()
                readings = {id_: counted.connections for id_, counted in read_counters(text).items()}
                spots = {*self.tally.spots, *(backing.spot for backing in self._plane.backings.values())}
                sums = {spot: counted.connections for spot, counted in read_sums(text, spots).items()}
            except InterceptError as error:
                self._note_failure(error.reason, error)
                return
            except msgspec.DecodeError as error:
                self._note_failure("unreadable", error)
                return
        self._problem = ""
        self.tally.enter(readings, sums, self._plane)

    def figures(self) -> tuple[ProxyFigures, ...]:
        """Return what was counted, as ``MeshProxy.add_figures_of`` takes it. The next time it is to be newer."""
        self._asked.set()
        return (self.tally.figures(),)

    def _note_failure(self, reason: str, error: Exception) -> None:
        self.failures += 1
        if reason != self._problem:
            log.warning("kernel_counters_unread", reason=reason, error=str(error), again_every_s=READ_S)
        self._problem = reason
