"""``edgecore recording``: what is in a recording, parts of it, several as one, other formats, secrets, differences."""

import argparse

from edgecore.cli.recordings import compare, convert, cut, info, merge, minimize, redact, rules
from edgecore.control.help_text import HelpText

_DESCRIPTION = """\
A recording is a file with a line for each thing that was seen: messages between cloud and
edge, messages between the modules, MQTT, commits, DNS, requests, connections, notes. All
verbs read one line at a time, so no file is too long; the end of a name says how it is
packed: .jsonl, .gz, .zst (Zstandard), .mcap (for viewers such as Foxglove)."""

_EPILOG = """\
exit code: 0 done, 1 could not, 2 wrong usage; each verb may have more

examples:
  edgecore recording info session.jsonl.zst
      what is in it
  edgecore recording filter session.jsonl kind=frame operation!=keepalive
      its messages, but for the keepalives
  edgecore recording cut session.jsonl --from note:'delete the pod' --until +90 -o part.jsonl
      a part of it
  edgecore recording convert session.jsonl session.mcap
      for a viewer of MCAP
  edgecore recording compare before.jsonl after.jsonl
      what an edge did otherwise, by meaning

Each verb explains itself: edgecore recording cut --help. The format: docs/reference/recording-format.md"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = subparsers.add_parser(
        "recording",
        help="what is in a recording; cut, filter, merge, convert, redact, compare it",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=HelpText,
    )
    verbs = parser.add_subparsers(title="verbs", metavar="VERB", required=True)
    for verb in (info, cut, merge, convert, redact, compare, rules, minimize):
        verb.add_verb(verbs)
