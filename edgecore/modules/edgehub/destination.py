"""Where a message from the cloud goes (pure; kubeedge edge/pkg/edgehub/process.go:28-170@v1.3.1)."""

from collections.abc import Callable
from typing import NamedTuple

from edgecore.beehive import resource as r
from edgecore.beehive.message import Message

GROUPS = {
    r.GROUP_RESOURCE: r.GROUP_META,
    r.GROUP_FUNC: r.GROUP_META,
    r.GROUP_TWIN: r.GROUP_TWIN,
    r.GROUP_USER: r.GROUP_BUS,
}
"""The group in the route of a message from the cloud, and the group of modules that gets it."""


class AnswerControl(NamedTuple):
    """Answer "ack" to an operation of the transport (``config``, ``ping``, ``pong``); deliver nothing."""


class HandToWaiter(NamedTuple):
    """Put it into the reply slot of the module that waits for it."""


class Dispatch(NamedTuple):
    """Send it to every module of ``group``."""

    group: str


class Refuse(NamedTuple):
    """Count it, log it, drop it; ``reason`` is a fixed word."""

    reason: str
    detail: str


Destination = AnswerControl | HandToWaiter | Dispatch | Refuse


def destination_of(message: Message, awaited: Callable[[str], bool]) -> Destination:
    """Return where a message from the cloud goes.

    ``awaited`` says whether a module waits for the answer to a message id. As in Go the group is checked first.
    """
    route = message.route
    if route.operation in r.CONTROL_OPERATIONS:
        return AnswerControl()
    group = GROUPS.get(route.group)
    if group is None:
        return Refuse("unknown_group", route.group)
    if message.header.parent_id and awaited(message.header.parent_id):
        return HandToWaiter()
    if not message.header.id:
        return Refuse("no_message_id", route.resource)
    return Dispatch(group)
