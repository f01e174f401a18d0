"""One connection of one node, from its upgrade to its end: what each frame that arrives asks for.

The order of the questions is CloudHub's (``kubeedge cloud/pkg/cloudhub/handler/messagehandler.go:101-136@v1.3.1``):

| message | action |
| --- | --- |
| operation ``config``, ``ping``, ``pong`` | ``Control``: the transport answers "ack" (``VD/conn/ws.go:69-94``) |
| operation ``keepalive`` | ``Keepalive``: the deadline moves on |
| resource ``<namespace>/volume/...`` | ``Ignored``: answers to CSI requests, which the stub never sends |
| operation ``response`` | ``Acknowledged`` where its parent waits for that, else ``Ignored`` |
| anything else | ``Request``: the controllers' business (``answers.py``) |

An ended session ignores everything, so that nothing of an old connection touches the one that replaced it.
"""

import re
from typing import NamedTuple

from edgecore.beehive.message import Message
from edgecore.beehive.resource import (
    CONTROL_OPERATIONS,
    DELETE,
    GROUP_FUNC,
    GROUP_RESOURCE,
    INSERT,
    KEEPALIVE,
    RESPONSE,
    UPDATE,
)

MAX_UNACKNOWLEDGED = 1024
"""How many sent messages are remembered until their acknowledgement; beyond that the oldest is forgotten."""

_VOLUME = re.compile(r"\w[-\w.+]*/volume/\w[-\w.+]*")


class Keepalive(NamedTuple):
    """The node is alive; nothing is answered."""


class Acknowledged(NamedTuple):
    """The node took the message ``message_id``."""

    message_id: str


class Control(NamedTuple):
    """The transport below the messages asks for "ack"."""

    message: Message


class Request(NamedTuple):
    """The node asks or reports something."""

    message: Message


class Ignored(NamedTuple):
    """Nothing is done, for a reason: a fixed snake_case word."""

    reason: str


Action = Keepalive | Acknowledged | Control | Request | Ignored


class Session:
    """The state of one connection. Times are ``monotonic`` seconds of the clock."""

    def __init__(self, node: str, epoch: int, now: float, keepalive_timeout_s: float) -> None:
        self.node = node
        self.epoch = epoch
        """Counts the connections of all nodes: a later connection has a higher one."""
        self.started_at = now
        self.ended = ""
        """Why the session is over; empty while it lives."""
        self._keepalive_timeout_s = keepalive_timeout_s
        self._alive_at = now
        self._unacknowledged: dict[str, str] = {}

    @property
    def deadline(self) -> float:
        """When the session is over unless a keepalive comes before; only keepalives count, as in CloudHub."""
        return self._alive_at + self._keepalive_timeout_s

    @property
    def unacknowledged(self) -> dict[str, str]:
        """Message id to resource, in the order of sending, of what the node has yet to acknowledge."""
        return self._unacknowledged

    def receive(self, message: Message, now: float) -> Action:
        """Say what ``message`` asks for, and note what it tells."""
        if self.ended:
            return Ignored("session_ended")
        operation = message.route.operation
        if operation in CONTROL_OPERATIONS:
            return Control(message)
        if operation == KEEPALIVE:
            self._alive_at = now
            return Keepalive()
        if _VOLUME.match(message.route.resource):
            return Ignored("volume_answer")
        if operation == RESPONSE:
            parent = message.header.parent_id
            if self._unacknowledged.pop(parent, None) is None:
                return Ignored("unawaited_response")
            return Acknowledged(parent)
        return Request(message)

    def expect_ack(self, message: Message) -> None:
        """Remember that ``message`` is being sent and is due an acknowledgement."""
        while len(self._unacknowledged) >= MAX_UNACKNOWLEDGED:
            del self._unacknowledged[next(iter(self._unacknowledged))]
        self._unacknowledged[message.header.id] = message.route.resource

    def forget_ack(self, message_id: str) -> None:
        """No longer expect that acknowledgement; one that comes late is ignored."""
        self._unacknowledged.pop(message_id, None)

    def end(self, reason: str) -> bool:
        """Be over for ``reason``, a fixed snake_case word; false when it was over before."""
        if self.ended:
            return False
        self.ended = reason
        return True


def is_due_ack(message: Message) -> bool:
    """Whether an edge acknowledges ``message``, a message of the cloud that answers nothing
    (``kubeedge edge/pkg/metamanager/process.go@v1.3.1``).

    MetaManager acknowledges inserts, updates and deletes; other groups than its two acknowledge nothing.
    """
    return message.route.group in {GROUP_RESOURCE, GROUP_FUNC} and message.route.operation in {INSERT, UPDATE, DELETE}
