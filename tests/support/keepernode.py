"""A node that is nothing but its link to a keeper: a program for tests that run it in a namespace and kill it.

It reads one instruction a line: a message of the protocol as JSON (``id`` is any number), or ``start``. It prints one
line for each, as JSON: what came of it; and one for the keeper's end, whenever that is.
"""

import asyncio
import json
import os
import signal
import sys

import msgspec
import structlog

from edgecore.clock import SystemClock
from edgecore.errors import InterceptError
from edgecore.modules.edgemesh.intercept.keeper.link import KeeperLink
from edgecore.modules.edgemesh.intercept.keeper.protocol import Ask, Bye, TakeOver, Told, Will


async def follow() -> None:
    link = KeeperLink(SystemClock(), lambda end: tell({"ended": end.pid, "code": end.code}))
    reader = asyncio.StreamReader(limit=1 << 24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await link.start()
    tell({"keeper": link.pid, "node": os.getpid(), "nft": link.nft})
    while line := await reader.readline():
        try:
            tell({"done": await obey(link, msgspec.json.decode(line, type=Told))})
        except InterceptError as error:
            tell({"reason": error.reason, "text": str(error)})


async def obey(link: KeeperLink, told: Told) -> object:
    match told:
        case Will():
            return link.will(told)
        case Ask(_, steps):
            return await link.ask(*steps)
        case TakeOver(_, subnet):
            return await link.take_over(subnet)
        case Bye(linger):
            return await link.bye(linger=linger)


def tell(what: object) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # as a node that is ending, and lets its clients finish
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    asyncio.run(follow())
