"""Takes the queries out of a TCP stream, each with its length in two bytes before it (RFC 7766 section 8; pure)."""

from edgecore.modules.edgemesh.dns.packets.packet import HEADER_BYTES, QUERY_LIMIT_BYTES

_LENGTH_BYTES = 2
ROOM_BYTES = 2 * (_LENGTH_BYTES + QUERY_LIMIT_BYTES)
"""What a connection may send ahead of what is read from it: one whole query at least, whatever is before it."""


class NoQueryError(Exception):
    """What follows cannot be a query, so where the next one begins is not known. ``reason`` is a fixed word."""

    def __init__(self, reason: str, head: bytes) -> None:
        super().__init__(reason)
        self.reason = reason
        self.head = head
        """How it begins."""


class Frames:
    """The bytes of one connection that are not taken yet, at most ``ROOM_BYTES``."""

    def __init__(self) -> None:
        self._buffer = bytearray(ROOM_BYTES)
        self._view = memoryview(self._buffer)
        self._start = 0
        self._end = 0

    def room(self) -> memoryview:
        """Return where to put what comes next; not empty once ``next`` has returned ``None``."""
        if self._start:
            waiting = self._end - self._start
            self._buffer[:waiting] = self._buffer[self._start : self._end]
            self._start, self._end = 0, waiting
        return self._view[self._end :]

    def filled(self, count: int) -> None:
        """Note that ``count`` bytes were put into the room."""
        self._end += count

    def next(self) -> bytes | None:
        """Return the next whole query; ``None``: there is none yet. Raises ``NoQueryError``."""
        start = self._start + _LENGTH_BYTES
        if start > self._end:
            return None
        length = int.from_bytes(self._view[self._start : start], "big")
        if not HEADER_BYTES <= length <= QUERY_LIMIT_BYTES:
            head = bytes(self._view[self._start : min(self._end, self._start + 100)])
            raise NoQueryError("short" if length < HEADER_BYTES else "too_long", head)
        if start + length > self._end:
            return None
        self._start = start + length
        return bytes(self._view[start : self._start])
