"""``edgecore recording merge``: several recordings as one."""

import argparse

from edgecore.cli.recordings.files import Inputs, add_output_flags, input_file, write_all
from edgecore.control.help_text import HelpText
from edgecore.recording.editing.merging import merged

_DESCRIPTION = """\
Write several recordings as one, by time; the order within each file stays. Entries get new
numbers, and causes follow; connections that have the same name in two files get others.
Parts of one session (their heads are the same) keep numbers and connections."""

_EPILOG = """\
exit code: 0 done, 1 could not (no such file, no recording, the output exists)

examples:
  edgecore recording merge cloud.jsonl edge.jsonl.zst -o both.jsonl.zst
      what the stub and the node recorded, in one time line
  edgecore recording merge --one-session a.jsonl b.jsonl -o ab.jsonl
      parts of version 1, which have no head that says that they belong together"""


def add_verb(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    verb = verbs.add_parser(
        "merge", help="several as one, by time", description=_DESCRIPTION, epilog=_EPILOG, formatter_class=HelpText
    )
    verb.add_argument("files", nargs="+", type=input_file, metavar="FILE", help="the recordings; - is standard input")
    verb.add_argument("--one-session", action="store_true", help="they are parts of one: keep numbers and connections")
    add_output_flags(verb)
    verb.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write them, and return the exit code."""
    inputs = Inputs("merging")
    lines = merged(args.files, inputs.read, is_one_session=args.one_session)
    write_all(lines, args.output, inputs, force=args.force)
    return 0
