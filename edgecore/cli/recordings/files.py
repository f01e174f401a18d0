"""The files that the verbs of ``edgecore recording`` read and write."""

import argparse
import os
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from edgecore.cli.meter import Meter
from edgecore.errors import RecordingError, reason_of
from edgecore.recording.reader import read_lines
from edgecore.recording.writer import EntryWriter, open_writer


def add_output_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say where to write."""
    parser.add_argument(
        "--output",
        "-o",
        type=Path,
        metavar="FILE",
        help="where to, packed as its name says: .jsonl, .gz, .zst, .mcap (default: lines to standard output)",
    )
    add_force_flag(parser)


def add_force_flag(parser: argparse.ArgumentParser) -> None:
    """Add the flag that lets an output be written over."""
    parser.add_argument("--force", action="store_true", help="write over a file that exists")


def input_file(text: str) -> Path:
    """Return the file that ``text`` names; ``-`` is standard input."""
    return Path("/dev/stdin" if text == "-" else text)


class Inputs:
    """Reads recordings: tells on a terminal how far it is, and on standard error where one is torn."""

    def __init__(self, what: str) -> None:
        self._meter = Meter(what)
        self.torn: list[str] = []

    def read(self, path: Path) -> Iterator[tuple[int, bytes]]:
        """Yield the numbered lines of ``path``."""
        return read_lines(path, on_torn=self._tell_torn, on_progress=self._meter.tell)

    def end(self) -> None:
        """Take the meter away, and say what was torn."""
        self._meter.end()
        for sentence in self.torn:
            sys.stderr.write(f"edgecore: {sentence}\n")

    def _tell_torn(self, sentence: str) -> None:
        if sentence not in self.torn:
            self.torn.append(sentence)


def write_all(lines: Iterable[bytes], output: Path | None, inputs: Inputs, *, force: bool) -> int:
    """Write ``lines`` to ``output``, or to standard output, and return how many they were.

    A file is there when it is whole, or not at all.
    """
    try:
        if output is None:
            return _print(lines)
        with _opened(output, force=force) as writer:
            for line in lines:
                writer.write_line(line)
        return writer.count
    finally:
        inputs.end()


@contextmanager
def _opened(output: Path, *, force: bool) -> Iterator[EntryWriter]:
    """Give what writes a file beside ``output`` that takes its place at the end.

    A pipe or a device is written to as it is, and stays one.
    """
    part: Path | None = None
    try:
        mode = _mode_of(output)
        if mode is None or stat.S_ISREG(mode):
            if mode is not None and not force:
                raise RecordingError(f"cannot write recording {output}: it exists; name another file, or add --force")
            place = output.resolve()  # a link goes on to where it goes
            part = place.with_name(f".edgecore-{os.getpid()}{output.suffix}")
            part.unlink(missing_ok=True)
            with open_writer(part, called=output) as writer:
                yield writer
            part.replace(place)
        else:
            with open_writer(output, "over") as writer:
                yield writer
    except OSError as error:
        raise RecordingError(f"cannot write recording {output}: {reason_of(error)}") from error
    finally:
        if part is not None:
            with suppress(OSError):  # nobody could make it
                part.unlink()


def _mode_of(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None


def _print(lines: Iterable[bytes]) -> int:
    count = 0
    for count, line in enumerate(lines, 1):  # noqa: B007 - the last number is the count
        sys.stdout.buffer.write(line)
    return count
