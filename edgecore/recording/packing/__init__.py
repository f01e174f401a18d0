"""What every file of a recording can do, whatever its compression: take lines, and give them."""

import importlib
from typing import IO, Protocol, cast


class Sink(Protocol):
    """Takes the lines of a file. Everything raises ``OSError``."""

    def write(self, data: bytes, /) -> object:
        """Take one line, its newline included."""

    def flush(self) -> object:
        """Hand all that was written to the system, so that whoever reads the file finds it."""

    def close(self) -> object:
        """Finish the file, and close it."""


class Source(Protocol):
    """Gives the lines of a file. Raises ``OSError``, ``EOFError`` where a file ends too early, and ``ContentError``."""

    def readline(self, limit: int, /) -> bytes:
        """Return the next line with its newline, or its first ``limit`` bytes; nothing at the end."""

    def close(self) -> object:
        """Close the file."""


class Packing(Protocol):
    """One way to pack lines."""

    def open_sink(self, file: IO[bytes]) -> Sink:
        """Return what packs lines into ``file``, and closes it."""

    def open_source(self, file: IO[bytes]) -> Source:
        """Return what gives the lines in ``file``, and closes it."""


PACKINGS = {
    ".gz": "edgecore.recording.packing.gz",
    ".zst": "edgecore.recording.packing.zst",
    ".mcap": "edgecore.recording.packing.mcapfile",
}


def packing_of(suffix: str) -> Packing | None:
    """Return how a file with that suffix is packed; ``None`` for plain lines.

    Its code is loaded only now: it needs libraries that a node which records nothing can do without.
    """
    name = PACKINGS.get(suffix)
    return None if name is None else cast("Packing", importlib.import_module(name))
