"""What all questions to upstream servers share: how the servers do, the sockets in use, and those that are late.

A server that has not answered when another has is listened to a little longer, to learn whether it does at all and how
quickly.
"""

from collections.abc import Callable, Sequence

from edgecore.clock import Clock, Timer
from edgecore.modules.edgemesh.dns.packets.messages import Question
from edgecore.modules.edgemesh.dns.resolver.conversation import Conversation
from edgecore.modules.edgemesh.dns.resolver.exchange import Judged, Server, Verdict, judge
from edgecore.modules.edgemesh.dns.resolver.health import Change, Health

SILENT_S = 1.5
"""A server that has not answered for so long has failed."""
SOCKETS_LIMIT = 768
LINGERING_LIMIT = 128

_OF_NO_USE = frozenset(("refused", "lame", "unreadable", "extended_rcode"))
"""What counts as a failure of the server; other refusals may be due to the question."""


class Upstream:
    """The upstream servers as all questions see them.

    ``random_id`` returns an unpredictable number from 0 to 65535 for each query; ``listening`` returns our own
    addresses, which are never asked; ``on_change`` is told when a server goes away or comes back; ``mark`` is that of
    our packets (``asking_socket``).
    """

    def __init__(
        self,
        clock: Clock,
        random_id: Callable[[], int],
        listening: Callable[[], Sequence[Server]],
        *,
        on_change: Callable[[Change], object] = lambda _: None,
        max_ttl_s: int = 3600,
        sockets_limit: int = SOCKETS_LIMIT,
        mark: int = 0,
    ) -> None:
        self.clock = clock
        self.random_id = random_id
        self.listening = listening
        self.max_ttl_s = max_ttl_s
        self.mark = mark
        self.health = Health()
        self.ignored = 0
        """Datagrams that were not the reply to our query."""
        self.sockets = 0
        self.streams = 0
        self.sockets_limit = sockets_limit
        self._on_change = on_change
        self._lingering: dict[Conversation, Timer] = {}

    def close(self) -> None:
        """Listen to late answers no more."""
        for conversation in list(self._lingering):
            self._end_lingering(conversation)

    def judge(self, question: Question, query: bytes, reply: bytes) -> Judged:
        """See ``exchange.judge``; counts what is ignored."""
        judged = judge(question, query, reply, self.max_ttl_s)
        self.ignored += judged.verdict is Verdict.IGNORE
        return judged

    def answered(self, conversation: Conversation, word: str = "") -> float:
        """Note that its server has answered, in the words of ``Judged``; return the round trip in seconds."""
        now = self.clock.monotonic()
        rtt_s = now - conversation.sent_at
        if word in _OF_NO_USE:
            self.failed(conversation.server, word, conversation.sent_at)
        else:
            self._tell(self.health.answered(conversation.server, rtt_s, now))
        return rtt_s

    def failed(self, server: Server, reason: str, sent_at: float) -> None:
        """Note that what was sent at ``sent_at`` brought nothing."""
        self._tell(self.health.failed(server, reason, sent_at, self.clock.monotonic()))

    def release(self, conversation: Conversation) -> None:
        """Close ``conversation``."""
        if conversation.is_open:
            conversation.close()
            self.sockets -= 1

    def listen_on(self, conversation: Conversation, question: Question) -> None:
        """Learn what becomes of a query whose question needs it no more."""
        until = conversation.sent_at + SILENT_S
        if self.clock.monotonic() >= until:
            self.failed(conversation.server, "silent", conversation.sent_at)
            self.release(conversation)
            return
        if len(self._lingering) >= LINGERING_LIMIT:
            self.release(conversation)
            return

        def hear(_: Conversation, datagram: bytes | None) -> None:
            if datagram is None:
                self.failed(conversation.server, "unreachable", conversation.sent_at)
            else:
                judged = self.judge(question, conversation.query, datagram)
                if judged.verdict is Verdict.IGNORE:
                    return
                self.answered(conversation, judged.word)
            self._end_lingering(conversation)

        def expire() -> None:
            self.failed(conversation.server, "silent", conversation.sent_at)
            self._end_lingering(conversation)

        conversation.hear = hear
        self._lingering[conversation] = self.clock.call_at(until, expire)

    def _end_lingering(self, conversation: Conversation) -> None:
        timer = self._lingering.pop(conversation, None)
        if timer is not None:
            timer.cancel()
        self.release(conversation)

    def _tell(self, change: Change | None) -> None:
        if change is not None:
            self._on_change(change)
