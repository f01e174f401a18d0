"""Whether a command fails on a part of a recording."""

import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, NamedTuple

from edgecore.recording.entries import Entry
from edgecore.recording.writer import open_writer

PLACE = "{file}"
"""Where the command has the name of the file; without it the name follows it."""
CANNOT_RUN = frozenset({126, 127})
"""With these a shell says that there is no such command, or that it is none."""
_LAST_LINES = 8
_ENDS_WITHIN_S = 5.0
_KEPT_BYTES = 4 * 1024 * 1024
"""So much of the end of what a command writes is looked at."""


class Outcome(NamedTuple):
    """What became of one run."""

    code: int | None
    """The exit code, 128 and the number of the signal for one that a signal ended; ``None`` if it took too long."""
    output: str
    """What it wrote, to stdout and stderr."""


class Command:
    """A command of the shell that is run on one file after another."""

    def __init__(self, text: str, path: Path, *, timeout_s: float) -> None:
        """Every file is written to ``path``: rules may go by its name."""
        self._path = path
        self._timeout_s = timeout_s
        quoted = shlex.quote(str(path))
        self._line = text.replace(PLACE, quoted) if PLACE in text else f"{text} {quoted}"

    def run(self, entries: Iterable[Entry]) -> Outcome:
        """Run it on a file of ``entries``. Nothing of it is left when this returns or raises.

        Raises ``RecordingError`` where the file cannot be written.
        """
        with open_writer(self._path, "over") as writer:
            for entry in entries:
                writer.write(entry)
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(  # noqa: S602 - it is the user's own command line
                self._line, shell=True, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
            try:
                code: int | None = process.wait(self._timeout_s)
            except subprocess.TimeoutExpired:
                code = None
            finally:
                _end(process)
            if code is not None and code < 0:
                code = 128 - code
            return Outcome(code, _end_of(output))


class ByCommand:
    """A part fails where a command ends on it as it does on the whole, and writes ``wanted`` too."""

    def __init__(self, text: str, path: Path, *, timeout_s: float, expected: int | None, wanted: str) -> None:
        self.command = text
        self.code = 1
        self.failure = text
        self._run = Command(text, path, timeout_s=timeout_s).run
        self._timeout_s = timeout_s
        self._expected = expected
        self._wanted = wanted

    def begin(self, entries: Sequence[Entry]) -> str:
        """Run it on the whole; where that is no failure, return why."""
        whole = self._run(entries)
        why = self._fault(whole)
        if why or whole.code is None:
            return "\n  ".join([why, *whole.output.splitlines()[-_LAST_LINES:]])
        self.code = whole.code
        self.failure = f"{self.command} ends with {self.code}"
        return ""

    def fails(self, entries: Sequence[Entry]) -> bool:
        """Whether it fails in the same way on a part."""
        outcome = self._run(entries)
        return outcome.code == self.code and self._wanted in outcome.output

    def _fault(self, whole: Outcome) -> str:
        if whole.code is None:
            return f"the command takes longer than {self._timeout_s} s on all of it; give it a longer --timeout"
        if self._expected is not None and whole.code != self._expected:
            return (
                f"the command does not fail on all of it (exit code {whole.code}; --exit-code asks for "
                f"{self._expected}); give a test that does"
            )
        if whole.code in CANNOT_RUN and self._expected is None:
            return f"the shell cannot run the command (exit code {whole.code}); correct --test"
        if whole.code == 0 and self._expected is None:
            return "the command does not fail on all of it (exit code 0); give a test that does"
        if self._wanted not in whole.output:
            return f"the command does not write {self._wanted!r} on all of it; correct --output-has"
        return ""


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the command and all that it started and left in its group."""
    for kind, within_s in ((signal.SIGTERM, _ENDS_WITHIN_S), (signal.SIGKILL, None)):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, kind)
        with suppress(subprocess.TimeoutExpired):
            process.wait(within_s)


def _end_of(output: IO[bytes]) -> str:
    length = output.seek(0, os.SEEK_END)
    output.seek(max(0, length - _KEPT_BYTES))
    return output.read().decode("utf-8", "replace")
