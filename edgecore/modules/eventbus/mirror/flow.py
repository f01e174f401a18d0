"""The messages between modules on their way to brokers: shown by a tap, capped, written in batches.

While nothing more may pass the tap is off, so that what is left out costs nothing; the bus's own counts say how much
that was. More may pass while somebody watches: a broker of MQTT 5 says whether anybody has subscribed a topic, where
it acknowledges a message.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import structlog

from edgecore.beehive.bus import Bus
from edgecore.beehive.chains import Chains
from edgecore.beehive.switchboard import Passage
from edgecore.errors import FrameError
from edgecore.modules.eventbus.mirror import topics
from edgecore.modules.eventbus.mirror.allowance import Caps
from edgecore.modules.eventbus.mirror.payload import Redact, mirrored
from edgecore.modules.eventbus.mirror.settings import MirrorSettings
from edgecore.modules.eventbus.outgoing import Publication

log = structlog.get_logger("eventbus")

BATCH_S = 0.02
"""So long a message waits for others."""
CLOSED_S = 0.1
"""How long the tap stays off at least, once nothing more may pass."""
AT_ONCE = 8
"""After so many messages others have their turn."""
BURST_S, WATCHED_BURST_S = 0.1, 0.5
"""So much of the node's time may be taken at once."""
ASK_EVERY_S = 0.2
"""So often the broker is asked, by a message to each module, whether anybody watches."""
IDLE_RATE, IDLE_BURST = 20, 100
"""So many messages pass where nobody is known to watch: they are what asks."""
WATCHED_S = 30.0
"""So long somebody, or nobody, counts as there: longer than the status of the node takes to come by again."""
LONGEST_TOPIC = 4096

Publish = Callable[[Publication], None]


class Missed(NamedTuple):
    """What was left out since it was last told."""

    missed: int
    total: int
    reasons: dict[str, int]


class Flow:
    """Takes passages while ``begin`` and until ``end``; ``publish`` gets what they become."""

    def __init__(self, bus: Bus, node: str, settings: MirrorSettings, redact: Redact | None, publish: Publish) -> None:
        self._bus = bus
        self._clock = bus.clock
        self._node = node
        self._settings = settings
        self._redact = redact
        self._publish = publish
        self._chains = Chains()
        now = self._clock.monotonic()
        self._caps = Caps.of(settings.rate, settings.burst, settings.share, BURST_S, now)
        self._caps_watched = Caps.of(
            settings.watched_rate, settings.watched_burst, settings.watched_share, WATCHED_BURST_S, now
        )
        self._caps_idle = Caps.of(
            min(settings.rate, IDLE_RATE), min(settings.burst, IDLE_BURST), settings.share, BURST_S, now
        )
        self._watched_until = self._idle_until = now
        self._ask_at: dict[str, float] = {}
        self._waiting: deque[Passage] = deque()
        self._has_come = asyncio.Event()
        self._room = 0
        self._is_wanted = self._is_tapping = False
        self._sent_before = 0
        self._told = Counter[str]()
        self.left_out: Counter[str] = Counter()
        self.mirrored = self.truncated = 0
        self.spent_s = 0.0

    async def run(self) -> None:
        """Carry until cancelled; ``begin`` says when there is somebody to carry to."""
        try:
            while True:
                await self._has_come.wait()
                self._has_come.clear()
                await self._clock.sleep(BATCH_S)
                await self._carry()
                if not self._is_tapping:
                    await self._clock.sleep(CLOSED_S)
                self._open()
        finally:
            self.end()

    def begin(self) -> None:
        """See to it that messages are shown."""
        if not self._is_wanted:
            self._is_wanted = True
            self._sent_before = self._sent()
            self._open()

    def end(self) -> None:
        """Look at nothing more until ``begin``; what waits goes nowhere."""
        self._is_wanted = False
        self._close()
        self._waiting.clear()

    def watched(self) -> None:
        """Let more pass for a while: somebody has subscribed what was published."""
        was_watched = self._is_watched(now := self._clock.monotonic())
        self._watched_until = now + WATCHED_S
        if not was_watched:
            self._open()

    def unwatched(self) -> None:
        """Let less pass for a while, unless somebody was there a moment ago: nobody has subscribed it."""
        self._idle_until = self._clock.monotonic() + WATCHED_S

    def missed(self) -> Missed | None:
        """Return what was left out since this was last asked; ``None`` where that is nothing."""
        fresh = self.left_out - self._told
        if not fresh:
            return None
        self._told = Counter(self.left_out)
        return Missed(fresh.total(), self.left_out.total(), dict(sorted(fresh.items())))

    def status(self) -> dict[str, Any]:
        """Return what was carried and what was left out."""
        return {
            "mirrored": self.mirrored,
            "truncated": self.truncated,
            "watched": self._is_watched(self._clock.monotonic()),
            "left_out": dict(self.left_out),
            "spent_s": round(self.spent_s, 3),
        }

    def _is_watched(self, now: float) -> bool:
        return now < self._watched_until

    def _cap(self, now: float) -> Caps:
        if self._is_watched(now):
            return self._caps_watched
        return self._caps_idle if now < self._idle_until else self._caps

    # The tap.

    def _open(self) -> None:
        """Take as much as may pass now."""
        if not self._is_wanted:
            return
        if not self._is_tapping:
            self._count_closed()
        now = self._clock.monotonic()
        cap = self._cap(now)
        self._room = cap.number.left(now) - len(self._waiting)
        if self._room > 0 and cap.micros.left(now) > 0:
            if not self._is_tapping:
                self._is_tapping = True
                self._bus.add_tap(self._see)
        else:
            self._close()
            self._has_come.set()  # it is tried again

    def _close(self) -> None:
        if self._is_tapping:
            self._is_tapping = False
            self._bus.remove_tap(self._see)
            self._sent_before = self._sent()

    def _see(self, passage: Passage) -> None:
        self._waiting.append(passage)
        self._room -= 1
        if len(self._waiting) == 1:
            self._has_come.set()
        if self._room <= 0:
            self._room = self._cap(passage.at).number.left(passage.at) - len(self._waiting)
            if self._room <= 0:
                self._close()

    def _sent(self) -> int:
        return sum(one.sent for one in self._bus.statistics().values())

    def _count_closed(self) -> None:
        """Count what has passed while nothing was looked at."""
        sent = self._sent()
        if unseen := sent - self._sent_before:
            self.left_out["too_many"] += unseen
        self._sent_before = sent

    # Carrying.

    async def _carry(self) -> None:
        """Publish what waits, a few at a time."""
        waiting = self._waiting
        while waiting:
            now = self._clock.monotonic()
            cap = self._cap(now)
            if cap.micros.left(now) <= 0:
                self.left_out["too_costly"] += len(waiting)
                waiting.clear()
                self._close()
                return
            for _ in range(min(AT_ONCE, len(waiting))):
                cap.number.takes(now)  # no debts: those that wait came by other caps, where these are new
                self._carry_one(waiting.popleft())
            spent_s = self._clock.monotonic() - now
            self.spent_s += spent_s
            cap.micros.take(round(spent_s * 1e6))
            await self._clock.sleep(0)

    def _carry_one(self, passage: Passage) -> None:
        message = passage.message
        route = message.route
        topic = topics.of_message(self._node, passage.receiver, passage.sender, route.operation, route.resource)
        if len(topic) > LONGEST_TOPIC:
            self.left_out["topic_too_long"] += 1
            return
        try:
            payload, is_whole = mirrored(passage, self._settings.longest, self._redact)
        except FrameError:
            self.left_out["not_json"] += 1
            return
        except Exception:  # who looks on never breaks what is looked at
            self.left_out["failed"] += 1
            log.exception("message_not_mirrored", id=message.header.id, operation=route.operation)
            return
        self.mirrored += 1
        self.truncated += not is_whole
        self._publish(Publication(topic, payload, self._qos(passage), False, tuple(self._properties(passage))))

    def _qos(self, passage: Passage) -> int:
        """Return 1 where the acknowledgement shall say whether anybody watches, else 0."""
        if passage.at < self._ask_at.get(passage.receiver, 0.0):
            return 0
        self._ask_at[passage.receiver] = passage.at + ASK_EVERY_S
        return 1

    def _properties(self, passage: Passage) -> Iterator[tuple[str, str]]:
        header = passage.message.header
        place = self._chains.place(passage)
        yield "id", header.id
        yield "parent", header.parent_id
        yield "hop", str(place.hop)
        yield "microseconds", str(place.micros)
        if passage.injected:
            yield "injected", "true"
