"""One connection of one node, live: frames in, answers out, acknowledgements awaited, the keepalive watched."""

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

from cloudhub_stub.answers import FAULTS, Reply, answer
from cloudhub_stub.cloud import Cloud
from cloudhub_stub.errors import NoAck, NodeLost
from cloudhub_stub.nodes import Node
from cloudhub_stub.session import Acknowledged, Control, Ignored, Keepalive, Request, Session
from edgecore.beehive.message import Header, Message, Route, response_to
from edgecore.beehive.resource import EDGECONTROLLER, GROUP_RESOURCE, RESPONSE
from edgecore.beehive.wire import decode, encode
from edgecore.clock import Timer, before
from edgecore.errors import FrameError

log = structlog.get_logger("cloudhub")

KEEPALIVE_TIMEOUT = "keepalive_timeout"
"""Why a session ends whose node was silent for too long."""

_CONTROL_ANSWER = "ack"


class Socket(Protocol):
    """What a link needs of a websocket connection."""

    async def send(self, data: bytes) -> None:
        """Send one text frame. Raises ``NodeLost`` when the connection is closed."""

    def hang_up(self, reason: str) -> None:
        """Begin to close the connection; returns at once, and may be called again."""


class Link:
    """A session and the socket under it. Once ended, it touches neither the node nor the socket."""

    def __init__(
        self, cloud: Cloud, node: Node, session: Session, socket: Socket, on_end: Callable[["Link"], None]
    ) -> None:
        self.node = node
        self.session = session
        self._cloud = cloud
        self._socket = socket
        self._on_end = on_end
        self._acknowledgements: dict[str, asyncio.Future[None]] = {}
        self._timer: Timer | None = None

    def start(self) -> None:
        """Watch the keepalive from now on."""
        self._timer = self._cloud.clock.call_at(self.session.deadline, self._check_keepalive)

    def end(self, reason: str) -> None:
        """End the session, for a fixed snake_case word; whoever waits for an acknowledgement gets ``NodeLost``."""
        if not self.session.end(reason):
            return
        if self._timer is not None:
            self._timer.cancel()
        for acknowledgement in self._acknowledgements.values():
            if not acknowledgement.done():
                acknowledgement.set_exception(self._lost())
        self._on_end(self)
        self._socket.hang_up(reason)
        log.info("node_disconnected", node=self.node.name, epoch=self.session.epoch, reason=reason)

    async def receive(self, data: bytes) -> None:
        """Take one frame and do what it asks for. Never raises, whatever the bytes."""
        if self.session.ended:
            return
        self.node.counters.received += 1
        try:
            await self._act(decode(data))
        except FrameError as error:  # also: what it told about itself does not fit into an answer
            self.node.counters.malformed += 1
            self._cloud.metrics.bad_input("cloudhub", error.reason, self.node.name, detail=error.detail)
        except NodeLost:
            return  # the connection went while the answer was on its way; its reader ends the link

    async def send(self, message: Message) -> None:
        """Send ``message`` as one text frame. Raises ``NodeLost`` when the session is over."""
        if self.session.ended:
            raise self._lost()
        self._cloud.objects.note_sent(message)
        await self._socket.send(encode(message) + b"\n")
        self.node.counters.sent += 1

    async def deliver(self, message: Message, timeout_s: float) -> None:
        """Send ``message`` and return once the node has acknowledged it.

        Raises ``NoAck`` when ``timeout_s`` seconds went by, ``NodeLost`` when the session ended.
        """
        acknowledgement: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._acknowledgements[message.header.id] = acknowledgement
        self.session.expect_ack(message)
        deadline = self._cloud.clock.monotonic() + timeout_s
        try:
            await before(self._cloud.clock, deadline, self._send_and_wait(message, acknowledgement))
        except TimeoutError as error:
            raise NoAck(f"no acknowledgement from {self.node.name} in {timeout_s:g} s: is the edge running?") from error
        finally:
            acknowledgement.cancel()
            self._acknowledgements.pop(message.header.id, None)
            self.session.forget_ack(message.header.id)

    async def _send_and_wait(self, message: Message, acknowledgement: asyncio.Future[None]) -> None:
        await self.send(message)
        await acknowledgement

    async def _act(self, message: Message) -> None:
        counters = self.node.counters
        match self.session.receive(message, self._cloud.clock.monotonic()):
            case Keepalive():
                counters.keepalives += 1
            case Acknowledged(message_id):
                counters.acknowledged += 1
                acknowledgement = self._acknowledgements.get(message_id)
                if acknowledgement is not None and not acknowledgement.done():
                    acknowledgement.set_result(None)
            case Control():
                await self.send(response_to(message, _CONTROL_ANSWER, self._cloud.new_id, self._cloud.clock))
            case Request():
                await self._answer(message)
            case Ignored(reason):
                counters.count(reason)
                self._log_route("message_ignored", reason, message)

    async def _answer(self, request: Message) -> None:
        outcome, reply = answer(request, self.node, self._cloud.objects, self._cloud.clock.now_ms())
        self.node.counters.count(outcome)
        if outcome in FAULTS:
            self._cloud.metrics.bad_input(
                "cloudhub",
                outcome,
                self.node.name,
                operation=request.route.operation,
                resource=request.route.resource,
            )
        if reply is not None:
            await self._reply(request, reply)
        elif outcome not in FAULTS:
            self._log_route("request_unanswered", outcome, request)

    async def _reply(self, request: Message, reply: Reply) -> None:
        message = Message(
            Header(self._cloud.new_id(), request.header.id, self._cloud.clock.now_ms(), reply.resource_version),
            Route(EDGECONTROLLER, GROUP_RESOURCE, RESPONSE, reply.resource),
            reply.content,
        )
        if reply.due_ack:
            self.session.expect_ack(message)
        await self.send(message)

    def _log_route(self, event: str, reason: str, message: Message) -> None:
        route = message.route
        log.info(event, node=self.node.name, reason=reason, operation=route.operation, resource=route.resource[:200])

    def _check_keepalive(self) -> None:
        if self.session.ended:
            return
        if self._cloud.clock.monotonic() >= self.session.deadline:
            self.end(KEEPALIVE_TIMEOUT)
        else:
            self.start()

    def _lost(self) -> NodeLost:
        return NodeLost(f"the connection of {self.node.name} ended ({self.session.ended or 'closed'})")
