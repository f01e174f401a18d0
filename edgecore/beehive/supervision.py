"""One module from its start to its stop: started until it has, run again when it fails, stopped by a deadline."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import structlog

from edgecore.beehive.module import Module
from edgecore.clock import Clock, bounded
from edgecore.errors import EdgecoreError

log = structlog.get_logger("modules")

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
START_S = 30.0
"""How long a start may take before it is cancelled and counts as failed."""
GRACE_S = 0.1
"""How long what was cancelled may take to end; then it is left to itself."""
_LONGEST_ERROR = 500


class Roster(Protocol):
    """Who is on the bus: ``Bus``."""

    closed: bool

    def withdraw(self, name: str) -> None:
        """Take a module off the bus."""

    def readmit(self, name: str) -> None:
        """Put it there again."""


class Supervised:
    """A module, what became of it, and its task."""

    def __init__(self, module: Module, clock: Clock, bus: Roster, returned: Callable[[Module], None]) -> None:
        self.module = module
        self.name = module.name
        self.state = "waiting"
        self.restarts = 0
        self.error = ""
        self._clock = clock
        self._bus = bus
        self._returned = returned
        self._pause_s = FIRST_PAUSE_S
        self._again_at: float | None = None
        self._given_up = False
        self._life: asyncio.Task[None] | None = None
        self._run: asyncio.Task[None] | None = None

    def view(self) -> dict[str, Any]:
        """Return what ``ModuleRunner.states`` tells."""
        again_in_s = None if self._again_at is None else round(max(0.0, self._again_at - self._clock.monotonic()), 3)
        return {"state": self.state, "restarts": self.restarts, "error": self.error, "again_in_s": again_in_s}

    def status(self) -> dict[str, Any]:
        """Return what the module says of itself; one that fails to is not to hide the others."""
        try:
            return self.module.status()
        except Exception:
            log.exception("module_status_failed", module=self.name)
            return {}

    def tasks(self) -> Iterator["asyncio.Task[None]"]:
        """Yield the tasks that there are of the module."""
        yield from (task for task in (self._life, self._run) if task is not None)

    async def begin(self) -> None:
        """Start the module, and have it run; where it cannot start, go on: it is tried again."""
        if self._given_up:
            return
        started = await self._start()
        if not started:
            self._bus.withdraw(self.name)
        self._life = asyncio.create_task(self._live(started), name=f"module {self.name}")

    def give_up(self) -> None:
        """Neither start nor run it again: the node stops."""
        self._given_up = True
        if self.state != "running" and self._life is not None:
            self._life.cancel()

    async def stop(self, deadline: float) -> bool:
        """Stop the module, if that was not done; return whether it did so before ``deadline``, or failed to."""
        if self.state == "stopped":
            return True
        self.state, self._again_at = "stopping", None
        try:
            await bounded(self._clock, deadline, self.module.stop(), grace_s=GRACE_S)
        except TimeoutError:
            return False
        except Exception:
            log.exception("module_stop_failed", module=self.name)
        finally:
            self.state = "stopped"
        return True

    async def _start(self) -> bool:
        self.state = "starting"
        try:
            await bounded(self._clock, self._clock.monotonic() + START_S, self.module.start(), grace_s=GRACE_S)
        except TimeoutError as error:
            self._not_started(EdgecoreError(str(error) or f"it did not start within {START_S:g} s"))
        except Exception as error:
            self._not_started(error)
        else:
            self._pause_s = FIRST_PAUSE_S
            return True
        return False

    def _not_started(self, error: Exception) -> None:
        self.state = "failed"
        before, self.error = self.error, _text(error)
        # A traceback once: what is tried again for hours fails in the same way, and its line is enough.
        trace = error if not isinstance(error, EdgecoreError) and self.error != before else None
        log.error(
            "module_not_started",
            module=self.name,
            error=self.error,
            restarts=self.restarts,
            again_in_s=self._pause_s,
            exc_info=trace,
        )

    async def _live(self, started: bool) -> None:
        while not started:
            await self._pause()
            started = await self._start()
            if started:
                log.info("module_started_at_last", module=self.name, restarts=self.restarts)
                self._bus.readmit(self.name)
                self._returned(self.module)
        while not self._given_up and not self._bus.closed:
            self.state = "running"
            began = self._clock.monotonic()
            # In a task of its own: a task group that failed in it may leave it, in Python 3.11.2, counted as cancelled.
            run = self._run = asyncio.create_task(self.module.run(), name=f"module {self.name} runs")
            await asyncio.wait({run})
            if self._given_up or not self._has_crashed(run):
                return
            if self._clock.monotonic() - began > LONGEST_PAUSE_S:
                self._pause_s = FIRST_PAUSE_S
            self.state = "restarting"
            log.error(
                "module_crashed",
                module=self.name,
                error=self.error,
                restarts=self.restarts,
                again_in_s=self._pause_s,
                exc_info=None if run.cancelled() else run.exception(),
            )
            await self._pause()

    def _has_crashed(self, run: "asyncio.Task[None]") -> bool:
        """Look at a run that has ended; it was to last until the bus is closed."""
        error = None if run.cancelled() else run.exception()
        if self._bus.closed:
            return False
        if error is not None and not isinstance(error, Exception):
            raise error
        words = "its run was cancelled from within" if run.cancelled() else "its run ended by itself"
        self.error = words if error is None else _text(error)
        return True

    async def _pause(self) -> None:
        pause_s, self._pause_s = self._pause_s, min(2 * self._pause_s, LONGEST_PAUSE_S)
        self._again_at = self._clock.monotonic() + pause_s
        await self._clock.sleep(pause_s)
        self._again_at = None
        self.restarts += 1


def _text(error: BaseException) -> str:
    """Return an error in one line: of a group, which says nothing itself, the first that is in it."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    text = str(error) if isinstance(error, EdgecoreError) else f"{type(error).__name__}: {error}"
    return text[:_LONGEST_ERROR]
