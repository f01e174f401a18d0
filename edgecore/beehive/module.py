"""What a module is, and the runner that starts, watches and stops all of them.

=========  =============================================================================
state      meaning
=========  =============================================================================
waiting    registered on the bus, not started
starting   its ``start`` runs: sockets are bound, state is read
running    its ``run`` runs
restarting its ``run`` ended with an error; it is run again after a pause that doubles
failed     its ``start`` raised: it is not running, the others are; what is sent to it is dropped at once
stopped    its ``stop`` has returned
=========  =============================================================================

All modules are registered on the bus before any is started (bug B7). A module whose ``run`` fails keeps its mailbox, so
what is sent to it meanwhile waits.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import structlog

from edgecore.clock import Clock, before
from edgecore.errors import BusClosed, EdgecoreError

log = structlog.get_logger("modules")

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
STOP_TIMEOUT_S = 5.0


class Module(Protocol):
    """One module of the node. Its constructor only keeps what it is given."""

    name: str
    group: str

    async def start(self) -> None:
        """Bind sockets and open what ``run`` needs. May raise ``EdgecoreError``."""

    async def run(self) -> None:
        """Work until cancelled, or until the bus is closed."""

    async def stop(self) -> None:
        """End everything that ``start`` and ``run`` began. Safe to call in any state."""

    def status(self) -> dict[str, Any]:
        """Return what people want to know of this module, as a JSON object."""


@dataclass
class _Supervised:
    module: Module
    state: str = "waiting"
    restarts: int = 0
    error: str = ""
    task: asyncio.Task[None] | None = None


class ModuleRunner:
    """Starts modules in order, runs each in a task, restarts those that fail, stops them in reverse order.

    ``withdraw`` takes a module, by name, off the bus: nobody would ever empty the mailbox of one that did not start,
    and its senders would wait for room.
    """

    def __init__(self, modules: Sequence[Module], clock: Clock, withdraw: Callable[[str], None]) -> None:
        self._supervised = [_Supervised(module) for module in modules]
        self._clock = clock
        self._withdraw = withdraw

    async def start(self) -> None:
        """Start every module. One that cannot start is ``failed``, with its error; the others go on."""
        for one in self._supervised:
            one.state = "starting"
            try:
                await one.module.start()
            except Exception as error:
                one.state = "failed"
                if isinstance(error, EdgecoreError):
                    one.error = str(error)
                    log.error("module_not_started", module=one.module.name, error=one.error)
                else:
                    one.error = f"{type(error).__name__}: {error}"
                    log.exception("module_not_started", module=one.module.name, error=one.error)
                self._withdraw(one.module.name)
                continue
            one.task = asyncio.create_task(self._keep_running(one), name=f"module {one.module.name}")

    async def _keep_running(self, one: _Supervised) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            one.state = "running"
            began = self._clock.monotonic()
            try:
                await one.module.run()
            except (BusClosed, asyncio.CancelledError):
                raise
            except Exception as error:
                if self._clock.monotonic() - began > LONGEST_PAUSE_S:
                    pause_s = FIRST_PAUSE_S
                one.error = f"{type(error).__name__}: {error}"
                log.exception("module_crashed", module=one.module.name, restarts=one.restarts, again_in_s=pause_s)
            else:
                return
            one.state = "restarting"
            one.restarts += 1
            await self._clock.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def stop(self, close_bus: Callable[[], None]) -> list[str]:
        """Stop every module, the last started first; return the names of those that would not stop in time.

        Modules stop while the bus still carries messages, so that the last acknowledgements leave; then ``close_bus``
        is called, and tasks that are still there are cancelled.
        """
        stubborn: list[str] = []
        for one in reversed(self._supervised):
            try:
                await before(self._clock, self._clock.monotonic() + STOP_TIMEOUT_S, one.module.stop())
            except TimeoutError:
                stubborn.append(one.module.name)
            except Exception:
                log.exception("module_stop_failed", module=one.module.name)
            one.state = "stopped"
        close_bus()
        tasks = [one.task for one in self._supervised if one.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return stubborn

    def states(self) -> dict[str, dict[str, Any]]:
        """Return for each module its state, the number of restarts and the last error."""
        return {
            one.module.name: {"state": one.state, "restarts": one.restarts, "error": one.error}
            for one in self._supervised
        }

    def statuses(self) -> dict[str, dict[str, Any]]:
        """Return what each module says of itself."""
        return {one.module.name: one.module.status() for one in self._supervised}
