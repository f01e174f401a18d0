"""What a plan is made of (pure): changes of rows, and the steps that are taken once those are committed."""

from typing import NamedTuple


class Put(NamedTuple):
    """Store a row."""

    key: str
    type: str
    value: str


class Remove(NamedTuple):
    """Remove a row, if it is there."""

    key: str


class Forward(NamedTuple):
    """Send the message on to a module."""

    module: str


class Show(NamedTuple):
    """Let EdgeMesh, if there is one, see the message, which is for another module."""


class Acknowledge(NamedTuple):
    """Answer the cloud "OK"."""


class ToCloud(NamedTuple):
    """Send the message on to the cloud, unchanged."""

    durable: bool = False
    """It gets a row of its own in the outbox, committed with the changes: nobody would make it a second time."""


class Reply(NamedTuple):
    """Answer who asked, with this content."""

    content: object


class Report(NamedTuple):
    """Tell who asked that it failed (operation ``error``)."""

    text: str


class Fault(NamedTuple):
    """Input to be counted and logged; ``reason`` is a fixed word."""

    reason: str
    detail: str = ""


class AnswerLocally(NamedTuple):
    """Answer a query with the row under ``key``, or, where that is empty, with those of ``type`` in ``namespace``."""

    key: str
    type: str
    namespace: str


class AskCloud(NamedTuple):
    """Answer a query with what the cloud says, and store that."""


class AskEdged(NamedTuple):
    """Have edged do a volume operation, and tell the cloud what came of it."""


class ReportPods(NamedTuple):
    """Tell the cloud the states of all pods now, not only when the minute is over."""


class Connection(NamedTuple):
    """The link to the cloud came up or went down."""

    connected: bool


Step = (
    Forward
    | Show
    | Acknowledge
    | ToCloud
    | Reply
    | Report
    | Fault
    | AnswerLocally
    | AskCloud
    | AskEdged
    | ReportPods
    | Connection
)


class Plan(NamedTuple):
    """What is to be stored, and what is to be done once that is committed."""

    changes: tuple[Put | Remove, ...] = ()
    steps: tuple[Step, ...] = ()
    unchanged: int = 0
    """Rows that stay as they are, because the message says nothing new."""
