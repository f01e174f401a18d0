"""``edgecore recording convert``: the same lines, packed in another way, or in the newer version."""

import argparse
from pathlib import Path

from edgecore.cli.recordings.files import Inputs, add_force_flag, input_file, write_all
from edgecore.control.help_text import HelpText
from edgecore.recording.editing.streams import outlines, upgraded

_DESCRIPTION = """\
Write a recording under another name, which says how it is packed: .jsonl, .gz, .zst or
.mcap. The lines stay as they are, so that it can be converted back. MCAP is opened by
viewers such as Foxglove: a channel for each kind of entry, its messages as JSON."""

_EPILOG = """\
exit code: 0 done, 1 could not (no such file, no recording, the output exists)

examples:
  edgecore recording convert session.jsonl session.jsonl.zst
  edgecore recording convert session.jsonl.zst session.mcap
  edgecore recording convert session.mcap session.jsonl
  edgecore recording convert --upgrade old.jsonl new.jsonl
      a recording of version 1 as one of version 2: with a head, and with numbers"""


def add_verb(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    verb = verbs.add_parser(
        "convert",
        help="pack it in another way: .jsonl, .gz, .zst, .mcap",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=HelpText,
    )
    verb.add_argument("file", type=input_file, metavar="FILE", help="the recording; - is standard input")
    verb.add_argument("output", type=Path, metavar="NEW", help="the new file")
    verb.add_argument("--upgrade", action="store_true", help="make one of version 1 one of version 2")
    add_force_flag(verb)
    verb.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write it, and return the exit code."""
    inputs = Inputs("converting")
    numbered = inputs.read(args.file)
    lines = upgraded(args.file, numbered) if args.upgrade else (line for _, line in outlines(args.file, numbered))
    count = write_all(lines, args.output, inputs, force=args.force)
    if args.output.is_file():  # and no pipe, which may be this very output
        print(f"{args.output}: {count} {'entry' if count == 1 else 'entries'}")
    return 0
