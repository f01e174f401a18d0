"""Sending messages that somebody hands in: made whole, queued, and what becomes of them told.

Who waits gets a stream of JSON values, one event each:

| event | keys beside it |
| --- | --- |
| ``accepted`` | ``node``, ``ids``, ``connected``, ``known``: they will not be lost from here on |
| ``acknowledged``, ``delivered``, ``superseded``, ``dropped`` | ``id``, ``resource``, ``reason``, ``ms`` since then |
| ``given_up`` | the same: not acknowledged in time; it is sent again when the node connects anew |
| ``finished`` | how often each of the five came, by name |
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import msgspec

from cloudhub_stub.cloud import Cloud
from cloudhub_stub.delivery.fates import Fate, GivenUp, Settled
from cloudhub_stub.errors import BadMessage, NoSuchNode
from cloudhub_stub.hub import Hub
from cloudhub_stub.upgrade import is_node_name
from edgecore.beehive.message import Header, Message
from edgecore.beehive.wire import decode
from edgecore.clock import Clock
from edgecore.errors import FrameError
from edgecore.ids import NewId
from edgecore.observe.ledger import ACKNOWLEDGED, DELIVERED, DROPPED, SUPERSEDED

GIVEN_UP = "given_up"
ENDS = (ACKNOWLEDGED, DELIVERED, SUPERSEDED, DROPPED, GIVEN_UP)

MAX_MESSAGES = 10_000
"""How many messages are handed in at a time."""

Event = dict[str, Any]


class SendOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is asked for; it travels as JSON to the running stub."""

    messages: list[dict[str, Any]]
    """Messages as they are on the wire; a missing id and time are filled in."""
    node: str | None = None
    """The node to send to; ``None`` for the only one that is connected."""
    wait: bool = False
    """Whether to be told what becomes of them."""


def whole(documents: list[dict[str, Any]], new_id: NewId, clock: Clock) -> list[Message]:
    """Return the messages in ``documents``, each with an id and a time. Raises ``BadMessage``, naming the first."""
    if not documents:
        raise BadMessage("cannot send: there is no message")
    if len(documents) > MAX_MESSAGES:
        raise BadMessage(f"cannot send {len(documents)} messages at a time: 1 to {MAX_MESSAGES} are taken")
    messages: list[Message] = []
    for number, document in enumerate(documents, 1):
        try:
            message = decode(msgspec.json.encode(document))
        except FrameError as error:
            raise BadMessage(f"cannot send message {number}: {error.detail}") from error
        head, route = message.header, message.route
        for name, text in (("group", route.group), ("operation", route.operation), ("resource", route.resource)):
            if not text:
                raise BadMessage(f"cannot send message {number}: its route has no {name}")
        header = Header(
            head.id or new_id(), head.parent_id, head.timestamp_ms or clock.now_ms(), head.resource_version, False
        )
        messages.append(Message(header, route, message.content))
    return messages


class Sender:
    """Queues messages for nodes, connected or not."""

    def __init__(self, cloud: Cloud, hub: Hub) -> None:
        self._cloud = cloud
        self._hub = hub

    async def send(self, options: SendOptions) -> Event | AsyncIterator[Event]:
        """Return the event ``accepted`` once the messages will not be lost; or, where that was asked for, all events.

        Raises ``BadMessage``, ``NoSuchNode``, ``QueueFull``, ``StoreError``, with nothing queued.
        """
        messages = whole(options.messages, self._cloud.new_id, self._cloud.clock)
        node = self._node(options.node)
        happened: asyncio.Queue[Fate] = asyncio.Queue()
        await self._cloud.delivery.accept(node, messages, observer=happened.put_nowait if options.wait else None)
        accepted = {
            "event": "accepted",
            "node": node,
            "ids": [message.header.id for message in messages],
            "connected": self._hub.find(node) is not None,
            "known": self._cloud.nodes.get(node) is not None,
        }
        return self._events(accepted, happened) if options.wait else accepted

    def _node(self, name: str | None) -> str:
        if name is None:
            link = self._hub.find(None)
            if link is None:
                raise NoSuchNode("cannot choose a node: none is connected: say which (--node NAME)")
            return link.node.name
        if not is_node_name(name):
            raise NoSuchNode(f"cannot send to {name[:80]!r}: that is no node name")
        return name

    async def _events(self, accepted: Event, happened: "asyncio.Queue[Fate]") -> AsyncGenerator[Event, None]:
        clock = self._cloud.clock
        accepted_at = clock.monotonic()
        node, open_ids = accepted["node"], set(accepted["ids"])
        counts = dict.fromkeys(ENDS, 0)
        try:
            yield accepted
            while open_ids:
                fate = await happened.get()
                end = GIVEN_UP if isinstance(fate, GivenUp) else fate.outcome if isinstance(fate, Settled) else ""
                if not end or fate.parcel.id not in open_ids:
                    continue
                open_ids.discard(fate.parcel.id)
                self._cloud.delivery.forget_observer(node, fate.parcel.id, happened.put_nowait)
                counts[end] += 1
                yield {
                    "event": end,
                    "id": fate.parcel.id,
                    "resource": fate.parcel.resource,
                    "reason": fate.reason if isinstance(fate, Settled) else "",
                    "ms": round((clock.monotonic() - accepted_at) * 1000, 3),
                }
            yield {"event": "finished", "node": node, **counts}
        finally:
            for message_id in open_ids:
                self._cloud.delivery.forget_observer(node, message_id, happened.put_nowait)
