"""What commands that judge have in common: their flags, how a verdict is told, and with which exit code."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from edgecore.errors import RecordingError, reason_of
from edgecore.verdict.junit import junit
from edgecore.verdict.report import SHOWN, report
from edgecore.verdict.rules import Rules
from edgecore.verdict.rulesfile import read_rules
from edgecore.verdict.verdict import Verdict

EQUAL, DIFFERENT, COULD_NOT = 0, 1, 2
"""Exit codes."""

EXIT_CODES = """\
exit code:
  0  equal, but for rules and known differences
  1  different
  2  could not run, or wrong usage"""


def add_verdict_flags(parser: argparse.ArgumentParser) -> None:
    """Add what says by which rules is judged, and how it is told."""
    group = parser.add_argument_group("verdict")
    group.add_argument(
        "--rules",
        type=Path,
        metavar="FILE",
        action="append",
        default=[],
        help="further rules and known differences (see `edgecore recording rules`); may be given again",
    )
    group.add_argument("--all", action="store_true", help=f"show every difference, not {SHOWN} of a recording")
    group.add_argument("--json", action="store_true", help="print the verdict as JSON")
    group.add_argument("--junit", type=Path, metavar="FILE", help="write it as JUnit XML, for a CI system, as well")


def rules_of(args: argparse.Namespace) -> Rules:
    """Return the rules that are to be used. Raises ``ConfigError``."""
    return read_rules(args.rules)


def tell(verdicts: Sequence[Verdict], args: argparse.Namespace) -> int:
    """Print the verdicts as the flags say, and return the exit code. Raises ``RecordingError``."""
    is_equal = all(one.is_equal for one in verdicts)
    if args.junit is not None:
        try:
            args.junit.write_text(junit(verdicts), "utf-8")
        except OSError as error:
            raise RecordingError(f"cannot write {args.junit}: {reason_of(error)}") from error
    if args.json:
        print(json.dumps({"is_equal": is_equal, "verdicts": [one.as_json() for one in verdicts]}, indent=2))
    else:
        print(report(verdicts, colour=has_colours(), limit=None if args.all else SHOWN), end="")
    return EQUAL if is_equal else DIFFERENT


def has_colours() -> bool:
    """Whether the output is for eyes that want colours (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
