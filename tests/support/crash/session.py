"""The recorded session that nodes are killed in: what came from the cloud, and what the recorded edged said, in order.

Recordings a, b, e0, b2, b3, c and e, as they followed each other, and then all that f says of its first services. Edged
was recorded to delete one pod; between the services of f it deletes some more, which are copies of that one.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from edgecore.beehive import resource as r
from edgecore.beehive import wire
from edgecore.beehive.message import Message, Route, content_value, with_id
from edgecore.recording.entries import CloudFrame, Direction
from edgecore.recording.reader import read_entries

_DATA = Path(__file__).parents[2] / "data"
_NAMES = (
    "a_connect_first_sync",
    "b_services_endpoints_pods",
    "e0_both_restarted_with_existing_objects",
    "b2_deletes",
    "b3_service_endpoints_delete",
    "c_configmap_secret_pod",
    "e_disconnect_reconnect_resync",
)
_BURST = "f_burst_1000_services_3000_pods"
BURST_SERVICES = 50
COPIES = 10


class Item(NamedTuple):
    """One step: a message, and for a question of edged what the cloud answered."""

    message: Message
    answer: Message | None = None

    @property
    def is_of_the_cloud(self) -> bool:
        """Whether it came from the cloud, which sends it until it is acknowledged; else edged said it."""
        return self.message.route.source == r.EDGECONTROLLER

    @property
    def applied_id(self) -> str | None:
        """The id that is remembered with its rows: that of what the cloud sent."""
        if self.is_of_the_cloud:
            return self.message.header.id
        return self.answer.header.id if self.answer is not None else None


def recorded_session() -> tuple[Item, ...]:
    """Return the session. A message that the cloud was recorded to send again is there once."""
    items: dict[str, Item] = {}
    for name in _NAMES:
        frames = list(_frames(f"{name}.jsonl"))
        answers = {m.header.parent_id: m for direction, m in frames if direction is Direction.TO_EDGE}
        for direction, message in frames:
            if direction is Direction.TO_EDGE and _is_object(message):
                items.setdefault(message.header.id, Item(message))
            elif direction is Direction.TO_CLOUD and message.route.source == r.EDGED:
                item = _of_edged(message, answers)
                if item is not None:
                    items.setdefault(message.header.id, item)
    copies = _copies(tuple(items.values()))
    for message in _of_the_burst():
        items.setdefault(message.header.id, Item(message))
        for copy in next(copies, ()):
            items[copy.message.header.id] = copy
    return tuple(items.values())


def _copies(items: Sequence[Item]) -> Iterator[tuple[Item, ...]]:
    """Yield what was said of the pod that edged deleted, up to its delete, as if it were of other pods."""
    last = next(item for item in items if item.message.route.operation == r.DELETE and not item.is_of_the_cloud)
    about = [item for item in items if item.message.route.resource == last.message.route.resource]
    for number in range(COPIES):
        yield tuple(_copy(item, number) for item in about[: about.index(last) + 1])


def _copy(item: Item, number: int) -> Item:
    """Return ``item`` as one about another pod, with an id and a uid of its own."""
    message = item.message
    name = message.route.resource.rpartition("/")[2]
    content = content_value(message)
    if isinstance(content, str):
        content = f"{content[:-4]}{number:04}"
    else:
        metadata = content["metadata"]
        content = {
            **content,
            "metadata": {**metadata, "name": f"{name}-{number}", "uid": f"{metadata['uid'][:-4]}{number:04}"},
        }
    route = message.route
    renamed = Route(route.source, route.group, route.operation, f"{route.resource}-{number}")
    return Item(Message(with_id(message, f"{message.header.id}-{number}").header, renamed, content))


def _frames(name: str) -> Iterator[tuple[Direction, Message]]:
    entries = [entry for entry in read_entries(_DATA / name) if isinstance(entry, CloudFrame)]
    for entry in sorted(entries, key=lambda entry: entry.t_ns):
        yield entry.direction, wire.decode(entry.text)


def _of_the_burst() -> Iterator[Message]:
    names: set[str] = set()
    for direction, message in _frames(f"{_BURST}.jsonl.gz"):
        if direction is Direction.TO_EDGE and _is_object(message):
            name = message.route.resource.split("/")[2]
            if len(names) < BURST_SERVICES:
                names.add(name)
            if name in names:
                yield message


def _is_object(message: Message) -> bool:
    route = message.route
    return route.source == r.EDGECONTROLLER and route.operation in (r.INSERT, r.UPDATE, r.DELETE)


def _of_edged(message: Message, answers: dict[str, Message]) -> Item | None:
    """Return what edged said of a status or of the end of a pod, and what it asked and was answered."""
    resource = r.parse_edge(message.route.resource)
    if resource is None:
        return None
    if message.route.operation == r.QUERY:
        answer = answers.get(message.header.id)
        return Item(message, answer) if answer is not None else None
    is_told = message.route.operation == r.UPDATE and resource.type in (r.PODSTATUS, r.NODESTATUS)
    is_gone = message.route.operation == r.DELETE and resource.type == r.POD
    return Item(message) if is_told or is_gone else None
