"""Heads that were read before: what a head says follows from its bytes alone, and most come again and again.

They are kept in memory only, and never shown: they may hold cookies and passwords.
"""

from collections.abc import Callable
from typing import Generic, TypeVar

from edgecore.modules.edgemesh.names import Refusal

T = TypeVar("T")


class Heads(Generic[T]):
    """What ``read`` made of the latest heads: between ``max_number`` and twice as many, none above ``max_bytes``."""

    __slots__ = ("_max_bytes", "_max_number", "_older", "_read", "recent")

    def __init__(self, read: Callable[[bytes], T | Refusal], *, max_number: int = 512, max_bytes: int = 2048) -> None:
        self._read = read
        self._max_number = max_number
        self._max_bytes = max_bytes
        self._older: dict[bytes, T] = {}
        self.recent: dict[bytes, T] = {}
        """Where to look first; what is not here is to be asked of ``read``."""

    def read(self, head: bytes) -> T | Refusal:
        """Return what ``head`` says, or why it is refused."""
        known = self.recent.get(head)
        if known is not None:
            return known
        known = self._older.get(head)
        if known is None:
            found = self._read(head)
            if isinstance(found, Refusal) or len(head) > self._max_bytes:
                return found
            known = found
        if len(self.recent) >= self._max_number:
            self._older, self.recent = self.recent, {}
        self.recent[head] = known
        return known
