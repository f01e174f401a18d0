"""Reading a recording, one line at a time, so that no file is too long and none can fill the memory."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import IO, cast

from edgecore.errors import ContentError, reason_of
from edgecore.recording.entries import Entry
from edgecore.recording.lines import parse_entry
from edgecore.recording.packing import Source, packing_of

MAX_LINE_BYTES = 64 * 1024 * 1024
"""The longest line that is read, its newline included."""

BUFFER_BYTES = 256 * 1024

OnTorn = Callable[[str], None]
"""Takes the sentence that says where a recording ends in the middle of a line, as after a crash of its recorder."""


def _pass_over(sentence: str) -> None:
    """A torn end is no matter to most who read."""


OnProgress = Callable[[int, int], None]
"""Takes how many bytes of the file were read, of how many, now and then."""
_PROGRESS_LINES = 4096


def _keep_quiet(done: int, total: int) -> None:
    """Most files are read at once."""


def read_entries(path: Path, *, max_line_bytes: int = MAX_LINE_BYTES, on_torn: OnTorn = _pass_over) -> Iterator[Entry]:
    """Yield the entries of a recording in the order of its lines; the end of its name says how it is packed.

    Raises ``ContentError`` as ``read_lines`` does, and where a line is no entry.
    """
    for number, data in read_lines(path, max_line_bytes=max_line_bytes, on_torn=on_torn):
        try:
            entry = parse_entry(data, number)
        except ContentError as error:
            raise placed(path, number, error) from error
        yield entry


def read_lines(
    path: Path,
    *,
    max_line_bytes: int = MAX_LINE_BYTES,
    on_torn: OnTorn = _pass_over,
    on_progress: OnProgress = _keep_quiet,
) -> Iterator[tuple[int, bytes]]:
    """Yield the lines of a recording as they are, with their numbers from 1.

    Blank lines are passed over, but counted. At most one line lies in memory. A last line that is torn is left out, and
    told to ``on_torn``. Raises ``ContentError``, which names the file and the line, where the file cannot be read, or a
    line is longer than ``max_line_bytes``.
    """
    number = 1
    try:
        with ExitStack() as stack:
            file = stack.enter_context(path.open("rb", BUFFER_BYTES))
            source = stack.enter_context(closing(_unpacked(path, file)))
            size = os.fstat(file.fileno()).st_size
            while data := source.readline(max_line_bytes + 1):
                if len(data) > max_line_bytes:
                    raise ContentError(f"longer than {max_line_bytes} bytes")
                if number == 1:
                    _check_first(data)
                if data[-1] != _NEWLINE:
                    if _is_torn(data, number):
                        on_torn(f"recording {path} ends in the middle of line {number}: the line is left out")
                        return
                    data += b"\n"
                if not data.isspace():
                    yield number, data
                if number % _PROGRESS_LINES == 0 and size:
                    on_progress(file.tell(), size)
                number += 1
    except EOFError:
        on_torn(f"recording {path} ends too early, in line {number}: what came then is lost")
    except ContentError as error:
        raise placed(path, number, error) from error
    except OSError as error:
        raise ContentError(f"cannot read recording {path}: {reason_of(error)}") from error


def placed(path: Path, number: int, error: ContentError) -> ContentError:
    """Return ``error`` with the place where it was met."""
    return ContentError(f"cannot read recording {path}: line {number}: {error}")


_NEWLINE = ord("\n")
_MAGIC = {b"\x1f\x8b": ".gz", b"\x28\xb5\x2f\xfd": ".zst", b"\x89MCAP0": ".mcap"}
"""How packed files begin."""


def _check_first(data: bytes) -> None:
    """Say what helps where a packed file has the name of one that is not."""
    suffix = next((suffix for magic, suffix in _MAGIC.items() if data.startswith(magic)), None)
    if suffix is not None:
        raise ContentError(f"the file is packed; give it a name that ends in {suffix}")


def _is_torn(data: bytes, number: int) -> bool:
    """Return whether a last line without a newline is the beginning of a line, or the zeros of a file system."""
    if not data.startswith(b"{"):
        return not data.strip(b"\0")
    try:
        parse_entry(data, number)
    except ContentError:
        return True
    return False


def _unpacked(path: Path, file: IO[bytes]) -> Source:
    packing = packing_of(path.suffix)
    return cast("Source", file) if packing is None else packing.open_source(file)
