"""Work on messages that waits for others, each in a task, so that no other message waits for it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from edgecore.beehive.message import Message
from edgecore.modules.metamanager.endings import Ending

Work = Coroutine[Any, Any, Ending | None]
CarryThrough = Callable[[Message, Work], Coroutine[Any, Any, None]]
"""Awaits the work on a message, and says in the ledger how it ended."""


class UnderWay:
    """The tasks of one kind of work. Who begins one bounds how many there are."""

    def __init__(self, carry_through: CarryThrough) -> None:
        self._carry_through = carry_through
        self._tasks: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def begin(self, message: Message, work: Work) -> None:
        """Do ``work`` on ``message`` in a task of its own."""
        route = message.route
        name = f"metamanager {route.operation} {route.resource}"
        task = asyncio.create_task(self._carry_through(message, work), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Give up what is under way."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
