"""Flows of datagrams whose backend is none any more end, so that their clients' next datagram goes to another.

So do those that were led to a listener of ours which is none any more: one of the node before its restart.

The kernel keeps a flow where it is for as long as its client goes on sending, whatever the rules say by then. Of TCP
nothing is ended: connections drain. The same look at the kernel's table tells how many there are at each backend.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Protocol

import structlog

from edgecore.clock import Clock, until_set
from edgecore.errors import InterceptError
from edgecore.modules.edgemesh.intercept.kernel.ctnetlink import Flow
from edgecore.modules.edgemesh.intercept.rules.interception import Balanced, Spot, Spots
from edgecore.modules.edgemesh.names import Endpoint

log = structlog.get_logger("edgemesh")

LOOK_S = 5.0
"""Between two looks at what is open, while the kernel balances anything."""
PAUSE_S = 0.1
"""Changes that come within it share a look; between two looks it is at least so long, or four times what one took."""
AGAIN_S = 1.0
"""A flow may have begun by the old rules while they were looked for: so much later there is a second look."""
MAX_ENDED = 100_000
"""Flows that one look ends; the next look ends the others."""
MAX_SPOTS = 65_536
"""So many spots wait to be looked for at most."""

OpenFlows = Mapping[tuple[Spot, Endpoint], int]
"""Connections and flows that are open, by what their clients meant and where they went."""


class Rules(Protocol):
    """See ``Ruleset``."""

    @property
    def applied(self) -> Spots | None:
        """What the kernel has; ``None``: nobody knows."""


class Table(Protocol):
    """See ``Conntrack``."""

    def flows(self) -> AsyncIterator[Sequence[Flow]]:
        """Yield the flows that were translated. Raises ``InterceptError``."""

    async def forget(self, flows: Sequence[Flow]) -> None:
        """Have the kernel forget these flows. Raises ``InterceptError``."""


class _Due:
    """A spot of datagrams whose backends have changed."""

    __slots__ = ("at", "is_last")

    def __init__(self, at: float) -> None:
        self.at = at
        self.is_last = False


class Sweep:
    """See the module."""

    def __init__(self, rules: Rules, conntrack: Table, clock: Clock) -> None:
        self._rules = rules
        self._conntrack = conntrack
        self._clock = clock
        self.tell: Callable[[OpenFlows], object] = _nobody
        """Hears what is open."""
        self._balanced: dict[Spot, Balanced] = {}
        self._due: dict[Spot, _Due] = {}
        self._called = asyncio.Event()
        self._look_at = 0.0  # whether anything has changed or not
        self.ended = 0
        """Flows that were ended."""
        self.failures = 0
        """Looks that failed."""
        self._problem = ""

    def changed(self, spot: Spot, balanced: Balanced | None) -> None:
        """Take note of what the rules were told of a spot; see ``KernelPlane``."""
        if balanced is None:
            self._balanced.pop(spot, None)
        else:
            self._balanced[spot] = balanced
        if spot.transport == "udp" and (spot in self._due or len(self._due) < MAX_SPOTS):
            self._due[spot] = _Due(self._clock.monotonic())
        self._called.set()

    async def run(self) -> None:
        """Look when something has changed, and now and then, until cancelled."""
        while True:
            await self._wait()
            rest_s = PAUSE_S
            began = self._clock.monotonic()
            if self._settled() or began >= self._look_at:
                self._look_at = began + LOOK_S
                well = await self._look_or_complain()
                rest_s = max(PAUSE_S, 4 * (self._clock.monotonic() - began)) if well else LOOK_S
            await self._clock.sleep(rest_s)

    async def _look_or_complain(self) -> bool:
        try:
            await self.look()
        except InterceptError as error:
            self.failures += 1
            if error.reason != self._problem:
                log.warning("connections_unread", reason=error.reason, error=str(error), again_every_s=LOOK_S)
            self._problem = error.reason
            return False
        self._problem = ""
        return True

    async def look(self) -> None:
        """Look once, and end what is to end. Raises ``InterceptError``."""
        stays = self._settled()
        doomed: list[Flow] = []
        is_open: dict[tuple[Spot, Endpoint], int] = {}
        async for flows in self._conntrack.flows():
            for flow in flows:
                keep = stays.get(flow.spot)
                if keep is not None and flow.target not in keep:
                    if len(doomed) < MAX_ENDED:
                        doomed.append(flow)
                elif flow.is_open and flow.spot in self._balanced:
                    place = (flow.spot, flow.target)
                    is_open[place] = is_open.get(place, 0) + 1
        if doomed:
            await self._conntrack.forget(doomed)
            self.ended += len(doomed)
            log.debug("flows_ended", flows=len(doomed))
        self.tell(is_open)
        if len(doomed) < MAX_ENDED:
            self._done_with(stays)

    def _settled(self) -> dict[Spot, frozenset[Endpoint]]:
        """Return the spots that are due, where the kernel has what was asked for, each with what may stay.

        That is its backends, and our own listener, to which the kernel leads where the proxy serves the spot.
        """
        applied, now = self._rules.applied, self._clock.monotonic()
        if applied is None:
            return {}
        return {
            spot: self._staying(spot, applied)
            for spot, due in self._due.items()
            if due.at <= now and applied.balanced.get(spot) == self._balanced.get(spot)
        }

    def _done_with(self, spots: Mapping[Spot, frozenset[Endpoint]]) -> None:
        applied = self._rules.applied
        for spot in spots:
            due = self._due.get(spot)
            if due is None or applied is None or self._staying(spot, applied) != spots[spot]:
                continue  # it has changed meanwhile
            if due.is_last:
                del self._due[spot]
            else:
                due.at, due.is_last = self._clock.monotonic() + AGAIN_S, True

    def _staying(self, spot: Spot, applied: Spots) -> frozenset[Endpoint]:
        balanced, listener = self._balanced.get(spot), applied.led.get(spot)
        backends = (target.endpoint for target in balanced.targets) if balanced is not None else ()
        return frozenset((*backends, listener) if listener is not None else backends)

    async def _wait(self) -> None:
        """Return when there may be something to do."""
        if self._due:
            await self._clock.sleep(PAUSE_S)
            return
        await until_set(self._clock, self._called, self._clock.monotonic() + LOOK_S if self._balanced else None)
        self._called.clear()


def _nobody(flows: OpenFlows) -> None:
    pass
