"""Many moments, moved and reached, in virtual time."""

from math import inf

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from edgecore.clock import VirtualClock
from edgecore.modules.edgemesh.proxy.deadlines import STEP_S, Deadlines


class Thing:
    def __init__(self, clock: VirtualClock) -> None:
        self.due = self.slot_at = inf
        self.expired: list[float] = []
        self._clock = clock
        self.is_idle = False

    def abort(self) -> None:
        self.expire()

    def expire(self) -> None:
        self.expired.append(self._clock.monotonic())


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def deadlines(clock) -> Deadlines:
    return Deadlines(clock)


async def test_thing_is_called_once_its_moment_has_passed(clock, deadlines) -> None:
    thing = Thing(clock)
    deadlines.move(thing, 5.0)
    await clock.advance(4.99)
    assert thing.expired == []
    await clock.advance(0.01 + STEP_S)
    assert thing.expired == [pytest.approx(5.0, abs=1.1 * STEP_S)]
    await clock.advance(60)
    assert len(thing.expired) == 1


async def test_moment_that_is_moved_later_is_not_reached_before(clock, deadlines) -> None:
    thing = Thing(clock)
    for _ in range(10):
        deadlines.move(thing, clock.monotonic() + 5)
        await clock.advance(4)
    assert thing.expired == []
    await clock.advance(2)
    assert len(thing.expired) == 1


async def test_moment_that_is_moved_earlier_is_reached_then(clock, deadlines) -> None:
    thing = Thing(clock)
    deadlines.move(thing, 60.0)
    deadlines.move(thing, 1.0)
    await clock.advance(1.2)
    assert len(thing.expired) == 1


async def test_thing_that_is_forgotten_is_not_called(clock, deadlines) -> None:
    thing, other = Thing(clock), Thing(clock)
    deadlines.move(thing, 1.0)
    deadlines.move(other, 1.0)
    deadlines.forget(thing)
    await clock.advance(2)
    assert (thing.expired, len(other.expired)) == ([], 1)


async def test_things_that_are_forgotten_leave_no_slots_behind(clock, deadlines) -> None:
    for number in range(1000):
        thing = Thing(clock)
        deadlines.move(thing, 3600.0 + number)
        deadlines.forget(thing)
    assert not deadlines._slots


async def test_thing_that_another_has_forgotten_in_the_same_moment_is_not_called(clock, deadlines) -> None:
    things = [Thing(clock), Thing(clock)]
    for thing in things:
        thing.expire = lambda: [deadlines.forget(each) for each in things] and called.append(1)
        deadlines.move(thing, 1.0)
    called: list[int] = []
    await clock.advance(2)
    assert called == [1]


async def test_thing_that_fails_does_not_keep_the_others_from_being_called(clock, deadlines) -> None:
    broken, beside, later = Thing(clock), Thing(clock), Thing(clock)
    broken.expire = lambda: 1 // 0
    for thing in (broken, beside):
        deadlines.move(thing, 1.0)
    deadlines.move(later, 2.0)
    with capture_logs() as logged:
        await clock.advance(3)
    assert [line["event"] for line in logged] == ["expiry_failed"]
    assert (len(beside.expired), len(later.expired)) == (1, 1)


async def test_moment_that_is_never_is_not_reached(clock, deadlines) -> None:
    thing = Thing(clock)
    deadlines.move(thing, 1.0)
    deadlines.move(thing, inf)
    await clock.advance(100)
    assert thing.expired == []
    deadlines.move(thing, 101.0)
    await clock.advance(2)
    assert len(thing.expired) == 1


async def test_nothing_is_called_after_close(clock, deadlines) -> None:
    thing = Thing(clock)
    deadlines.move(thing, 1.0)
    deadlines.close()
    await clock.advance(2)
    assert thing.expired == []


@given(st.lists(st.tuples(st.integers(0, 2), st.floats(0, 3), st.floats(0, 2))))
async def test_each_thing_is_called_when_it_was_last_said(moves: list[tuple[int, float, float]]) -> None:
    clock = VirtualClock()
    deadlines = Deadlines(clock)
    things = [Thing(clock) for _ in range(3)]
    said = [inf] * 3
    for which, later, passes in moves:
        now = clock.monotonic()
        if said[which] > now:  # else its call may be under way
            said[which] = now + later
            deadlines.move(things[which], now + later)
        await clock.advance(passes)
    await clock.advance(10)
    for thing, due in zip(things, said, strict=True):
        assert len(thing.expired) == (due < inf)
        assert all(due <= at + 1e-6 <= due + STEP_S + 1e-3 for at in thing.expired)
