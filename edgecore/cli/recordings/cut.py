"""``edgecore recording cut`` and ``filter``: a part of a recording, its lines as they are."""

import argparse
import sys
from collections.abc import Iterator
from itertools import islice

from edgecore.cli.recordings.files import Inputs, add_output_flags, input_file, write_all
from edgecore.cli.recordings.flags import FILTERS_HELP, PLACES_HELP, add_filters, add_place_flags, selection_of
from edgecore.control.help_text import HelpText
from edgecore.recording.editing.streams import selected
from edgecore.recording.outline import outline_of

_CODES = "exit code: 0 done, 1 could not (no such file, no recording, the output exists)\n\n"


def add_verb(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verbs."""
    cut = verbs.add_parser(
        "cut",
        help="a part of the time line",
        description="Write a part of the time line. The head of the session, and the numbers of entries, stay.\n\n"
        + PLACES_HELP,
        epilog=_CODES
        + """\
examples:
  edgecore recording cut day.jsonl.zst --from 2026-01-02T03:04:05Z --until 2026-01-02T03:10Z -o part.jsonl
  edgecore recording cut day.jsonl.zst --from +60 --until note:'cut the link'
  edgecore recording cut day.jsonl.zst --from '#4711' | less""",
        formatter_class=HelpText,
    )
    cut.add_argument("file", type=input_file, metavar="FILE", help="the recording; - is standard input")
    add_place_flags(cut)
    add_output_flags(cut)
    cut.set_defaults(run=run)
    chosen = verbs.add_parser(
        "filter",
        help="only what is about something",
        description=f"Write the entries that every FILTER takes.\n\n{FILTERS_HELP}\n\n{PLACES_HELP}",
        epilog=_CODES
        + """\
examples:
  edgecore recording filter day.jsonl.zst 'resource=default/service/*' operation=insert,update
  edgecore recording filter day.jsonl.zst kind=frame direction=to-edge -o cloud.jsonl
  edgecore recording filter day.jsonl.zst kind=bus to=edgemesh --from +10 | jq -r .bus
  edgecore recording filter day.jsonl.zst 'operation!=keepalive' 'kind!=commits'""",
        formatter_class=HelpText,
    )
    chosen.add_argument("file", type=input_file, metavar="FILE", help="the recording; - is standard input")
    add_filters(chosen)
    add_place_flags(chosen)
    add_output_flags(chosen)
    chosen.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Write what is meant, and return the exit code."""
    inputs = Inputs("reading")
    begun: list[bytes] = []

    def lines() -> Iterator[bytes]:
        found = selected(args.file, inputs.read(args.file), selection_of(args))
        begun.extend(islice(found, 2))
        yield from begun
        yield from found

    write_all(lines(), args.output, inputs, force=args.force)
    if all(outline_of(line, 0).kind == "session" for line in begun):
        sys.stderr.write("edgecore: no entry is what was asked for\n")
    return 0
