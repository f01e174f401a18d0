"""The node's side of the supervisor: processes started, told signals, waited for.

The supervisor is started with the first process. If it ends by itself all processes have ended with it; the next one
that is started starts another.
"""

import asyncio
import os
import signal
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, cast

import structlog

from edgecore.clock import Clock, before
from edgecore.errors import ContentError, EdgecoreError
from edgecore.modules.edged.process.protocol import Exited, Frames, News, Orders, Refused, Run, Signal, Started, frame
from edgecore.ownprogram import command_of, environment

log = structlog.get_logger("edged.process")

END_S = 0.4
"""So long a supervisor may take to kill all, before it is killed itself."""
UNSENT_LIMIT_BYTES = 64 << 20
_PROGRAM = "edgecore.modules.edged.process.supervisor"


class ProcessRefused(EdgecoreError):  # noqa: N818 - reads as what happened
    """A process cannot be started."""


class Program(NamedTuple):
    """What is to be run. ``log`` of ``None``: nobody reads what it prints."""

    command: tuple[str, ...]
    variables: Mapping[str, str]
    directory: str
    log: Path | None = None
    log_limit_bytes: int = 0


class Running:
    """A process that was asked for.

    ``started`` has the pid, or raises ``ProcessRefused``; ``ended`` has the code, negative for a signal.
    """

    def __init__(self, number: int) -> None:
        loop = asyncio.get_running_loop()
        self.number = number
        self.started: asyncio.Future[int] = loop.create_future()
        self.ended: asyncio.Future[int] = loop.create_future()

    @property
    def pid(self) -> int:
        """Of the process, and of its group; 0 if it was not started."""
        begun = self.started.done() and not self.started.cancelled() and self.started.exception() is None
        return self.started.result() if begun else 0


class Supervision(asyncio.Protocol):
    """All processes of the node."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._running: dict[int, Running] = {}
        self._number = 0
        self._transport: asyncio.Transport | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._starting: asyncio.Task[None] | None = None
        self._frames: Frames[News] = Frames(News)
        self._is_closing = False

    @property
    def pid(self) -> int:
        """Of the supervisor; 0 if none runs."""
        return 0 if self._process is None or self._transport is None else self._process.pid

    async def run(self, program: Program) -> Running:
        """Ask for a process. Raises ``ProcessRefused`` if there is no supervisor, or what it is told is too long."""
        await self._supervised()
        self._number += 1
        order = Run(
            self._number,
            tuple(map(os.fsencode, program.command)),
            {os.fsencode(name): os.fsencode(value) for name, value in program.variables.items()},
            os.fsencode(program.directory),
            os.fsencode(program.log or ""),
            program.log_limit_bytes,
        )
        running = Running(self._number)
        self._tell(order)
        self._running[running.number] = running
        return running

    def signal(self, running: Running, number: int) -> None:
        """Send a signal to a process and its group; nothing happens if it has ended."""
        if running.number in self._running:
            with suppress(ProcessRefused):
                self._tell(Signal(running.number, number))

    async def close(self, grace_s: float) -> None:
        """End all: SIGTERM, and SIGKILL once ``grace_s`` have passed."""
        self._is_closing = True
        try:
            if self._starting is not None:
                await asyncio.gather(self._starting, return_exceptions=True)
            for running in self._running.values():
                self.signal(running, signal.SIGTERM)
            waited = [running.ended for running in self._running.values()]
            if waited:
                with suppress(TimeoutError):
                    await before(self._clock, self._clock.monotonic() + grace_s, _all(waited))
        finally:  # also where this is cancelled, because the node has no more time
            if self._transport is not None:
                self._transport.close()
        if self._process is None:
            return
        try:
            await before(self._clock, self._clock.monotonic() + END_S, self._process.wait())
        except TimeoutError:
            log.error("process_supervisor_would_not_end", pid=self._process.pid, then="it is killed")
            self._process.kill()
            await self._process.wait()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See ``asyncio.Protocol``."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """See ``asyncio.Protocol``."""
        try:
            for news in self._frames.feed(data):
                self._hear(news)
        except ContentError as error:
            log.error("process_supervisor_killed", reason=str(error))
            if self._process is not None:
                self._process.kill()
            if self._transport is not None:
                self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """See ``asyncio.Protocol``. The system kills what the supervisor had started; here their groups are."""
        self._transport = None
        lost, self._running = self._running, {}
        for running in lost.values():
            if running.pid:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(running.pid, signal.SIGKILL)
            if not running.started.done():
                running.started.set_exception(ProcessRefused("cannot start a process: its supervisor has ended"))
                running.started.exception()  # somebody may not wait any more
            if not running.ended.done():
                running.ended.set_result(-signal.SIGKILL)
        if not self._is_closing:
            log.error("process_supervisor_ended", processes=len(lost), then="another is started with the next process")

    async def _supervised(self) -> None:
        """Return once there is a supervisor, which somebody else may have begun to start."""
        if self._is_closing:
            raise ProcessRefused("cannot start a process: the node is stopping")
        if self._transport is not None:
            return
        if self._starting is None or self._starting.done():
            self._starting = asyncio.create_task(self._start(), name="edged supervisor's start")
        await asyncio.shield(self._starting)  # whoever waits may be told to go

    async def _start(self) -> None:
        if self._process is not None:  # the one before is about to end
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        ours, its = socket.socketpair()
        try:
            with its:
                self._process = await _spawn(its)
            self._frames = Frames(News)
            await asyncio.get_running_loop().create_unix_connection(lambda: self, sock=ours)
        except OSError as error:
            ours.close()
            raise ProcessRefused(f"cannot start a process: no supervisor: {error.strerror}") from error
        except asyncio.CancelledError:
            ours.close()
            raise
        log.info("process_supervisor_started", pid=self._process.pid)

    def _tell(self, order: Orders) -> None:
        if self._transport is None:
            raise ProcessRefused("cannot start a process: its supervisor has ended")
        try:
            framed = frame(order)
        except ContentError as error:
            raise ProcessRefused(f"cannot start a process: {error}") from error
        if self._transport.get_write_buffer_size() + len(framed) > UNSENT_LIMIT_BYTES:
            raise ProcessRefused("cannot start a process: the supervisor does not take what it is told")
        self._transport.write(framed)

    def _hear(self, news: News) -> None:
        running = self._running.get(news.id)
        if running is None:
            return
        match news:
            case Started(_, pid):
                if not running.started.done():
                    running.started.set_result(pid)
            case Refused(number, reason):
                del self._running[number]
                if not running.started.done():
                    running.started.set_exception(ProcessRefused(reason))
                    running.started.exception()
                if not running.ended.done():
                    running.ended.set_result(127)
            case Exited(number, code):
                del self._running[number]
                if not running.ended.done():
                    running.ended.set_result(code)


async def _all(futures: list[asyncio.Future[int]]) -> None:
    await asyncio.wait(futures)


async def _spawn(sock: socket.socket) -> asyncio.subprocess.Process:
    """Start a supervisor that has ``sock``."""
    return await asyncio.create_subprocess_exec(
        *command_of(_PROGRAM, str(sock.fileno())),
        pass_fds=(sock.fileno(),),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        start_new_session=True,
        env=environment(),
    )
