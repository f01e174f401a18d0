"""Reading what a container printed, from files that may be turned meanwhile."""

import asyncio
import codecs
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import BinaryIO

from edgecore.clock import Clock
from edgecore.modules.edged.process.logfile import OLDER

CHUNK_BYTES = 65_536
LOOK_AGAIN_S = 0.2


async def printed(
    path: Path, clock: Clock, *, tail: int | None = None, follows: Callable[[], bool] | None = None
) -> AsyncIterator[str]:
    """Yield what is in a log and its older part: of ``tail`` the last lines alone. Raises ``OSError``.

    With ``follows`` what is added is yielded too, until that returns false and nothing is left.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    older, newer = await asyncio.to_thread(_open, path, tail)
    try:
        if older is not None:
            while data := await asyncio.to_thread(older.read, CHUNK_BYTES):
                yield decoder.decode(data)
        while True:
            goes_on = follows is not None and follows()
            while data := await asyncio.to_thread(newer.read, CHUNK_BYTES):
                yield decoder.decode(data)
            turned = _turned(path, newer)
            if turned is not None:
                newer.close()
                newer = turned
            elif goes_on:
                await clock.sleep(LOOK_AGAIN_S)
            else:
                return
    finally:
        newer.close()
        if older is not None:
            older.close()


def _open(path: Path, tail: int | None) -> tuple[BinaryIO | None, BinaryIO]:
    newer = path.open("rb", buffering=0)
    older: BinaryIO | None = None
    try:
        missing = None if tail is None else _seek_lines(newer, tail)
        if missing is None or missing > 0:
            try:
                older = path.with_name(path.name + OLDER).open("rb", buffering=0)
            except FileNotFoundError:
                return None, newer
            if os.path.sameopenfile(older.fileno(), newer.fileno()):  # turned between the two
                older.close()
                older = None
            elif missing is not None:
                _seek_lines(older, missing)
    except BaseException:
        newer.close()
        if older is not None:
            older.close()
        raise
    return older, newer


def _seek_lines(file: BinaryIO, lines: int) -> int:
    """Go to where the last ``lines`` lines begin; return how many lines are missing."""
    end = at = file.seek(0, os.SEEK_END)
    if lines <= 0:
        return 0
    while at > 0:
        size = min(CHUNK_BYTES, at)
        at -= size
        file.seek(at)
        block = file.read(size)
        place = len(block) - 1 if at + size == end and block.endswith(b"\n") else len(block)
        while (place := block.rfind(b"\n", 0, place)) >= 0:
            lines -= 1
            if lines <= 0:
                file.seek(at + place + 1)
                return 0
    file.seek(0)
    return lines - 1 if end else lines


def _turned(path: Path, known: BinaryIO) -> BinaryIO | None:
    """Return the file that is written now, if that is not the known one any more."""
    try:
        opened = path.open("rb", buffering=0)
    except OSError:
        return None
    if os.path.sameopenfile(opened.fileno(), known.fileno()):
        opened.close()
        return None
    return opened
