"""The retained states of one node on its brokers: looked at now and then, what is new is published.

A look may be dear (a thousand services): it is taken only when messages have passed since the last, and the dearer it
was, the longer until the next.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import structlog

from edgecore.beehive.bus import Bus
from edgecore.modules.eventbus.mirror import states, topics
from edgecore.modules.eventbus.mirror.mirrorlink import MirrorLink, lasting
from edgecore.modules.eventbus.mirror.settings import Sights

log = structlog.get_logger("eventbus")

AT_ONCE = 10
"""After so many services or pods others have their turn."""
SHARE = 0.01
"""The part of the node's time that looks may take."""
CHANGES_AT_ONCE = 200
"""So many states are published after one look; the others after the next."""
LONGEST_UNSEEN_S = 10.0
"""So old a look may become where no message has passed: backends go out without one."""
MOST_FOUND = 20_000
ASKED_S = 5.0
"""How long a broker is asked for what it has kept; meanwhile it sends our own states back."""
ONLINE = ("state", "online")


def online_topic(node: str) -> str:
    """Return where brokers say whether the node is there."""
    return topics.of_node(node, *ONLINE)


class StateKeeper:
    """Keeps the states of one node on the brokers of ``links``."""

    def __init__(self, bus: Bus, node: str, sights: Sights, every_s: float) -> None:
        self._bus = bus
        self._clock = bus.clock
        self._node = node
        self._sights = sights
        self._every_s = every_s
        self._wanted: dict[str, bytes] = {}
        self._published: dict[str, dict[str, bytes]] = {}
        self._found: dict[str, set[str]] = {}
        self._links: dict[str, MirrorLink] = {}
        self._asked_until: dict[str, float] = {}
        self._looked_at = -LONGEST_UNSEEN_S
        self._passed = -1
        self._next_look_at = 0.0
        self._is_settled = False
        self._looks = 0
        self._looked_s = 0.0

    def up(self, link: MirrorLink) -> None:
        """A broker was connected: it is told all, and asked what it has kept of an earlier life."""
        self._links[link.name] = link
        self._published[link.name] = {}
        self._found[link.name] = set()
        link.publish(lasting(online_topic(self._node), b"true"))
        link.subscribe([self._every_topic])
        self._asked_until[link.name] = self._clock.monotonic() + ASKED_S
        self._next_look_at = self._looked_at = -LONGEST_UNSEEN_S

    def kept(self, link: MirrorLink, topic: str) -> None:
        """A broker has kept a state; whether it is one still, the next look says."""
        found = self._found.get(link.name)
        if found is not None and len(found) < MOST_FOUND and topic != online_topic(self._node):
            found.add(topic)

    async def run(self) -> None:
        """Look and publish until cancelled."""
        while True:
            await self._clock.sleep(self._every_s)
            if any(link.connected for link in self._links.values()):
                try:
                    await self._look()
                except Exception:  # who looks on never breaks what is looked at
                    log.exception("state_not_mirrored")
                self._tell()

    def status(self) -> dict[str, Any]:
        """Return how many states there are."""
        return {"states": len(self._wanted), "looks": self._looks, "looked_s": round(self._looked_s, 3)}

    @property
    def _every_topic(self) -> str:
        return f"{topics.of_node(self._node, topics.STATE)}/#"

    async def _look(self) -> None:
        now = self._clock.monotonic()
        topic, payload = states.of_link(self._node, self._sights.link())
        passed = sum(one.received for one in self._bus.statistics().values())
        is_old = now - self._looked_at >= LONGEST_UNSEEN_S
        if now < self._next_look_at or (passed == self._passed and self._is_settled and not is_old):
            self._wanted[topic] = payload
            return
        self._passed, self._looked_at = passed, now
        self._looks += 1
        wanted = {topic: payload}
        spent_s = await self._gather(wanted, self._sights.services, lambda shown: states.of_service(self._node, shown))
        spent_s += await self._gather(wanted, self._sights.pods, lambda row: [states.of_pod(self._node, row)])
        self._is_settled = wanted == self._wanted  # else modules may be at work on what they were sent
        self._wanted = wanted
        self._looked_s += spent_s
        self._next_look_at = self._clock.monotonic() + spent_s / SHARE

    async def _gather(
        self,
        wanted: dict[str, bytes],
        sight: Callable[[], Iterable[dict[str, Any]]],
        told: Callable[[dict[str, Any]], Iterable[tuple[str, bytes]]],
    ) -> float:
        """Add what is seen to ``wanted``, a few at a time; return the seconds that were spent."""
        spent_s, began_at = 0.0, self._clock.monotonic()
        seen: Iterator[dict[str, Any]] = iter(sight())
        while some := list(islice(seen, AT_ONCE)):
            for one in some:
                wanted.update(told(one))
            spent_s += self._clock.monotonic() - began_at
            await self._clock.sleep(0)
            began_at = self._clock.monotonic()
        return spent_s

    def _tell(self) -> None:
        for name, link in self._links.items():
            if not link.connected:
                continue
            if self._clock.monotonic() >= self._asked_until.get(name, float("inf")):
                del self._asked_until[name]
                link.unsubscribe(self._every_topic)
            published, found = self._published[name], self._found[name]
            fresh = list(islice(states.changes(published, self._wanted, found), CHANGES_AT_ONCE))
            for topic, payload in fresh:
                link.publish(lasting(topic, payload))
                found.discard(topic)
                if payload:
                    published[topic] = payload
                else:
                    published.pop(topic, None)
