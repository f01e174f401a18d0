"""One connection of one node, from its upgrade to its end: what each frame that arrives asks for.

The order of the questions is CloudHub's (``kubeedge cloud/pkg/cloudhub/handler/messagehandler.go:101-136@v1.3.1``):

| message | action |
| --- | --- |
| operation ``config``, ``ping``, ``pong`` | ``Control``: the transport answers "ack" (``VD/conn/ws.go:69-94``) |
| any, while a faithful stub has as many nodes as it may have | ``Ignored`` (bug H1) |
| operation ``keepalive`` | ``Keepalive``: the deadline moves on |
| resource ``<namespace>/volume/...`` | ``Ignored``: answers to CSI requests, which the stub never sends |
| operation ``response`` | ``Response``: an acknowledgement if its parent awaits one |
| anything else | ``Request``: the controllers' business (``answers.py``) |

An ended session ignores everything, so that nothing of an old connection touches the one that replaced it.
"""

import re
from math import inf
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

KEEPALIVE_TIMEOUT = "keepalive_timeout"
"""Why a session ends whose node was silent for too long."""
WRITE_TIMEOUT = "write_timeout"
"""Why a session of a faithful stub ends to whose node nothing was written for too long (bug T2)."""

OUR_AGENT = "edgecore"
"""How our edge names itself in the upgrade request; a Go edge says ``Go-http-client/1.1``."""

_VOLUME = re.compile(r"\w[-\w.+]*/volume/\w[-\w.+]*")


class Keepalive(NamedTuple):
    """The node is alive; nothing is answered."""


class Response(NamedTuple):
    """The node answers the message ``parent_id``."""

    parent_id: str


class Control(NamedTuple):
    """The transport below the messages asks for "ack"."""


class Request(NamedTuple):
    """The node asks or reports something."""


class Ignored(NamedTuple):
    """Nothing is done, for a reason: a fixed snake_case word."""

    reason: str


Action = Keepalive | Response | Control | Request | Ignored


class Session:
    """The state of one connection. Times are ``monotonic`` seconds of the clock.

    ``write_timeout_s``: how long after the last write the session lasts, in a faithful stub; ``None`` for any time.
    """

    def __init__(
        self,
        node: str,
        epoch: int,
        now: float,
        keepalive_timeout_s: float,
        *,
        agent: str = "",
        write_timeout_s: float | None = None,
    ) -> None:
        self.node = node
        self.epoch = epoch
        """Counts the connections of all nodes: a later connection has a higher one."""
        self.started_at = now
        self.is_ours = agent.startswith(OUR_AGENT)
        """The edge is of this project: it is ready for an answer before it asks, and reads at its own pace."""
        self.ended = ""
        """Why the session is over; empty while it lives."""
        self._keepalive_timeout_s = keepalive_timeout_s
        self._write_timeout_s = write_timeout_s
        self._alive_at = now
        self._write_deadline = inf

    @property
    def deadline(self) -> float:
        """When the session is over unless a keepalive comes before; only keepalives count, as in CloudHub."""
        return min(self._alive_at + self._keepalive_timeout_s, self._write_deadline)

    @property
    def overdue(self) -> str:
        """Why the session is over once its deadline has come."""
        is_silent = self.deadline < self._write_deadline
        return KEEPALIVE_TIMEOUT if is_silent else WRITE_TIMEOUT

    def receive(self, message: Message, now: float, *, hub_is_full: bool = False) -> Action:
        """Say what ``message`` asks for, and note what it tells."""
        if self.ended:
            return Ignored("session_ended")
        operation = message.route.operation
        if operation in CONTROL_OPERATIONS:
            return Control()
        if hub_is_full:
            return Ignored("node_limit")
        if operation == KEEPALIVE:
            self._alive_at = now
            return Keepalive()
        if _VOLUME.match(message.route.resource):
            return Ignored("volume_answer")
        if operation == RESPONSE:
            return Response(message.header.parent_id)
        return Request()

    def wrote(self, now: float) -> None:
        """Something is written to the node."""
        if self._write_timeout_s is not None:
            self._write_deadline = now + self._write_timeout_s

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
