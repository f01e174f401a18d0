"""Reading a recording, one line at a time, so that no file is too long and none can fill the memory."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

from edgecore.errors import ContentError
from edgecore.recording.entries import Entry, parse_entry

MAX_LINE_BYTES = 64 * 1024 * 1024
"""The longest line that is read, its newline included."""


def read_entries(path: Path, *, max_line_bytes: int = MAX_LINE_BYTES) -> Iterator[Entry]:
    """Yield the entries of a recording in the order of its lines; a name that ends in ``.gz`` is decompressed.

    Blank lines are passed over, but counted. At most one line lies in memory. Raises ``ContentError``, which names the
    file and the line, where the file cannot be read, a line is no entry, or a line is longer than ``max_line_bytes``.
    """
    number = 0
    try:
        with _open(path) as file:
            while data := file.readline(max_line_bytes + 1):
                number += 1
                if len(data) > max_line_bytes:
                    raise ContentError(f"longer than {max_line_bytes} bytes")
                if not data.isspace():
                    yield parse_entry(data, number)
    except ContentError as error:
        raise ContentError(f"cannot read recording {path}: line {number}: {error}") from error
    except OSError as error:
        raise ContentError(f"cannot read recording {path}: {error.strerror or error}") from error
    except (EOFError, zlib.error) as error:
        raise ContentError(f"cannot read recording {path}: after line {number}: {error}") from error


def _open(path: Path) -> BinaryIO:
    if path.suffix == ".gz":
        return cast("BinaryIO", gzip.open(path, "rb"))
    return path.open("rb")
