"""What the node and the supervisor of its processes say to each other over a pair of sockets.

msgpack, each message with its length in four bytes before it.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Generic, TypeVar

from msgspec import Struct, msgpack

from edgecore.errors import ContentError

_LENGTH_BYTES = 4
LONGEST_BYTES = 8 << 20
"""Of one message: a command and its variables, which Linux limits to a quarter of that."""

T = TypeVar("T")


class Run(Struct, frozen=True, tag="run"):
    """To the supervisor: start a process. ``log`` is the file of what it prints; empty: that is thrown away.

    Texts hold bytes that are no UTF-8 as ``os.fsdecode`` has them, which msgpack does not; so they travel as bytes.
    """

    id: int
    command: tuple[bytes, ...]
    variables: Mapping[bytes, bytes]
    directory: bytes
    log: bytes
    log_limit_bytes: int


class Signal(Struct, frozen=True, tag="signal"):
    """To the supervisor: send a signal to the process and all that is in its group."""

    id: int
    number: int


class Started(Struct, frozen=True, tag="started"):
    """From the supervisor: a process runs."""

    id: int
    pid: int


class Refused(Struct, frozen=True, tag="refused"):
    """From the supervisor: a process could not be started."""

    id: int
    reason: str


class Exited(Struct, frozen=True, tag="exited"):
    """From the supervisor: a process has ended, and whatever it had started. ``code`` is negative for a signal."""

    id: int
    code: int


Orders = Run | Signal
News = Started | Refused | Exited


def frame(message: Struct) -> bytes:
    """Return a message as it travels. Raises ``ContentError`` if it is too long."""
    encoded = msgpack.encode(message)
    if len(encoded) > LONGEST_BYTES:
        raise ContentError(f"cannot send {len(encoded)} bytes at once: the limit is {LONGEST_BYTES}")
    return len(encoded).to_bytes(_LENGTH_BYTES, "big") + encoded


class Frames(Generic[T]):
    """Messages out of the bytes as they come. ``expects`` is their union."""

    def __init__(self, expects: Any) -> None:
        self._decoder: msgpack.Decoder[T] = msgpack.Decoder(expects)
        self._bytes = bytearray()

    def feed(self, data: bytes) -> Iterator[T]:
        """Yield the messages that are whole now. Raises ``ContentError`` where there is none."""
        self._bytes += data
        while len(self._bytes) >= _LENGTH_BYTES:
            length = int.from_bytes(self._bytes[:_LENGTH_BYTES], "big")
            if length > LONGEST_BYTES:
                raise ContentError(f"cannot take a message of {length} bytes: the limit is {LONGEST_BYTES}")
            if len(self._bytes) < _LENGTH_BYTES + length:
                return
            encoded = bytes(self._bytes[_LENGTH_BYTES : _LENGTH_BYTES + length])
            del self._bytes[: _LENGTH_BYTES + length]
            try:
                yield self._decoder.decode(encoded)
            except (ValueError, RecursionError) as error:  # the former also for what is not UTF-8
                raise ContentError(f"cannot understand a message of the other side: {error}") from error
