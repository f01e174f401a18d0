"""Starts, watches and stops all modules.

=========  =============================================================================
state      meaning
=========  =============================================================================
waiting    registered on the bus, not started
starting   its ``start`` runs: sockets are bound, state is read
running    its ``run`` runs
restarting its ``run`` ended, with an error or by itself; it is run again after a pause that doubles
failed     its ``start`` raised or took too long; it is tried again after a pause that doubles
stopping   its ``stop`` runs
stopped    its ``stop`` has returned, or was given up
=========  =============================================================================

All modules are registered on the bus before any is started (bug B7). A module whose ``run`` fails keeps its mailbox, so
what is sent to it meanwhile waits. One that has not started is off the bus: what is sent to it is dropped and counted
at once, and no sender waits for it; it is on the bus again as soon as it has started.
"""

from collections.abc import Callable, Sequence
from typing import Any

import structlog

from edgecore.beehive.module import Module
from edgecore.beehive.supervision import GRACE_S, Roster, Supervised
from edgecore.clock import Clock, done_by

log = structlog.get_logger("modules")

STOP_S = 4.0
"""How long the modules may take to stop, all together."""
MODULE_STOP_S = 2.5
"""How long one of them may; Edged gives the processes of pods 2 s of that."""
KEPT_STOP_S = 0.15
"""So much of that time is kept for each module that is still to be stopped, whatever the ones before it took."""


class ModuleRunner:
    """Starts modules in order, runs each in a task, restarts those that fail, stops them in reverse order.

    ``bus`` is where a module that has not started is taken off, for nobody would ever empty its mailbox, and its
    senders would wait for room. ``returned`` hears of a module that is on the bus again, at that instant: what was
    said to all meanwhile it has not heard.
    """

    def __init__(
        self,
        modules: Sequence[Module],
        clock: Clock,
        bus: Roster,
        returned: Callable[[Module], None] = lambda _module: None,
    ) -> None:
        self._clock = clock
        self._supervised = [Supervised(module, clock, bus, returned) for module in modules]

    @property
    def modules(self) -> list[Module]:
        """The modules, in the order in which they start."""
        return [one.module for one in self._supervised]

    async def start(self) -> None:
        """Start every module, each when the one before it has started or failed; a failed one is tried again later."""
        for one in self._supervised:
            await one.begin()

    async def stop(self, close_bus: Callable[[], None]) -> list[str]:
        """Stop every module, the last started first; return the names of those that would not stop in time.

        Modules stop while the bus still carries messages, so that the last acknowledgements leave; then ``close_bus``
        is called, and tasks that are still there are cancelled. All that takes ``STOP_S`` at most, and a grace or two:
        what does not heed its cancellation is left to itself.
        """
        deadline = self._clock.monotonic() + STOP_S
        stubborn: list[str] = []
        for one in self._supervised:
            one.give_up()
        for left, one in reversed([*enumerate(self._supervised)]):
            now = self._clock.monotonic()
            if not await one.stop(min(now + MODULE_STOP_S, max(now, deadline - left * KEPT_STOP_S))):
                stubborn.append(one.name)
        close_bus()
        tasks = [task for one in self._supervised for task in one.tasks() if not task.done()]
        for task in tasks:
            task.cancel()
        if not await done_by(self._clock, max(deadline, self._clock.monotonic() + GRACE_S), *tasks):
            hanging = [one.name for one in self._supervised if not all(task.done() for task in one.tasks())]
            stubborn += [name for name in hanging if name not in stubborn]
        return stubborn

    def states(self) -> dict[str, dict[str, Any]]:
        """Return for each module its state, the number of restarts, the last error, and when it is tried again."""
        return {one.name: one.view() for one in self._supervised}

    def statuses(self) -> dict[str, dict[str, Any]]:
        """Return what each module says of itself; nothing for one that fails to."""
        return {one.name: one.status() for one in self._supervised}
