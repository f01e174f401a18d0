"""What a program of a crew's workers is made of: ``python -m <program> <socket>``.

It is told everything over that socket, by the node that started it, and ends when the node ends it or is gone. So it
leaves the signals of a terminal and of a service manager, which go to all processes, to the node.
"""

import asyncio
import ctypes
import signal
import socket
import sys
from collections.abc import Callable, MutableMapping
from contextlib import suppress
from typing import Any, Protocol

import structlog
import uvloop
from msgspec import Struct

from edgecore.clock import Clock, SystemClock
from edgecore.modules.edgemesh.workers.link import TOLD_EVERY_S, Counted, Line, Link

_PR_SET_PDEATHSIG = 1
"""``prctl(2)``; Linux alone has it."""


class Duty(Protocol):
    """What a worker does."""

    async def obey(self, order: Any) -> None:
        """Do what the node says."""

    def figures(self) -> Any:
        """Return what was counted since it began, and is told then; ``None`` before it has begun."""

    async def stop(self) -> None:
        """End, and return when everything is closed."""


MakeDuty = Callable[[Link[Struct], Clock], Duty]


async def follow(link: Link[Struct], duty: Duty, clock: Clock) -> None:
    """Have ``duty`` do what comes over ``link``, until the node says no more."""
    counting = asyncio.create_task(_count(link, duty, clock))
    try:
        async for order in link.heard():
            await duty.obey(order)
    finally:
        counting.cancel()
        await duty.stop()
        _tell_figures(link, duty)
        await link.close()


async def _count(link: Link[Struct], duty: Duty, clock: Clock) -> None:
    while True:
        _tell_figures(link, duty)
        await clock.sleep(TOLD_EVERY_S)


def _tell_figures(link: Link[Struct], duty: Duty) -> None:
    figures = duty.figures() if link.has_room else None
    if figures is not None:
        link.tell(Counted(figures))


def log_to(link: Link[Struct], logger: str) -> None:
    """Have the lines of this process written by the node; those that name no logger are of ``logger``."""

    def hand_over(_logger: Any, method: str, event: MutableMapping[str, Any]) -> Any:
        values = dict(event)
        text, name = str(values.pop("event", "")), str(values.pop("logger", logger))
        link.mention(Line(method, name, text, values))
        raise structlog.DropEvent

    structlog.configure(processors=[structlog.processors.format_exc_info, hand_over], cache_logger_on_first_use=False)


async def _serve(sock: socket.socket, orders: Any, make_duty: MakeDuty, logger: str) -> None:
    reader, writer = await asyncio.open_unix_connection(sock=sock)
    link: Link[Struct] = Link(reader, writer, orders)
    log_to(link, logger)
    clock = SystemClock()
    await follow(link, make_duty(link, clock), clock)


def run_worker(orders: Any, make_duty: MakeDuty, logger: str) -> None:
    """Be the program of a worker; ``orders`` is the union of what it can be told."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _end_with_node()
    uvloop.run(_serve(socket.socket(fileno=int(sys.argv[1])), orders, make_duty, logger))


def _end_with_node() -> None:
    """Have the system kill this process when the node ends: one that stands still would not see the link close."""
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
