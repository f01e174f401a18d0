"""What the node and its workers tell each other over a pair of sockets: msgpack, each with its length before it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Generic, TypeVar

from msgspec import Struct, msgpack

_LENGTH_BYTES = 4
UNHEARD_LIMIT_BYTES = 1 << 20
"""So much may wait for a node that stands still to hear it."""
TOLD_EVERY_S = 1.0
"""How often a worker tells what it counted: which is also how it shows that it is alive."""

T = TypeVar("T")
FiguresT = TypeVar("FiguresT")


class Counted(Struct, Generic[FiguresT], frozen=True, tag="counted"):
    """From a worker: what it counted since it began, as far as the node does not know it (see ``Crew.heard``)."""

    figures: FiguresT


class Line(Struct, frozen=True, tag="line"):
    """From a worker: a line for the log."""

    level: str
    logger: str
    event: str
    values: dict[str, Any]


class Link(Generic[T]):
    """One end. ``expects`` is what comes from the other: a union of structs, each with a tag."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, expects: Any) -> None:
        self._reader = reader
        self._writer = writer
        self._decoder = msgpack.Decoder(expects)
        self._encoder = msgpack.Encoder(enc_hook=repr)

    def tell(self, what: Struct) -> None:
        """Have ``what`` sent; nothing happens if the other end is gone."""
        if not self._writer.is_closing():
            encoded = self._encoder.encode(what)
            self._writer.write(len(encoded).to_bytes(_LENGTH_BYTES, "big") + encoded)

    def mention(self, what: Struct) -> None:
        """Have ``what`` sent, unless very much waits already: a later figure tells more, and a line can be missed."""
        if self.has_room:
            self.tell(what)

    @property
    def has_room(self) -> bool:
        """Whether what is mentioned now is sent."""
        return self.unsent_bytes < UNHEARD_LIMIT_BYTES

    @property
    def unsent_bytes(self) -> int:
        """What the other end has not taken yet."""
        return self._writer.transport.get_write_buffer_size()

    async def heard(self) -> AsyncIterator[T]:
        """Yield what comes, until the other end says no more or is gone."""
        try:
            while True:
                length = await self._reader.readexactly(_LENGTH_BYTES)
                yield self._decoder.decode(await self._reader.readexactly(int.from_bytes(length, "big")))
        except (asyncio.IncompleteReadError, ConnectionError):
            return

    def finish(self) -> None:
        """Say no more; the other end may."""
        if not self._writer.is_closing() and self._writer.can_write_eof():
            self._writer.write_eof()

    async def close(self) -> None:
        """Send what is not sent yet, and close."""
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except (ConnectionError, OSError):
            return
