"""The processes that answer beside the node: started, told of every name, counted, and started again when they end.

A worker that is gone is missed by nobody: the system gives its queries to the others from that moment on. One that does
not speak for ``SILENT_S``, or does not take what it is told, is as good as gone and is killed.
"""

import asyncio
import os
import socket
import sys
from typing import Any

import structlog

from edgecore.clock import Clock, before
from edgecore.modules.edgemesh.dns.listening.responder import Report
from edgecore.modules.edgemesh.dns.recipe import Recipe
from edgecore.modules.edgemesh.dns.resolver.exchange import Server
from edgecore.modules.edgemesh.dns.tally import Figures, added
from edgecore.modules.edgemesh.dns.workers.feed import Feed, Told
from edgecore.modules.edgemesh.dns.workers.workerlink import Begin, Complaint, Counted, Line, Link, Listen, News

log = structlog.get_logger("edgemesh.dns")

SILENT_S = 15
UNTOLD_LIMIT_BYTES = 64 << 20
"""So much may wait for a worker to take it: the names of a whole cluster."""
RESTART_S, RESTART_MAX_S = 0.5, 30.0
"""The first restart comes after the one; each next one after twice that, up to the other."""
STEADY_S = 60.0
"""One that has lived for so long is started again as if for the first time."""
STOP_S = 3.0

_PROGRAM = "edgecore.modules.edgemesh.dns.workers.worker"
_LEVELS = frozenset({"debug", "info", "warning", "error"})


class _Worker:
    """One place in the crew, and the process that has it now."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.restarts = 0
        self.pid: int | None = None
        self.link: Link[News] | None = None
        self.process: asyncio.subprocess.Process | None = None
        self.silent_s = 0
        self.before: Figures = {}
        """What the processes before it counted."""
        self.figures: Figures = {}

    def kill(self) -> None:
        if self.process is not None and self.process.returncode is None:
            self.process.kill()


class Crew:
    """``size`` workers that answer as ``recipe`` says, with the names of ``feed``."""

    def __init__(self, size: int, recipe: Recipe, feed: Feed, clock: Clock, report: Report) -> None:
        self._recipe = recipe
        self._feed = feed
        self._clock = clock
        self._report = report
        self._workers = tuple(_Worker(number) for number in range(1, size + 1))
        self._addresses: dict[Server, None] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._is_stopping = False

    def start(self) -> None:
        """Start them; they answer once they know all names."""
        self._is_stopping = False
        self._feed.follow(self._pass_on)
        self._tasks = [asyncio.create_task(self._keep(worker)) for worker in self._workers]
        if self._tasks:
            self._tasks.append(asyncio.create_task(self._watch()))

    def listen(self, address: Server) -> None:
        """Have them answer at ``address``, at which the node listens already."""
        self._addresses[address] = None
        self._tell(Listen(*address))

    async def stop(self) -> None:
        """End them, and return when they are gone; may be called again."""
        if not self._tasks:
            return
        self._is_stopping = True
        self._feed.unfollow(self._pass_on)
        *keepers, watcher = self._tasks
        self._tasks = []
        self._addresses.clear()
        watcher.cancel()
        for worker in self._workers:
            if worker.link is not None:
                worker.link.finish()
        try:
            await before(self._clock, self._clock.monotonic() + STOP_S, _all(self._workers))
        except TimeoutError:
            log.warning("dns_workers_would_not_end", then="they are killed")
        for worker in self._workers:
            worker.kill()
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(watcher, *keepers, return_exceptions=True)

    def figures(self) -> Figures:
        """Return what they counted, all together."""
        return added(figures for worker in self._workers for figures in (worker.before, worker.figures))

    @property
    def restarts(self) -> int:
        """How often one was started again."""
        return sum(worker.restarts for worker in self._workers)

    def status(self) -> list[dict[str, Any]]:
        """Return each of them, as JSON values."""
        return [
            {
                "pid": worker.pid,
                "state": "answering" if worker.figures else "starting" if worker.pid is not None else "ended",
                "restarts": worker.restarts,
            }
            for worker in self._workers
        ]

    async def _keep(self, worker: _Worker) -> None:
        wait_s = RESTART_S
        while not self._is_stopping:
            began = self._clock.monotonic()
            try:
                await self._live(worker)
            except OSError as error:
                log.error("dns_worker_not_started", worker=worker.number, reason=str(error))
            except Exception:
                log.exception("dns_worker_failed", worker=worker.number)
            finally:
                worker.kill()
            if self._clock.monotonic() - began >= STEADY_S:
                wait_s = RESTART_S
            if self._tasks:  # not being stopped
                await self._clock.sleep(wait_s)
            wait_s = min(2 * wait_s, RESTART_MAX_S)
            worker.restarts += 1

    async def _live(self, worker: _Worker) -> None:
        """Start a process and listen to it until it ends."""
        ours, its = socket.socketpair()
        with its:
            reader, writer = await asyncio.open_unix_connection(sock=ours)
            link: Link[News] = Link(reader, writer, News)
            try:
                worker.process = await _spawn(its)
            except BaseException:
                await link.close()
                raise
        worker.pid, worker.link, worker.silent_s = worker.process.pid, link, 0
        self._fill(link)
        if self._is_stopping:
            link.finish()
        log.info("dns_worker_started", worker=worker.number, pid=worker.pid)
        try:
            async for news in link.heard():
                worker.silent_s = 0
                self._take(worker, news)
            code = await worker.process.wait()
        finally:
            worker.link = worker.pid = None
            worker.figures.pop("now", None)
            worker.before, worker.figures = added((worker.before, worker.figures)), {}
            worker.kill()  # what is not sent to it would be waited for
            await link.close()
        if not self._is_stopping:
            log.error("dns_worker_ended", worker=worker.number, exit_code=code, then="it is started again")

    def _fill(self, link: Link[News]) -> None:
        link.tell(Begin(self._recipe))
        for told in self._feed.everything():
            link.tell(told)
        for address in self._addresses:
            link.tell(Listen(*address))

    def _take(self, worker: _Worker, news: News) -> None:
        match news:
            case Counted(figures):
                worker.figures = figures
            case Complaint(kind, reason, peer, left_out, details):
                self._report(kind, reason, peer, left_out, details)
            case Line(level, logger, event, values):
                say = getattr(structlog.get_logger(logger), level if level in _LEVELS else "error")
                say(event, **values | {"worker": worker.number})

    def _pass_on(self, told: Told) -> None:
        self._tell(told)

    def _tell(self, order: Told | Listen) -> None:
        for worker in self._workers:
            if worker.link is None:
                continue
            worker.link.tell(order)
            if worker.link.unsent_bytes > UNTOLD_LIMIT_BYTES:
                self._give_up(worker, "it does not take what it is told")

    async def _watch(self) -> None:
        """Count seconds, not time: if it was this process that stood still, the workers are not to blame."""
        while True:
            await self._clock.sleep(1.0)
            for worker in self._workers:
                if worker.link is not None:
                    worker.silent_s += 1
                    if worker.silent_s > SILENT_S:
                        self._give_up(worker, f"it said nothing for {SILENT_S} s")

    def _give_up(self, worker: _Worker, reason: str) -> None:
        log.error("dns_worker_killed", worker=worker.number, pid=worker.pid, reason=reason)
        worker.silent_s = 0
        worker.link = None
        worker.kill()


async def _all(workers: tuple[_Worker, ...]) -> None:
    for worker in workers:
        if worker.process is not None:
            await worker.process.wait()


async def _spawn(sock: socket.socket) -> asyncio.subprocess.Process:
    """Start a process that has ``sock``, and finds the program where this one did."""
    path = os.pathsep.join(entry for entry in sys.path if entry)
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        _PROGRAM,
        str(sock.fileno()),
        pass_fds=(sock.fileno(),),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": path},
    )
