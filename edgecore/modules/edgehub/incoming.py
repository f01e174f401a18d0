"""Frames from the cloud, each brought where it belongs, and entered in the ledger."""

import asyncio
from typing import Any

import structlog

from edgecore.beehive import resource as r
from edgecore.beehive.frame import decode_frame
from edgecore.beehive.message import Message, response_to
from edgecore.beehive.port import Port
from edgecore.errors import BusClosed, FrameError, MailboxFull
from edgecore.modules.edgehub.destination import AnswerControl, Dispatch, HandToWaiter, Refuse, destination_of
from edgecore.modules.edgehub.outgoing import Outgoing
from edgecore.observe.ledger import DELIVERED, DOWN, DROPPED, Ledger
from edgecore.observe.metrics import Metrics

log = structlog.get_logger("edgehub")


class Incoming:
    """What comes from the cloud, over all connections."""

    def __init__(self, port: Port, outgoing: Outgoing, ledger: Ledger, metrics: Metrics) -> None:
        self._port = port
        self._outgoing = outgoing
        self._ledger = ledger
        self._metrics = metrics
        self.received = self.refused = 0

    async def take(self, payload: bytes) -> Message | None:
        """Deliver the message in ``payload``; return the answer if the transport itself owes one.

        Raises ``BusClosed`` only.
        """
        self.received += 1
        try:
            message = decode_frame(payload)
        except FrameError as error:
            self.refuse(error.reason, error.detail, begins=payload[:80].decode(errors="replace"))
            self._ledger.record(DOWN, Message(), DROPPED, error.reason)
            return None
        parent = message.header.parent_id
        if parent and self._outgoing.awaits_proof(parent):
            self._outgoing.answered(parent)
            return None
        answer = await self._deliver(message)
        if parent:  # after it was delivered: until then a question is still asked
            self._outgoing.answered(parent)
        return answer

    def refuse(self, reason: str, detail: str, **where: Any) -> None:
        """Count and log what cannot be taken."""
        self.refused += 1
        self._metrics.bad_input(r.EDGEHUB, reason, peer="cloud", detail=detail, **where)

    async def _deliver(self, message: Message) -> Message | None:
        match destination_of(message, self._port.awaited):
            case AnswerControl():
                return response_to(message, "ack", self._port.new_id, self._port.clock)
            case HandToWaiter():
                self._ledger.record(DOWN, message, DELIVERED, "answer")
                self._port.respond(message)
            case Dispatch(group) if not self._port.has_group(group):
                self._drop(message, "module_not_running", group)
            case Dispatch(group):
                await self._dispatch(group, message)
            case Refuse(reason, detail):
                self._drop(message, reason, detail)
        return None

    async def _dispatch(self, group: str, message: Message) -> None:
        """Send ``message`` to a group. MetaManager closes what it gets, once it has settled it."""
        message_id = message.header.id
        entered = self._ledger.open(DOWN, message)
        try:
            await self._port.send_to_group(group, message)
        except MailboxFull as error:  # not acknowledged: the cloud sends objects again, lists it does not
            if entered:  # else the same message is under way, and that entry is the other's
                self._ledger.close(DOWN, message_id, DROPPED, "mailbox_full")
            log.error("message_not_delivered", group=group, id=message_id, error=str(error))
            return
        except (asyncio.CancelledError, BusClosed):  # it waited for room
            if entered and not self._ledger.is_held(DOWN, message_id):
                self._ledger.close(DOWN, message_id, DROPPED, "session_ended")
            raise
        if group != r.GROUP_META:
            self._ledger.close(DOWN, message_id, DELIVERED)

    def _drop(self, message: Message, reason: str, detail: str) -> None:
        self._ledger.record(DOWN, message, DROPPED, reason)
        self.refuse(reason, detail, id=message.header.id, resource=message.route.resource)
