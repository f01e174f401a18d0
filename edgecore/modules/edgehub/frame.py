"""One websocket frame, one message: the wire JSON and the newline that Go's encoder puts behind it (spec 2.1)."""

from edgecore.beehive import wire
from edgecore.beehive.message import Message, with_sync


def encode_frame(message: Message) -> bytes:
    """Return the payload for ``message``. Whether somebody waits for an answer stays in this process.

    Raises ``FrameError`` if its content is no JSON value.
    """
    return wire.encode(with_sync(message, False)) + b"\n"


def decode_frame(payload: bytes | str) -> Message:
    """Return the message in ``payload``; nobody in this process waits for an answer to it, whatever it says.

    Raises ``FrameError``, see ``wire.decode``.
    """
    return with_sync(wire.decode(payload), False)
