"""Messages on their way to brokers: in batches, capped in number and in time, the rest counted."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from edgecore.beehive.bus import Bus
from edgecore.beehive.message import Route
from edgecore.beehive.port import Port
from edgecore.clock import VirtualClock
from edgecore.modules.eventbus.mirror.flow import ASK_EVERY_S, BATCH_S, CLOSED_S, IDLE_BURST, WATCHED_S, Flow, Missed
from edgecore.modules.eventbus.mirror.settings import MirrorSettings
from edgecore.modules.eventbus.outgoing import Publication

ROUTE = Route("test", "mesh", "insert", "default/service/web")


class Place:
    """A bus with one sender and one receiver, and what is published."""

    def __init__(self, **settings: Any) -> None:
        self.clock = VirtualClock()
        numbers = iter(range(1_000_000))
        self.bus = Bus(self.clock, lambda: str(next(numbers)), capacity=100_000)
        self.sender: Port = self.bus.register("sender", "a")
        self.bus.register("edgemesh", "mesh")
        self.published: list[Publication] = []
        self.publish: Callable[[Publication], None] = self.published.append
        self.flow = Flow(self.bus, "n", MirrorSettings(mirrors=True, **settings), None, self._told)

    def _told(self, publication: Publication) -> None:
        self.publish(publication)

    async def send(self, number: int = 1, content: Any = None) -> None:
        for _ in range(number):
            await self.sender.post("edgemesh", ROUTE, content)


@asynccontextmanager
async def running(place: Place) -> AsyncIterator[Place]:
    task = asyncio.create_task(place.flow.run())
    try:
        yield place
    finally:
        task.cancel()
        await asyncio.wait((task,))


async def test_a_message_is_published_with_its_place_in_the_chain() -> None:
    async with running(Place()) as place:
        place.flow.begin()
        first = place.sender.build(ROUTE)
        await place.sender.send("edgemesh", first)
        await place.sender.send("edgemesh", place.sender.build(ROUTE, None, first.header.id))
        await place.clock.advance(BATCH_S)

        one, other = place.published
        assert one.topic == "edgecore/n/bus/edgemesh/sender/insert/default/service/web"
        assert (one.retain, other.retain) == (False, False)
        assert dict(one.properties)["id"] == first.header.id
        assert dict(other.properties)["parent"] == first.header.id
        assert dict(other.properties).keys() == {"id", "parent", "hop", "microseconds"}


async def test_what_was_injected_says_so() -> None:
    async with running(Place()) as place:
        place.flow.begin()
        assert place.sender.inject("edgemesh", place.sender.build(ROUTE))
        await place.clock.advance(BATCH_S)

        assert dict(place.published[0].properties)["injected"] == "true"


async def test_nothing_is_looked_at_before_the_beginning_and_after_the_end() -> None:
    async with running(Place()) as place:
        await place.send(3)
        await place.clock.advance(1)
        place.flow.begin()
        place.flow.end()
        await place.send(3)
        await place.clock.advance(1)

        assert not place.published
        assert not place.bus.taps
        assert place.flow.missed() is None


async def test_a_flow_begins_again_after_its_end() -> None:
    async with running(Place()) as place:
        place.flow.begin()
        await place.send()
        place.flow.end()
        await place.clock.advance(1)
        place.flow.begin()
        await place.send()
        await place.clock.advance(1)

        assert len(place.published) == 1


async def test_what_is_over_the_rate_is_left_out_and_counted() -> None:
    async with running(Place(rate=10, burst=5, share=1.0)) as place:
        place.flow.begin()
        await place.send(30)
        assert not place.bus.taps
        await place.clock.advance(BATCH_S + CLOSED_S)

        assert len(place.published) == 5
        assert place.flow.missed() == Missed(25, 25, {"too_many": 25})
        assert place.flow.missed() is None
        await place.clock.advance(1)
        await place.send(3)
        await place.clock.advance(BATCH_S)
        assert len(place.published) == 8
        assert place.flow.missed() is None


@pytest.mark.parametrize("number", [1, 7, 100, 1000])
async def test_each_message_is_either_published_or_counted(number: int) -> None:
    async with running(Place(rate=50, burst=20, share=1.0)) as place:
        place.flow.begin()
        for _ in range(10):
            await place.send(number)
            await place.clock.advance(0.13)
        await place.clock.advance(30)

        assert len(place.published) + place.flow.left_out.total() == 10 * number


async def test_what_would_take_too_much_of_the_node_is_left_out() -> None:
    async with running(Place(share=0.02)) as place:

        def slow(publication: Publication) -> None:
            place.published.append(publication)
            place.clock._elapsed_s += 0.05

        place.publish = slow
        place.flow.begin()
        await place.send(100)
        await place.clock.advance(1)

        assert len(place.published) == 8
        assert place.flow.left_out["too_costly"] == 92
        place.published.clear()
        for _ in range(100):
            await place.send(1)
            await place.clock.advance(1)
        assert 1 <= len(place.published) * 0.05 / 100 / 0.02 * 100 <= 200


async def test_content_that_is_no_json_is_counted_and_the_next_is_published() -> None:
    async with running(Place()) as place:
        place.flow.begin()
        await place.send(1, object())
        await place.send(1)
        await place.clock.advance(BATCH_S)

        assert len(place.published) == 1
        assert place.flow.left_out == {"not_json": 1}


async def test_a_topic_that_is_too_long_is_counted() -> None:
    async with running(Place()) as place:
        place.flow.begin()
        await place.sender.post("edgemesh", Route("a", "b", "c", "x" * 5000))
        await place.clock.advance(BATCH_S)

        assert place.flow.left_out == {"topic_too_long": 1}


async def test_redaction_that_fails_publishes_nothing_of_the_message() -> None:
    async with running(Place()) as place:

        def broken(_entry: Any) -> Any:
            raise RuntimeError

        place.flow._redact = broken
        place.flow.begin()
        await place.send()
        await place.clock.advance(BATCH_S)

        assert not place.published
        assert place.flow.left_out == {"failed": 1}


async def test_one_message_to_a_module_now_and_then_asks_the_broker_whether_anybody_watches() -> None:
    async with running(Place()) as place:
        place.flow.begin()
        place.bus.register("twin", "twin")
        for _ in range(2):
            await place.send(3)
            await place.sender.post("twin", ROUTE)
            await place.clock.advance(ASK_EVERY_S)

        assert [(one.topic.split("/")[3], one.qos) for one in place.published] == 2 * [
            ("edgemesh", 1),
            ("edgemesh", 0),
            ("edgemesh", 0),
            ("twin", 1),
        ]


async def test_while_somebody_watches_more_passes_and_then_as_before() -> None:
    async with running(Place(rate=1, burst=2, watched_rate=50, watched_burst=100)) as place:
        place.flow.begin()
        await place.send(30)
        await place.clock.advance(BATCH_S)
        assert len(place.published) == 2
        place.flow.watched()
        await place.send(30)
        await place.clock.advance(BATCH_S + CLOSED_S)
        assert len(place.published) == 32
        assert place.flow.missed() == Missed(28, 28, {"too_many": 28})
        assert place.flow.status()["watched"]

        await place.clock.advance(WATCHED_S)
        await place.send()
        await place.clock.advance(BATCH_S)
        await place.send(30)
        await place.clock.advance(BATCH_S + CLOSED_S)
        assert not place.flow.status()["watched"]
        assert 33 <= len(place.published) <= 35


async def test_where_nobody_watches_few_messages_pass_until_somebody_does() -> None:
    async with running(Place(share=1.0)) as place:
        place.flow.unwatched()
        place.flow.begin()
        await place.send(200)
        await place.clock.advance(BATCH_S + CLOSED_S)
        assert len(place.published) == IDLE_BURST
        place.flow.watched()
        place.flow.unwatched()  # another broker says so
        await place.send(200)
        await place.clock.advance(BATCH_S)
        assert len(place.published) == IDLE_BURST + 200


async def test_what_came_before_nobody_was_known_to_watch_does_not_stop_what_comes_after() -> None:
    async with running(Place(share=1.0)) as place:
        place.flow.begin()
        await place.send(200)
        place.flow.unwatched()
        await place.clock.advance(BATCH_S)
        await place.clock.advance(1.0)
        assert len(place.published) == 200
        await place.send(5)
        await place.clock.advance(BATCH_S)
        assert len(place.published) == 205


async def test_who_is_seen_to_watch_before_the_beginning_is_shown_nothing() -> None:
    async with running(Place()) as place:
        place.flow.watched()
        await place.send()
        await place.clock.advance(1)

        assert not place.published
