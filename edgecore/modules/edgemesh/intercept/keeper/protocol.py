"""What the node and its keeper tell each other over a pair of sockets: msgpack, each with its length before it.

The keeper does what it is told and understands nothing of it. The last ``Will`` that it was told is done when the node
is gone, whatever ended it: first ``at_once``, then, ``linger_s`` later, ``at_last``; then the keeper ends, and with it
every table of nftables that it has made with the flag ``owner``. If another keeper takes over while it lingers,
``at_succession`` is done in place of ``at_last``.
"""

from collections.abc import Iterator
from typing import Any, Literal

import msgspec

from edgecore.errors import ContentError

MESSAGE_LIMIT_BYTES = 16 << 20
"""The longest message, either way: a whole ruleset of many thousand spots."""

COMMAND_LIMIT_S = 10.0
"""A program that runs for longer is killed, and its step has failed."""

_LENGTH_BYTES = 4

Tool = Literal["library", "program", "missing"]
"""How the keeper speaks nftables. Only by the library can it make tables with the flag ``owner``."""

Reason = Literal["", "no_permission", "no_tool", "in_use", "refused"]
"""See ``InterceptError``."""


class Nft(msgspec.Struct, frozen=True, tag="nft"):
    """Commands of nftables, all of them or none (one transaction). With ``json`` the output is JSON."""

    text: str
    json: bool = False


class Command(msgspec.Struct, frozen=True, tag="command"):
    """A program, such as ``ip`` or ``iptables-restore``, with its arguments; ``stdin`` is what it reads."""

    argv: tuple[str, ...]
    stdin: str = ""
    may_fail: bool = False
    """What it says is not looked at: it takes away what may not be there."""


Step = Nft | Command


class Will(msgspec.Struct, frozen=True, tag="will"):
    """What is done when the node is gone. A step that fails does not keep the others from being done."""

    at_once: tuple[Step, ...] = ()
    at_last: tuple[Step, ...] = ()
    linger_s: float = 0.0
    at_succession: tuple[Step, ...] = ()
    """In place of ``at_last``, if another keeper takes over: takes away what is this one's alone, such as a table
    without the flag ``owner``."""


class Ask(msgspec.Struct, frozen=True, tag="ask"):
    """Do these steps, one after the other, up to the first that fails; answer with ``Done``."""

    id: int
    steps: tuple[Step, ...]


class TakeOver(msgspec.Struct, frozen=True, tag="take_over"):
    """Have the keeper of a node that is gone leave, and be the one that keeps ``subnet``; answer with ``Done``.

    The output of ``Done`` is ``left`` if there was one that left. See ``succession.py``.
    """

    id: int
    subnet: str


class Bye(msgspec.Struct, frozen=True, tag="bye"):
    """The node ends on purpose: do the will now. ``linger`` says whether to linger before ``at_last``."""

    linger: bool


Told = Ask | TakeOver | Will | Bye
"""What the keeper is told."""


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """From the keeper, first of all."""

    nft: Tool


class Done(msgspec.Struct, frozen=True, tag="done"):
    """From the keeper: what the last step of ``Ask`` printed, or why one failed."""

    id: int
    output: str = ""
    error: str = ""
    """Which step failed, and the tool's words. Empty: all steps are done."""
    reason: Reason = ""


class Said(msgspec.Struct, frozen=True, tag="said"):
    """From the keeper: a line for the log."""

    level: Literal["debug", "info", "warning", "error"]
    event: str
    values: dict[str, str]


News = Ready | Done | Said
"""What the keeper says."""


def frame(message: Told | News) -> bytes:
    """Return the bytes of ``message``. Raises ``ContentError`` if it is too long."""
    encoded = msgspec.msgpack.encode(message)
    if len(encoded) > MESSAGE_LIMIT_BYTES:
        raise ContentError(f"cannot send message: it has {len(encoded)} bytes, {MESSAGE_LIMIT_BYTES} are allowed")
    return len(encoded).to_bytes(_LENGTH_BYTES, "big") + encoded


class Frames:
    """Messages out of bytes, however these are cut. ``expects`` is the union of what may come."""

    def __init__(self, expects: Any) -> None:
        self._decoder = msgspec.msgpack.Decoder(expects)
        self._bytes = bytearray()

    def feed(self, data: bytes) -> None:
        """Take what came."""
        self._bytes += data

    def messages(self) -> Iterator[Any]:
        """Yield the messages that are complete. Raises ``ContentError`` at the first that is none, or too long."""
        while len(self._bytes) >= _LENGTH_BYTES:
            end = _LENGTH_BYTES + int.from_bytes(self._bytes[:_LENGTH_BYTES], "big")
            if end > _LENGTH_BYTES + MESSAGE_LIMIT_BYTES:
                raise ContentError(f"cannot read message: it has {end} bytes, {MESSAGE_LIMIT_BYTES} are allowed")
            if len(self._bytes) < end:
                return
            encoded = bytes(self._bytes[_LENGTH_BYTES:end])
            del self._bytes[:end]
            try:
                message = self._decoder.decode(encoded)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
                raise ContentError(f"cannot read message: {error}") from error
            yield message
