"""What the tests of the bus share: a bus in virtual time, tasks that end with the test, and what it left behind."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from edgecore.beehive.bus import Bus
from edgecore.clock import VirtualClock
from edgecore.ids import NewId

Start = Callable[[Awaitable[Any]], "asyncio.Future[Any]"]


@pytest.fixture
async def bus(vclock: VirtualClock, ids: NewId) -> AsyncIterator[Bus]:
    """Mailboxes of two messages, and 30 seconds to find room."""
    bus = Bus(vclock, ids, capacity=2)
    yield bus
    bus.close()


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Begin work in a task of its own, which is cancelled with the test."""
    tasks: list[asyncio.Future[Any]] = []

    def begin(work: Awaitable[Any]) -> asyncio.Future[Any]:
        task = asyncio.ensure_future(work)
        tasks.append(task)
        return task

    yield begin
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    tasks.clear()  # pytest keeps this fixture, and so what the tasks hold, for a while


@pytest.fixture
def timers(vclock: VirtualClock) -> Callable[[], int]:
    """Count the timers that are set."""
    return lambda: sum(timer.callback is not None for *_, timer in vclock._timers)


@pytest.fixture
async def unheeded() -> AsyncIterator[None]:
    """Fail the test if asyncio complains of an error that nobody looked at."""
    complaints: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    yield
    gc.collect()
    loop.set_exception_handler(None)
    assert not complaints
