"""What a recorder saw, as an entry, and by which ids others follow from it (pure; run by the thread that writes)."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from edgecore.beehive import wire
from edgecore.beehive.message import Message, with_content
from edgecore.errors import FrameError
from edgecore.recording.entries import (
    BusMessage,
    CloudFrame,
    Commit,
    ConnectionEvent,
    Direction,
    Entry,
    Link,
    MqttMessage,
    Write,
)

KNOWN_IDS = 65_536
"""How many ids of messages are remembered, the latest ones."""
_LONGEST_ID = 128


class Sighting(NamedTuple):
    """One entry without its number."""

    entry: Entry
    id: str = ""
    """Of the message that it shows."""
    parents: tuple[str, ...] = ()
    """Ids of what it follows from, where its own was never seen."""


class _Header(msgspec.Struct, frozen=True):
    msg_id: str = ""
    parent_msg_id: str = ""


class _Headed(msgspec.Struct, frozen=True):
    header: _Header = _Header()


_header_of = msgspec.json.Decoder(_Headed).decode


def frame(t_ns: int, direction: Direction, link: Link, payload: bytes) -> Sighting:
    """Return a frame. Bytes that are no UTF-8 are written as ``\\xff``."""
    entry = CloudFrame(0, t_ns, direction, link, payload.decode(errors="backslashreplace"))
    try:
        header = _header_of(payload).header
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Sighting(entry)
    return Sighting(entry, header.msg_id, (header.parent_msg_id,))


def frame_to_edge(t_ns: int, link: Link, payload: bytes) -> Sighting:
    """Return a frame of the cloud."""
    return frame(t_ns, Direction.TO_EDGE, link, payload)


def frame_to_cloud(t_ns: int, link: Link, payload: bytes) -> Sighting:
    """Return a frame of the edge."""
    return frame(t_ns, Direction.TO_CLOUD, link, payload)


def timed(t_ns: int, entry: Entry, _more: None = None) -> Sighting:
    """Return an entry that shows no message; one that knows its time keeps it."""
    return Sighting(_timed(t_ns, entry))


def connection(t_ns: int, entry: ConnectionEvent, _more: None = None) -> Sighting:
    """Return what happened to a connection; all but ``open`` follow from that."""
    return Sighting(_timed(t_ns, entry), f"link {entry.link}")


def mqtt_message(t_ns: int, entry: MqttMessage, _more: None = None) -> Sighting:
    """Return a message of MQTT."""
    return Sighting(_timed(t_ns, entry), entry.message_id)


def bus_message(t_ns: int, way: tuple[str, str, bool], message: Message) -> Sighting:
    """Return a message of the bus; a content that is no JSON is left out.

    ``way``: from which module, to which, and whether a person put it there.
    """
    sender, receiver, injected = way
    try:
        text = wire.encode(message)
    except FrameError:
        text = wire.encode(with_content(message, None))
    header = message.header
    return Sighting(BusMessage(0, t_ns, sender, receiver, text.decode(), injected), header.id, (header.parent_id,))


def commit(t_ns: int, writes: Sequence[tuple[str, Sequence[Any]]], _more: None = None) -> Sighting:
    """Return a commit: it follows from every message whose id stands among what it wrote."""
    told = tuple(Write(sql, tuple(params)) for sql, params in writes)
    ids = [each for one in told for each in one.params if isinstance(each, str) and 0 < len(each) <= _LONGEST_ID]
    return Sighting(Commit(0, t_ns, told), "", tuple(dict.fromkeys(ids)))


def _timed(t_ns: int, entry: Any) -> Any:
    return entry if entry.t_ns else msgspec.structs.replace(entry, t_ns=t_ns)


class Numbering:
    """Numbers entries from 1 and finds what they follow from: the last entry of the same id, else of its parents."""

    def __init__(self, *, known_ids: int = KNOWN_IDS) -> None:
        self.last = 0
        self._known_ids = known_ids
        self._numbers: OrderedDict[str, int] = OrderedDict()

    def numbered(self, sighting: Sighting) -> Entry:
        """Return the entry with its number and its causes."""
        entry, own, parents = sighting
        self.last += 1
        numbers = self._numbers
        known = numbers.get(own) if own else None
        causes = (known,) if known else tuple(sorted({numbers[each] for each in parents if each in numbers}))
        if own:
            numbers[own] = self.last
            numbers.move_to_end(own)
            if len(numbers) > self._known_ids:
                numbers.popitem(last=False)
        return msgspec.structs.replace(entry, n=self.last, causes=causes)
