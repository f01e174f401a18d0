"""The node's one clock: what time it is, sleeping, and timers (house rule: made in ``app.py``, handed down).

``SystemClock`` is real time. ``VirtualClock`` stands still until it is told to move, so that timeouts are tested, and
recorded sessions replayed, without waiting.
"""

import asyncio
import heapq
import time
from collections.abc import Callable, Coroutine
from itertools import count, repeat
from operator import floordiv
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Timer(Protocol):
    """A call that is due later."""

    def cancel(self) -> None:
        """Forget the call; does nothing when it was made already."""


class Clock(Protocol):
    """Time as the node sees it. All instants of ``monotonic`` and ``call_at`` are seconds on the same scale."""

    now_ms: Callable[[], int]
    """Unix time in milliseconds (message timestamps)."""
    monotonic: Callable[[], float]
    """Seconds that never go backwards."""

    def call_at(self, when: float, callback: Callable[[], object]) -> Timer:
        """Call ``callback`` in the event loop once ``monotonic()`` has reached ``when``."""

    async def sleep(self, seconds: float) -> None:
        """Return after ``seconds``."""


class SystemClock:
    """Real time; timers run on the event loop that is running when they are set."""

    def __init__(self) -> None:
        # A chain of C iterators: a third of the cost of a Python function on the path of every message.
        self.now_ms: Callable[[], int] = map(floordiv, iter(time.time_ns, -1), repeat(1_000_000)).__next__
        self.monotonic: Callable[[], float] = time.monotonic

    def call_at(self, when: float, callback: Callable[[], object]) -> Timer:
        """See ``Clock``."""
        return asyncio.get_running_loop().call_later(max(0.0, when - time.monotonic()), callback)

    async def sleep(self, seconds: float) -> None:
        """See ``Clock``."""
        await asyncio.sleep(seconds)


class _VirtualTimer:
    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        self.callback = None


class VirtualClock:
    """Time that moves only by ``advance``."""

    def __init__(self, *, start_ms: int = 1_589_000_000_123) -> None:
        self._start_ms = start_ms
        self._elapsed_s = 0.0
        self._order = count()
        self._timers: list[tuple[float, int, _VirtualTimer]] = []
        self.now_ms: Callable[[], int] = lambda: self._start_ms + round(self._elapsed_s * 1_000_000) // 1000
        self.monotonic: Callable[[], float] = lambda: self._elapsed_s

    def call_at(self, when: float, callback: Callable[[], object]) -> Timer:
        """See ``Clock``."""
        timer = _VirtualTimer(callback)
        heapq.heappush(self._timers, (when, next(self._order), timer))
        return timer

    async def sleep(self, seconds: float) -> None:
        """See ``Clock``."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()

        def wake() -> None:
            if not woken.done():
                woken.set_result(None)

        timer = self.call_at(self._elapsed_s + seconds, wake)
        try:
            await woken
        finally:
            timer.cancel()

    def glide(self, seconds: float) -> bool:
        """Move time on at once, where no call falls due on the way; return whether that was so."""
        target = self._elapsed_s + seconds
        while self._timers and self._timers[0][2].callback is None:
            heapq.heappop(self._timers)
        if self._timers and self._timers[0][0] <= target:
            return False
        self._elapsed_s = target
        return True

    def leap(self, seconds: float) -> None:
        """Move time on to the first call that is due within ``seconds``, and make that one; by all of them without."""
        if not self.glide(seconds):
            when, _, timer = heapq.heappop(self._timers)
            self._elapsed_s = max(self._elapsed_s, when)
            if timer.callback is not None:
                timer.callback()

    async def advance(self, seconds: float) -> None:
        """Move time on, making the calls that fall due in order, and letting the tasks they wake run."""
        target = self._elapsed_s + seconds
        await settle()
        while self._timers and self._timers[0][0] <= target:
            when, _, timer = heapq.heappop(self._timers)
            self._elapsed_s = max(self._elapsed_s, when)
            if timer.callback is not None:
                timer.callback()
                await settle()
        self._elapsed_s = target
        await settle()


class Pace:
    """How often something is done; may be changed while it is waited for."""

    def __init__(self, clock: Clock, every_s: float) -> None:
        self.every_s = every_s
        self._clock = clock
        self._changed: asyncio.Future[None] | None = None

    async def wait(self) -> None:
        """Return ``every_s`` from now; where that is changed meanwhile, by what it is then."""
        began = self._clock.monotonic()
        await asyncio.sleep(0)
        while (until := began + self.every_s) > self._clock.monotonic():
            changed = self._changed = asyncio.get_running_loop().create_future()
            timer = self._clock.call_at(until, self._wake)
            try:
                await changed
            finally:
                timer.cancel()

    def change(self, every_s: float) -> None:
        """Do it every ``every_s`` seconds from now on."""
        self.every_s = every_s
        self._wake()

    def _wake(self) -> None:
        if self._changed is not None and not self._changed.done():
            self._changed.set_result(None)


async def settle(rounds: int = 20) -> None:
    """Let every task that can run, run: ``rounds`` turns of the event loop."""
    for _ in range(rounds):
        await asyncio.sleep(0)


async def before(clock: Clock, deadline: float, work: Coroutine[Any, Any, T]) -> T:
    """Return what ``work`` returns.

    Raises ``TimeoutError``, having cancelled ``work``, once ``clock`` has reached ``deadline``.
    """
    task = asyncio.ensure_future(work)
    caller = asyncio.current_task()
    assert caller is not None  # noqa: S101 - a coroutine runs in a task
    cancelled_before = caller.cancelling()
    late = False

    def expire() -> None:
        nonlocal late
        late = not task.done()
        task.cancel()

    timer = clock.call_at(deadline, expire)
    try:
        return await task
    except asyncio.CancelledError:
        if late and caller.cancelling() == cancelled_before:
            raise TimeoutError from None
        task.cancel()
        raise
    finally:
        timer.cancel()


async def bounded(clock: Clock, deadline: float, work: Coroutine[Any, Any, T], *, grace_s: float) -> T:
    """Return what ``work`` returns, run in a task of its own.

    Raises ``TimeoutError``, having cancelled ``work``, once ``clock`` has reached ``deadline``. Work that has not ended
    ``grace_s`` later is left to itself. Work that was cancelled from within has failed: ``RuntimeError``.
    """
    task = asyncio.ensure_future(work)
    try:
        if not await done_by(clock, deadline, task):
            raise TimeoutError
    finally:
        if not task.done():  # too late, or the caller is cancelled: either way its work is given the time to end
            task.add_done_callback(looked_at)
            task.cancel()
            await done_by(clock, clock.monotonic() + grace_s, task)
    if task.cancelled():
        raise RuntimeError("it was cancelled from within")
    return task.result()


async def done_by(clock: Clock, deadline: float, *tasks: "asyncio.Task[Any]") -> bool:
    """Wait for ``tasks``, or until ``clock`` has reached ``deadline``; return whether all of them are done."""
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def look(_task: object = None) -> None:
        if not over.done() and all(task.done() for task in tasks):
            over.set_result(None)

    def expire() -> None:
        if not over.done():
            over.set_result(None)

    timer = clock.call_at(deadline, expire)
    for task in tasks:
        task.add_done_callback(look)
    look()
    try:
        await over
    finally:
        timer.cancel()
        for task in tasks:
            task.remove_done_callback(look)
    return all(task.done() for task in tasks)


async def until_set(clock: Clock, event: asyncio.Event, at: float | None) -> None:
    """Return when ``event`` is set, which ``clock`` does itself ``at`` that instant; ``None``: at none."""
    timer = None if at is None else clock.call_at(at, event.set)
    try:
        await event.wait()
    finally:
        if timer is not None:
            timer.cancel()


def looked_at(work: "asyncio.Future[Any]") -> None:
    """Take note of how ``work`` ended, as its callback, where nobody waits for it: who did it has said what failed."""
    if not work.cancelled():
        work.exception()


async def apart(work: Coroutine[Any, Any, T]) -> T:
    """Return what ``work`` returns, run in a task of its own.

    A task group in which a task failed leaves its parent, in Python 3.11.2, counted as being cancelled, and every
    ``asyncio.timeout`` in that task ends in ``CancelledError`` from then on. Here the parent is gone with the group.
    """
    task = asyncio.ensure_future(work)
    try:
        return await task
    finally:
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
