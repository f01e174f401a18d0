"""The node's link to its keeper: started, asked to do steps, told the will, said goodbye to.

One ``KeeperLink`` is one keeper. When that ends by itself, or does not answer and is killed, whoever waits is told, and
``on_end`` is called once; then another link has to be made.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import NamedTuple, TypeVar, cast

import structlog

from edgecore.clock import Clock, Timer, before
from edgecore.errors import ContentError, InterceptError
from edgecore.modules.edgemesh.intercept.keeper.child import EXIT_S, Child
from edgecore.modules.edgemesh.intercept.keeper.protocol import (
    COMMAND_LIMIT_S,
    Ask,
    Bye,
    Command,
    Done,
    Frames,
    News,
    Ready,
    Said,
    Step,
    TakeOver,
    Told,
    Tool,
    Will,
    frame,
)

log = structlog.get_logger("edgemesh.intercept")

OUTSTANDING_LIMIT = 64
"""So many requests may wait for their answers."""
UNSENT_LIMIT_BYTES = 64 << 20
"""So much may wait for the keeper to take it."""
START_S = 10.0
NFT_LIMIT_S = 30.0
"""A keeper that works on one transaction of nftables for longer is killed."""

T = TypeVar("T")


class KeeperEnd(NamedTuple):
    """A keeper that ended by itself. ``code`` is negative for a signal, ``None`` if it goes on doing its will."""

    pid: int
    code: int | None


class _Asked(NamedTuple):
    answer: asyncio.Future[str]
    limit_s: float


class KeeperLink(asyncio.Protocol):
    """A keeper and the way to it."""

    def __init__(self, clock: Clock, on_end: Callable[[KeeperEnd], object]) -> None:
        self.pid = 0
        """Of the keeper; 0 before ``start``."""
        self.nft: Tool = "missing"
        """How the keeper speaks nftables; known from ``start`` on."""
        self._clock = clock
        self._on_end = on_end
        self._child: Child | None = None
        self._transport: asyncio.Transport | None = None
        self._frames = Frames(News)
        self._asked: dict[int, _Asked] = {}  # in the order in which they are answered
        self._number = 0
        self._limit: Timer | None = None  # for the first of them
        self._will = Will()
        self._is_leaving = False
        self._ready: asyncio.Future[Tool] | None = None
        self._closed: asyncio.Future[None] | None = None
        self._farewell: asyncio.Task[None] | None = None

    @property
    def holds_tables(self) -> bool:
        """Whether tables that the keeper makes can have the flag ``owner``."""
        return self.nft == "library"

    @property
    def is_alive(self) -> bool:
        """Whether the keeper can be asked."""
        return self._transport is not None and not self._is_leaving

    async def start(self) -> None:
        """Start the keeper; once. Raises ``InterceptError`` (``keeper_gone``) if it does not get ready."""
        loop = asyncio.get_running_loop()
        self._ready, self._closed = loop.create_future(), loop.create_future()
        ours, its = socket.socketpair()
        with its:
            try:
                self._child = Child(its)
            except OSError as error:
                ours.close()
                raise InterceptError("keeper_gone", f"the keeper cannot be started: {error.strerror}") from error
        self.pid = self._child.pid
        try:
            await loop.create_unix_connection(lambda: self, sock=ours)
            self.nft = await before(self._clock, self._clock.monotonic() + START_S, _result(self._ready))
        except BaseException as error:
            self._is_leaving = True
            self._ready.cancel()
            self._child.kill()  # it has done nothing yet
            await self._end_child()
            if not isinstance(error, TimeoutError | ConnectionError):
                raise
            reason = str(error) or f"the keeper was not ready within {START_S:g} s"
            raise InterceptError("keeper_gone", f"{reason}; see what the node prints") from error
        log.info("intercept_keeper_started", pid=self.pid, nftables=self.nft)

    async def ask(self, *steps: Step) -> str:
        """Have the keeper do ``steps`` in order, and return what the last one printed.

        Raises ``InterceptError``: ``refused`` (also: too many requests wait), ``no_permission``, ``no_tool`` or
        ``keeper_gone``. The text says which step failed, and the tool's words; the steps before it are done.
        """
        limit_s = sum(COMMAND_LIMIT_S if isinstance(step, Command) else NFT_LIMIT_S for step in steps)
        return await self._answer(lambda number: Ask(number, steps), limit_s)

    async def take_over(self, subnet: str) -> bool:
        """Be the one that keeps ``subnet``; the keeper of a node that is gone leaves. Returns whether there was one.

        To be called when the rules are made, for connections go on only if some chain of NAT is there all the time,
        and before routes and interfaces are, for the old one may be about to take its own away. Raises
        ``InterceptError``: ``in_use`` (another node lives, or whoever has the name is silent), or as ``ask``.
        """
        return await self._answer(lambda number: TakeOver(number, subnet), NFT_LIMIT_S) == "left"

    def will(self, will: Will) -> None:
        """Have this done when the node is gone, in place of what was told before. Holds for what is asked after it.

        Raises ``InterceptError`` (``refused``) if it is too long. Nothing happens if the keeper is gone.
        """
        if self.is_alive:
            self._tell(will)
            self._will = will

    async def bye(self, *, linger: bool) -> None:
        """Have the will done.

        Returns when all of it is done and the keeper is gone, or, if it lingers, when ``at_once`` is done. May be
        called again, and after the keeper's end.
        """
        if self._child is None or self._closed is None:
            return
        lingers = linger and self._will.linger_s > 0
        if self.is_alive:
            self._tell(Bye(lingers))
            self._is_leaving = True
        steps = len(self._will.at_once) + len(self._will.at_last)
        try:
            await before(self._clock, self._clock.monotonic() + EXIT_S + steps * COMMAND_LIMIT_S, _result(self._closed))
        except TimeoutError:
            log.error("intercept_keeper_would_not_end", pid=self.pid, then="it is killed")
            self._child.kill()
            lingers = False
        finally:
            if self._transport is not None:
                self._transport.abort()
        if self._farewell is not None:
            await self._farewell
        elif lingers:
            self._child.forget()
        else:
            await self._end_child()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See ``asyncio.Protocol``."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """See ``asyncio.Protocol``."""
        self._frames.feed(data)
        try:
            for news in self._frames.messages():
                self._hear(news)
        except ContentError as error:
            self._give_up(str(error))

    def connection_lost(self, exc: Exception | None) -> None:
        """See ``asyncio.Protocol``."""
        self._transport = None
        if self._limit is not None:
            self._limit.cancel()
        for asked in self._asked.values():
            if not asked.answer.done():
                asked.answer.set_exception(_gone())
        self._asked.clear()
        if self._closed is not None and not self._closed.done():
            self._closed.set_result(None)
        if self._ready is not None and not self._ready.done():
            self._ready.set_exception(ConnectionResetError("the keeper ended before it was ready"))
        elif not self._is_leaving:
            self._farewell = asyncio.create_task(self._mourn(), name="edgemesh keeper's end")

    async def _answer(self, request: Callable[[int], Ask | TakeOver], limit_s: float) -> str:
        if not self.is_alive:
            raise _gone()
        if len(self._asked) >= OUTSTANDING_LIMIT:
            raise InterceptError("refused", f"{OUTSTANDING_LIMIT} requests wait for the keeper already")
        self._number += 1
        self._tell(request(self._number))
        asked = _Asked(asyncio.get_running_loop().create_future(), limit_s)
        self._asked[self._number] = asked
        if len(self._asked) == 1:
            self._limit_first()
        return await asked.answer

    def _tell(self, message: Told) -> None:
        assert self._transport is not None  # noqa: S101 - it is alive
        try:
            framed = frame(message)
        except ContentError as error:
            raise InterceptError("refused", str(error)) from error
        if self._transport.get_write_buffer_size() + len(framed) > UNSENT_LIMIT_BYTES:
            raise InterceptError("refused", "the keeper does not take what it is told")
        self._transport.write(framed)

    def _hear(self, news: News) -> None:
        match news:
            case Ready(nft):
                if self._ready is not None and not self._ready.done():
                    self._ready.set_result(nft)
            case Said(level, event, values):
                getattr(log, level)(event, **values | {"pid": self.pid})
            case Done(number, output, error, reason):
                asked = self._asked.pop(number, None)
                self._limit_first()
                if asked is None or asked.answer.done():  # whoever asked does not wait any more
                    return
                if reason:
                    asked.answer.set_exception(InterceptError(reason, error))
                else:
                    asked.answer.set_result(output)

    def _limit_first(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
        if self._asked:
            first = next(iter(self._asked.values()))
            late = f"the keeper did not answer within {first.limit_s + EXIT_S:g} s"
            when = self._clock.monotonic() + first.limit_s + EXIT_S
            self._limit = self._clock.call_at(when, lambda: self._give_up(late))

    def _give_up(self, reason: str) -> None:
        log.error("intercept_keeper_killed", pid=self.pid, reason=reason)
        if self._child is not None:
            self._child.kill()
        if self._transport is not None:
            self._transport.abort()

    async def _mourn(self) -> None:
        code = await self._end_child()
        log.error("intercept_keeper_ended", pid=self.pid, exit_code=code, then="its rules are gone")
        self._on_end(KeeperEnd(self.pid, code))

    async def _end_child(self) -> int | None:
        assert self._child is not None  # noqa: S101 - it was started
        if self._transport is not None:
            self._transport.abort()
        return await self._child.end(self._clock)


async def _result(future: asyncio.Future[T]) -> T:
    return await asyncio.shield(future)


def _gone() -> InterceptError:
    return InterceptError("keeper_gone", "the process that keeps the rules is gone; it is started again")
