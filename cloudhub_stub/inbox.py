"""The frames of one connection that wait for their turn: answered in order, those with an effect when it is on disk.

A frame with an effect has it at once, in memory; what it changed is committed together with the note that it was taken
(``journal.py``). Everything behind the frame waits for that: so nothing that proves its reading, an answer to it or to
anything later, leaves too early, and a frame that is noted has its effect on disk. A crash before makes the edge send
it again, and its effect is the same. The reading goes on meanwhile, so that many frames share a commit.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import structlog

from cloudhub_stub.cloud import Cloud
from cloudhub_stub.delivery.journal import has_effect, is_committed, is_notable
from cloudhub_stub.nodes import Node
from cloudhub_stub.session import Session
from edgecore.beehive.message import Message
from edgecore.errors import StoreError
from edgecore.observe.ledger import COALESCED, DROPPED, UP

log = structlog.get_logger("cloudhub")

STORE_FAILED = "store_failed"
"""Why a session ends whose messages cannot be noted on disk: the edge sends them again."""

MAX_WAITING = 256
"""How many frames are read beyond one that is being noted on disk."""

_SEEN_BEFORE = "seen_before"


class Ended(NamedTuple):
    """How a message ended, in the words of the ledger."""

    outcome: str
    reason: str = ""


class _Arrived(NamedTuple):
    message: Message
    is_repeat: bool
    noted: asyncio.Future[None] | None
    """Done when the effect and the note are on disk; ``None`` for one that has no effect."""
    ended: Ended | None = None
    """How it ended, where it had its effect already."""
    is_opened: bool = False
    """Whether it stands in the ledger as under way."""


class Inbox:
    """What came by one connection. ``act`` does what a message asks for; ``fail`` ends the session for a reason;
    ``again`` is told of a message that had its effect before."""

    def __init__(
        self,
        cloud: Cloud,
        node: Node,
        session: Session,
        act: Callable[[Message], Ended],
        fail: Callable[[str], None],
        *,
        again: Callable[[Message], None],
    ) -> None:
        self._cloud = cloud
        self._node = node
        self._session = session
        self._act = act
        self._fail = fail
        self._again = again
        self._arrived: deque[_Arrived] = deque()

    def put(self, message: Message) -> None:
        """Put a message in line, behind those that are being noted on disk; do what it asks for as soon as it may."""
        arrived = _Arrived(message, is_repeat=False, noted=None)
        if has_effect(message):
            try:
                arrived = self._note(message)
            except StoreError as error:
                log.error("journal_not_read", node=self._node.name, error=str(error))
                self._cloud.ledger.record(UP, message, DROPPED, STORE_FAILED, self._node.name)
                self._fail(STORE_FAILED)
                return
        if arrived.noted is not None:
            arrived.noted.add_done_callback(lambda _: self._work())
        self._arrived.append(arrived)
        self._work()

    async def room(self) -> None:
        """Return once more may be read."""
        while len(self._arrived) >= MAX_WAITING and not self._session.ended:
            noted = self._arrived[0].noted
            if noted is None:
                return
            await asyncio.wait((noted,))

    def _note(self, message: Message) -> _Arrived:
        """Let a message have its effect, unless it came before, and begin to note it. Raises ``StoreError``."""
        cloud, name, message_id = self._cloud, self._node.name, message.header.id
        before = cloud.journal.pending(name, message_id)  # it may yet fail: then this one must come once more as well
        if before is not None or cloud.journal.was_taken(name, message_id):
            return _Arrived(message, is_repeat=True, noted=before)
        ended = self._act(message)
        noted = cloud.journal.note(name, message, cloud.clock.now_ms(), cloud.plane.commit)
        is_opened = is_notable(message)
        if is_opened:
            cloud.ledger.open(UP, message, name)
        return _Arrived(message, is_repeat=False, noted=noted, ended=ended, is_opened=is_opened)

    def _work(self) -> None:
        """Take what came, in order, up to one that is not on disk yet."""
        while self._arrived:
            arrived = self._arrived[0]
            if arrived.noted is not None and not arrived.noted.done():
                return
            self._arrived.popleft()
            self._take(arrived)

    def _take(self, arrived: _Arrived) -> None:
        message, is_repeat, noted, ended, _ = arrived
        if noted is not None and not is_committed(noted):
            self._finish(arrived, Ended(DROPPED, STORE_FAILED))
            self._fail(STORE_FAILED)
        elif is_repeat:
            self._node.counters.count(_SEEN_BEFORE)
            self._finish(arrived, Ended(COALESCED, _SEEN_BEFORE))
            if not self._session.ended:
                self._again(message)
        elif ended is not None:
            self._finish(arrived, ended)
        elif self._session.ended:
            self._finish(arrived, Ended(DROPPED, "link_lost"))
        else:
            self._finish(arrived, self._act(message))

    def _finish(self, arrived: _Arrived, ended: Ended) -> None:
        ledger, message = self._cloud.ledger, arrived.message
        if arrived.is_opened:
            ledger.close(UP, message.header.id, ended.outcome, ended.reason, self._node.name)
        else:
            ledger.record(UP, message, ended.outcome, ended.reason, self._node.name)
