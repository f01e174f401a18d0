"""Writing a recording: the end of the file's name says how (``.jsonl``, ``.gz``, ``.zst``, ``.mcap``)."""

import os
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from edgecore.errors import RecordingError
from edgecore.recording.entries import Entry
from edgecore.recording.lines import line_of
from edgecore.recording.packing import Sink, packing_of

Mode = Literal["new", "over"]
"""``new``: a file that exists is refused; ``over``: what was in it is gone."""

BUFFER_BYTES = 256 * 1024


class EntryWriter:
    """Writes the lines of one recording. For one thread at a time.

    Everything raises ``RecordingError``, whose ``__cause__`` is the error of the system; then only ``close`` is of use.
    """

    def __init__(self, path: Path, sink: Sink) -> None:
        self.path = path
        """How errors name the file."""
        self.count = 0
        """How many lines were written."""
        self._sink = sink

    def write(self, entry: Entry) -> None:
        """Write ``entry``."""
        self.write_line(line_of(entry))

    def write_line(self, line: bytes) -> None:
        """Write a line as it is, its newline included."""
        try:
            self._sink.write(line)
        except OSError as error:
            raise _refused(self.path, error) from error
        self.count += 1

    def flush(self) -> None:
        """Hand what was written to the system. A compressed file grows by a few bytes for each time."""
        try:
            self._sink.flush()
        except OSError as error:
            raise _refused(self.path, error) from error

    def close(self) -> None:
        """Finish and close the file; another time does nothing."""
        sink, self._sink = self._sink, _CLOSED
        try:
            sink.close()
        except OSError as error:
            raise _refused(self.path, error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Closed:
    """Where lines go that come too late."""

    def write(self, data: bytes, /) -> None:
        raise OSError("the file is closed")

    def flush(self) -> None:
        """There is nothing to flush."""

    def close(self) -> None:
        """It is closed."""


_CLOSED = _Closed()


def open_writer(path: Path, mode: Mode = "new", *, called: Path | None = None) -> EntryWriter:
    """Open ``path`` for writing, for its owner alone (0600).

    Raises ``RecordingError``, which says ``called`` where ``path`` is only for the time being.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC | (os.O_EXCL if mode == "new" else os.O_TRUNC)
    try:
        file = open(os.open(path, flags, 0o600), "wb", BUFFER_BYTES)  # noqa: PTH123, SIM115 - closed by the writer
    except OSError as error:
        raise _refused(called or path, error) from error
    packing = packing_of(path.suffix)
    return EntryWriter(called or path, file if packing is None else packing.open_sink(file))


def _refused(path: Path, error: OSError) -> RecordingError:
    advice = "name another, or remove it" if isinstance(error, FileExistsError) else "name a file that can be written"
    return RecordingError(f"cannot write recording {path}: {error.strerror or error}; {advice}")
