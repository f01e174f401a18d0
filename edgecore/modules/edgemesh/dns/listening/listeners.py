"""Where queries come in: a UDP and a TCP listener at each of some addresses.

An address that cannot be bound (another program has it; it is of an interface that is not there yet) is kept with the
reason and tried again every ``RETRY_S``; the log has one line when it begins to fail and one when it listens after all.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import NamedTuple

import structlog

from edgecore.addresses import join_address
from edgecore.clock import Clock, Timer
from edgecore.errors import ListenError, listen_error
from edgecore.modules.edgemesh.dns.listening.asker import Answers
from edgecore.modules.edgemesh.dns.listening.sockets import Pair, bind_pair, bind_pair_auto
from edgecore.modules.edgemesh.dns.listening.tcp import CONNECTIONS_LIMIT, TcpConnections
from edgecore.modules.edgemesh.dns.listening.udp import UdpListener
from edgecore.modules.edgemesh.dns.resolver.exchange import Server
from edgecore.modules.edgemesh.workers.sharing import Sharing

log = structlog.get_logger("edgemesh.dns")

RETRY_S = 5.0


class Bind(NamedTuple):
    """Where to listen. With ``next_free`` it is at the first port that is free from ``port`` on."""

    host: str
    port: int
    next_free: bool = False
    rather: int = 0
    """A port that is tried before ``port``, if that may be another."""

    def __str__(self) -> str:
        return join_address(self.host, self.port)


class NotBound(NamedTuple):
    """An address that cannot be listened at: the word of ``ListenError``, a text, since when (Unix milliseconds)."""

    bind: Bind
    reason: str
    text: str
    since_ms: int


class _Open:
    def __init__(self, udp: UdpListener, tcp: asyncio.Server) -> None:
        self.udp = udp
        self.tcp = tcp


class Listeners:
    """The listeners of one process. ``on_bound`` is told of each address that is listened at, with its port."""

    def __init__(
        self,
        answers: Answers,
        clock: Clock,
        *,
        sharing: Sharing = Sharing.ALONE,
        connections_limit: int = CONNECTIONS_LIMIT,
        on_bound: Callable[[Server], object] = lambda address: None,
    ) -> None:
        self.connections = TcpConnections(answers, clock, limit=connections_limit)
        self._answers = answers
        self._clock = clock
        self._sharing = sharing
        self._on_bound = on_bound
        self._open: dict[Bind, _Open] = {}
        self._failed: dict[Bind, NotBound] = {}
        self._retry: Timer | None = None
        self._retrying: asyncio.Task[None] | None = None

    @property
    def addresses(self) -> tuple[Server, ...]:
        """Where is listened."""
        return tuple(listener.udp.address for listener in self._open.values())

    @property
    def not_bound(self) -> tuple[NotBound, ...]:
        """The addresses that could not be bound, those that have failed the longest first."""
        return tuple(self._failed.values())

    async def listen(self, binds: Iterable[Bind]) -> None:
        """Listen at ``binds``: now, or as soon as it can be done."""
        for bind in dict.fromkeys(binds):
            if bind not in self._open:
                await self._try(bind)
        self._retry_later()

    async def stop(self) -> None:
        """Close everything."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        if self._retrying is not None:
            self._retrying.cancel()
            await asyncio.gather(self._retrying, return_exceptions=True)
        listeners, self._open = self._open, {}
        self._failed.clear()
        for listener in listeners.values():
            listener.udp.close()
            listener.tcp.close()
        self.connections.close()
        for listener in listeners.values():
            await listener.tcp.wait_closed()

    async def _try(self, bind: Bind) -> None:
        try:
            pair = self._bound(bind)
        except ListenError as error:
            self._note_failure(bind, error)
            return
        try:
            listener = await self._serve(bind, pair)
        except OSError as error:  # no file is left, or no memory
            self._note_failure(bind, listen_error(join_address(bind.host, bind.port), error))
            return
        failure = self._failed.pop(bind, None)
        after_s = None if failure is None else (self._clock.now_ms() - failure.since_ms) / 1000
        log.info("dns_listening", address=join_address(*listener.udp.address), after_s=after_s)
        self._on_bound(listener.udp.address)

    async def _serve(self, bind: Bind, pair: Pair) -> _Open:
        """Have the loop accept what comes. Raises ``OSError`` with nothing left open."""
        tcp = None
        try:
            tcp = await asyncio.get_running_loop().create_server(
                self.connections.new, sock=pair.tcp, start_serving=False
            )
            listener = self._open[bind] = _Open(UdpListener(pair.udp, self._answers), tcp)
        except BaseException:
            if tcp is not None:
                tcp.close()
            pair.close()
            raise
        try:
            await tcp.start_serving()  # whoever is cancelled here finds it among those to close
        except OSError:
            del self._open[bind]
            listener.udp.close()
            tcp.close()
            raise
        return listener

    def _bound(self, bind: Bind) -> Pair:
        if bind.next_free:
            return bind_pair_auto(bind.host, bind.port, self._sharing, rather=bind.rather)
        return bind_pair(bind.host, bind.port, self._sharing)

    def _note_failure(self, bind: Bind, error: ListenError) -> None:
        known = self._failed.get(bind)
        if known is None:
            log.warning("dns_not_listening", address=str(bind), reason=error.reason, error=str(error), again_s=RETRY_S)
        since_ms = known.since_ms if known is not None else self._clock.now_ms()
        self._failed[bind] = NotBound(bind, error.reason, str(error), since_ms)

    def _retry_later(self) -> None:
        if self._failed and self._retry is None:
            self._retry = self._clock.call_at(self._clock.monotonic() + RETRY_S, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        self._retrying = asyncio.get_running_loop().create_task(self.listen(tuple(self._failed)))
