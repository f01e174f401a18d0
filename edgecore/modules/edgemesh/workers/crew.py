"""The processes that serve beside the node: started, told of everything, counted, and started again when they end.

A worker that is gone is missed by nobody: the system gives its part to the others from that moment on. One that does
not speak for ``SILENT_S``, or does not take what it is told, is as good as gone and is killed.
"""

import asyncio
import socket
from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, Generic, TypeVar

import structlog
from msgspec import Struct

from edgecore.clock import Clock, before
from edgecore.modules.edgemesh.workers.link import Counted, Line, Link
from edgecore.ownprogram import command_of, environment

SILENT_S = 15
UNTOLD_LIMIT_BYTES = 64 << 20
"""So much may wait for a worker to take it: the services of a whole cluster."""
RESTART_S, RESTART_MAX_S = 0.5, 30.0
"""The first restart comes after the one; each next one after twice that, up to the other."""
STEADY_S = 60.0
"""One that has lived for so long is started again as if for the first time."""
STOP_S = 3.0

_LEVELS = frozenset({"debug", "info", "warning", "error"})

FiguresT = TypeVar("FiguresT")


class Member(Generic[FiguresT]):
    """One place in the crew, and the process that has it now."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.restarts = 0
        self.pid: int | None = None
        self.link: Link[Struct] | None = None
        self.process: asyncio.subprocess.Process | None = None
        self.silent_s = 0
        self.before: FiguresT | None = None
        """What the processes before it counted."""
        self.figures: FiguresT | None = None

    def kill(self) -> None:
        """End its process, if it has one."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()


class Crew(ABC, Generic[FiguresT]):
    """``size`` workers that run ``program``, a dotted name (see ``worker.py``).

    ``news`` is the union of what one says. ``work`` is the first word of the log's events, ``<work>_worker_ended``.
    """

    def __init__(self, size: int, clock: Clock, *, work: str, program: str, news: Any) -> None:
        self._work = work
        self._program = program
        self._news = news
        self._clock = clock
        self._log = structlog.get_logger(f"edgemesh.{work}")
        self._members = tuple(Member[FiguresT](number) for number in range(1, size + 1))
        self._tasks: list[asyncio.Task[None]] = []
        self._is_stopping = False

    @abstractmethod
    def everything(self) -> Iterable[Struct]:
        """Yield what a new worker has to be told, in order."""

    @abstractmethod
    def take(self, member: Member[FiguresT], news: Any) -> None:
        """Do what follows from what a worker says of its work."""

    @abstractmethod
    def total(self, figures: Iterable[FiguresT]) -> FiguresT:
        """Return the sums."""

    @abstractmethod
    def lasting(self, figures: FiguresT) -> FiguresT:
        """Return what stays of the figures of processes that are gone: what they did, not what they had."""

    def heard(self, known: FiguresT | None, news: FiguresT) -> FiguresT:
        """Return what a process has counted, by its latest ``news``; ``known`` is what this returned last."""
        return news

    def each_second(self) -> None:
        """Do what has to be done every second while the crew runs."""

    @property
    def size(self) -> int:
        """How many they are to be; 0 where the node does everything itself."""
        return len(self._members)

    @property
    def runs(self) -> bool:
        """Whether it was started, and not stopped since."""
        return bool(self._tasks)

    def start(self) -> None:
        """Start them; they serve once they know everything."""
        self._is_stopping = False
        self._tasks = [asyncio.create_task(self._keep(member)) for member in self._members]
        if self._tasks:
            self._tasks.append(asyncio.create_task(self._watch()))

    async def stop(self) -> None:
        """End them, and return when they are gone; may be called again."""
        if not self._tasks:
            return
        self._is_stopping = True
        *keepers, watcher = self._tasks
        self._tasks = []
        watcher.cancel()
        for member in self._members:
            if member.link is not None:
                member.link.finish()
        try:
            await before(self._clock, self._clock.monotonic() + STOP_S, _all(self._members))
        except TimeoutError:
            self._log.warning(f"{self._work}_workers_would_not_end", then="they are killed")
        for member in self._members:
            member.kill()
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(watcher, *keepers, return_exceptions=True)

    def tell(self, order: Struct) -> None:
        """Have every worker that runs do this; ``everything`` tells it to those that come later."""
        for member in self._members:
            if member.link is None:
                continue
            member.link.tell(order)
            if member.link.unsent_bytes > UNTOLD_LIMIT_BYTES:
                self._give_up(member, "it does not take what it is told")

    def figures(self) -> FiguresT:
        """Return what they counted, all together."""
        return self.total(self.each())

    def each(self) -> list[FiguresT]:
        """Return what they counted, each for itself, and what those before them did."""
        every = (figures for member in self._members for figures in (member.before, member.figures))
        return [figures for figures in every if figures is not None]

    @property
    def restarts(self) -> int:
        """How often one was started again."""
        return sum(member.restarts for member in self._members)

    def status(self) -> list[dict[str, Any]]:
        """Return each of them, as JSON values."""
        return [
            {
                "pid": member.pid,
                "state": "answering"
                if member.figures is not None
                else "starting"
                if member.pid is not None
                else "ended",
                "restarts": member.restarts,
            }
            for member in self._members
        ]

    async def _keep(self, member: Member[FiguresT]) -> None:
        wait_s = RESTART_S
        while not self._is_stopping:
            began = self._clock.monotonic()
            try:
                await self._live(member)
            except OSError as error:
                self._log.error(f"{self._work}_worker_not_started", worker=member.number, reason=str(error))
            except Exception:
                self._log.exception(f"{self._work}_worker_failed", worker=member.number)
            finally:
                member.kill()
            if self._clock.monotonic() - began >= STEADY_S:
                wait_s = RESTART_S
            if self._tasks:  # not being stopped
                await self._clock.sleep(wait_s)
            wait_s = min(2 * wait_s, RESTART_MAX_S)
            member.restarts += 1

    async def _live(self, member: Member[FiguresT]) -> None:
        """Start a process and listen to it until it ends."""
        ours, its = socket.socketpair()
        with its:
            reader, writer = await asyncio.open_unix_connection(sock=ours)
            link: Link[Struct] = Link(reader, writer, self._news)
            try:
                member.process = await _spawn(self._program, its)
            except BaseException:
                await link.close()
                raise
        member.pid, member.link, member.silent_s = member.process.pid, link, 0
        for order in self.everything():
            link.tell(order)
        if self._is_stopping:
            link.finish()
        self._log.info(f"{self._work}_worker_started", worker=member.number, pid=member.pid)
        try:
            async for news in link.heard():
                member.silent_s = 0
                self._hear(member, news)
            code = await member.process.wait()
        finally:
            member.link = member.pid = None
            self._keep_figures(member)
            member.kill()  # what is not sent to it would be waited for
            await link.close()
        if not self._is_stopping:
            self._log.error(
                f"{self._work}_worker_ended", worker=member.number, exit_code=code, then="it is started again"
            )

    def _keep_figures(self, member: Member[FiguresT]) -> None:
        if member.figures is not None:
            known = (member.figures,) if member.before is None else (member.before, member.figures)
            member.before, member.figures = self.lasting(self.total(known)), None

    def _hear(self, member: Member[FiguresT], news: Any) -> None:
        match news:
            case Counted(figures):
                member.figures = self.heard(member.figures, figures)
            case Line(level, logger, event, values):
                say = getattr(structlog.get_logger(logger), level if level in _LEVELS else "error")
                say(event, **values | {"worker": member.number})
            case _:
                self.take(member, news)

    async def _watch(self) -> None:
        """Count seconds, not time: if it was this process that stood still, the workers are not to blame."""
        while True:
            await self._clock.sleep(1.0)
            self.each_second()
            for member in self._members:
                if member.link is not None:
                    member.silent_s += 1
                    if member.silent_s > SILENT_S:
                        self._give_up(member, f"it said nothing for {SILENT_S} s")

    def _give_up(self, member: Member[FiguresT], reason: str) -> None:
        self._log.error(f"{self._work}_worker_killed", worker=member.number, pid=member.pid, reason=reason)
        member.silent_s = 0
        member.link = None
        member.kill()


async def _all(members: Iterable[Member[FiguresT]]) -> None:
    for member in members:
        if member.process is not None:
            await member.process.wait()


async def _spawn(program: str, sock: socket.socket) -> asyncio.subprocess.Process:
    """Start a process that has ``sock``."""
    return await asyncio.create_subprocess_exec(
        *command_of(program, str(sock.fileno())),
        pass_fds=(sock.fileno(),),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        env=environment(),
    )
