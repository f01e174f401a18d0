"""One connection of one node, live: frames in, in order; what its queue says out; its time watched.

Keepalives and acknowledgements are taken at once, all else in order (``inbox.py``). There is one timer, and no task:
one that writes is made when there is something to write, and ends with it.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from math import inf
from typing import Protocol

import structlog

from cloudhub_stub.answers import CONFIRMATION, FAULTS, REPORTS, Reply, answer
from cloudhub_stub.calls import is_call_answer
from cloudhub_stub.cloud import Cloud
from cloudhub_stub.controllers.devicereports import report_of
from cloudhub_stub.delivery.journal import is_committed
from cloudhub_stub.delivery.list_lane import PACE
from cloudhub_stub.delivery.parcel import Parcel, parcel_of
from cloudhub_stub.delivery.queue import Prove
from cloudhub_stub.errors import NodeLost
from cloudhub_stub.inbox import Ended, Inbox
from cloudhub_stub.nodes import Node
from cloudhub_stub.session import Control, Ignored, Keepalive, Request, Response, Session
from cloudhub_stub.uploads import is_upload
from edgecore.beehive.frame import decode_frame, encode_frame
from edgecore.beehive.message import Header, Message, Route, response_to
from edgecore.beehive.resource import CONTROL_OPERATIONS, EDGECONTROLLER, GROUP_RESOURCE, PING
from edgecore.clock import Timer
from edgecore.errors import FrameError
from edgecore.observe.ledger import ACKNOWLEDGED, COALESCED, DELIVERED, DOWN, DROPPED, UP

log = structlog.get_logger("cloudhub")

CONNECTION_CLOSED = "connection_closed"
"""Why a session ends whose connection went away."""
_CONTROL_ANSWER = "ack"
MAX_CONTROLS = 1024
"""How many answers of the transport wait to be written; beyond that a node that reads nothing gets none."""
_QUEUE_FULL = "queue_full"
FRAMES_A_TURN = 16
"""How many frames of one node are taken before others have their turn: hundreds may lie ready to be read."""


class Socket(Protocol):
    """What a link needs of a websocket connection."""

    async def send(self, data: bytes) -> None:
        """Send one text frame. Raises ``NodeLost`` when the connection is closed."""

    def hang_up(self, reason: str) -> None:
        """Begin to close the connection; returns at once, and may be called again."""


class Link:
    """A session and the socket under it. Once ended, it touches neither the node's session nor the socket."""

    def __init__(
        self, cloud: Cloud, node: Node, session: Session, socket: Socket, on_end: Callable[["Link"], None]
    ) -> None:
        """Raises ``QueueFull`` where there are as many queues as may be."""
        self.node = node
        self.session = session
        self._cloud = cloud
        self._socket = socket
        self._on_end = on_end
        self._queue = cloud.delivery.queue(node.name)
        self._inbox = Inbox(cloud, node, session, self._act, self.end, again=self._confirm_again)
        self._replies: deque[tuple[Message, Reply, asyncio.Future[None] | None]] = deque()
        """Answers that wait for the disk, or for one that does."""
        self._controls: deque[bytes] = deque()
        """Answers of the transport, which go before everything else."""
        self._writer: asyncio.Task[None] | None = None
        self._timer: Timer | None = None
        self._timer_at = inf

    def start(self) -> None:
        """Begin to send what is queued, and watch the keepalive from now on."""
        is_ours = self.session.is_ours
        window = self._cloud.delivery.rules.timing.window(is_ours=is_ours)
        self._queue.connect(None if is_ours else PACE, window)
        self.wake()

    def end(self, reason: str) -> None:
        """End the session, for a fixed snake_case word; what it leaves behind waits for the next one."""
        if not self.session.end(reason):
            return
        if self._timer is not None:
            self._timer.cancel()
        if self._writer is not None and self._writer is not asyncio.current_task():
            self._writer.cancel()
        self._queue.disconnect()
        self._settle()
        self._on_end(self)
        self._socket.hang_up(reason)
        log.info("node_disconnected", node=self.node.name, epoch=self.session.epoch, reason=reason)

    def wake(self) -> None:
        """Write what is due, and set the timer for what is due later."""
        if self.session.ended:
            return
        now = self._cloud.clock.monotonic()
        self._queue.expire(now)
        self._settle()
        at = self._queue.wake_at()
        if at <= now or self._controls:
            self._start_writing()
        self._set_timer(at if at > now else inf)

    # What comes in.

    async def receive(self, data: bytes) -> None:
        """Take one frame and do what it asks for. Never raises, whatever the bytes."""
        if self.session.ended:
            return
        self.node.counters.received += 1
        try:
            self._take(decode_frame(data))
        except FrameError as error:
            self._count_malformed(error)
        await self._inbox.room()
        if self.node.counters.received % FRAMES_A_TURN == 0:
            await self._cloud.clock.sleep(0)

    def _take(self, message: Message) -> None:
        cloud, counters = self._cloud, self.node.counters
        action = self.session.receive(message, cloud.clock.monotonic(), hub_is_full=cloud.nodes.ignores_all)
        match action:
            case Keepalive():
                counters.keepalives += 1
                self._record(message, DELIVERED)
            case Ignored(reason):
                self._ignore(message, reason)
            case Request() | Response() if is_call_answer(message):
                self._take_call_answer(message)
            case Response(parent_id):
                self._take_response(message, parent_id)
            case Control() | Request():
                self._inbox.put(message)

    def _take_response(self, message: Message, parent_id: str) -> None:
        if self._queue.acknowledge(parent_id):
            self.node.counters.acknowledged += 1
            self._record(message, DELIVERED)
            self.wake()
        elif not is_upload(message):
            self._ignore(message, "unawaited_response")
        elif self._cloud.faithful:
            self._ignore(message, "response_swallowed")
        else:
            self._inbox.put(message)

    def _take_call_answer(self, message: Message) -> None:
        self.node.counters.acknowledged += self._queue.acknowledge(message.header.parent_id)
        if self._cloud.calls.take(self.node.name, message):
            self.node.counters.count("call_answered")
            self._record(message, DELIVERED)
        else:
            self._ignore(message, "unawaited_response")
        self.wake()

    def _ignore(self, message: Message, reason: str) -> None:
        self.node.counters.count(reason)
        if reason == "unawaited_response":  # as they come by the hundred after a reconnect; the ledger has them
            self._record(message, COALESCED, reason)
            return
        self._record(message, DROPPED, reason)
        self._log_route("message_ignored", reason, message)

    def _act(self, message: Message) -> Ended:
        """Do what a message asks for whose turn it is, and return how it ended."""
        if message.route.operation in CONTROL_OPERATIONS:
            return self._answer_control(message)
        try:
            return self._answer(message)
        except FrameError as error:  # what the node told about itself does not fit into an answer
            self._count_malformed(error)
            return Ended(DROPPED, error.reason)

    def _answer_control(self, message: Message) -> Ended:
        if len(self._controls) >= MAX_CONTROLS:
            self.node.counters.count(_QUEUE_FULL)
            return Ended(DROPPED, _QUEUE_FULL)
        acknowledged = response_to(message, _CONTROL_ANSWER, self._cloud.new_id, self._cloud.clock)
        self._controls.append(encode_frame(acknowledged))
        self.wake()
        return Ended(ACKNOWLEDGED)

    def _answer(self, request: Message) -> Ended:
        cloud, route = self._cloud, request.route
        outcome, reply = answer(
            request,
            self.node,
            cloud.plane,
            cloud.objects,
            is_ours=self.session.is_ours,
            manners=cloud.manners,
        )
        self.node.counters.count(outcome)
        if outcome in FAULTS:
            name = self.node.name
            cloud.metrics.bad_input("cloudhub", outcome, name, operation=route.operation, resource=route.resource)
        if reply is not None:
            self._reply_in_turn(request, reply)
        elif outcome not in FAULTS | REPORTS:
            self._log_route("request_unanswered", outcome, request)
        if outcome in FAULTS:
            return Ended(DROPPED, outcome)
        return Ended(DELIVERED if reply is None else ACKNOWLEDGED)

    def _confirm_again(self, report: Message) -> None:
        """A message came that was taken before: where it is a report, its confirmation may have been lost."""
        if self._cloud.manners.confirms_reports and report_of(report.route.resource) is not None:
            self._reply_in_turn(report, CONFIRMATION)

    def _reply_in_turn(self, request: Message, reply: Reply) -> None:
        """Reply, behind the answers to earlier requests, and where an answer makes something known, once that is on
        disk; if it cannot be, there is none."""
        stored = self._cloud.plane.commit() if reply.once_stored else None
        self._replies.append((request, reply, stored))
        if stored is not None and not stored.done():
            stored.add_done_callback(lambda _: self._send_replies())
        self._send_replies()

    def _send_replies(self) -> None:
        while self._replies and (self._replies[0][2] is None or self._replies[0][2].done()):
            request, reply, stored = self._replies.popleft()
            if not self.session.ended and (stored is None or is_committed(stored)):
                self._reply(request, reply)

    def _reply(self, request: Message, reply: Reply) -> None:
        cloud = self._cloud
        message = Message(
            Header(cloud.new_id(), request.header.id, cloud.clock.now_ms(), reply.resource_version),
            Route(reply.source, reply.group, reply.operation, reply.resource),
            reply.content,
        )
        parcel = parcel_of(message, lasting=False)
        cloud.ledger.open(DOWN, message, self.node.name)
        delay_s = 0.0 if self.session.is_ours else cloud.answer_delay_s
        self._queue.answer(parcel, cloud.clock.monotonic() + delay_s)
        self.wake()

    # What goes out.

    def _start_writing(self) -> None:
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._write(), name="link writer")

    async def _write(self) -> None:
        try:
            while not self.session.ended:
                data = self._next()
                if data is None:
                    break
                self.node.counters.sent += 1
                self.session.wrote(self._cloud.clock.monotonic())
                await self._socket.send(data)
                self._settle()
        except NodeLost:
            self.end(CONNECTION_CLOSED)
        finally:
            self._writer = None
        self.wake()

    def _next(self) -> bytes | None:
        """Return the next frame to be written."""
        if self._controls:
            return self._controls.popleft()
        now = self._cloud.clock.monotonic()
        due = self._queue.take(now)
        if isinstance(due, Parcel):
            return due.data
        if isinstance(due, Prove):
            message_id = self._cloud.new_id()
            self._queue.proving(message_id, now)
            head = Header(message_id, "", self._cloud.clock.now_ms())
            return encode_frame(Message(head, Route(EDGECONTROLLER, GROUP_RESOURCE, PING, "node"), PING))
        return None

    # Time, and the books.

    def _set_timer(self, at: float) -> None:
        """Be called at ``at``, or when the session is over, if that is earlier; one timer does for both."""
        at = min(at, self.session.deadline)
        if self._timer is not None:
            if self._timer_at <= at:
                return
            self._timer.cancel()
        self._timer_at = at
        self._timer = self._cloud.clock.call_at(at, self._on_timer)

    def _on_timer(self) -> None:
        self._timer, self._timer_at = None, inf
        if self.session.ended:
            return
        if self._cloud.clock.monotonic() >= self.session.deadline:
            self.end(self.session.overdue)
        else:
            self._set_timer(inf)
            self.wake()

    def _settle(self) -> None:
        self._cloud.delivery.settle(self.node.name)

    def _record(self, message: Message, outcome: str, reason: str = "") -> None:
        self._cloud.ledger.record(UP, message, outcome, reason, self.node.name)

    def _count_malformed(self, error: FrameError) -> None:
        self.node.counters.malformed += 1
        self._cloud.metrics.bad_input("cloudhub", error.reason, self.node.name, detail=error.detail)

    def _log_route(self, event: str, reason: str, message: Message) -> None:
        route = message.route
        log.info(event, node=self.node.name, reason=reason, operation=route.operation, resource=route.resource[:200])
