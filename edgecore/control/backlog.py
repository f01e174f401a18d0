"""What waits for the reader of a stream, bounded: what finds no room is left out, and counted."""

import asyncio
from typing import Generic, TypeVar

T = TypeVar("T")


class Backlog(Generic[T]):
    """The items of one stream, in order."""

    def __init__(self, most: int) -> None:
        self._waiting: asyncio.Queue[tuple[T, int]] = asyncio.Queue(most)
        self._missed = 0

    def put(self, item: T) -> None:
        """Let ``item`` wait, if there is room."""
        try:
            self._waiting.put_nowait((item, self._missed))
            self._missed = 0
        except asyncio.QueueFull:
            self._missed += 1

    async def next(self) -> tuple[T, int]:
        """Return the next item, waiting for it, and how many were left out before it."""
        return await self._waiting.get()
