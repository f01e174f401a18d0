"""``edgecore recording minimize``: the smallest part of a session that still fails."""

import argparse
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Protocol

from edgecore.cli.recordings.trial import ByCommand
from edgecore.clock import SystemClock
from edgecore.control.help_text import HelpText
from edgecore.errors import RecordingError
from edgecore.recording.editing.failingtest import name_of, text_of
from edgecore.recording.editing.minimizing import Search
from edgecore.recording.entries import Entry
from edgecore.recording.reader import read_entries
from edgecore.recording.writer import open_writer

BOUNDED = 3
"""The exit code where ``--max-runs`` was reached before nothing more could be left out."""
MAX_ENTRIES = 200_000
"""A longer file is to be cut first: the search has all of it in memory."""

_DESCRIPTION = """\
Cut a session that fails to the smallest part that still fails, by delta debugging, and
write a test for it. What fails is its replay to a node of ours or, with --test, a
command. What belongs together goes together: whole connections first, then all messages
about one object, then each message of the cloud with all that followed from it. The
head, openings of connections, and what an edge says on its own when it connects stay,
since a replay needs them."""

_EPILOG = """\
Without --test, a part fails if its replay differs in the same field of the same kind of
message as that of all of FILE: in the first that differs, or the first whose line in the
verdict has the text of --output-has. Where that is a message that is missing or too many,
or what the node knows at the end, it is that one, and all messages about it stay.

With --test, the command is run by the shell, once for each part, with the name of a file
in place of {file} or behind it. A part fails if the command ends with the exit code with
which it ends on all of FILE. A smaller part may fail for another reason: --output-has
says what the command writes where it is the same one.

exit code:
  0  done: nothing more can be left out
  1  could not: FILE does not fail, there is no such command or file, the output exists
  2  wrong usage
  3  --max-runs was reached: the smallest part so far is written
  130  Ctrl-C: as 3

examples:
  edgecore recording minimize bad.jsonl
      bad.min.jsonl and test_bad_min.py, for the first field that differs
  edgecore recording minimize bad.zst --test './check.sh' --output small.jsonl --max-runs 50
      for a script of one's own: it gets the name of a file
  edgecore recording minimize bad.jsonl --test 'edgecore replay {file} --db edgecore.db' \\
          --output-has content.Status.phase
      for a replay that needs more than the file

More: docs/how-to/replay.md"""


class _Test(Protocol):
    """What says whether a part fails."""

    command: str
    """As a person would type it, ``{file}`` in place of the file."""
    code: int
    """With what it ends where it fails."""
    failure: str
    """What fails, for people."""

    def begin(self, entries: Sequence[Entry]) -> str:
        """See how all of it fails; where it does not, return why."""

    def fails(self, entries: Sequence[Entry]) -> bool:
        """Whether a part fails in the same way."""


def add_verb(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    verb = verbs.add_parser(
        "minimize",
        help="cut a failing session to the smallest part that still fails, and write its test",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=HelpText,
    )
    verb.add_argument("file", type=Path, metavar="FILE", help="the session")
    verb.add_argument("--test", metavar="COMMAND", help="what fails on it (default: its replay)")
    verb.add_argument("--output", "-o", type=Path, metavar="FILE", help="where to (default: <name>.min.jsonl, here)")
    verb.add_argument("--no-test-file", action="store_true", help="write no test beside it")
    verb.add_argument("--exit-code", type=int, metavar="N", help="with --test: only this exit code is the failure")
    verb.add_argument("--output-has", default="", metavar="TEXT", help="what is written where it is the same failure")
    verb.add_argument(
        "--rules", type=Path, action="append", default=[], metavar="FILE", help="without --test: more rules"
    )
    verb.add_argument("--entries", action="store_true", help="go down to single entries")
    verb.add_argument("--max-runs", type=_count, default=500, metavar="N", help="try at most so often (500)")
    verb.add_argument(
        "--timeout", type=_seconds, default=120, metavar="S", help="of a run; a longer one fails not (120)"
    )
    verb.set_defaults(run=run)


def _count(text: str) -> int:
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"expected a whole number above 0, not {text!r}")


def _seconds(text: str) -> float:
    try:
        if 0 < (seconds := float(text)) < threading.TIMEOUT_MAX:
            return seconds
    except ValueError:
        pass
    raise argparse.ArgumentTypeError(f"expected a number of seconds above 0, not {text!r}")


def run(args: argparse.Namespace) -> int:
    """Search, write what was found, and return the exit code."""
    stem = args.file.name.partition(".jsonl")[0].removesuffix(args.file.suffix)
    output = args.output or Path(f"{stem}.min.jsonl")
    test_file = output.with_name(name_of(output))
    if not os.access(output.absolute().parent, os.W_OK | os.X_OK):  # not only when all has been tried
        raise RecordingError(f"cannot write {output}: its folder cannot be written; name another by --output")
    for path in [output] if args.no_test_file else [output, test_file]:
        if path.exists():
            raise RecordingError(f"cannot write {path}: file exists; name another by --output, or remove it")
    entries = _read(args.file)
    progress = _Progress(len(entries))
    with tempfile.TemporaryDirectory(prefix="edgecore-minimize-") as directory:
        test = _test_of(args, Path(directory) / f"{stem}.jsonl")
        progress.tell(0, len(entries))
        if why := test.begin(entries):
            raise RecordingError(f"cannot minimize {args.file}: {why}")
        search = Search(entries, single=args.entries)
        code = _search(search, entries, test, args.max_runs, progress.tell)
    with open_writer(output) as writer:
        for place in search.best:
            writer.write(entries[place])
    print(f"{output}: {len(search.best)} of {len(entries)} entries, found in {search.tried + 1} runs{_WHY[code]}")
    if not args.no_test_file:
        text = text_of(output, args.file.name, test.command, test.code)
        test_file.write_text(text, "utf-8", errors="backslashreplace")  # a name may be no UTF-8
        print(f"{test_file}: fails as long as this does: {test.failure}")
    if not search.best:
        sys.stderr.write("edgecore: it fails without any entry too: for another reason than what was recorded\n")
    return code


_WHY = {0: "", BOUNDED: "; --max-runs was reached", 130: "; interrupted"}


def _test_of(args: argparse.Namespace, path: Path) -> _Test:
    if args.test is not None:
        return ByCommand(args.test, path, timeout_s=args.timeout, expected=args.exit_code, wanted=args.output_has)
    # With a node in it, which a command of one's own does not need.
    from edgecore.cli.recordings.byreplay import ByReplay  # noqa: PLC0415

    return ByReplay(path, args.rules, timeout_s=args.timeout, wanted=args.output_has)


def _search(search: Search, entries: Sequence[Entry], test: _Test, most: int, tell: Callable[[int, int], None]) -> int:
    try:
        while search.trial is not None:
            if search.tried + 1 >= most:
                return BOUNDED
            tell(search.tried + 1, len(search.best))
            search.tell(test.fails([entries[place] for place in search.trial]))
    except KeyboardInterrupt:
        return 130
    finally:
        tell(0, 0)
    return 0


def _read(path: Path) -> tuple[Entry, ...]:
    torn: list[str] = []
    entries = tuple(islice(read_entries(path, on_torn=torn.append), MAX_ENTRIES + 1))
    for sentence in torn:
        sys.stderr.write(f"edgecore: {sentence}\n")
    if len(entries) > MAX_ENTRIES:
        raise RecordingError(
            f"cannot minimize {path}: it has more than {MAX_ENTRIES} entries; take what is around the failure with "
            "`edgecore recording cut`"
        )
    return entries


class _Progress:
    """One line on a terminal, from the first second on."""

    def __init__(self, whole: int) -> None:
        self._whole = whole
        self._now = SystemClock().monotonic
        self._from = self._now() + 1.0

    def tell(self, run: int, smallest: int) -> None:
        """Show that ``run`` is under way; 0 and 0 takes the line away."""
        if not sys.stderr.isatty() or self._now() < self._from:
            return
        text = f"run {run + 1}: {smallest} of {self._whole} entries fail" if smallest else ""
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()
