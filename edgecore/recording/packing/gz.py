"""Lines compressed with gzip."""

import gzip
import io
import zlib
from typing import IO, cast

from edgecore.errors import ContentError
from edgecore.recording.packing import Sink, Source

LEVEL = 6
BUFFER_BYTES = 256 * 1024


def open_sink(file: IO[bytes]) -> Sink:
    """Return what packs lines into ``file``."""
    return _Packed(file)


def open_source(file: IO[bytes]) -> Source:
    """Return what gives the lines in ``file``; several packed files one after the other are one."""
    return cast("Source", io.BufferedReader(_Unpacked(file), BUFFER_BYTES))


class _Packed(gzip.GzipFile):
    """Closes its file too, and gives the same bytes for the same lines: no name and no time in its head."""

    def __init__(self, file: IO[bytes]) -> None:
        self._below = file
        super().__init__("", "wb", LEVEL, file, 0)

    def flush(self, zlib_mode: int = zlib.Z_SYNC_FLUSH) -> None:
        super().flush(zlib_mode)
        self._below.flush()

    def close(self) -> None:
        try:
            super().close()
        finally:
            self._below.close()


class _Unpacked(io.RawIOBase):
    """A file that is read. What came before the place where it is torn is not lost."""

    def __init__(self, file: IO[bytes]) -> None:
        self._below = file
        self._reader = gzip.GzipFile("", "rb", fileobj=file)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        try:
            data = self._reader.read1(len(buffer))  # as much as there is: an end too early is told the next time
        except (gzip.BadGzipFile, zlib.error) as error:
            raise ContentError(f"not packed with gzip, or damaged: {error}") from error
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        super().close()
        self._reader.close()
        self._below.close()
