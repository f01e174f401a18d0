"""What is published to ``edgecore/<node>/inject/<to>`` (pure): a message for that module, or what is wrong with it.

The payload is the JSON of a message: ``route`` with ``operation`` and ``resource`` has to be there; ``header`` may be
left out, and gets an id and the time.
"""

from edgecore.beehive import wire
from edgecore.beehive.message import Header, Message, Route
from edgecore.beehive.resource import CONTROL_OPERATIONS
from edgecore.clock import Clock
from edgecore.errors import ContentError, FrameError
from edgecore.ids import NewId

SOURCE = "inject"
"""The source of a message that names none."""


class Refused(ContentError):  # noqa: N818 - a state, as in errors.py
    """It goes nowhere. ``reason`` is a fixed snake_case word."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"cannot inject a message: {detail}")
        self.reason = reason
        self.detail = detail


def injected(payload: bytes, new_id: NewId, clock: Clock, longest: int) -> Message:
    """Return the message in ``payload``. Raises ``Refused``.

    Nobody waits for an answer to it: ``sync`` is taken away.
    """
    if len(payload) > longest:
        raise Refused("inject_too_large", f"it has {len(payload)} bytes, over {longest}")
    try:
        message = wire.decode(payload)
    except FrameError as error:
        raise Refused(f"inject_{error.reason}", error.detail) from error
    header, route = message.header, message.route
    if not route.operation or not route.resource:
        raise Refused("inject_without_route", "route.operation and route.resource have to be there")
    if route.operation in CONTROL_OPERATIONS:
        raise Refused("inject_of_transport", f"no module may use the operation {route.operation}")
    return Message(
        Header(header.id or new_id(), header.parent_id, header.timestamp_ms or clock.now_ms(), header.resource_version),
        Route(route.source or SOURCE, route.group, route.operation, route.resource),
        message.content,
    )
