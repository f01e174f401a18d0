"""Batches of what was seen become numbered lines without secrets, in a file."""

from pathlib import Path
from typing import Any, NamedTuple

import structlog

from edgecore.recording.entries import SessionHead
from edgecore.recording.lines import line_of
from edgecore.recording.recorder.sightings import Numbering, Sighting
from edgecore.recording.redaction import Redactor
from edgecore.recording.writer import EntryWriter

log = structlog.get_logger("recording")

SLOTS = 5
"""What was seen lies flat in a queue, and is no object of its own: the loop would pay for each with its collector. One
entry is so many slots: when (``monotonic``, seconds), how many bytes, what makes the sighting of it, and of which two
values."""

Seen = list[Any]
"""Some entries, one after the other."""


class Written(NamedTuple):
    """What has come of all batches."""

    entries: int = 0
    bytes: int = 0
    """Of the lines, before any packing."""
    lost: int = 0


class Writing:
    """Writes one file. For one thread; its methods raise ``RecordingError``."""

    def __init__(self, writer: EntryWriter, redactor: Redactor | None, head: SessionHead) -> None:
        self._writer = writer
        self._redact = redactor.entry if redactor is not None else None
        self._numbering = Numbering()
        self._entries = self._bytes = self._lost = 0
        self._head: SessionHead | None = head

    @property
    def path(self) -> Path:
        """The file."""
        return self._writer.path

    def take(self, zero_ns: int, batch: Seen) -> Written:
        """Write a batch, and hand it to the system; ``zero_ns`` is the Unix time of ``monotonic`` 0."""
        if self._head is not None:
            self._write(Sighting(self._head))
            self._head = None
        for at, _, make, one, other in zip(*[iter(batch)] * SLOTS, strict=True):
            try:
                sighting = make(zero_ns + int(at * 1e9), one, other)
            except Exception:
                log.exception("entry_not_recorded", kind=make.__name__)
                self._lost += 1
            else:
                self._write(sighting)
        self._writer.flush()
        return Written(self._entries, self._bytes, self._lost)

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()

    def _write(self, sighting: Sighting) -> None:
        entry = self._numbering.numbered(sighting)
        try:
            line = line_of(entry if self._redact is None else self._redact(entry))
        except Exception as error:  # an unforeseen one must not cost the recording, nor show a secret
            log.error("entry_not_recorded", kind=type(entry).__name__, error=type(error).__name__)
            self._lost += 1
            return
        self._writer.write_line(line)
        self._entries += 1
        self._bytes += len(line)
