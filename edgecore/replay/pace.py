"""How time goes by in a replay: in the recording's time, or in that of the machine; as fast as wanted."""

import asyncio
import math
from collections.abc import Callable
from typing import Protocol

from edgecore.clock import Clock, SystemClock, VirtualClock

TURNS = 15
"""So many turns of the event loop in which nothing happens mean that nothing will, without time."""
STUCK_TURNS = 1000
"""So many in which what is under way stays the same mean that nobody will take it; that is not found out twice."""
CALM_LOOKS = 3
STUCK_LOOKS = 500
LOOK_EVERY_S = 0.002
WAIT_S = 0.01


Busy = Callable[[], int]
"""Says how much is under way in the node."""


class Pace(Protocol):
    """One kind of time."""

    most_wait_s: float
    """How long one message is waited for."""

    @property
    def clock(self) -> Clock:
        """The node's."""

    async def quiet(self, busy: Busy) -> None:
        """Return once nothing is under way."""

    async def pass_time(self, seconds: float, busy: Busy) -> None:
        """Let as much time go by as went by in the recording."""

    async def wait(self, seconds: float, busy: Busy) -> float:
        """Let up to so much time of the node's clock go by while it is waited for something; return how much did."""


class VirtualPace:
    """The node's clock is moved: an hour takes as long as what happens in it, or ``1 / speed`` of an hour."""

    def __init__(self, start_ms: int, speed: float) -> None:
        self.clock = VirtualClock(start_ms=start_ms)
        self.most_wait_s = 120.0
        self._speed = speed
        self._stuck = math.inf
        """How much stayed under way when nobody took it."""
        self._real = SystemClock()

    async def quiet(self, busy: Busy) -> None:
        """See ``Pace``."""
        calm = same = under_way = 0
        while calm < TURNS and same < (STUCK_TURNS if under_way < self._stuck else TURNS):
            await asyncio.sleep(0)
            before, under_way = under_way, busy()
            calm = 0 if under_way else calm + 1
            same = same + 1 if under_way == before else 0
        self._stuck = under_way or math.inf

    async def pass_time(self, seconds: float, busy: Busy) -> None:
        """See ``Pace``."""
        if math.isfinite(self._speed) and seconds > 0:
            await self._real.sleep(seconds / self._speed)
        await self.wait(seconds, busy)

    async def wait(self, seconds: float, busy: Busy) -> float:
        """See ``Pace``. Where nothing is due on the way, the clock moves while the node goes on working."""
        until, is_quiet = self.clock.monotonic() + seconds, False
        while (left_s := until - self.clock.monotonic()) > 0 and not self.clock.glide(left_s):
            if not is_quiet:
                await self.quiet(busy)
                is_quiet = True
            self.clock.leap(left_s)
            await self.quiet(busy)
        return seconds


class RealPace:
    """The node lives in the time of the machine; the cloud says what it says ``speed`` times as fast as recorded."""

    def __init__(self, speed: float) -> None:
        self.clock = SystemClock()
        self.most_wait_s = 20.0
        self._speed = speed
        self._stuck = math.inf

    async def quiet(self, busy: Busy) -> None:
        """See ``Pace``."""
        calm = same = under_way = 0
        while calm < CALM_LOOKS and same < (STUCK_LOOKS if under_way < self._stuck else CALM_LOOKS):
            await self.clock.sleep(LOOK_EVERY_S)
            before, under_way = under_way, busy()
            calm = 0 if under_way else calm + 1
            same = same + 1 if under_way == before else 0
        self._stuck = under_way or math.inf

    async def pass_time(self, seconds: float, busy: Busy) -> None:
        """See ``Pace``."""
        await self.clock.sleep(seconds / self._speed)

    async def wait(self, seconds: float, busy: Busy) -> float:
        """See ``Pace``."""
        await self.clock.sleep(min(seconds, WAIT_S))
        return min(seconds, WAIT_S)
