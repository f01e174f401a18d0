"""Lines compressed with Zstandard."""

import io
from typing import IO, cast

import zstandard

from edgecore.errors import ContentError
from edgecore.recording.packing import Sink, Source

LEVEL = 3
BUFFER_BYTES = 256 * 1024
MAX_WINDOW_BYTES = 128 * 1024 * 1024
"""What a file may ask for to be read; ``zstd --ultra --long`` may ask for more, and is refused."""


def open_sink(file: IO[bytes]) -> Sink:
    """Return what packs lines into ``file``."""
    return _Packed(file)


def open_source(file: IO[bytes]) -> Source:
    """Return what gives the lines in ``file``; several packed files one after the other are one."""
    unpacker = zstandard.ZstdDecompressor(max_window_size=MAX_WINDOW_BYTES)
    return cast("Source", io.BufferedReader(_Unpacked(unpacker, file), BUFFER_BYTES))


class _Packed:
    """A file that is written."""

    def __init__(self, file: IO[bytes]) -> None:
        self._below = file
        packer = zstandard.ZstdCompressor(LEVEL, write_checksum=True)
        self._writer = packer.stream_writer(file, closefd=True)
        self._lines = io.BufferedWriter(cast("io.RawIOBase", self._writer), BUFFER_BYTES)
        self.write = self._lines.write

    def flush(self) -> None:
        self._lines.flush()
        self._writer.flush(zstandard.FLUSH_BLOCK)
        self._below.flush()

    def close(self) -> None:
        try:
            self._lines.close()
        finally:
            self._below.close()


class _Unpacked(io.RawIOBase):
    """A file that is read."""

    def __init__(self, unpacker: zstandard.ZstdDecompressor, file: IO[bytes]) -> None:
        self._reader = unpacker.stream_reader(file, read_across_frames=True, closefd=True)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "bytearray | memoryview") -> int:  # type: ignore[override]
        try:
            return self._reader.readinto(buffer)
        except zstandard.ZstdError as error:
            raise ContentError(f"not packed with Zstandard, or damaged: {error}") from error

    def close(self) -> None:
        super().close()
        self._reader.close()  # type: ignore[no-untyped-call]
