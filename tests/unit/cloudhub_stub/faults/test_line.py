"""Messages on their way: in order, each when it is due."""

import asyncio
from collections.abc import Awaitable, Callable

from hypothesis import given
from hypothesis import strategies as st

from cloudhub_stub.faults.line import Line
from edgecore.clock import VirtualClock, settle


def noting(arrived: list[tuple[int, float]], number: int, clock: VirtualClock) -> Callable[[], Awaitable[None]]:
    async def hand_on() -> None:
        arrived.append((number, clock.monotonic()))

    return hand_on


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), max_size=30))
async def test_nothing_overtakes_and_nothing_comes_before_its_time(plan: list[tuple[int, int]]) -> None:
    """Each message comes so many seconds after the one before, and is delayed by so many."""
    clock = VirtualClock()
    line = Line(clock, lambda: None)
    arrived: list[tuple[int, float]] = []
    due: list[float] = []
    for number, (delay_s, pause_s) in enumerate(plan):
        await clock.advance(pause_s)
        await line.put(delay_s, 1, noting(arrived, number, clock))
        due.append(max(clock.monotonic() + delay_s, due[-1] if due else 0.0))
    await clock.advance(10)
    assert arrived == list(enumerate(due))
    assert line.idle


async def test_what_is_under_way_is_lost_when_the_line_closes(vclock: VirtualClock) -> None:
    line = Line(vclock, lambda: None)
    arrived: list[tuple[int, float]] = []
    await line.put(5, 1, noting(arrived, 1, vclock))
    await vclock.advance(1)
    line.close()
    await line.put(0, 1, noting(arrived, 2, vclock))
    await vclock.advance(10)
    assert arrived == []


async def test_a_line_says_when_it_has_become_idle(vclock: VirtualClock) -> None:
    idle: list[float] = []
    line = Line(vclock, lambda: idle.append(vclock.monotonic()))
    await line.put(2, 1, noting([], 1, vclock))
    await vclock.advance(1)
    assert (line.idle, idle) == (False, [])
    await vclock.advance(1)
    assert (line.idle, idle) == (True, [2.0])


async def test_a_full_line_lets_the_sender_wait(vclock: VirtualClock) -> None:
    line = Line(vclock, lambda: None, max_frames=2)
    arrived: list[tuple[int, float]] = []

    async def send() -> None:
        for number in range(4):
            await line.put(1, 1, noting(arrived, number, vclock))

    sending = asyncio.create_task(send())
    await settle()
    assert not sending.done()
    await vclock.advance(1)
    await sending
    await vclock.advance(2)
    assert [number for number, _ in arrived] == [0, 1, 2, 3]
