"""``edgecore recording compare``: what changed between two sessions, by meaning."""

import argparse
import sys
from pathlib import Path

from edgecore.cli.verdict_report import COULD_NOT, EXIT_CODES, add_verdict_flags, rules_of, tell
from edgecore.control.help_text import HelpText
from edgecore.errors import EdgecoreError
from edgecore.recording.reader import read_entries
from edgecore.recording.session import Recording
from edgecore.verdict.judge import judge

_DESCRIPTION = """\
Say what an edge did otherwise in the session OURS than in the session RECORDED: frames to
the cloud, each beside the one that has the same cause; MQTT messages topic by topic; what
the node knew at the end (rows, services, DNS answers, devices), where both sessions hold
it. Ids, times and addresses are looked at by rules; in what our node differs from the Go
edgecore on purpose is known, and counts only where RECORDED is not of our own edge."""

_EPILOG = f"""\
{EXIT_CODES}

examples:
  edgecore recording compare before.jsonl after.jsonl
      the exact fields, with the numbers of the entries on both sides
  edgecore replay a.jsonl --output ours.jsonl; edgecore recording compare a.jsonl ours.jsonl
      the verdict of a replay, once more
  edgecore recording compare before.zst after.zst --rules ours.yaml --junit verdict.xml
      by rules of one's own too, for a CI system
  edgecore recording compare before.jsonl after.jsonl --json | jq '.verdicts[].differences[].path'
      for programs"""


def add_verb(verbs: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the verb."""
    parser = verbs.add_parser(
        "compare",
        help="say what changed between two sessions, by meaning",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=HelpText,
    )
    parser.add_argument("recorded", type=Path, metavar="RECORDED", help="what is expected")
    parser.add_argument("ours", type=Path, metavar="OURS", help="what is judged")
    add_verdict_flags(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Compare, and return the exit code."""
    try:
        rules = rules_of(args)
        return tell([judge(_read(args.recorded), _read(args.ours), rules=rules)], args)
    except EdgecoreError as error:
        sys.stderr.write(f"edgecore: {error}\n")
        return COULD_NOT


def _read(path: Path) -> Recording:
    entries = sorted(read_entries(path), key=lambda entry: entry.t_ns)
    return Recording(path.name.partition(".")[0], tuple(entries))
