"""All active checks of one process: each when its time comes, a bounded number at one time.

Hosts that passed last time, and all others, wait in two lines, each with half of the places: thousands that do not
answer, and hold their places until the timeout, delay no check of one that is well.
"""

import asyncio
import random
from collections import deque
from collections.abc import Awaitable, Callable

import structlog

from edgecore.clock import Clock, Timer
from edgecore.modules.edgemesh.upstream.health.asking import ask
from edgecore.modules.edgemesh.upstream.health.probing import Check
from edgecore.modules.edgemesh.upstream.health.verdict import Verdict

log = structlog.get_logger("edgemesh")

AT_ONCE = 64
"""Checks that are under way at one time, half of them of hosts that passed last time; others wait in line."""
PERIOD_MIN_S = 1.0
TIMEOUT_MIN_S = 0.1
_SPREAD = 0.1
"""Periods differ by so much either way, so that the checks of many hosts do not march in step."""

Ask = Callable[[Check], Awaitable[str]]
"""Returns why a host is not well; empty if it is."""
Told = Callable[[bool, str], object]
"""Hears whether a host is well, when that has changed, and if not, why."""


class Watch:
    """Somebody who wants to know what comes of a check, until ``stop``."""

    __slots__ = ("_subject", "told")

    def __init__(self, subject: "_Subject", told: Told) -> None:
        self._subject = subject
        self.told = told

    @property
    def check(self) -> Check:
        """What is checked."""
        return self._subject.check

    @property
    def well(self) -> bool | None:
        """What is known by now."""
        return self._subject.verdict.well

    @property
    def error(self) -> str:
        """Why the last check failed; empty if it did not."""
        return self._subject.error

    def stop(self) -> None:
        """Hear no more; what nobody wants to know is not checked."""
        self._subject.drop(self)


class Checker:
    """Made once in a process. ``close`` waits for what is under way to end."""

    def __init__(self, clock: Clock, rng: random.Random, ask: Ask = ask, at_once: int = AT_ONCE) -> None:
        self._clock = clock
        self._rng = rng
        self._ask = ask
        self._subjects: dict[Check, _Subject] = {}
        self._passed = _Line(max(1, at_once // 2))
        self._others = _Line(max(1, at_once // 2))

    def __len__(self) -> int:
        return len(self._subjects)

    def watch(self, check: Check, told: Told) -> Watch:
        """Do ``check`` again and again, and tell ``told`` when its result turns."""
        subject = self._subjects.get(check)
        if subject is None:
            subject = self._subjects[check] = _Subject(check, self._forget)
            self._set(subject, self._rng.random() * _period_s(check))
        watch = Watch(subject, told)
        subject.watches.append(watch)
        return watch

    async def close(self) -> None:
        """Check nothing more."""
        for subject in list(self._subjects.values()):
            self._forget(subject)
        await asyncio.gather(*self._passed.tasks, *self._others.tasks, return_exceptions=True)

    def _forget(self, subject: "_Subject") -> None:
        self._subjects.pop(subject.check, None)
        subject.gone = True
        if subject.timer is not None:
            subject.timer.cancel()
            subject.timer = None
        if subject.task is not None:
            subject.task.cancel()

    def _set(self, subject: "_Subject", in_s: float) -> None:
        subject.timer = self._clock.call_at(self._clock.monotonic() + in_s, lambda: self._due(subject))

    def _due(self, subject: "_Subject") -> None:
        subject.timer = None
        line = self._passed if subject.passed else self._others
        line.waiting.append(subject)
        self._start(line)

    def _start(self, line: "_Line") -> None:
        while line.waiting and len(line.tasks) < line.places:
            subject = line.waiting.popleft()
            if not subject.gone:
                subject.task = asyncio.get_running_loop().create_task(self._check(subject))
                line.tasks.add(subject.task)
                subject.task.add_done_callback(lambda task: self._ended(line, task))

    def _ended(self, line: "_Line", task: asyncio.Task[None]) -> None:
        line.tasks.discard(task)
        self._start(line)

    async def _check(self, subject: "_Subject") -> None:
        began = self._clock.monotonic()
        error = "internal_error"
        try:
            error = await self._ask_in_time(subject.check)
        except Exception:  # a mistake of ours must not end the checks
            log.exception("check_not_done", endpoint=str(subject.check.address))
        subject.task = None
        if not subject.gone:
            period_s = _period_s(subject.check) * (1 - _SPREAD + 2 * _SPREAD * self._rng.random())
            self._set(subject, max(0.0, began + period_s - self._clock.monotonic()))
            subject.enter(error)

    async def _ask_in_time(self, check: Check) -> str:
        """Ask; one that takes too long is cancelled. ``clock.before`` would take a second task for it."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a coroutine runs in a task
        late = False

        def expire() -> None:
            nonlocal late
            late = True
            task.cancel()

        timer = self._clock.call_at(self._clock.monotonic() + max(TIMEOUT_MIN_S, check.probe.timeout_s), expire)
        try:
            return await self._ask(check)
        except asyncio.CancelledError:
            if late and task.uncancel() == 0:
                return "timeout"
            raise
        finally:
            timer.cancel()


class _Line:
    """Those whose time has come, in order, and the checks that are under way."""

    __slots__ = ("places", "tasks", "waiting")

    def __init__(self, places: int) -> None:
        self.places = places
        self.waiting: deque[_Subject] = deque()
        self.tasks: set[asyncio.Task[None]] = set()


class _Subject:
    """What is checked, and who wants to know."""

    __slots__ = ("_forget", "check", "error", "gone", "passed", "task", "timer", "verdict", "watches")

    def __init__(self, check: Check, forget: Callable[["_Subject"], None]) -> None:
        self.check = check
        self.verdict = Verdict()
        self.error = ""
        self.passed = False
        """Whether the last check passed; there was one."""
        self.watches: list[Watch] = []
        self.timer: Timer | None = None
        self.task: asyncio.Task[None] | None = None
        self.gone = False
        self._forget = forget

    def enter(self, error: str) -> None:
        """Take note of a check that was done."""
        self.error, self.passed = error, not error
        if self.verdict.enter(not error, self.check.probe.rise, self.check.probe.fall):
            for watch in tuple(self.watches):
                watch.told(not error, error)

    def drop(self, watch: Watch) -> None:
        """Tell ``watch`` no more."""
        if watch in self.watches:
            self.watches.remove(watch)
            if not self.watches and not self.gone:
                self._forget(self)


def _period_s(check: Check) -> float:
    return max(PERIOD_MIN_S, check.probe.period_s)
