"""Calls of HTTP services at a node, as the router of later clouds makes them: a message goes down, its answer comes up.

Each is for somebody who waits: kept in memory, written once in a session, taken back when nobody waits any more.
"""

import asyncio
from base64 import b64encode
from typing import Annotated, Any

import msgspec

from cloudhub_stub.delivery.queues import Delivery
from cloudhub_stub.errors import BadAnswer, NoAnswer, NoSuchNode, QueueFull
from cloudhub_stub.nodes import Nodes
from edgecore.beehive.message import Header, Message, Route, content_value
from edgecore.beehive.resource import GROUP_USER, ROUTER_REST, SERVICEBUS
from edgecore.clock import Clock, before
from edgecore.errors import ContentError
from edgecore.ids import NewId
from edgecore.observe.metrics import Metrics

MAX_CALLS = 1000
"""How many calls wait for their answers at a time, of all nodes."""
DEFAULT_TIMEOUT_S = 15.0
"""An edge gives a service 10 s."""
LONGEST_TIMEOUT_S = 3600.0


class CallOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is asked for; it travels as JSON to the running stub."""

    node: str
    resource: str
    """``port:path``."""
    method: str = "GET"
    header: dict[str, list[str]] = {}
    body: bytes = b""
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=LONGEST_TIMEOUT_S)] = DEFAULT_TIMEOUT_S


class CallAnswer(msgspec.Struct, frozen=True):
    """What ServiceBus sends back."""

    status_code: int
    header: dict[str, list[str] | None] | None = None
    body: bytes | None = None


def is_call_answer(message: Message) -> bool:
    """Whether ServiceBus of an edge answers a call (``kubeedge edge/pkg/servicebus/servicebus.go@v1.3.1``)."""
    route = message.route
    return bool(message.header.parent_id) and route.source == SERVICEBUS and route.group == GROUP_USER


class Calls:
    """The calls that wait, by node and id."""

    def __init__(self) -> None:
        self._waiting: dict[tuple[str, str], asyncio.Future[Message]] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def open(self, node: str, message_id: str) -> "asyncio.Future[Message]":
        """Return what is done when the answer is there. Raises ``QueueFull``."""
        if len(self._waiting) >= MAX_CALLS:
            raise QueueFull(f"cannot call {node}: {MAX_CALLS} calls wait for their answers, which is the limit")
        answer = asyncio.get_running_loop().create_future()
        self._waiting[node, message_id] = answer
        return answer

    def close(self, node: str, message_id: str) -> None:
        """Nobody waits any more."""
        self._waiting.pop((node, message_id), None)

    def take(self, node: str, answer: Message) -> bool:
        """Hand an answer to who waits for it; false where nobody does."""
        waiting = self._waiting.pop((node, answer.header.parent_id), None)
        if waiting is None or waiting.done():
            return False
        waiting.set_result(answer)
        return True


class Caller:
    """Makes calls."""

    def __init__(
        self, calls: Calls, nodes: Nodes, delivery: Delivery, metrics: Metrics, *, clock: Clock, new_id: NewId
    ) -> None:
        self._calls = calls
        self._nodes = nodes
        self._delivery = delivery
        self._metrics = metrics
        self._clock = clock
        self._new_id = new_id

    async def call(self, options: CallOptions) -> dict[str, Any]:
        """Return the answer: ``status_code``, ``header``, ``body`` in base64; ``node``, ``id``, and ``ms`` it took.

        Raises ``NoSuchNode``, ``QueueFull``, ``NoAnswer``, ``BadAnswer``.
        """
        node, message = options.node, self._message(options)
        if not self._nodes.is_connected(node):
            raise NoSuchNode(f"cannot call {node[:80]}: it is not connected; see `cloudhub-stub nodes`")
        message_id, began_at = message.header.id, self._clock.monotonic()
        answer = self._calls.open(node, message_id)
        try:
            if not self._delivery.put(node, [message]):
                raise QueueFull(f"cannot call {node}: its queue is full; wait until some messages are through")
            found = await before(self._clock, began_at + options.timeout_s, _wait_for(answer))
        except TimeoutError:
            raise NoAnswer(
                f"cannot call {node}: no answer within {options.timeout_s:g} s; is its serviceBus enabled?"
            ) from None
        finally:
            self._calls.close(node, message_id)
            self._delivery.withdraw(node, message_id)
        told = self._read(node, found)
        ms = round((self._clock.monotonic() - began_at) * 1000, 3)
        return {"node": node, "id": message_id, "ms": ms, **told}

    def _message(self, options: CallOptions) -> Message:
        content = {"header": options.header, "body": b64encode(options.body).decode()}
        route = Route(ROUTER_REST, GROUP_USER, options.method, options.resource)
        return Message(Header(self._new_id(), "", self._clock.now_ms()), route, content)

    def _read(self, node: str, message: Message) -> dict[str, Any]:
        try:
            answer = msgspec.convert(content_value(message), CallAnswer)
        except (ContentError, msgspec.ValidationError) as error:
            self._metrics.bad_input("cloudhub", "bad_call_answer", node, id=message.header.id, detail=str(error))
            raise BadAnswer(f"cannot use the answer of {node}: {error}") from error
        return {
            "status_code": answer.status_code,
            "header": {name: values or [] for name, values in (answer.header or {}).items()},
            "body": b64encode(answer.body or b"").decode(),
        }


async def _wait_for(answer: "asyncio.Future[Message]") -> Message:
    return await answer
