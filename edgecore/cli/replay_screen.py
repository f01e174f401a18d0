"""What a person sees of a replay while it goes on: how far it is, and the next entry where each waits for Enter."""

import asyncio
import os
from types import TracebackType
from typing import TextIO

from edgecore.clock import SystemClock
from edgecore.errors import ContentError
from edgecore.recording.entries import CloudFrame, ConnectionEvent, Entry, MqttMessage, Note
from edgecore.replay.options import Progress

SILENT_S = 1.0
"""What is over sooner needs no progress."""
EVERY_S = 0.1
WIDTH = 100
_READ_BYTES = 4096


class Screen:
    """One line on a terminal, written over and over; nothing elsewhere."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._now = SystemClock().monotonic
        self._next_at = self._now() + SILENT_S
        self._is_shown = False

    def tell(self, progress: Progress) -> None:
        """Show how far the replay is."""
        if self._now() < self._next_at or not self._out.isatty():
            return
        self._next_at = self._now() + EVERY_S
        self._is_shown = True
        done = f"{progress.name}: {progress.entry} of {progress.entries} entries"
        of = f" (recording {progress.recording} of {progress.recordings})" if progress.recordings > 1 else ""
        self._out.write(f"\r\x1b[K{done}{of}"[: WIDTH + 4])
        self._out.flush()

    def clear(self) -> None:
        """Take the line away."""
        if self._is_shown:
            self._out.write("\r\x1b[K")
            self._out.flush()


class Steps:
    """Shows each entry and waits for a line of the person before it is played."""

    def __init__(self, lines: TextIO, out: TextIO) -> None:
        self._file = lines.fileno()
        self._out = out
        self._unread = b""
        self._more: asyncio.Future[None] | None = None
        self._polls = self._over = False

    def __enter__(self) -> "Steps":
        try:
            asyncio.get_running_loop().add_reader(self._file, self._ready)
            self._polls = True
        except (OSError, NotImplementedError):  # a file is always ready
            self._polls = False
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._polls:
            asyncio.get_running_loop().remove_reader(self._file)

    async def go_on(self, entry: Entry) -> None:
        """Show ``entry`` and wait. At the end of the input nothing is waited for any more.

        Raises ``ContentError`` where the person has enough.
        """
        self._out.write(f"{shown(entry)}\n")
        self._out.flush()
        while b"\n" not in self._unread and not self._over:
            if self._polls:
                self._more = asyncio.get_running_loop().create_future()
                await self._more
            else:
                self._ready()
        line, _, self._unread = self._unread.partition(b"\n")
        if line.strip() == b"q":
            raise ContentError("cannot go on with the replay: you ended it")

    def _ready(self) -> None:
        data = os.read(self._file, _READ_BYTES)
        self._unread += data
        if not data:
            self._over = True
            if self._polls:
                asyncio.get_running_loop().remove_reader(self._file)
                self._polls = False
        if self._more is not None and not self._more.done():
            self._more.set_result(None)


def shown(entry: Entry) -> str:
    """Return an entry in a line, for people."""
    place = f"#{entry.n or entry.line}"
    match entry:
        case CloudFrame(direction=direction, text=text):
            told = f"{direction} {text}"
        case ConnectionEvent(direction=direction, link=link, event=event):
            told = f"{direction} connection {link}: {event}"
        case Note(text=text):
            told = f"note: {text}"
        case MqttMessage(direction=direction, topic=topic):
            told = f"{direction} {topic}"
        case _:
            told = type(entry).__name__
    line = "".join(one if one.isprintable() else " " for one in told)
    return f"{place:>7} {line if len(line) <= WIDTH else line[: WIDTH - 1] + '…'}"
