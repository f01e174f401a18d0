"""Which messages of nodes were taken in: each is noted on disk together with its effect, so that none has it twice."""

import asyncio
from collections.abc import Callable

from cloudhub_stub.store.tables import Rows
from cloudhub_stub.uploads import is_upload
from edgecore.beehive.message import Message
from edgecore.beehive.resource import PODSTATUS, UPDATE, parse_edge
from edgecore.store.outbox import is_durable

_LONGEST_ID = 256

Commit = Callable[..., asyncio.Future[None]]
"""Commits statements together with all that has changed up to now."""


def has_effect(message: Message) -> bool:
    """Whether taking ``message`` in twice would be wrong: a pod status, the end of a pod, a twin report, an upload.

    A question may be asked again, a status of the node posted again, an acknowledgement repeated.
    """
    if is_durable(message) or is_upload(message):
        return True
    if message.route.operation != UPDATE:
        return False
    resource = parse_edge(message.route.resource)
    return resource is not None and resource.type == PODSTATUS


def is_notable(message: Message) -> bool:
    """Whether the id of a message is one by which it is known when it comes again."""
    return 0 < len(message.header.id) <= _LONGEST_ID


class Journal:
    """The messages with an effect, by node and id."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self._pending: dict[tuple[str, str], asyncio.Future[None]] = {}

    def is_pending(self, node: str, message_id: str) -> bool:
        """Whether the message is being noted."""
        return (node, message_id) in self._pending

    def pending(self, node: str, message_id: str) -> asyncio.Future[None] | None:
        """Return when a message that came before will be on disk; ``None`` for one that is not being noted."""
        return self._pending.get((node, message_id))

    def was_taken(self, node: str, message_id: str) -> bool:
        """Whether the message is on disk. Raises ``StoreError``."""
        return self._rows.is_noted(node, message_id)

    def note(self, node: str, message: Message, at_ms: int, commit: Commit) -> asyncio.Future[None]:
        """Note ``message`` with all that it changed; the future is done when that is committed, with a ``StoreError``
        where it cannot be.

        Messages of one node are committed in order. Those whose id is none that could come again are not noted.
        """
        if not is_notable(message):
            return commit()
        key = (node, message.header.id)
        noted = self._pending[key] = commit(*self._rows.noting(node, message, at_ms))
        noted.add_done_callback(lambda _: self._pending.pop(key, None))
        return noted


def is_committed(write: asyncio.Future[None]) -> bool:
    """Whether a write that has ended is on disk; the store has logged why if it is not."""
    return not write.cancelled() and write.exception() is None
