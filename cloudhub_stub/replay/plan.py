"""What of a recording is played to a node: pure, from entries to messages."""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from cloudhub_stub.errors import ReplayError
from cloudhub_stub.replay.addresses import AddressMap
from cloudhub_stub.session import is_due_ack
from edgecore.beehive.message import Header, Message
from edgecore.beehive.wire import decode
from edgecore.errors import FrameError
from edgecore.ids import NewId
from edgecore.recording.entries import CloudFrame, Direction, Entry


class ReplayOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the command asks for; it travels as JSON from the command to the running stub."""

    file: str
    """Absolute path; the stub reads it itself, being on the same machine and of the same user."""
    node: str | None = None
    """The node to play to; ``None`` for the only one that is connected."""
    wait_s: float = 30.0
    """How long to wait until that node is connected."""
    map: dict[str, str] = {}
    """Recorded IP address to the one that takes its place."""
    from_entry: int | None = None
    to_entry: int | None = None
    """The first and the last line to play, counted from 1, both included."""
    only: str | None = None
    """A regular expression: play only messages in whose resource it is found."""
    keep_ids: bool = False
    """Send the recorded message ids and timestamps instead of fresh ones."""


class PlannedFrame(NamedTuple):
    """One message to send, its id and timestamp still the recorded ones."""

    entry: int
    message: Message
    due_ack: bool
    """Whether the edge will acknowledge it; the next one waits for that."""


class SkippedAnswer(NamedTuple):
    """A message that answered a request of the recorded edge; the edge that is there gets answers to its own."""

    entry: int
    resource: str


class Selection:
    """Which entries are played, and with which addresses."""

    def __init__(self, options: ReplayOptions) -> None:
        """Raises ``ReplayError`` where the options make no sense."""
        self._from = 1 if options.from_entry is None else options.from_entry
        self._to = options.to_entry
        if self._from < 1:
            raise ReplayError(f"cannot replay from entry {self._from}: entries are counted from 1")
        if self._to is not None and self._to < self._from:
            raise ReplayError(f"cannot replay entries {self._from} to {self._to}: the last is before the first")
        try:
            self._only = None if options.only is None else re.compile(options.only)
        except re.error as error:
            raise ReplayError(f"cannot replay only {options.only!r}: not a regular expression: {error}") from error
        self._addresses = AddressMap(options.map)

    def plan(self, entries: Iterable[Entry]) -> Iterator[PlannedFrame | SkippedAnswer]:
        """Yield what is to be sent, and what is left out because it was an answer, in the order of the entries.

        Raises ``ReplayError``, naming the entry, where a frame to the edge is not a message.
        """
        for entry in entries:
            if self._to is not None and entry.line > self._to:
                return
            if isinstance(entry, CloudFrame) and entry.direction is Direction.TO_EDGE and entry.line >= self._from:
                planned = self._plan_frame(entry)
                if planned is not None:
                    yield planned

    def _plan_frame(self, entry: CloudFrame) -> PlannedFrame | SkippedAnswer | None:
        try:
            message = decode(self._addresses.apply(entry.text))
        except FrameError as error:
            raise ReplayError(f"cannot replay entry {entry.line}: {error.detail}") from error
        resource = message.route.resource
        if self._only is not None and not self._only.search(resource):
            return None
        if message.header.parent_id:
            return SkippedAnswer(entry.line, resource)
        return PlannedFrame(entry.line, message, is_due_ack(message))


def stamped(message: Message, new_id: NewId, now_ms: int) -> Message:
    """Return ``message`` under a fresh id and with the time of now; the resource version of its object stays."""
    header = Header(new_id(), message.header.parent_id, now_ms, message.header.resource_version)
    return Message(header, message.route, message.content)
