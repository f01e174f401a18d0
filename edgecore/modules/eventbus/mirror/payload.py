"""What is published for a message of the bus (pure): its wire JSON without secrets, in short where that is long."""

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from edgecore.beehive import wire
from edgecore.beehive.message import Message
from edgecore.beehive.switchboard import Passage
from edgecore.recording.entries import BusMessage

Redact = Callable[[BusMessage], BusMessage]

_json = msgspec.json.Encoder().encode


class Mirrored(NamedTuple):
    """The payload, and whether it is all of the message."""

    payload: bytes
    is_whole: bool


def mirrored(passage: Passage, longest: int, redact: Redact | None) -> Mirrored:
    """Return what is published for ``passage``, of at most about ``longest`` bytes.

    What is longer has no content, and ``truncated`` and ``bytes`` instead. Raises ``FrameError`` where the content is
    no JSON value.
    """
    message = passage.message
    content = message.content
    if isinstance(content, msgspec.Raw | bytes | str) and len(content) > longest:
        return Mirrored(_in_short(message, len(content)), False)
    document = wire.encode(message)
    if len(document) <= longest and redact is not None:
        entry = BusMessage(
            line=0, t_ns=0, sender=passage.sender, receiver=passage.receiver, text=document.decode("utf-8")
        )
        document = redact(entry).text.encode()
    if len(document) > longest:
        return Mirrored(_in_short(message, len(document)), False)
    return Mirrored(document, True)


def _in_short(message: Message, size: int) -> bytes:
    return _json({"header": message.header, "route": message.route, "content": None, "truncated": True, "bytes": size})
