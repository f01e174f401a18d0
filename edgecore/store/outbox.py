"""The durable part of the node's outbox: messages for the cloud that outlive the process, a row each.

The module that changes a row because of such a message writes both in one transaction (``keep`` gives the statement),
so that neither is there without the other; EdgeHub sends what lies here and removes it once the cloud has it.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from edgecore.beehive import wire
from edgecore.beehive.message import Message
from edgecore.beehive.resource import DELETE, POD, TWIN, UPDATE, parse_edge
from edgecore.errors import FrameError
from edgecore.store.store import Statement, Store

SCHEMA = (
    """CREATE TABLE IF NOT EXISTS outbox (
        seq integer NOT NULL PRIMARY KEY AUTOINCREMENT, id text NOT NULL UNIQUE, message text NOT NULL
    )""",
)

_TWIN_REPORTS = ("twin/edge_updated", "state")
"""What follows ``device/<id>/`` in the resource of a report that DeviceTwin makes."""


class BadRow(NamedTuple):
    """A row that holds no message; ``seq`` is its place."""

    seq: int
    detail: str


def is_durable(message: Message) -> bool:
    """Whether ``message``, on its way to the cloud, must outlive the process: a twin report, or that a pod is gone.

    Nobody makes them a second time: a status is posted again, a question asked again, an acknowledgement asked for.
    """
    route = message.route
    if route.source == TWIN:
        words = route.resource.split("/", 2)
        return route.operation == UPDATE and len(words) == 3 and words[0] == "device" and words[2] in _TWIN_REPORTS
    if route.operation != DELETE:
        return False
    resource = parse_edge(route.resource)
    return resource is not None and resource.type == POD


def keep(message: Message) -> Statement:
    """Return the statement that puts ``message`` behind the others; one that is there already stays where it is.

    Raises ``FrameError`` where its content is no JSON value.
    """
    text = wire.encode(message).decode()
    return Statement("INSERT OR IGNORE INTO outbox (id, message) VALUES (?, ?)", (message.header.id, text))


def is_kept(store: Store, message_id: str) -> bool:
    """Return whether a message lies there. Raises ``StoreError``."""
    return bool(store.rows("SELECT 1 FROM outbox WHERE id = ?", (message_id,)))


def forget(message_ids: Iterable[str]) -> Iterator[Statement]:
    """Yield the statements that remove these messages."""
    for message_id in message_ids:
        yield Statement("DELETE FROM outbox WHERE id = ?", (message_id,))


def forget_row(bad: BadRow) -> Statement:
    """Return the statement that removes a row that holds no message."""
    return Statement("DELETE FROM outbox WHERE seq = ?", (bad.seq,))


def kept(store: Store) -> list[Message | BadRow]:
    """Return what lies there, in the order in which it came. Raises ``StoreError``."""
    found: list[Message | BadRow] = []
    for seq, text in store.rows("SELECT seq, message FROM outbox ORDER BY seq"):
        try:
            found.append(wire.decode(text))
        except FrameError as error:
            found.append(BadRow(seq, error.detail))
    return found
