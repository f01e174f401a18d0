"""The states of a node on its brokers: looked at when something has passed, told when they are new."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Route
from edgecore.clock import VirtualClock
from edgecore.modules.eventbus.mirror import statekeeper
from edgecore.modules.eventbus.mirror.mirrorlink import MirrorLink
from edgecore.modules.eventbus.mirror.settings import Sights
from edgecore.modules.eventbus.mirror.statekeeper import StateKeeper
from edgecore.modules.eventbus.outgoing import Publication

BELOW = "edgecore/n/state/"


class Broker:
    """A link, and what its broker keeps."""

    name = "external"

    def __init__(self) -> None:
        self.connected = True
        self.kept: dict[str, bytes] = {}
        self.published: list[str] = []
        self.subscribed: list[str] = []

    def publish(self, publication: Publication) -> None:
        assert publication.retain
        topic = publication.topic.removeprefix(BELOW)
        self.published.append(topic)
        if publication.payload:
            self.kept[topic] = publication.payload
        else:
            self.kept.pop(topic, None)

    def subscribe(self, filters: Sequence[str]) -> None:
        self.subscribed += filters

    def unsubscribe(self, wanted: str) -> None:
        self.subscribed.remove(wanted)

    @property
    def link(self) -> MirrorLink:
        return cast("MirrorLink", self)


class Place:
    """A node's states."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.bus = Bus(self.clock, lambda: "1")
        self.port = self.bus.register("edgemesh", "mesh")
        self.link = "connected"
        self.services: list[str] = []
        self.broker = Broker()
        self.looked = 0
        self.keeper = StateKeeper(self.bus, "n", Sights(lambda: {"state": self.link}, self._look), 1.0)

    def _look(self) -> list[dict[str, Any]]:
        self.looked += 1
        return [
            {"namespace": "default", "name": name, "fake_ip": f"9.251.0.{number}", "ready": True}
            for number, name in enumerate(self.services)
        ]

    async def pass_a_message(self) -> None:
        await self.port.post("edgemesh", Route("a", "b", "c", "d"))
        await self.port.receive()


@asynccontextmanager
async def running() -> AsyncIterator[Place]:
    place = Place()
    task = asyncio.create_task(place.keeper.run())
    try:
        yield place
    finally:
        task.cancel()
        await asyncio.wait((task,))


async def test_a_broker_that_comes_up_is_told_all() -> None:
    async with running() as place:
        place.services = ["web"]
        place.keeper.up(place.broker.link)
        await place.clock.advance(1)

        assert set(place.broker.kept) == {"online", "link", "services/default/web", "fakeips/9.251.0.0"}
        assert place.broker.kept["online"] == b"true"


async def test_only_what_is_new_is_told_and_what_is_gone_is_taken_away() -> None:
    async with running() as place:
        place.services = ["web", "db"]
        place.keeper.up(place.broker.link)
        await place.clock.advance(1)
        place.broker.published.clear()
        await place.clock.advance(3)
        assert not place.broker.published

        place.services = ["web"]
        place.link = "connecting"
        await place.pass_a_message()
        await place.clock.advance(1)

        assert sorted(place.broker.published) == ["fakeips/9.251.0.1", "link", "services/default/db"]
        assert "services/default/db" not in place.broker.kept


async def test_services_are_not_looked_at_while_no_message_passes() -> None:
    async with running() as place:
        place.keeper.up(place.broker.link)
        await place.clock.advance(5)
        assert place.looked == 2  # the second saw nothing new
        await place.clock.advance(statekeeper.LONGEST_UNSEEN_S)
        assert place.looked == 3


async def test_what_a_module_does_only_after_its_message_passed_is_seen_too() -> None:
    async with running() as place:
        place.keeper.up(place.broker.link)
        await place.clock.advance(5)
        await place.pass_a_message()
        place.services = ["web"]
        await place.clock.advance(1)
        place.services = ["web", "later"]
        await place.clock.advance(1)

        assert "services/default/later" in place.broker.kept


async def test_the_link_is_told_although_services_are_not_looked_at() -> None:
    async with running() as place:
        place.keeper.up(place.broker.link)
        await place.clock.advance(4)
        place.link = "connecting"
        await place.clock.advance(1)

        assert place.broker.kept["link"] == b'{"state":"connecting"}'
        assert place.looked == 2


async def test_states_of_an_earlier_life_are_taken_away() -> None:
    async with running() as place:
        place.services = ["web"]
        place.broker.kept = {"services/default/old": b"{}", "services/default/web": b"{}", "online": b"false"}
        place.keeper.up(place.broker.link)
        for topic in [*place.broker.kept]:
            place.keeper.kept(place.broker.link, BELOW + topic)
        await place.clock.advance(1)

        assert set(place.broker.kept) == {"online", "link", "services/default/web", "fakeips/9.251.0.0"}
        assert place.broker.kept["online"] == b"true"


async def test_a_broker_is_not_asked_for_what_it_has_kept_for_ever() -> None:
    async with running() as place:
        place.keeper.up(place.broker.link)
        assert place.broker.subscribed == ["edgecore/n/state/#"]
        await place.clock.advance(statekeeper.ASKED_S + 1)

        assert place.broker.subscribed == []


async def test_many_states_are_told_a_part_after_each_look() -> None:
    async with running() as place:
        place.services = [f"s{number}" for number in range(150)]
        place.keeper.up(place.broker.link)
        await place.clock.advance(1)
        assert len(place.broker.kept) == 1 + statekeeper.CHANGES_AT_ONCE
        await place.clock.advance(1)

        assert len(place.broker.kept) == 302


async def test_nothing_is_looked_at_while_no_broker_is_connected() -> None:
    async with running() as place:
        await place.clock.advance(5)
        place.keeper.up(place.broker.link)
        place.broker.connected = False
        await place.clock.advance(5)

        assert place.looked == 0


async def test_a_look_that_fails_is_tried_again() -> None:
    async with running() as place:
        place.services = ["web"]
        place.services.append(cast("str", None))  # no level of a topic
        place.keeper.up(place.broker.link)
        await place.clock.advance(1)
        place.services.pop()
        await place.pass_a_message()
        await place.clock.advance(statekeeper.LONGEST_UNSEEN_S + 1)

        assert "services/default/web" in place.broker.kept
