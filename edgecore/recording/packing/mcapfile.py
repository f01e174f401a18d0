"""Lines as messages of an MCAP file (https://mcap.dev/spec), a channel for each kind, so that its viewers open it.

A message is a line as it stands, without its newline, as JSON. Chunks of about a megabyte are packed with Zstandard.
"""

import io
import struct
import zlib
from collections.abc import Generator, Sequence
from typing import IO, cast

import zstandard
from mcap.exceptions import McapError
from mcap.records import Channel, Chunk, Header, McapRecord, Message
from mcap.stream_reader import StreamReader, breakup_chunk
from mcap.writer import Writer

from edgecore import __version__
from edgecore.errors import ContentError
from edgecore.recording.outline import outline_of
from edgecore.recording.packing import Sink, Source
from edgecore.recording.packing.schemas import schema_of

PROFILE = "edgecore-recording"
ENCODING = "json"
MAX_RECORD_BYTES = 256 * 1024 * 1024
"""The largest piece of a file that is taken into memory."""
LZ4_GROWTH = 255
"""What is packed with LZ4 grows at most so much; how much it is, only its packer says."""

_LAST_NS = 2**64 - 1


def topic_of(kind: str) -> str:
    """Return the topic of the channel for a kind of line."""
    return f"edgecore/{kind}"


def open_sink(file: IO[bytes]) -> Sink:
    """Return what writes lines into ``file``. What is not closed can be read up to its last whole chunk."""
    return _Packed(file)


def open_source(file: IO[bytes]) -> Source:
    """Return what gives the lines in ``file``, as written; several packed files one after the other are one."""
    return _Unpacked(file)


class _Packed:
    """A file that is written."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.flush = file.flush
        self._writer = Writer(file)
        self._writer.start(PROFILE, f"edgecore {__version__}")
        self._channels: dict[str, int] = {}

    def write(self, data: bytes, /) -> None:
        outline = outline_of(data, 0)
        channel = self._channels.get(outline.kind) or self._register(outline.kind)
        moment = min(max(outline.t_ns, 0), _LAST_NS)
        self._writer.add_message(channel, moment, data.removesuffix(b"\n"), moment, outline.n & 0xFFFFFFFF)

    def close(self) -> None:
        try:
            self._writer.finish()  # type: ignore[no-untyped-call]
        finally:
            self._file.close()

    def _register(self, kind: str) -> int:
        schema = self._writer.register_schema(f"edgecore.{kind}", "jsonschema", schema_of(kind))
        self._channels[kind] = self._writer.register_channel(topic_of(kind), ENCODING, schema)
        return self._channels[kind]


class _Unpacked:
    """A file that is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._lines = self._read()

    def readline(self, limit: int, /) -> bytes:
        try:
            return next(self._lines, b"")[:limit]
        except (McapError, struct.error, ValueError, RuntimeError, zlib.error, zstandard.ZstdError) as error:
            raise ContentError(f"not an MCAP file, or damaged: {error}") from error

    def close(self) -> None:
        self._lines.close()
        self._file.close()

    def _read(self) -> Generator[bytes, None, None]:
        whole = cast("IO[bytes]", _Whole(self._file))
        yield from self._read_one(whole)
        while cast("io.BufferedReader", self._file).peek(1):
            yield from self._read_one(whole)

    def _read_one(self, whole: IO[bytes]) -> Generator[bytes, None, None]:
        ours: set[int] = set()
        for record in StreamReader(whole, emit_chunks=True, record_size_limit=MAX_RECORD_BYTES).records:
            if isinstance(record, Header) and record.profile != PROFILE:
                raise ContentError(f"an MCAP file of profile {record.profile!r}, not {PROFILE!r}")
            for one in _parts(record):
                if isinstance(one, Channel) and one.message_encoding == ENCODING:
                    ours.add(one.id)
                elif isinstance(one, Message) and one.channel_id in ours:
                    # Between the tokens of JSON a newline is a blank; inside of them there is none.
                    yield one.data.replace(b"\n", b" ") + b"\n"


class _Whole:
    """A file that says so where it ends too early, and takes no length in it on trust."""

    def __init__(self, file: IO[bytes]) -> None:
        self._read = file.read

    def read(self, length: int) -> bytes:
        if length > MAX_RECORD_BYTES:
            raise ContentError(f"a piece of {length} bytes; at most {MAX_RECORD_BYTES} are read")
        data = self._read(length)
        if len(data) < length:
            raise EOFError("the file ends too early")
        return data


def _parts(record: McapRecord) -> Sequence[McapRecord]:
    if not isinstance(record, Chunk):
        return (record,)
    size = record.uncompressed_size
    if record.compression == "zstd":
        size = max(size, zstandard.frame_content_size(record.data))
    elif record.compression == "lz4":
        size = max(size, LZ4_GROWTH * len(record.data))
    if size > MAX_RECORD_BYTES:
        raise ContentError(f"a chunk of up to {size} bytes; at most {MAX_RECORD_BYTES} are read")
    return breakup_chunk(record, validate_crc=True)
