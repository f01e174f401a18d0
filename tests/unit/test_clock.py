"""Time: virtual time moves only when told to, real time agrees with the system's, deadlines cancel."""

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edgecore.clock import Pace, SystemClock, VirtualClock, apart, before, bounded, settle, until_set


@pytest.fixture
def live(vclock: VirtualClock) -> Callable[[], int]:
    """Count the timers that are set."""
    return lambda: sum(timer.callback is not None for *_, timer in vclock._timers)


async def test_virtual_time_glides_where_nothing_is_due_on_the_way(vclock: VirtualClock) -> None:
    called: list[float] = []
    vclock.call_at(1.0, lambda: called.append(1.0)).cancel()
    vclock.call_at(5.0, lambda: called.append(5.0))
    assert vclock.glide(4.0)
    assert vclock.monotonic() == 4.0
    assert not vclock.glide(1.0)
    assert (vclock.monotonic(), called) == (4.0, [])
    await vclock.advance(1.0)
    assert called == [5.0]


async def test_virtual_time_stands_still_by_itself(vclock: VirtualClock) -> None:
    start_ms = vclock.now_ms()
    await settle()
    assert (vclock.monotonic(), vclock.now_ms()) == (0, start_ms)


async def test_virtual_time_moves_by_what_it_is_told(vclock: VirtualClock) -> None:
    start_ms = vclock.now_ms()
    await vclock.advance(1.5)
    await vclock.advance(0.25)
    assert (vclock.monotonic(), vclock.now_ms()) == (1.75, start_ms + 1750)


@given(st.integers(0, 10**9))
@example(1001)
def test_virtual_milliseconds_are_exact(milliseconds: int) -> None:
    clock = VirtualClock(start_ms=0)
    asyncio.run(clock.advance(milliseconds / 1000))
    assert clock.now_ms() == milliseconds


async def test_timers_fire_in_the_order_of_their_time_then_of_their_setting(vclock: VirtualClock) -> None:
    fired: list[tuple[str, float]] = []
    for name, when in (("c", 3.0), ("a", 1.0), ("b", 2.0), ("a again", 1.0)):
        vclock.call_at(when, lambda name=name: fired.append((name, vclock.monotonic())))  # type: ignore[misc]
    await vclock.advance(2.5)
    assert fired == [("a", 1), ("a again", 1), ("b", 2)]
    await vclock.advance(0.5)
    assert fired[3:] == [("c", 3)]


async def test_timer_of_the_past_fires_at_the_next_move_without_turning_time_back(vclock: VirtualClock) -> None:
    fired: list[float] = []
    await vclock.advance(5)
    vclock.call_at(1, lambda: fired.append(vclock.monotonic()))
    await vclock.advance(0)
    assert fired == [5]


async def test_timer_set_by_a_timer_fires_in_the_same_move_if_due(vclock: VirtualClock) -> None:
    fired: list[float] = []

    def again() -> None:
        fired.append(vclock.monotonic())
        vclock.call_at(vclock.monotonic() + 1, again)

    vclock.call_at(1, again)
    await vclock.advance(3)
    assert fired == [1, 2, 3]


async def test_cancelled_timer_does_not_fire_and_may_be_cancelled_again(vclock: VirtualClock) -> None:
    fired: list[int] = []
    timer = vclock.call_at(1, lambda: fired.append(1))
    timer.cancel()
    timer.cancel()
    await vclock.advance(2)
    assert fired == []


async def test_sleepers_wake_at_their_time(vclock: VirtualClock) -> None:
    woken: list[tuple[float, float]] = []

    async def nap(seconds: float) -> None:
        await vclock.sleep(seconds)
        woken.append((seconds, vclock.monotonic()))

    tasks = [asyncio.create_task(nap(seconds)) for seconds in (2.0, 0.5, 1.0)]
    await vclock.advance(1)
    assert woken == [(0.5, 0.5), (1.0, 1.0)]
    await vclock.advance(1)
    await asyncio.gather(*tasks)
    assert woken[2:] == [(2.0, 2.0)]


@pytest.mark.parametrize("seconds", [0.0, -1.0])
async def test_sleep_of_no_time_needs_no_move(vclock: VirtualClock, seconds: float) -> None:
    await vclock.sleep(seconds)
    assert vclock.monotonic() == 0


async def test_cancelled_sleeper_leaves_no_timer(vclock: VirtualClock, live: Callable[[], int]) -> None:
    task = asyncio.create_task(vclock.sleep(5))
    await settle()
    assert live() == 1
    task.cancel()
    await settle()
    assert task.cancelled()
    assert live() == 0


async def test_sleeper_cancelled_in_the_turn_of_its_waking_is_cancelled(vclock: VirtualClock) -> None:
    task = asyncio.create_task(vclock.sleep(5))
    vclock.call_at(5, lambda: None)
    await settle()
    vclock.call_at(5, task.cancel)
    await vclock.advance(5)
    assert task.done()


async def test_work_that_ends_before_its_deadline_gives_its_result(
    vclock: VirtualClock, live: Callable[[], int]
) -> None:
    async def work() -> str:
        await vclock.sleep(1)
        return "done"

    task = asyncio.create_task(before(vclock, 2, work()))
    await vclock.advance(1)
    assert await task == "done"
    assert live() == 0


async def test_work_that_does_not_end_is_cancelled_at_its_deadline(
    vclock: VirtualClock, live: Callable[[], int]
) -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await vclock.sleep(10)
        finally:
            ended.append("cleaned up")

    task = asyncio.create_task(before(vclock, 2, work()))
    await vclock.advance(1.75)
    assert not task.done()
    await vclock.advance(0.25)
    with pytest.raises(TimeoutError):
        await task
    assert ended == ["cleaned up"]
    assert live() == 0


async def test_error_of_the_work_passes_through(vclock: VirtualClock, live: Callable[[], int]) -> None:
    async def work() -> None:
        raise ValueError("its own")

    with pytest.raises(ValueError, match="its own"):
        await before(vclock, 2, work())
    assert live() == 0


async def test_cancelling_the_caller_cancels_the_work(vclock: VirtualClock, live: Callable[[], int]) -> None:
    works: list[asyncio.Task[Any] | None] = []

    async def work() -> None:
        works.append(asyncio.current_task())
        await vclock.sleep(10)

    task = asyncio.create_task(before(vclock, 2, work()))
    await settle()
    task.cancel()
    await settle()
    assert task.cancelled()
    assert works[0] is not None
    assert works[0].cancelled()
    assert live() == 0


async def test_caller_cancelled_while_late_work_cleans_up_is_cancelled(vclock: VirtualClock) -> None:
    async def work() -> None:
        try:
            await vclock.sleep(10)
        finally:
            await vclock.sleep(1)  # late already: the caller waits for this

    task = asyncio.create_task(before(vclock, 2, work()))
    await vclock.advance(2)
    assert not task.done()
    task.cancel()
    await settle()
    assert task.cancelled()


async def test_deadline_still_holds_in_a_caller_that_cleans_up_after_its_own_cancellation(
    vclock: VirtualClock,
) -> None:
    outcome: list[str] = []

    async def caller() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            try:
                await before(vclock, 2, vclock.sleep(10))
            except TimeoutError:
                outcome.append("late")
            raise

    task = asyncio.create_task(caller())
    await settle()
    task.cancel()
    await vclock.advance(2)
    assert task.cancelled()
    assert outcome == ["late"]


async def test_work_that_ends_although_cancelled_gives_its_result(vclock: VirtualClock) -> None:
    async def work() -> str:
        try:
            await vclock.sleep(10)
        except asyncio.CancelledError:
            return "saved"
        return "slept"

    task = asyncio.create_task(before(vclock, 2, work()))
    await vclock.advance(2)
    assert await task == "saved"


async def test_work_that_was_cancelled_by_somebody_else_is_no_timeout(vclock: VirtualClock) -> None:
    async def work() -> None:
        raise asyncio.CancelledError

    task = asyncio.create_task(before(vclock, 2, work()))
    await settle()
    assert task.cancelled()


def test_system_clock_tells_the_time_of_the_system() -> None:
    clock = SystemClock()
    for _ in range(3):
        assert abs(clock.now_ms() - time.time() * 1000) < 1000
        assert abs(clock.monotonic() - time.monotonic()) < 1
    assert isinstance(clock.now_ms(), int)


def test_system_clock_does_not_go_back() -> None:
    clock = SystemClock()
    instants = [clock.monotonic() for _ in range(1000)]
    assert instants == sorted(instants)


async def test_system_clock_calls_what_is_due_and_not_what_was_cancelled() -> None:
    clock = SystemClock()
    called: list[str] = []
    done = asyncio.Event()
    start = clock.monotonic()
    clock.call_at(start + 0.03, done.set)
    clock.call_at(start + 0.01, lambda: called.append("second"))
    clock.call_at(start - 100, lambda: called.append("first"))
    clock.call_at(start + 0.02, lambda: called.append("never")).cancel()
    await done.wait()
    assert called == ["first", "second"]
    assert clock.monotonic() - start >= 0.029


async def test_system_clock_sleeps_at_least_as_long_as_told() -> None:
    clock = SystemClock()
    start = time.monotonic()
    await clock.sleep(0.02)
    assert time.monotonic() - start >= 0.019
    await clock.sleep(0)


async def test_deadline_of_the_system_clock_cancels_work() -> None:
    clock = SystemClock()
    with pytest.raises(TimeoutError):
        await before(clock, clock.monotonic() + 0.01, asyncio.Event().wait())


async def test_work_apart_gives_its_result_and_its_error() -> None:
    async def work(outcome: object) -> object:
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    assert await apart(work(7)) == 7
    with pytest.raises(ValueError, match="no"):
        await apart(work(ValueError("no")))


async def test_a_task_group_that_fails_apart_leaves_timeouts_as_they_are() -> None:
    """In Python 3.11.2 the parent of such a group counts as being cancelled for ever."""

    async def fail() -> None:
        raise ValueError

    async def group() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(fail())
            await asyncio.sleep(1)

    with pytest.raises(ExceptionGroup):
        await apart(group())
    current = asyncio.current_task()
    assert current is not None
    assert current.cancelling() == 0
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await asyncio.sleep(1)


async def test_who_is_cancelled_while_work_is_apart_cancels_it_first() -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(10)
        finally:
            await asyncio.sleep(0)
            ended.append("work")

    task = asyncio.create_task(apart(work()))
    await settle()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended == ["work"]


async def test_bounded_work_returns_or_raises_what_it_does(vclock: VirtualClock) -> None:
    async def work(error: Exception | None) -> int:
        if error is not None:
            raise error
        return 7

    assert await bounded(vclock, 1, work(None), grace_s=1) == 7
    with pytest.raises(ValueError, match="odd"):
        await bounded(vclock, 1, work(ValueError("odd")), grace_s=1)
    assert not vclock._timers or all(timer.callback is None for *_, timer in vclock._timers)


async def test_bounded_work_that_was_cancelled_from_within_has_failed(vclock: VirtualClock) -> None:
    async def work() -> None:
        raise asyncio.CancelledError

    with pytest.raises(RuntimeError, match="cancelled from within"):
        await bounded(vclock, 1, work(), grace_s=1)


@pytest.mark.parametrize(("heeds", "over_at"), [(True, 2.0), (False, 5.0)])
async def test_bounded_work_that_is_late_is_cancelled_and_left_to_itself_after_the_grace(
    vclock: VirtualClock, heeds: bool, over_at: float
) -> None:
    async def work() -> None:
        try:
            await vclock.sleep(10)
        except asyncio.CancelledError:
            if heeds:
                raise
            await vclock.sleep(60)

    waiting = asyncio.ensure_future(bounded(vclock, 2, work(), grace_s=3))
    await vclock.advance(over_at - 0.1)
    assert not waiting.done()
    await vclock.advance(0.1)
    with pytest.raises(TimeoutError):
        await waiting
    await vclock.advance(60)


async def test_who_is_cancelled_while_work_is_bounded_gives_it_the_grace_to_end(vclock: VirtualClock) -> None:
    ended: list[float] = []

    async def work() -> None:
        try:
            await vclock.sleep(10)
        finally:
            await vclock.sleep(1)
            ended.append(vclock.monotonic())

    waiting = asyncio.ensure_future(bounded(vclock, 5, work(), grace_s=3))
    await vclock.advance(1)
    waiting.cancel()
    await vclock.advance(1)
    assert waiting.cancelled()
    assert ended == [2.0]


async def test_a_pace_is_kept_until_it_is_changed_which_holds_from_when_the_wait_began(vclock: VirtualClock) -> None:
    pace = Pace(vclock, 10)
    done_at: list[float] = []

    async def work() -> None:
        while True:
            await pace.wait()
            done_at.append(vclock.monotonic())

    working = asyncio.ensure_future(work())
    await vclock.advance(20)
    await vclock.advance(3)
    pace.change(5)
    await vclock.advance(7)
    pace.change(60)
    await vclock.advance(60)
    pace.change(1)  # the wait began long ago: it is over
    await settle()
    working.cancel()
    await asyncio.gather(working, return_exceptions=True)
    assert done_at == [10, 20, 25, 30, 90]
    assert all(timer.callback is None for *_, timer in vclock._timers)


async def test_virtual_time_leaps_to_one_call_after_the_other(vclock: VirtualClock) -> None:
    made: list[float] = []
    for when in (2.0, 1.0, 2.0, 9.0):
        vclock.call_at(when, lambda: made.append(vclock.monotonic()))
    vclock.call_at(0.5, lambda: made.append(-1.0)).cancel()
    for _ in range(4):
        vclock.leap(5.0 - vclock.monotonic())
    assert made == [1.0, 2.0, 2.0]
    assert vclock.monotonic() == 5.0


async def test_who_waits_for_an_event_is_woken_at_the_instant_it_named(
    vclock: VirtualClock, live: Callable[[], int]
) -> None:
    event = asyncio.Event()
    waiting = asyncio.create_task(until_set(vclock, event, vclock.monotonic() + 2))
    await settle()
    await vclock.advance(1.5)
    await settle()
    assert not waiting.done()
    await vclock.advance(0.5)
    await waiting
    assert (event.is_set(), live()) == (True, 0)


async def test_an_event_that_is_set_before_its_instant_wakes_at_once_and_leaves_no_timer(
    vclock: VirtualClock, live: Callable[[], int]
) -> None:
    event = asyncio.Event()
    waiting = asyncio.create_task(until_set(vclock, event, vclock.monotonic() + 2))
    await settle()
    event.set()
    await waiting
    assert live() == 0
