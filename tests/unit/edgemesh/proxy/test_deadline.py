"""A deadline that moves: when it is reached, and how few timers it takes."""

from collections.abc import Callable

import pytest

from edgecore.clock import Timer, VirtualClock
from edgecore.modules.edgemesh.proxy.deadline import Deadline


class CountingClock(VirtualClock):
    """Counts the timers that are set."""

    timers = 0

    def call_at(self, when: float, callback: Callable[[], object]) -> Timer:
        self.timers += 1
        return super().call_at(when, callback)


@pytest.fixture
def clock() -> CountingClock:
    return CountingClock()


@pytest.fixture
def reached(clock: CountingClock) -> list[float]:
    return []


@pytest.fixture
def deadline(clock: CountingClock, reached: list[float]) -> Deadline:
    return Deadline(clock, lambda: reached.append(clock.monotonic()))


async def test_deadline_is_reached_once(clock, deadline, reached) -> None:
    deadline.set(10)
    await clock.advance(9)
    assert reached == []
    await clock.advance(100)
    assert reached == [10]


async def test_deadline_that_moves_later_is_reached_later(clock, deadline, reached) -> None:
    deadline.set(10)
    await clock.advance(9)
    deadline.set(10)
    await clock.advance(100)
    assert reached == [19]


async def test_deadline_that_moves_earlier_is_reached_earlier(clock, deadline, reached) -> None:
    deadline.set(300)
    deadline.set(5)
    await clock.advance(400)
    assert reached == [5]


async def test_moving_it_later_takes_no_timer(clock, deadline) -> None:
    for _ in range(1000):
        deadline.set(10)
    assert clock.timers == 1


async def test_cancelled_deadline_leaves_no_timer(clock, deadline, reached) -> None:
    deadline.set(10)
    deadline.cancel()
    await clock.advance(20)
    assert reached == []


async def test_deadline_may_be_set_again_when_it_is_reached(clock) -> None:
    reached: list[float] = []

    def again() -> None:
        reached.append(clock.monotonic())
        deadline.set(10)

    deadline = Deadline(clock, again)
    deadline.set(10)
    await clock.advance(35)
    deadline.cancel()
    assert reached == [10, 20, 30]
