"""Connections of an HTTP listener of ours, as time passes and others come."""

import asyncio
from typing import Any, cast

import pytest

from edgecore.clock import VirtualClock
from edgecore.observe.guests import WAIT_S, Guests
from edgecore.observe.metrics import Metrics


class FakeTransport:
    """Remembers whether it was cut."""

    def __init__(self) -> None:
        self.cut = False

    def abort(self) -> None:
        self.cut = True

    def get_extra_info(self, _name: str) -> Any:
        return ("192.0.2.1", 5)


class Rig:
    """A listener with room for three."""

    def __init__(self, clock: VirtualClock, metrics: Metrics) -> None:
        self.metrics = metrics
        self.guests = Guests("observe", 3, metrics, clock)
        self.accept = self.guests.received_by(asyncio.Protocol)
        self.protocols: dict[asyncio.BaseTransport, asyncio.Protocol] = {}

    def come(self) -> Any:
        transport = cast("asyncio.Transport", FakeTransport())
        protocol = self.protocols[transport] = self.accept()
        protocol.connection_made(transport)
        return transport

    def go(self, transport: Any) -> None:
        self.protocols[transport].connection_lost(None)

    def counted(self, reason: str) -> int:
        return self.metrics.bad_input_counts.get(("observe", reason), 0)


@pytest.fixture
def rig(vclock: VirtualClock, metrics: Metrics) -> Rig:
    return Rig(vclock, metrics)


async def test_who_asks_nothing_in_time_is_cut_and_counted(rig: Rig, vclock: VirtualClock) -> None:
    silent = rig.come()
    await vclock.advance(WAIT_S - 0.1)
    assert not silent.cut
    await vclock.advance(1.1)
    assert silent.cut
    assert (rig.counted("too_slow"), len(rig.guests)) == (1, 0)


async def test_who_is_served_is_given_all_the_time_that_takes(rig: Rig, vclock: VirtualClock) -> None:
    guest = rig.come()
    with rig.guests.serving(guest):
        await vclock.advance(10 * WAIT_S)
    assert not guest.cut
    await vclock.advance(2 * WAIT_S)
    assert guest.cut


async def test_a_newcomer_to_a_full_house_takes_the_place_of_who_has_waited_the_longest(
    rig: Rig, vclock: VirtualClock
) -> None:
    first, second, third = (rig.come() for _ in range(3))
    with rig.guests.serving(first):
        fourth = rig.come()
    assert [guest.cut for guest in (first, second, third, fourth)] == [False, True, False, False]
    assert rig.counted("too_many_connections") == 1
    await vclock.advance(2 * WAIT_S)


async def test_where_all_are_served_the_newcomer_leaves(rig: Rig) -> None:
    guests = [rig.come() for _ in range(3)]
    with rig.guests.serving(guests[0]), rig.guests.serving(guests[1]), rig.guests.serving(guests[2]):
        newcomer = rig.come()
        assert newcomer.cut
    rig.go(newcomer)
    assert [guest.cut for guest in guests] == [False] * 3
    rig.guests.close()


async def test_who_leaves_makes_room_also_within_the_service(rig: Rig) -> None:
    guest = rig.come()
    with rig.guests.serving(guest):
        rig.go(guest)
    assert len(rig.guests) == 0
