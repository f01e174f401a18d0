"""One frame of the link, one message: the wire JSON and the newline that Go's encoder puts behind it (spec 2.1).

A frame may come in fragments; they are joined within a bound that its size does not set, for they may be empty.
"""

from collections.abc import AsyncIterable

from edgecore.beehive import wire
from edgecore.beehive.message import Message, with_sync
from edgecore.errors import FrameError

MOST_FRAGMENTS = 300_000
"""Of one frame. A cloudcore sends 4,082 bytes in each; the largest that can be allowed (1 GiB) has 263,044 of them."""

SPARE_BYTES = 1 << 20
"""So much more than one frame may wait unsent: a peer that asks (ping) and never reads the answers is cut then."""

TOO_MANY = "too_many_fragments"


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


async def joined(fragments: AsyncIterable[bytes]) -> bytes:
    """Return the payload that fragments make up. Raises ``FrameError`` with the reason ``TOO_MANY``."""
    found: list[bytes] = []
    async for fragment in fragments:
        if len(found) >= MOST_FRAGMENTS:
            raise FrameError(TOO_MANY, f"it has more than {MOST_FRAGMENTS} fragments")
        found.append(fragment)
    return b"".join(found)
