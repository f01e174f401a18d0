"""A process that answers beside the node: ``python -m edgecore.modules.edgemesh.dns.workers.worker <socket>``.

It is told everything over that socket, by the node that started it, and ends when the node ends it or is gone. So it
leaves the signals of a terminal and of a service manager, which go to all processes, to the node.
"""

import asyncio
import signal
import socket
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
import uvloop

from edgecore.clock import Clock, SystemClock
from edgecore.ids import random_query_id
from edgecore.modules.edgemesh.dns.answering import Answering
from edgecore.modules.edgemesh.dns.listening.listeners import Bind
from edgecore.modules.edgemesh.dns.listening.sockets import Sharing
from edgecore.modules.edgemesh.dns.recipe import Recipe
from edgecore.modules.edgemesh.dns.workers.feed import tell
from edgecore.modules.edgemesh.dns.workers.workerlink import (
    TOLD_EVERY_S,
    Begin,
    Complaint,
    Counted,
    Line,
    Link,
    Listen,
    Order,
)
from edgecore.modules.edgemesh.dns.zone.nametable import NameTable


class Worker:
    """Does what comes over ``link``."""

    def __init__(self, link: Link[Order], clock: Clock) -> None:
        self._link = link
        self._clock = clock
        self._names: NameTable | None = None
        self._answering: Answering | None = None

    async def run(self) -> None:
        """Answer until the node says no more."""
        counting = asyncio.create_task(self._count())
        try:
            async for order in self._link.heard():
                await self._obey(order)
        finally:
            counting.cancel()
            if self._answering is not None:
                await self._answering.stop()
                self._link.tell(Counted(self._answering.figures()))
            await self._link.close()

    async def _obey(self, order: Order) -> None:
        match order:
            case Begin(recipe):
                self._begin(recipe)
            case Listen(host, port):
                if self._answering is not None:
                    await self._answering.listeners.listen([Bind(host, port)])
            case _:
                if self._names is not None:
                    tell(self._names, order)

    def _begin(self, recipe: Recipe) -> None:
        self._names = recipe.names.table()
        self._answering = Answering(
            self._names,
            recipe,
            clock=self._clock,
            random_id=random_query_id,
            report=lambda *complaint: self._link.mention(Complaint(*complaint)),
            sharing=Sharing.MORE,
        )

    async def _count(self) -> None:
        while True:
            if self._answering is not None:
                self._link.mention(Counted(self._answering.figures()))
            await self._clock.sleep(TOLD_EVERY_S)


def log_to(link: Link[Order]) -> None:
    """Have the lines of this process written by the node."""

    def hand_over(_logger: Any, method: str, event: MutableMapping[str, Any]) -> Any:
        values = dict(event)
        text, name = str(values.pop("event", "")), str(values.pop("logger", "edgemesh.dns"))
        link.mention(Line(method, name, text, values))
        raise structlog.DropEvent

    structlog.configure(processors=[structlog.processors.format_exc_info, hand_over], cache_logger_on_first_use=False)


async def serve(sock: socket.socket) -> None:
    """Be a worker, told by the other end of ``sock``."""
    reader, writer = await asyncio.open_unix_connection(sock=sock)
    link: Link[Order] = Link(reader, writer, Order)
    log_to(link)
    await Worker(link, SystemClock()).run()


def main() -> None:
    """Run the program."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    uvloop.run(serve(socket.socket(fileno=int(sys.argv[1]))))


if __name__ == "__main__":
    main()
