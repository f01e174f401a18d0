"""Puts one question to the upstream servers, as ``Exchange`` plans it.

Each server that it is put to has a socket, a random port and a random id of its own for it.
"""

import asyncio
import errno
from collections.abc import Sequence
from typing import NamedTuple

from edgecore.clock import until_set
from edgecore.modules.edgemesh.dns.packets.messages import Question, query_packet
from edgecore.modules.edgemesh.dns.resolver.conversation import Conversation
from edgecore.modules.edgemesh.dns.resolver.exchange import (
    IGNORED_LIMIT,
    Exchange,
    Judged,
    Server,
    Tried,
    Verdict,
    is_ourselves,
    judge,
)
from edgecore.modules.edgemesh.dns.resolver.findings import Finding
from edgecore.modules.edgemesh.dns.resolver.streams import StreamError, ask_stream
from edgecore.modules.edgemesh.dns.resolver.upstream import Upstream

STREAM_S = 2.5
STREAMS_LIMIT = 64
_NO_SOCKETS = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM))


class Asked(NamedTuple):
    """What came of a question."""

    finding: Finding | None
    """``None``: all were silent."""
    server: Server | None = None
    rtt_s: float | None = None
    tried: tuple[Tried, ...] = ()


class Inquiry:
    """One question, while it is being asked."""

    def __init__(self, upstream: Upstream, question: Question, servers: Sequence[Server]) -> None:
        self._upstream = upstream
        self._question = question
        self._clock = upstream.clock
        self._conversations: dict[Server, Conversation] = {}
        self._streams: set[asyncio.Task[None]] = set()
        self._without_edns: set[Server] = set()
        self._happened = asyncio.Event()
        self._rtt_s: dict[Server, float] = {}
        now = self._clock.monotonic()
        ranked = upstream.health.ranked(servers)
        self._exchange = Exchange(ranked, now, upstream.health.due(ranked, now))

    async def run(self) -> Asked:
        """Return what the servers say, after ``TOTAL_S`` at the latest."""
        exchange, clock = self._exchange, self._clock
        try:
            while not exchange.is_over(clock.monotonic()):
                for server in exchange.due(clock.monotonic()):
                    self._put(server)
                if exchange.is_over(clock.monotonic()):
                    break
                await until_set(clock, self._happened, exchange.next_at())
                self._happened.clear()
        except BaseException:
            for conversation in self._conversations.values():
                self._upstream.release(conversation)
            raise
        finally:
            for task in self._streams:
                task.cancel()
            if self._streams:
                await asyncio.wait(self._streams)
        for conversation in self._conversations.values():
            if conversation.is_open:
                self._upstream.listen_on(conversation, self._question)
        finding, source = exchange.outcome()
        now = clock.monotonic()
        silent = (Tried(each, "silent", now - exchange.started_at) for each in exchange.silent())
        rtt_s = None if source is None else self._rtt_s.get(source)
        return Asked(finding, source, rtt_s, (*exchange.tried, *silent))

    def _put(self, server: Server) -> None:
        """Ask ``server``, again or for the first time."""
        try:
            conversation = self._conversations.get(server) or self._begin(server)
            if conversation is not None:
                conversation.send()
        except OSError as error:
            if error.errno in _NO_SOCKETS:
                self._give_up(server, "no_sockets")
            else:
                self._give_up(server, "unreachable")
                self._upstream.failed(server, "unreachable", self._clock.monotonic())

    def _begin(self, server: Server) -> Conversation | None:
        """Return a conversation with ``server``; ``None`` if there is none to be had. Raises ``OSError``."""
        upstream = self._upstream
        if upstream.sockets >= upstream.sockets_limit:
            self._give_up(server, "no_sockets")
            return None
        now = self._clock.monotonic()
        has_edns = server not in self._without_edns and upstream.health.takes_edns(server, now)
        query = query_packet(upstream.random_id().to_bytes(2, "big"), self._question, edns=has_edns)
        conversation = Conversation(server, query, now, upstream.mark)
        upstream.sockets += 1
        self._conversations[server] = conversation
        conversation.hear = self._hear
        if is_ourselves(server, upstream.listening(), conversation.source):
            self._give_up(server, "ourselves")
            return None
        upstream.health.asked(server, now)
        return conversation

    def _give_up(self, server: Server, word: str, finding: Finding | None = None) -> None:
        self._exchange.gave_up(server, word, self._clock.monotonic(), finding)
        conversation = self._conversations.pop(server, None)
        if conversation is not None:
            self._upstream.release(conversation)
        self._happened.set()

    def _hear(self, conversation: Conversation, datagram: bytes | None) -> None:
        """Deal with what came from a server, as the table in ``exchange`` says."""
        server = conversation.server
        if datagram is None:
            self._upstream.failed(server, "unreachable", conversation.sent_at)
            self._give_up(server, "unreachable")
            return
        judged = self._upstream.judge(self._question, conversation.query, datagram)
        if judged.verdict is Verdict.IGNORE:
            conversation.ignored += 1
            if conversation.ignored >= IGNORED_LIMIT:
                self._give_up(server, "flooded")
            return
        self._rtt_s[server] = self._upstream.answered(conversation, judged.word)
        self._act(judged, server)

    def _act(self, judged: Judged, server: Server) -> None:
        match judged:
            case Judged(Verdict.ACCEPT, _, Finding() as finding):
                if server in self._without_edns:
                    self._upstream.health.cannot_edns(server, self._clock.monotonic())
                self._exchange.answered(server, finding, self._clock.monotonic())
                self._upstream.release(self._conversations.pop(server))
                self._happened.set()
            case Judged(Verdict.TRUNCATED, _, Finding() as finding):
                self._upstream.release(self._conversations.pop(server))
                self._exchange.hold(server)
                self._stream(server, finding)
            case Judged(Verdict.NO_EDNS, _, _):
                self._upstream.release(self._conversations.pop(server))
                self._without_edns.add(server)
                self._put(server)
            case _:
                self._give_up(server, judged.word, judged.finding)

    def _stream(self, server: Server, part: Finding) -> None:
        """Ask ``server`` over TCP; ``part`` is what it said of the answer over UDP."""
        if self._upstream.streams >= STREAMS_LIMIT:
            self._give_up(server, "no_sockets", part)
            return
        task = asyncio.ensure_future(self._ask_stream(server, part))
        self._streams.add(task)

    async def _ask_stream(self, server: Server, part: Finding) -> None:
        upstream = self._upstream
        has_edns = server not in self._without_edns
        query = query_packet(upstream.random_id().to_bytes(2, "big"), self._question, edns=has_edns)
        upstream.streams += 1
        try:
            reply = await ask_stream(server, query, self._clock, self._clock.monotonic() + STREAM_S, upstream.mark)
        except StreamError as error:
            self._give_up(server, error.word, part)
            return
        finally:
            upstream.streams -= 1
        judged = judge(self._question, query, reply, upstream.max_ttl_s)
        if judged.verdict is Verdict.ACCEPT and judged.finding is not None:
            self._exchange.answered(server, judged.finding, self._clock.monotonic())
            self._happened.set()
        else:
            self._give_up(server, "tcp_garbage", part)
